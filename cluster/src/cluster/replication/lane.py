"""The fast lane of replication: what a master's writes are to its replicas.

Theory of operation
-------------------
During a turn of the daemon's loop each write that is committed here is added for the replicas of
its partition; when the turn ends, all rows for the same replicas leave as one message each
(`ReplicaGroup`), and whoever waits for them waits for the turn's *commitment*: a number. A replica
keeps the rows in the order in which they come, in place of whatever it has, and acknowledges
cumulatively. This is LevelDB's batch group across a network: the more writes come, the fewer
messages each costs.

Nothing here is kept for a record: no line, no version, no count. That is enough because:

1. In one cluster (one key) the writes of a partition have one order: one node at a time serves it,
   and hands it over only when all its groups are acknowledged (`cluster.partitions.namespace`).
2. A lane is in order: groups are numbered, for each peer and namespace, from 1 in each cluster; a
   receiver takes a number once, and only the next. What is lost is sent again from the oldest on.
3. So a replica has, of every record written in this cluster, the state as of some group, and in the
   end the last: it does not matter which version the conflict rule would choose, and it must not be
   asked, since a clock that stepped back, or a record made anew with generation 1, would lose.
4. What comes by migration meanwhile is older than any such write, and is left out for those
   records.
5. A message of another cluster's key is nothing. When the cluster changes, whatever is not
   acknowledged stays unfinished: some replicas may have it, and nobody knows which. The copy
   vouches no more for the others, so they all exchange what they have, by the conflict rule.

A commitment that a new cluster breaks off waits in limbo for the new plan. If this node serves the
partitions then, what it has is what the others will get, and the wait is over; a replica that has
gone must not hold up a client. Where another node serves, the writes are in doubt.

Bounds: `window_bytes` are under way to a peer, the rest waits here; `is_full` says when so much
waits that the daemon should refuse.

Rejected: one lane for all namespaces of a peer (a slow disk would hold up the others); an
acknowledgement each row (the message would cost as much as the write); a vector of versions a
partition (what the order of the link already says); one group under way at a time, with which all
that came meanwhile leaves when it is acknowledged (larger groups, but nodes that wait for each
other: two of them on two cores did two thirds of the writes).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from attrs import define, field, frozen

from cluster.fabric import FOREVER
from cluster.messages import RecordRow, ReplicaAck, ReplicaGroup
from cluster.outputs import Apply, Output, Post, Replicated, StoreAnswer, Token
from cluster.replication import lane_codec

ROW_BYTES = 64
"""What a row takes besides its bytes, about."""


@frozen
class LaneConfig:
    """Limits and times of the fast lane."""

    window_bytes: int = 1 << 20
    """Under way to a peer without acknowledgement, in a namespace; one group at least."""
    queue_bytes: int = 16 << 20
    """Under way and waiting: more should be refused."""
    retransmit_ms: int = 400
    most_ms: int = 3200
    """A peer that goes on saying nothing is sent to after ever longer, at most this."""


@frozen
class Lag:
    """What a peer has not acknowledged, of one namespace."""

    rows: int
    bytes: int


Ask = Callable[[Output], StoreAnswer | None]
"""Given a question or an event; the answer, if it is there at once."""


def asked(
    outputs: list[Output], ask: Ask | None, tell: Callable[[StoreAnswer], list[Output]]
) -> list[Output]:
    """Ask and tell the daemon directly, if it wants that; what is left to be asked or sent."""
    if ask is None:
        return outputs
    left: list[Output] = []
    for output in outputs:
        if type(output) is Apply or type(output) is Replicated:
            answer = ask(output)
            if answer is not None:
                left += tell(answer)
        else:
            left.append(output)
    return left


class _Group(NamedTuple):
    """A group for one peer: how many rows, and the whole message."""

    sequence: int
    commitment: int
    rows: int
    payload: bytes


class LaneSender:
    """One peer's groups of one namespace in one cluster. Inputs return outputs; no IO."""

    def __init__(self, peer: int, namespace: str, cluster_key: int, config: LaneConfig) -> None:
        self.queued_bytes = 0
        self.deadline = FOREVER
        self.ack_head = lane_codec.head(ReplicaAck, cluster_key, namespace)
        """What this peer's acknowledgements begin with."""
        self._head = lane_codec.head(ReplicaGroup, cluster_key, namespace)
        self._peer = peer
        self._config = config
        self._groups: deque[_Group] = deque()
        self._sent = 0
        self._flight_bytes = 0
        self._next = 1
        self._patience_ms = config.retransmit_ms

    @property
    def lag(self) -> Lag:
        """What the peer has not acknowledged. O(groups)."""
        return Lag(sum([group.rows for group in self._groups]), self.queued_bytes)

    def send(self, commitment: int, rows: int, packed: bytes, now: int) -> list[Output]:
        """So many rows, packed, that are to be kept there. O(bytes)."""
        payload = lane_codec.group(self._head, self._next, packed)
        self._groups.append(_Group(self._next, commitment, rows, payload))
        self._next += 1
        self.queued_bytes += len(payload)
        return self._fill(now)

    def receive(self, sequence: int, now: int) -> tuple[list[int], list[Output]]:
        """An acknowledgement: commitments that this peer has kept now, and what can be sent next.
        O(groups)."""
        kept = []
        groups = self._groups
        while self._sent and groups[0].sequence <= sequence:
            group = groups.popleft()
            size = len(group.payload)
            self._sent -= 1
            self._flight_bytes -= size
            self.queued_bytes -= size
            kept.append(group.commitment)
        if kept:
            self._patience_ms = self._config.retransmit_ms
            self.deadline = now + self._patience_ms if self._sent else FOREVER
        return kept, self._fill(now) if self._sent < len(groups) else []

    def tick(self, now: int) -> list[Output]:
        """Time has reached `deadline`: send what is under way again."""
        if now < self.deadline:
            return []
        self._patience_ms = min(2 * self._patience_ms, self._config.most_ms)
        self.deadline = now + self._patience_ms
        return [Post(self._peer, self._groups[at].payload) for at in range(self._sent)]

    def _fill(self, now: int) -> list[Output]:
        outputs: list[Output] = []
        while self._sent < len(self._groups):
            group = self._groups[self._sent]
            size = len(group.payload)
            if self._sent and self._flight_bytes + size > self._config.window_bytes:
                break
            self._sent += 1
            self._flight_bytes += size
            outputs.append(Post(self._peer, group.payload))
        if outputs and self.deadline == FOREVER:
            self.deadline = now + self._patience_ms
        return outputs

    def _check(self) -> None:
        assert 0 <= self._sent <= len(self._groups)
        assert self.queued_bytes == sum(len(group.payload) for group in self._groups)
        assert (self.deadline == FOREVER) == (not self._sent)
        numbers = [group.sequence for group in self._groups]
        assert numbers == list(range(self._next - len(numbers), self._next))


