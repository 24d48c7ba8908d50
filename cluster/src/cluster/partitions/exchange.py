"""Exchange: after every new cluster each node learns which versions of partitions others have.

Nodes commit one after the other, and who has committed tells at once. What comes from a cluster
that is not ours (yet) is kept, the last of each sender, and looked at again when we commit: else
somebody would nearly always miss it, and a takeover would take a retransmission longer.
"""

from __future__ import annotations

from enum import auto

from attrs import frozen

from cluster.messages import ExchangeSeen, ExchangeVersions, NamespaceRow, StateRow
from cluster.outputs import Channel, ClusterChanged, Output, Send
from cluster.state_machine import Observer, State, StateMachine, table

RETRANSMIT_MS = 400


class ExchangeState(State):
    """Where a node's exchange stands."""

    IDLE = auto()
    EXCHANGING = auto()
    KNOWN = auto()


@frozen
class NewCluster:
    """A succession list is committed."""


@frozen
class Due:
    """Some have not told, or not seen."""


E = ExchangeState


class Exchange(StateMachine):
    """One node's exchange. `versions` is what members told, all of them once it `is_known`."""

    TABLE = table(
        "exchange",
        *((state, NewCluster, "", E.EXCHANGING, "_tell") for state in ExchangeState),
        (E.EXCHANGING, ExchangeVersions, "_is_the_last", E.KNOWN, "_note"),
        (E.EXCHANGING, ExchangeVersions, "_is_of_this_cluster", E.EXCHANGING, "_note"),
        (E.KNOWN, ExchangeVersions, "_is_of_this_cluster", E.KNOWN, "_note"),
        *((state, ExchangeVersions, "", state, "_keep") for state in ExchangeState),
        (E.EXCHANGING, ExchangeSeen, "_is_of_this_cluster", E.EXCHANGING, "_is_seen"),
        (E.EXCHANGING, Due, "", E.EXCHANGING, "_tell"),
        (E.KNOWN, ExchangeSeen, "_is_of_this_cluster", E.KNOWN, "_is_seen"),
        (E.KNOWN, Due, "", E.KNOWN, "_tell"),
    )

    def __init__(self, me: int, observer: Observer | None = None) -> None:
        super().__init__(E.IDLE, observer)
        self.outputs: list[Output] = []
        self.sender = me
        self.versions: dict[int, tuple[NamespaceRow, ...]] = {}
        self.states: dict[int, tuple[StateRow, ...]] = {}
        """As `versions`: what they have kept besides of namespaces with strong consistency."""
        self._me = me
        self._view: ClusterChanged | None = None
        self._mine = ExchangeVersions(0, ())
        self._unseen: set[int] = set()
        self._kept: dict[int, ExchangeVersions] = {}

    @property
    def is_known(self) -> bool:
        """Do we know what every member has?"""
        return self.state is E.KNOWN

    @property
    def is_over(self) -> bool:
        """Has moreover everybody seen what we have?"""
        return self.state is E.KNOWN and not self._unseen

    def rows(self, namespace: str) -> dict[int, NamespaceRow]:
        """What each node that has a namespace has told of it."""
        each = self.versions.items()
        return {node: row for node, told in each for row in told if row[0] == namespace}

    def state_rows(self, namespace: str) -> dict[int, StateRow]:
        """What each node has told it has kept of a namespace."""
        each = self.states.items()
        return {node: row for node, told in each for row in told if row[0] == namespace}

    def begin(
        self,
        view: ClusterChanged,
        mine: tuple[NamespaceRow, ...],
        now: int,
        states: tuple[StateRow, ...] = (),
    ) -> None:
        """Exchange with the members of a new cluster."""
        self._view = view
        self._unseen = set(view.nodes) - {self._me}
        self.versions, self.states = {}, {}
        self._mine = ExchangeVersions(view.cluster_key, mine, states)
        self.fire(NewCluster(), now)
        kept, self._kept = self._kept, {}
        kept[self._me] = self._mine
        for node, told in kept.items():
            if told.cluster_key == view.cluster_key:
                self.sender = node
                self.fire(told, now)

    def _tell(self, _: object, now: int) -> None:
        assert self._view is not None
        self.outputs += [Send(node, self._mine, Channel.META) for node in sorted(self._unseen)]

    def _is_of_this_cluster(self, message: ExchangeVersions | ExchangeSeen, now: int) -> bool:
        view = self._view
        known = view is not None and message.cluster_key == view.cluster_key
        return view is not None and known and self.sender in view.nodes

    def _is_the_last(self, told: ExchangeVersions, now: int) -> bool:
        if self._view is None or not self._is_of_this_cluster(told, now):
            return False
        return self.versions.keys() | {self.sender} >= set(self._view.nodes)

    def _note(self, told: ExchangeVersions, now: int) -> None:
        self.versions[self.sender] = told.namespaces
        self.states[self.sender] = told.states
        if self.sender != self._me:
            self.outputs.append(Send(self.sender, ExchangeSeen(told.cluster_key), Channel.META))

    def _keep(self, told: ExchangeVersions, now: int) -> None:
        self._kept[self.sender] = told

    def _is_seen(self, _: ExchangeSeen, now: int) -> None:
        self._unseen.discard(self.sender)

    def _check(self) -> None:
        if self._view is not None:
            nodes = set(self._view.nodes)
            assert self.versions.keys() <= nodes
            assert self.is_known == (len(self.versions) == len(nodes))
