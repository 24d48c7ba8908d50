"""Whatever a peer sends, in whatever order: a node goes on, and grows no more than its limits."""

from __future__ import annotations

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.fabric import Delivered
from cluster.messages import CLASSES
from cluster.outputs import (
    Applied,
    Apply,
    CarriedOut,
    CarryOut,
    Channel,
    Close,
    Closed,
    ClusterChanged,
    Compare,
    Compared,
    KeepState,
    Load,
    Loaded,
    Send,
    SetVersions,
    Survey,
    Surveyed,
    VersionsSet,
)
from cluster.partitions.config import NamespaceConfig
from cluster.partitions.roster import Roster
from cluster.partitions.service import Partitions
from cluster.replication.transactions import Transactions
from cluster.simulation.store import PARTITIONS, partition_of

KEY = 7
SMALL = st.integers(0, 3)
DIGEST = st.sampled_from([b"\x00\x00", b"\x01\x00", bytes(20)])
VALUES = {
    "int": st.sampled_from([0, 1, 2, 3, 5, PARTITIONS, (1 << 64) - 1]),
    "bool": st.booleans(),
    "str": st.sampled_from(["ns", "ns", "ns", "what"]),
    "bytes": st.binary(max_size=4),
    "Digest": DIGEST,
    "tuple[int, ...]": st.lists(st.integers(0, 9), max_size=4).map(tuple),
    "tuple[NamespaceRow, ...]": st.lists(
        st.tuples(
            *(st.sampled_from(["ns", "what"]), SMALL, SMALL, SMALL),
            st.lists(SMALL, max_size=3).map(tuple),
            st.lists(st.tuples(SMALL, st.integers(0, 9), st.binary(max_size=4)), max_size=3).map(
                tuple
            ),
        ),
        max_size=3,
    ).map(tuple),
    "tuple[StateRow, ...]": st.lists(
        st.tuples(
            *(st.sampled_from(["ns", "what"]), st.integers(0, 9), st.booleans()),
            st.lists(st.lists(st.integers(0, 9), max_size=6).map(tuple), max_size=3).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
    "tuple[RecordRow, ...]": st.lists(
        st.tuples(DIGEST, st.integers(1, 3), SMALL, SMALL, st.just("s"), SMALL, st.just(b"x")),
        max_size=3,
    ).map(tuple),
    "tuple[SummaryRow, ...]": st.lists(
        st.tuples(DIGEST, SMALL, SMALL, SMALL, SMALL, SMALL), max_size=3
    ).map(tuple),
}
TAKEN = [cls for cls in CLASSES if cls in (*Partitions.MESSAGES, *Transactions.MESSAGES)]


@st.composite
def messages(draw):
    cls = draw(st.sampled_from(TAKEN))
    values = {field.name: draw(VALUES[field.type]) for field in attrs.fields(cls)}
    values["cluster_key"] = draw(st.sampled_from([KEY, KEY, KEY, KEY, 8]))
    return cls(**values)


class Alone:
    """Node 2 of a cluster of three, whose others are hostile."""

    def __init__(self, strong: bool = False) -> None:
        roster = Roster(1, ((1, 0), (2, 0), (3, 0))) if strong else None
        config = NamespaceConfig("ns", partitions=PARTITIONS, strong=strong, roster=roster)
        self.partitions = Partitions(2, [(config, {})])
        self.transactions = Transactions(2, self.partitions, partition_of=partition_of)
        rows = tuple((node, 1, 0, False) for node in (3, 2, 1))
        view = ClusterChanged(KEY, 1, 3, rows)
        self.take(self.partitions.cluster_changed(view, 0))
        self.take(self.transactions.cluster_changed(view, 0))

    def receive(self, node: int, message, now: int) -> None:
        mine = isinstance(message, Partitions.MESSAGES)
        service = self.partitions if mine else self.transactions
        self.take(service.receive(Delivered(node, message, now + 1, Channel.BULK), now))
        for each in (self.partitions, self.transactions):
            self.take(each.tick(now))

    def take(self, outputs) -> None:
        row = (b"\x00\x00", 1, 1, 0, "s", 0, b"x")
        for output in outputs:
            match output:
                case Send(2, message):
                    self.receive(2, message, 0)
                case Load(_, token):
                    self.tell(Loaded(token, (row,)))
                case Apply(_, token):
                    self.tell(Applied(token))
                case Survey(_, token):
                    self.tell(Surveyed(token, ((b"\x00\x00", 1, 1, 0, 0, 0),)))
                case Compare(_, token, summaries):
                    self.tell(Compared(token, tuple(range(len(summaries)))))
                case SetVersions(_, token) | KeepState(_, token):
                    self.tell(VersionsSet(token))
                case Close(_, _, token):
                    self.tell(Closed(token))
                case CarryOut(_, token):
                    self.tell(CarriedOut(token, (row,), b""))

    def tell(self, answer) -> None:
        service = self.partitions if answer.token[0] == Partitions.NAME else self.transactions
        self.take(service.tell(answer, 0))


@given(st.lists(st.tuples(st.sampled_from([1, 3, 9]), messages()), max_size=30), st.booleans())
@settings(max_examples=150, deadline=None)
def test_no_message_of_a_peer_ends_a_node(sent, is_planned):
    be_hostile(Alone(), sent, is_planned)


@given(st.lists(st.tuples(st.sampled_from([1, 3, 9]), messages()), max_size=30))
@settings(max_examples=100, deadline=None)
def test_no_message_of_a_peer_ends_a_node_with_strong_consistency(sent):
    be_hostile(Alone(strong=True), sent, is_planned=False)


def be_hostile(node, sent, is_planned):
    if is_planned:
        exchange = next(cls for cls in TAKEN if cls.__name__ == "ExchangeVersions")
        full = bytes([0xFF, 0xFF])
        for peer in (1, 3):
            row = ("ns", 2, 0, 0, (), ((5, 1, full),))
            node.receive(peer, exchange(KEY, (row,)), 0)
        assert node.partitions.spaces["ns"].is_ready
    for at, (peer, message) in enumerate(sent):
        node.receive(peer, message, 500 * at)
        assert len(node.partitions.spaces["ns"].incoming) <= node.partitions.migrate.max_incoming