class LaneReceiver:
    """What comes from one peer's lane in one namespace and cluster. No IO."""

    def __init__(
        self,
        peer: int,
        namespace: str,
        cluster_key: int,
        config: LaneConfig,
        token: Callable[[LaneReceiver, int], Token],
    ) -> None:
        """`token` makes the token with which the daemon's answer finds back here."""
        self.kept = 0
        """Every group up to this one is kept."""
        self.group_head = lane_codec.head(ReplicaGroup, cluster_key, namespace)
        """What this peer's groups begin with."""
        self._ack_head = lane_codec.head(ReplicaAck, cluster_key, namespace)
        self._peer = peer
        self._key = cluster_key
        self._namespace = namespace
        self._config = config
        self._token = token
        self._next = 1
        self._held: deque[ReplicaGroup] = deque()
        self._held_bytes = 0
        self._is_open = False
        self._done: set[int] = set()

    def receive(self, group: ReplicaGroup, now: int) -> list[Output]:
        """A group has come: apply it, or hold it until the namespace is ready."""
        if group.sequence != self._next:
            # It comes again, or one before it was lost: say what there is.
            return self._ack() if self.kept else []
        if self._is_open:
            self._next += 1
            return self._apply(group)
        size = sum([len(row[6]) for row in group.rows]) + ROW_BYTES * len(group.rows)
        if self._held and self._held_bytes + size > self._config.window_bytes:
            return []
        self._next += 1
        self._held_bytes += size
        self._held.append(group)
        return []

    def take(self, payload: bytes, now: int) -> list[Output]:
        """As `receive`, of a message that begins with this lane's head. Raises WireError."""
        sequence, rows = lane_codec.opened(payload, self.group_head)
        return self.receive(ReplicaGroup(self._key, self._namespace, sequence, rows), now)

    def open(self, now: int) -> list[Output]:
        """The namespace is ready: apply what is held."""
        self._is_open = True
        outputs: list[Output] = []
        while self._held:
            group = self._held.popleft()
            outputs += self._apply(group)
        self._held_bytes = 0
        return outputs

    def applied(self, sequence: int, now: int) -> list[Output]:
        """A group is kept."""
        if sequence == self.kept + 1 and not self._done:  # in order, as most are
            self.kept = sequence
            return self._ack()
        self._done.add(sequence)
        before = self.kept
        while self.kept + 1 in self._done:
            self.kept += 1
            self._done.remove(self.kept)
        return self._ack() if self.kept > before else []

    def _apply(self, group: ReplicaGroup) -> list[Output]:
        token = self._token(self, group.sequence)
        return [Apply(self._namespace, token, group.rows, False)]

    def _ack(self) -> list[Output]:
        return [Post(self._peer, lane_codec.ack(self._ack_head, self.kept))]

    def _check(self) -> None:
        assert self.kept < self._next
        assert all(self.kept < sequence < self._next for sequence in self._done)
        assert not self._held or not self._is_open


