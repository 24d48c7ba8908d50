"""The short way by proxy: a client's request is passed on as it came, and its reply passed back.

Theory of operation
-------------------
A request for a record that another node serves mostly needs nothing but that node: no duplicates to
resolve, no line to stand in. So it is sent there as the client's own bytes, and done there at once
as if the client had asked there (`serve`); the reply's bytes come back. Where there is anything
more to it, the other node *refuses*: nothing was done, and the request goes the long way
(`Transactions.submit`), which costs five times as much and can do everything.

What must hold:

1. *Nothing is done twice.* What writes is sent with `once`, and the server keeps its answer, a
   refusal too, until the asker says (`oldest`) that all below is over. Numbers count in one life of
   the asker, over all clusters: what is sent again after a new cluster was formed finds the answer
   of the first time. So a refusal that comes late can be believed.
2. *A refusal is final.* A request is sent again only until it is answered; after a refusal it
   goes the long way, and a copy of it that still comes is refused, too.
3. *A read may be done twice*, and no answer of it is kept. With a new cluster all reads are given
   back as refused, for another node may serve them now. A write waits for its server's answer; when
   the server departs it is in doubt.
4. Whoever waits hears exactly once, through `heard`.

What is not here: the order of requests of one connection is the daemon's to keep (it takes up one
that is passed on at a time).

Rejected: the requests of the fabric (`Request`): they too are done once, but decoding, tags and
outputs on their way cost three times what the request itself does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from attrs import define, field

from citrusleaf import partition_id
from cluster.fabric import FOREVER, Delivered
from cluster.node import Service
from cluster.outputs import Channel, ClusterChanged, Output, Post
from cluster.partitions.service import Partitions
from cluster.replication import forward_codec
from cluster.replication.forward_messages import Forward, Forwarded
from cluster.wire import Message

WINDOW = 4096
"""Requests between the oldest that is under way and the next; more take the long way."""
NEVER = b"\xff"
"""The head of no request."""
AGAIN_MS = 400
"""A request without an answer is sent again after so long."""
REFUSED = b""

Serve = Callable[[int, int, bool, bool, bytes], bytes | None]
"""Given the asking node, its number, `once`, `in_batch` and the request's bytes: the reply's bytes,
or `REFUSED`; None, of one that is done once: it comes later, by `Forwards.reply`."""

Heard = Callable[[int, bytes, bool], None]
"""Given a number, the reply's bytes (or `REFUSED`), and whether it is in doubt."""


def refuse(node: int, number: int, once: bool, in_batch: bool, body: bytes) -> bytes:
    """Serve nothing."""
    return REFUSED


def _ignore(number: int, body: bytes, in_doubt: bool) -> None:
    """Nobody waits."""


@define
class _Open:
    """A request that waits for its answer."""

    node: int
    payload: bytes
    once: bool
    again: int
    expires: int


@define
class _Asker:
    """What one life of a node has sent to be done once: answers by number, None while it is under
    way."""

    life: int
    head: bytes
    oldest: int = 0
    answers: dict[int, tuple[bytes, bool] | None] = field(factory=dict)

    def forget(self, oldest: int) -> None:
        """Every number below is over."""
        if oldest > self.oldest:
            self.oldest = oldest
            answers = self.answers
            while answers and (first := next(iter(answers))) < oldest:
                del answers[first]


