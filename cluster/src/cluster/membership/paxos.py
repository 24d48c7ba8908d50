"""Paxos: agreement on the succession list and the cluster key.

The highest node of a clique is its principal. When the nodes it can have differ from those it
has, it waits a quantum for more news and runs a round: *prepare* (everyone promises to take part in
no lower ballot), *accept* (everyone holds the list), *commit* (it holds for everyone). All must
answer, since the list names exactly the nodes that are to be there. A ballot is a sequence and a
node id; a key belongs to one ballot and a ballot to one list, and nodes commit rising ballots only.
So no two nodes commit different lists under one key, and no two commit two keys in different order.

When a round may begin
----------------------
Who hears whom is a matter of moments: when a node dies its neighbours notice one after the other,
and a node that comes is heard by one before the other. A principal that went by what it sees at
such a moment would leave out those that are late (of nodes that do not hear the same, the clique is
not all), or ask nodes that still follow the dead one. So, although a round can begin whenever the
list that is wanted is not the one that holds, it lets two things settle first:

- the last departure is `departure_intervals` old, since nodes often die together;
- all neighbours hear the same nodes as we do, and whom we hear hears us. Their pulses say so, and
  a departure is told at once, so that this costs no time unless one is busy. What differs for
  `settling_intervals` is not late: some link works for some nodes only, and cliques must do.

Rejected: a fixed wait as long as the latest may be. It delays every takeover by what is needed
hardly ever.
"""

from __future__ import annotations

import hashlib
from collections import Counter

from cluster.fabric import FOREVER
from cluster.membership.clique import cluster_of
from cluster.membership.heartbeat import Identity, Standing
from cluster.membership.paxos_events import (
    CAME,
    AcceptCame,
    AcceptedCame,
    Ballot,
    CommitCame,
    CommittedCame,
    From,
    Neighbourhood,
    NodeGone,
    PaxosConfig,
    PaxosState,
    PrepareCame,
    PromiseCame,
    QuantumOver,
    RejectCame,
    RetransmitDue,
    RoundOver,
)
from cluster.messages import (
    Accept,
    Accepted,
    Commit,
    Committed,
    MemberRow,
    Prepare,
    Promise,
    Reject,
)
from cluster.outputs import ClusterChanged, Output, Send
from cluster.state_machine import Observer, StateMachine, table
from cluster.wire import Message

S = PaxosState