class LaneReceivers:
    """All lanes into one node, in one cluster."""

    def __init__(
        self,
        receiver: type[LaneReceiver],
        config: LaneConfig,
        token: Callable[[LaneReceiver, int], Token],
    ) -> None:
        self._make = receiver
        self._config = config
        self._token = token
        self._receivers: dict[tuple[int, str], LaneReceiver] = {}
        self._by_node: dict[int, tuple[LaneReceiver, ...]] = {}

    def receive(self, node: int, group: ReplicaGroup, is_ready: bool, now: int) -> list[Output]:
        """A group of this cluster has come. Is its namespace ready?"""
        receiver = self._receivers.get((node, group.namespace))
        if receiver is None:
            place = node, group.namespace, group.cluster_key
            receiver = self._make(*place, self._config, self._token)
            self._receivers[node, group.namespace] = receiver
            self._by_node[node] = (*self._by_node.get(node, ()), receiver)
            if is_ready:
                receiver.open(now)
        return receiver.receive(group, now)

    def take(self, node: int, payload: bytes, now: int) -> list[Output] | None:
        """As `receive`, of bytes; None when they are no group of a lane that is there."""
        for receiver in self._by_node.get(node, ()):
            if payload.startswith(receiver.group_head):
                return receiver.take(payload, now)
        return None

    def open(self, namespace: str, now: int) -> list[Output]:
        """The namespace is ready: apply what is held."""
        return [
            output
            for (_, name), receiver in self._receivers.items()
            if name == namespace
            for output in receiver.open(now)
        ]

    def clear(self) -> None:
        """Another cluster: all lanes begin anew."""
        self._receivers.clear()
        self._by_node.clear()

    def _check(self) -> None:
        for receiver in self._receivers.values():
            receiver._check()


@define(eq=False)
class _Commitment:
    """What somebody waits for."""

    number: int
    namespace: str
    targets: tuple[int, ...]
    rows: list[RecordRow] = field(factory=list)
    left: int = 0


@frozen
class Unfinished:
    """A commitment that a new cluster has broken off."""

    commitment: int
    namespace: str
    digests: tuple[bytes, ...]