class Forwards(Service):
    """The requests that one node passes on, and those that are passed on to it."""

    MESSAGES: ClassVar[tuple[type[Message], ...]] = (Forward, Forwarded)
    TAKES: ClassVar[Channel | None] = Channel.REPLICATION

    def __init__(
        self,
        me: int,
        life: int,
        partitions: Partitions,
        partition_of: Callable[[bytes], int] = partition_id,
    ) -> None:
        """`life` is this node's incarnation."""
        self.deadline = FOREVER
        self.serve: Serve = refuse
        self.heard: Heard = _ignore
        """The daemon: both are called while this is at work, and must not call it."""
        self._me = me
        self._life = life
        self._partitions = partitions
        self._partition_of = partition_of
        self._key = 0
        self._head = b""
        self._next = 1
        self._open: dict[int, _Open] = {}
        self._askers: dict[int, _Asker] = {}

    @property
    def under_way(self) -> int:
        """Requests of this node's clients that wait for another's answer. O(1)."""
        return len(self._open)

    # --- asking --------------------------------------------------------------------------------

    def send(
        self,
        namespace: str,
        digest: bytes,
        body: bytes,
        timeout_ms: int,
        now: int,
        *,
        once: bool,
        in_batch: bool = False,
    ) -> tuple[int, list[Output]]:
        """Pass a request on: a number that `heard` will be told, 0 when it must take the long
        way. O(bytes)."""
        node = self._partitions.spaces[namespace].server(self._partition_of(digest))
        number = self._next
        oldest = next(iter(self._open), number)
        if node is None or node == self._me or number - oldest >= WINDOW:
            return 0, []
        if self._key != self._partitions.cluster_key:
            self._key = self._partitions.cluster_key
            self._head = forward_codec.head(self._life, self._key)
        self._next += 1
        payload = forward_codec.request(
            self._head, number, oldest, body, once=once, in_batch=in_batch
        )
        again, expires = now + AGAIN_MS, now + timeout_ms
        self._open[number] = _Open(node, payload, once, again, expires)
        if again < self.deadline or expires < self.deadline:
            self.deadline = min(again, expires)
        return number, [Post(node, payload, Channel.REPLICATION)]

    def server_of(self, number: int) -> int:
        """The node that a request without an answer was passed on to. O(1)."""
        return self._open[number].node

    def _is_over(self, number: int, body: bytes, in_doubt: bool) -> None:
        if self._open.pop(number, None) is not None:
            self.heard(number, body, in_doubt)

    def departed(self, node: int, now: int) -> list[Output]:
        """Its writes are in doubt; its reads wait for the cluster that follows."""
        for number, each in list(self._open.items()):
            if each.node == node and each.once:
                self._is_over(number, REFUSED, True)
        return []

    def cluster_changed(self, view: ClusterChanged, now: int) -> list[Output]:
        """Others may serve what is under way, and nothing of another cluster is served here."""
        for asker in self._askers.values():
            asker.head = NEVER
        for number, each in list(self._open.items()):
            if not each.once:
                self._is_over(number, REFUSED, False)
        return []

    def tick(self, now: int) -> list[Output]:
        """Send again what has no answer; give up what has waited long enough. O(under way)."""
        outputs: list[Output] = []
        due = FOREVER
        for number, each in list(self._open.items()):
            if each.expires <= now:
                self._is_over(number, REFUSED, True)
                continue
            if each.again <= now:
                each.again = now + AGAIN_MS
                outputs.append(Post(each.node, each.payload, Channel.REPLICATION))
            due = min(due, each.again, each.expires)
        self.deadline = due
        return outputs

    # --- what comes ----------------------------------------------------------------------------

    def take(self, node: int, payload: bytes, now: int) -> list[Output] | None:
        """See `Service`. The first request of a node in a cluster is read by the codec."""
        if payload.startswith(forward_codec.REPLY_HEAD):
            self._is_over(*_in_order(*forward_codec.opened_reply(payload)))
            return []
        asker = self._askers.get(node)
        if asker is None or not payload.startswith(asker.head):
            return None
        number, oldest, once, in_batch, body = forward_codec.opened(payload, asker.head)
        if not once:
            return self._reply(node, number, self.serve(node, number, once, in_batch, body))
        return self._do_once(node, asker, number, oldest, in_batch, body)

    def receive(self, came: Delivered, now: int) -> list[Output]:
        """A message of another node, decoded."""
        message: Any = came.message
        if isinstance(message, Forwarded):
            self._is_over(message.number, message.body, message.in_doubt)
            return []
        asker = self._askers.get(came.node)
        if asker is None or asker.life != message.life:
            asker = self._askers[came.node] = _Asker(message.life, NEVER)
        current = message.cluster_key == self._partitions.cluster_key != 0
        if current:
            asker.head = forward_codec.head(message.life, message.cluster_key)
        serve = self.serve if current else refuse
        number, in_batch, body = message.number, message.in_batch, message.body
        if not message.once:
            return self._reply(came.node, number, serve(came.node, number, False, in_batch, body))
        return self._do_once(
            came.node, asker, number, message.oldest, in_batch, body, is_current=current
        )

    def _do_once(
        self,
        node: int,
        asker: _Asker,
        number: int,
        oldest: int,
        in_batch: bool,
        body: bytes,
        *,
        is_current: bool = True,
    ) -> list[Output]:
        asker.forget(oldest)
        if number in asker.answers:
            known = asker.answers[number]
            return self._reply(node, number, *known) if known is not None else []
        if number < asker.oldest or len(asker.answers) >= WINDOW:
            return []  # it has given up; or it does not keep to the window
        asker.answers[number] = None
        answer = self.serve(node, number, True, in_batch, body) if is_current else REFUSED
        return [] if answer is None else self.reply(node, number, answer)

    def reply(self, node: int, number: int, body: bytes, in_doubt: bool = False) -> list[Output]:
        """What came of something that had to be done once."""
        asker = self._askers.get(node)
        if asker is None or number not in asker.answers:
            return []  # another life of the node, or it has given up
        asker.answers[number] = body, in_doubt
        return self._reply(node, number, body, in_doubt)

    def _reply(
        self, node: int, number: int, body: bytes | None, in_doubt: bool = False
    ) -> list[Output]:
        assert body is not None, "what may be done twice is answered at once"
        return [Post(node, forward_codec.reply(number, in_doubt, body), Channel.REPLICATION)]

    def _check(self) -> None:
        for number, each in self._open.items():
            assert number < self._next <= next(iter(self._open)) + WINDOW
            assert self.deadline <= min(each.again, each.expires)
        for asker in self._askers.values():
            assert len(asker.answers) <= WINDOW
            assert all(number >= asker.oldest for number in asker.answers)


def _in_order(number: int, in_doubt: bool, body: bytes) -> tuple[int, bytes, bool]:
    return number, body, in_doubt