class Paxos(StateMachine):
    """The agreement as one node sees it. Inputs return the outputs they cause, in order."""

    TABLE = table(
        "paxos",
        (S.IDLE, QuantumOver, "_may_find_others", S.IDLE, "_look_again_soon"),
        (S.IDLE, QuantumOver, "_lets_things_settle", S.IDLE, "_look_again_soon"),
        (S.IDLE, QuantumOver, "_is_principal_of_a_new_list", S.PREPARING, "_prepare"),
        (S.IDLE, QuantumOver, "_waits_for_a_principal", S.IDLE, "_have_patience"),
        (S.IDLE, QuantumOver, "", S.IDLE, "_be_content"),
        *(
            (state, PrepareCame, "_is_promised_already", state, "_promise_again")
            for state in (S.IDLE, S.PROMISED, S.ACCEPTED)
        ),
        *(
            row
            for state in PaxosState
            for row in (
                (state, PrepareCame, "_is_no_higher_ballot", state, "_reject_as_stale"),
                (state, PrepareCame, "_follows_another", state, "_reject_as_stranger"),
                (state, PrepareCame, "", S.PROMISED, "_promise"),
            )
        ),
        (S.PREPARING, PromiseCame, "_is_last_of_my_ballot", S.ACCEPTING, "_propose"),
        (S.PREPARING, PromiseCame, "_is_of_my_ballot", S.PREPARING, "_count"),
        (S.PREPARING, RejectCame, "_is_of_my_ballot", S.IDLE, "_back_off"),
        (S.PREPARING, NodeGone, "_is_asked", S.IDLE, "_give_up"),
        (S.PREPARING, RetransmitDue, "", S.PREPARING, "_repeat"),
        (S.PREPARING, RoundOver, "", S.IDLE, "_give_up"),
        (S.ACCEPTING, AcceptedCame, "_is_last_of_my_ballot", S.COMMITTING, "_tell_all_to_commit"),
        (S.ACCEPTING, AcceptedCame, "_is_of_my_ballot", S.ACCEPTING, "_count"),
        (S.ACCEPTING, RejectCame, "_is_of_my_ballot", S.IDLE, "_back_off"),
        (S.ACCEPTING, NodeGone, "_is_asked", S.IDLE, "_give_up"),
        (S.ACCEPTING, RetransmitDue, "", S.ACCEPTING, "_repeat"),
        (S.ACCEPTING, RoundOver, "", S.IDLE, "_give_up"),
        (S.COMMITTING, CommittedCame, "_is_last_of_my_ballot", S.IDLE, "_close_round"),
        (S.COMMITTING, CommittedCame, "_is_of_my_ballot", S.COMMITTING, "_count"),
        (S.COMMITTING, RetransmitDue, "", S.COMMITTING, "_repeat"),
        (S.COMMITTING, RoundOver, "", S.IDLE, "_give_up"),
        (S.PROMISED, AcceptCame, "_is_of_promised_ballot", S.ACCEPTED, "_accept"),
        (S.PROMISED, NodeGone, "_holds_my_promise", S.IDLE, "_give_up"),
        (S.PROMISED, RoundOver, "", S.IDLE, "_give_up"),
        (S.ACCEPTED, AcceptCame, "_is_of_promised_ballot", S.ACCEPTED, "_accept"),
        (S.ACCEPTED, CommitCame, "_is_of_promised_ballot", S.IDLE, "_commit_and_answer"),
        (S.ACCEPTED, NodeGone, "_holds_my_promise", S.IDLE, "_give_up"),
        (S.ACCEPTED, RoundOver, "", S.IDLE, "_give_up"),
        (S.IDLE, CommitCame, "_is_committed_already", S.IDLE, "_answer_again"),
        (S.IDLE, CommitCame, "_was_accepted", S.IDLE, "_commit_and_answer"),
    )

    def __init__(
        self,
        identity: Identity,
        config: PaxosConfig,
        neighbourhood: Neighbourhood,
        observer: Observer | None = None,
    ) -> None:
        super().__init__(PaxosState.IDLE, observer)
        self.identity = identity
        self.config = config
        self.rack = 0
        self.quiesced = False
        self.view: ClusterChanged | None = None
        self.timers: dict[type, int] = {}
        self._neighbourhood = neighbourhood
        self._lives = {identity.node: identity.incarnation}
        self._outputs: list[Output] = []
        self._promised: Ballot = (0, 0)
        self._highest = 0
        self._accepted: Accept | None = None
        self._wanted: tuple[int, ...] = ()
        self._answers: dict[int, Message] = {}
        self._asked: Message | None = None
        self._least_sequence = 0
        self._odd_since: int | None = None
        self._unhappy_since: int | None = None
        self._differ_since: int | None = None
        self._departures_until = 0
        self._strangers: Counter[int] = Counter()
        self._excluded: dict[int, int] = {}

    # --- inputs --------------------------------------------------------------------------------

    @property
    def deadline(self) -> int:
        """When `tick` is due; before `start`, never."""
        return min(self.timers.values(), default=FOREVER)

    def start(self, now: int) -> list[Output]:
        """Begin: after a quantum a node that hears nobody is a cluster of its own."""
        self.timers[QuantumOver] = now + self.config.ms(self.config.quantum_intervals)
        return []

    def arrived(self, node: int, incarnation: int, now: int) -> list[Output]:
        """A node has become adjacent."""
        self._lives[node] = incarnation
        return self._news(now)

    def departed(self, node: int, now: int) -> list[Output]:
        """A node is adjacent no more."""
        self._lives.pop(node, None)
        self.fire(NodeGone(node), now)
        self._departures_until = now + self.config.ms(self.config.departure_intervals)
        self._look_at(self._departures_until)
        return self._news(now)

    def recluster(self, now: int) -> list[Output]:
        """Run a round at once although the nodes are the same: racks or quiesced ones are not."""
        self._least_sequence = self._next_sequence()
        self.timers[QuantumOver] = now
        return []

    def graph_changed(self, now: int) -> list[Output]:
        """Other nodes hear others than before."""
        self._look_at(now + self.config.ms(self.config.quantum_intervals))
        return []

    def _look_at(self, when: int) -> None:
        """Look around then, unless we do so before."""
        self.timers[QuantumOver] = min(when, self.timers.get(QuantumOver, when))

    def receive(self, node: int, message: Message, now: int) -> list[Output]:
        """A message from an adjacent node. What does not fit the state is ignored."""
        if isinstance(message, Prepare) and self.identity.node in message.nodes:
            # We had given it up because it did not take us in: now it does.
            self._excluded.pop(node, None)
        came = CAME.get(type(message))
        if came is not None:
            self.fire(came(node, message), now)
        return self._take_outputs()

    def tick(self, now: int) -> list[Output]:
        """Fire every timer that is due."""
        for event, due in sorted(self.timers.items(), key=lambda timer: timer[1]):
            if due <= now and self.timers.get(event) == due:
                del self.timers[event]
                if event is QuantumOver:
                    quantum = self.config.ms(self.config.quantum_intervals)
                    self.timers[QuantumOver] = now + quantum
                    if self.state is S.IDLE:
                        self._look_around(now)
                self.fire(event(), now)
        return self._take_outputs()

    # --- what is wanted ------------------------------------------------------------------------

    def _news(self, now: int) -> list[Output]:
        self._excluded.clear()
        self._strangers.clear()
        self._unhappy_since = None
        return self.graph_changed(now)

    def _take_outputs(self) -> list[Output]:
        outputs, self._outputs = self._outputs, []
        return outputs

    def desired(self) -> tuple[int, ...]:
        """The succession list that would fit what the heartbeat hears."""
        out = self._excluded
        graph = {
            node: heard.difference(out)
            for node, heard in self._neighbourhood.graph().items()
            if node not in out
        }
        return cluster_of(self.identity.node, graph)

    def _is_satisfied(self) -> bool:
        view = self.view
        return (
            view is not None
            and view.nodes == self._wanted
            and all(self._lives.get(row[0]) == row[1] for row in view.members)
        )

    def _look_around(self, now: int) -> None:
        """Once a quantum: what is wanted, and does everybody show the key we show?"""
        config = self.config
        self._excluded = {node: end for node, end in self._excluded.items() if end > now}
        self._wanted = self.desired()
        if not self._views_differ():
            self._differ_since = None
        elif self._differ_since is None:
            self._differ_since = now
        if not self._is_odd():
            self._odd_since = None
        elif self._odd_since is None:
            self._odd_since = now
        elif now - self._odd_since >= config.ms(config.integrity_intervals):
            self._least_sequence = self._next_sequence()

    def _views_differ(self) -> bool:
        """Does a neighbour hear other nodes than we do, or not hear us?"""
        graph = self._neighbourhood.graph()
        known = graph.keys() | self._excluded.keys()
        differ = any(heard | {node} != known for node, heard in graph.items())
        return differ or self._neighbourhood.hears_one_way()

    def _lets_things_settle(self, _: object, now: int) -> bool:
        """Would we go, and shall what the heartbeats say settle first? (See above.)"""
        if not self._is_principal_of_a_new_list(_, now):
            return False
        since, config = self._differ_since, self.config
        differ = since is not None and now - since < config.ms(config.settling_intervals)
        return differ or now < self._departures_until

    def _is_odd(self) -> bool:
        """Does some node of our cluster (for a member: its principal) show another key?"""
        view, me = self.view, self.identity.node
        if view is None or not self._is_satisfied():
            return False
        mine = Standing(view.principal, view.cluster_key)
        others = view.nodes[1:] if view.principal == me else view.nodes[:1]
        return any(self._neighbourhood.standing(node) != mine for node in others)

    @property
    def has_integrity(self) -> bool:
        """Are the nodes that should be one cluster one, as far as we can see?"""
        return self._is_satisfied() and self._odd_since is None

    def _may_find_others(self, _: object, now: int) -> bool:
        """Is this a new node alone, whose seeds, busy ones perhaps, have yet to answer?

        It would serve what it has, nothing, until they did.
        """
        alone = self.view is None and self._wanted == (self.identity.node,)
        return alone and self._neighbourhood.awaits_answer(now)

    def _look_again_soon(self, _: object, now: int) -> None:
        soon, departed = now + self.config.interval_ms, self._departures_until
        self._look_at(min(soon, departed) if departed > now else soon)

    def _is_principal_of_a_new_list(self, _: object, now: int) -> bool:
        mine = bool(self._wanted) and self._wanted[0] == self.identity.node
        large = len(self._wanted) >= self.config.min_cluster_size
        return mine and large and (self._is_forced() or not self._is_satisfied())

    def _is_forced(self) -> bool:
        """Is the round that was asked for still to come to its end, and not just begun?"""
        return self.view is not None and self.view.sequence < self._least_sequence

    def _next_sequence(self) -> int:
        return max(self._highest, self._promised[0]) + 1

    def _waits_for_a_principal(self, _: object, now: int) -> bool:
        return self._wanted[0] != self.identity.node and not self._is_taken_in()

    def _is_taken_in(self) -> bool:
        """Are we in the cluster our principal is in? Then who else is in it is its business."""
        view, principal = self.view, self._wanted[0]
        return (
            view is not None
            and view.principal == principal
            and self._neighbourhood.standing(principal) == Standing(principal, view.cluster_key)
        )

    def _have_patience(self, _: object, now: int) -> None:
        if self._unhappy_since is None:
            self._unhappy_since = now
        elif now - self._unhappy_since >= self.config.ms(self.config.patience_intervals):
            self._exclude(self._wanted[0], now)
            self._unhappy_since = None

    def _be_content(self, _: object, now: int) -> None:
        self._unhappy_since = None

    def _exclude(self, node: int, now: int) -> None:
        self._excluded[node] = now + self.config.ms(self.config.exclusion_intervals)
        self.graph_changed(now)

    # --- as principal --------------------------------------------------------------------------

    def _prepare(self, _: object, now: int) -> None:
        self._highest = self._next_sequence()
        self._promised = (self._highest, self.identity.node)
        self._accepted = None
        self._ask(Prepare(self._highest, self._wanted), now)
        self.timers[RoundOver] = now + self.config.ms(self.config.round_intervals)
        me = self.identity
        own = Promise(self._highest, me.incarnation, self.rack, self.quiesced)
        self.fire(PromiseCame(me.node, own), now)

    def _ask(self, message: Message, now: int) -> None:
        self._answers = {}
        self._asked = message
        self._repeat(None, now)

    def _repeat(self, _: object, now: int) -> None:
        assert self._asked is not None
        for node in self._wanted:
            if node not in self._answers and node != self.identity.node:
                self._outputs.append(Send(node, self._asked))
        self.timers[RetransmitDue] = now + self.config.ms(self.config.retransmit_intervals)

    def _is_of_my_ballot(self, came: PromiseCame | RejectCame | AcceptedCame, now: int) -> bool:
        return (came.message.sequence, self.identity.node) == self._promised and (
            came.node in self._wanted
        )

    def _is_last_of_my_ballot(self, came: PromiseCame | AcceptedCame, now: int) -> bool:
        if not self._is_of_my_ballot(came, now):
            return False
        return len(self._answers.keys() | {came.node}) == len(self._wanted)

    def _is_asked(self, gone: NodeGone, now: int) -> bool:
        return gone.node in self._wanted

    def _holds_my_promise(self, gone: NodeGone, now: int) -> bool:
        return gone.node == self._promised[1]

    def _count(self, came: From, now: int) -> None:
        self._answers[came.node] = came.message

    def _propose(self, came: PromiseCame, now: int) -> None:
        self._count(came, now)
        rows: list[MemberRow] = []
        for node in self._wanted:
            promise = self._answers[node]
            assert isinstance(promise, Promise)
            rows.append((node, promise.incarnation, promise.rack, promise.quiesced))
        sequence = self._promised[0]
        self._accepted = Accept(sequence, self._new_key(sequence), tuple(rows))
        self._ask(self._accepted, now)
        self.fire(AcceptedCame(self.identity.node, Accepted(sequence)), now)

    def _new_key(self, sequence: int) -> int:
        """A key that no other ballot of any life of any node has: their digest in 48 bits."""
        source = b"%d %d %d" % (self.identity.node, self.identity.incarnation, sequence)
        return int.from_bytes(hashlib.blake2b(source, digest_size=6).digest(), "big")

    def _tell_all_to_commit(self, came: AcceptedCame, now: int) -> None:
        sequence = self._promised[0]
        self._ask(Commit(sequence), now)
        self._commit(now)
        self.fire(CommittedCame(self.identity.node, Committed(sequence)), now)

    def _close_round(self, _: object, now: int) -> None:
        self._strangers.clear()
        self._stop_timers()

    def _give_up(self, _: object, now: int) -> None:
        self._stop_timers()
        self.graph_changed(now)

    def _stop_timers(self) -> None:
        self.timers.pop(RoundOver, None)
        self.timers.pop(RetransmitDue, None)

    def _back_off(self, came: RejectCame, now: int) -> None:
        """Somebody does not go along: try again above its ballot, or in the end without it."""
        self._highest = max(self._highest, came.message.promised)
        if came.message.principal:
            self._strangers[came.node] += 1
            if self._strangers[came.node] >= 4:
                del self._strangers[came.node]
                self._exclude(came.node, now)
        self._give_up(came, now)

    # --- as any node ---------------------------------------------------------------------------

    def _is_promised_already(self, came: PrepareCame, now: int) -> bool:
        return (came.message.sequence, came.node) == self._promised

    def _is_no_higher_ballot(self, came: PrepareCame, now: int) -> bool:
        return (came.message.sequence, came.node) <= self._promised

    def _follows_another(self, came: PrepareCame, now: int) -> bool:
        return self.desired()[0] != came.node

    def _reject_as_stale(self, came: PrepareCame, now: int) -> None:
        refusal = Reject(came.message.sequence, self._promised[0])
        self._outputs.append(Send(came.node, refusal))

    def _reject_as_stranger(self, came: PrepareCame, now: int) -> None:
        refusal = Reject(came.message.sequence, self._promised[0], self.desired()[0])
        self._outputs.append(Send(came.node, refusal))

    def _promise(self, came: PrepareCame, now: int) -> None:
        self._stop_timers()
        self._promised = (came.message.sequence, came.node)
        self._accepted = None
        self.timers[RoundOver] = now + self.config.ms(self.config.round_intervals)
        self._promise_again(came, now)

    def _promise_again(self, came: PrepareCame, now: int) -> None:
        me = self.identity
        promise = Promise(came.message.sequence, me.incarnation, self.rack, self.quiesced)
        self._outputs.append(Send(came.node, promise))

    def _is_of_promised_ballot(self, came: AcceptCame | CommitCame, now: int) -> bool:
        return (came.message.sequence, came.node) == self._promised

    def _accept(self, came: AcceptCame, now: int) -> None:
        self._accepted = came.message
        self._outputs.append(Send(came.node, Accepted(came.message.sequence)))

    def _was_accepted(self, came: CommitCame, now: int) -> bool:
        return self._accepted is not None and self._is_of_promised_ballot(came, now)

    def _is_committed_already(self, came: CommitCame, now: int) -> bool:
        view, ballot = self.view, (came.message.sequence, came.node)
        return view is not None and ballot == (view.sequence, view.principal)

    def _commit_and_answer(self, came: CommitCame, now: int) -> None:
        self._stop_timers()
        self._commit(now)
        self._answer_again(came, now)

    def _answer_again(self, came: CommitCame, now: int) -> None:
        self._outputs.append(Send(came.node, Committed(came.message.sequence)))

    def _commit(self, now: int) -> None:
        assert self._accepted is not None
        accept = self._accepted
        self._odd_since = self._unhappy_since = None
        sequence, principal = self._promised
        self.view = ClusterChanged(accept.cluster_key, sequence, principal, accept.members)
        self._outputs.append(self.view)

    def _check(self) -> None:
        me, view = self.identity, self.view
        if view is not None:
            nodes = view.nodes
            assert (view.sequence, view.principal) <= self._promised
            assert (me.node, me.incarnation) in [row[:2] for row in view.members]
            assert list(nodes) == sorted(nodes, reverse=True)
            assert nodes[0] == view.principal
        asking = self.state in (S.PREPARING, S.ACCEPTING, S.COMMITTING)
        assert (RetransmitDue in self.timers) == asking
        assert (RoundOver in self.timers) == (self.state is not S.IDLE)