class FastLane:
    """All lanes out of one node, and the commitments of its turns."""

    sender: type[LaneSender] = LaneSender

    def __init__(self, config: LaneConfig | None = None) -> None:
        self.config = config if config is not None else LaneConfig()
        self.deadline = FOREVER
        """When `tick` is due, or earlier: what is acknowledged in time does not put it off."""
        self._key = 0
        self._next = 1
        self._turn: dict[tuple[str, tuple[int, ...]], _Commitment] = {}
        self._open: dict[int, _Commitment] = {}
        self._senders: dict[tuple[int, str], LaneSender] = {}
        self._by_head: dict[tuple[int, bytes], LaneSender] = {}
        """By what their acknowledgements begin with."""
        self._pack = lane_codec.packer()

    def begin(self, cluster_key: int) -> list[Unfinished]:
        """A new cluster: all lanes begin anew; what nobody will acknowledge any more."""
        broken = [
            Unfinished(number, each.namespace, tuple([row[0] for row in each.rows]))
            for number, each in self._open.items()
        ]
        self._key = cluster_key
        for held in (self._turn, self._open, self._senders, self._by_head):
            held.clear()
        self.deadline = FOREVER
        return broken

    def add(self, namespace: str, targets: tuple[int, ...], row: RecordRow) -> int:
        """A write is committed here and must be on `targets`: the commitment to wait for. O(1)."""
        commitment = self._turn.get((namespace, targets))
        if commitment is None:
            number = self._next
            self._next += 1
            commitment = self._open[number] = _Commitment(number, namespace, targets)
            self._turn[namespace, targets] = commitment
        commitment.rows.append(row)
        return commitment.number

    def flush(self, now: int) -> list[Output]:
        """The turn ends: its rows leave. O(rows)."""
        outputs: list[Output] = []
        for commitment in self._turn.values():
            rows = commitment.rows
            packed = self._pack(rows)
            commitment.left = len(commitment.targets)
            for peer in commitment.targets:
                sender = self._senders.get((peer, commitment.namespace))
                if sender is None:
                    sender = self._new_sender(peer, commitment.namespace)
                outputs += sender.send(commitment.number, len(rows), packed, now)
                if sender.deadline < self.deadline:
                    self.deadline = sender.deadline
        self._turn.clear()
        return outputs

    def _new_sender(self, peer: int, namespace: str) -> LaneSender:
        sender = self.sender(peer, namespace, self._key, self.config)
        self._senders[peer, namespace] = self._by_head[peer, sender.ack_head] = sender
        return sender

    def receive(self, node: int, ack: ReplicaAck, now: int) -> list[Output]:
        """A peer's acknowledgement: what can be sent, and what is replicated everywhere."""
        sender = self._senders.get((node, ack.namespace))
        if sender is None or ack.cluster_key != self._key:
            return []
        return self._acknowledged(sender, ack.sequence, now)

    def take(self, node: int, payload: bytes, now: int) -> list[Output] | None:
        """As `receive`, of bytes; None when they are no acknowledgement of a lane that is there."""
        sender = self._by_head.get((node, payload[: -lane_codec.ACK_END]))
        if sender is None:
            return None
        return self._acknowledged(sender, lane_codec.sequence_of(payload), now)

    def _acknowledged(self, sender: LaneSender, sequence: int, now: int) -> list[Output]:
        kept, outputs = sender.receive(sequence, now)
        if sender.deadline < self.deadline:  # it was being patient, and need not be any more
            self.deadline = sender.deadline
        for number in kept:
            commitment = self._open[number]
            commitment.left -= 1
            if not commitment.left:
                del self._open[number]
                outputs.append(Replicated(number, False))
        return outputs

    def tick(self, now: int) -> list[Output]:
        """Send again what is not acknowledged."""
        outputs = [output for each in self._senders.values() for output in each.tick(now)]
        self.deadline = min([each.deadline for each in self._senders.values()], default=FOREVER)
        return outputs

    def is_full(self, namespace: str, targets: tuple[int, ...]) -> bool:
        """Does so much wait for one of these peers that a write should be refused? O(targets)."""
        limit = self.config.queue_bytes
        senders = [self._senders.get((peer, namespace)) for peer in targets]
        return any(each is not None and each.queued_bytes > limit for each in senders)

    def lag(self, namespace: str) -> dict[int, Lag]:
        """By peer, what it has not acknowledged. O(groups)."""
        return {peer: each.lag for (peer, name), each in self._senders.items() if name == namespace}

    def unacknowledged(self, namespace: str) -> list[bytes]:
        """Digests of writes that not all replicas have. O(of them)."""
        return [
            row[0]
            for each in self._open.values()
            if each.namespace == namespace
            for row in each.rows
        ]

    def _check(self) -> None:
        for sender in self._senders.values():
            sender._check()
            assert self.deadline <= sender.deadline
        for number, commitment in self._open.items():
            assert commitment.number == number
            assert commitment.rows
            assert commitment.targets
            assert commitment.left or commitment in self._turn.values()
