"""Whom to ask: partition tables and the order of replicas."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from views import ALL, NONE, view_of

from aerospike_client import ReadModeSC, Replica
from aerospike_client.core.addresses import Address
from aerospike_client.core.nodes import UNKNOWN_GENERATION, Node
from aerospike_client.core.partitions import (
    Announcement,
    PartitionTable,
    parse_replicas,
    partitions_of,
)
from aerospike_client.core.view import ClusterView
from aerospike_client.errors import BadReply


def order(view: ClusterView, replica: Replica, attempts: int = 4) -> list[str | None]:
    nodes = [view.choose("test", 0, replica, attempt) for attempt in range(attempts)]
    return [node and node.name for node in nodes]


def test_master_is_always_the_master() -> None:
    assert order(view_of("A", "B"), Replica.MASTER) == ["A"] * 4


def test_sequence_goes_through_the_copies() -> None:
    assert order(view_of("A", "B", "C"), Replica.SEQUENCE) == ["A", "B", "C", "A"]


def test_any_begins_at_another_copy_each_time() -> None:
    view = view_of("A", "B")
    begins = [view.choose("test", 0, Replica.ANY, view.start_of(Replica.ANY)) for _ in range(4)]
    assert {node and node.name for node in begins} == {"A", "B"}


def test_inactive_nodes_are_passed_over() -> None:
    view = view_of("A", "B", "C")
    view.nodes["A"].active = False
    assert order(view, Replica.SEQUENCE) == ["B", "B", "C", "B"]
    assert order(view, Replica.MASTER) == [None] * 4
    assert "A" not in order(view, Replica.RANDOM, 10)


@pytest.mark.parametrize("replica", Replica)
@pytest.mark.parametrize("attempt", range(4))
@pytest.mark.parametrize("rack_ids", [(), (7,)])
def test_the_first_choice_is_chosen_if_it_is_active(
    replica: Replica, attempt: int, rack_ids: tuple[int, ...]
) -> None:
    view = view_of("A", "B", "C", rack_ids=rack_ids)
    view.nodes["B"].active = False
    first = view.first_choices("test", replica, attempt)
    if first is None:
        assert replica is Replica.RANDOM or (replica is Replica.PREFER_RACK and rack_ids)
    elif (node := first[5]) is not None and node.active:
        assert view.choose("test", 5, replica, attempt) is node
    assert view.first_choices("other", replica, attempt) is None


def test_the_best_rack_goes_first_and_the_node_that_failed_last() -> None:
    view = view_of("A", "B", "C", rack_ids=(2, 1))
    view.nodes["A"].racks = {"test": 1}
    view.nodes["B"].racks = {"test": 2}
    assert order(view, Replica.PREFER_RACK) == ["B"] * 4
    again = view.choose("test", 0, Replica.PREFER_RACK, 1, view.nodes["B"])
    assert again is view.nodes["A"]
    view.nodes["A"].active = view.nodes["B"].active = False
    assert order(view, Replica.PREFER_RACK) == ["C"] * 4


def test_strongly_consistent_namespaces_are_read_from_masters_unless_allowed() -> None:
    strong, available = view_of("A", "B", regime=5), view_of("A", "B")
    any_ = Replica.ANY
    assert strong.replica_for_read("test", any_, ReadModeSC.SESSION) is Replica.MASTER
    assert strong.replica_for_read("test", any_, ReadModeSC.ALLOW_REPLICA) is any_
    prefer = Replica.PREFER_RACK
    assert strong.replica_for_read("test", prefer, ReadModeSC.LINEARIZE) is Replica.SEQUENCE
    assert available.replica_for_read("test", any_, ReadModeSC.SESSION) is any_
    assert strong.replica_for_write("test", Replica.SEQUENCE) is Replica.MASTER
    assert available.replica_for_write("test", Replica.SEQUENCE) is Replica.SEQUENCE
    assert available.replica_for_write("test", Replica.ANY) is Replica.MASTER


def test_an_older_regime_is_not_believed() -> None:
    old, new = Node("A", Address("a", 1)), Node("B", Address("b", 1))
    table = PartitionTable("test")
    table.update(new, Announcement("test", 7, (ALL,)))
    assert not table.update(old, Announcement("test", 6, (ALL,)))
    assert table.master(9) is new
    assert table.update(old, Announcement("test", 8, (ALL,)))
    assert table.master(9) is old


def test_the_former_owner_is_asked_again() -> None:
    former, owner = Node("A", Address("a", 1)), Node("B", Address("b", 1))
    former.partition_generation = owner.partition_generation = 5
    table = PartitionTable("test")
    table.update(former, Announcement("test", 0, (ALL,)))
    table.update(owner, Announcement("test", 0, (ALL,)))
    assert former.partition_generation == UNKNOWN_GENERATION
    assert owner.partition_generation == 5


def test_columns_come_and_go_with_the_replication_factor() -> None:
    node = Node("A", Address("a", 1))
    table = PartitionTable("test")
    table.update(node, Announcement("test", 0, (NONE, ALL)))
    assert (table.master(0), table.columns[1][0]) == (None, node)
    table.update(node, Announcement("test", 0, (ALL,)))
    assert (len(table.columns), table.master(0)) == (1, node)


def test_who_loses_a_copy_s_place_by_another_s_word_is_asked_again() -> None:
    master, copy, alone = (Node(name, Address(name, 1)) for name in "ABC")
    for node in (master, copy, alone):
        node.partition_generation = 5
    table = PartitionTable("test")
    table.update(master, Announcement("test", 0, (ALL, NONE)))
    table.update(copy, Announcement("test", 0, (NONE, ALL)))
    table.update(alone, Announcement("test", 0, (NONE,)))
    generations = [node.partition_generation for node in (master, copy, alone)]
    assert generations == [5, UNKNOWN_GENERATION, 5]
    table.update(copy, Announcement("test", 0, (NONE, ALL)))
    assert table.columns[1][0] is copy


@settings(deadline=None)
@given(st.binary(min_size=512, max_size=512))
def test_bitmaps_are_read_bit_by_bit(bitmap: bytes) -> None:
    naive = [pid for pid in range(4096) if bitmap[pid >> 3] & 0x80 >> (pid & 7)]
    assert partitions_of(bitmap) == naive


def test_replicas_are_parsed() -> None:
    full, empty = base64.b64encode(ALL).decode(), base64.b64encode(NONE).decode()
    assert parse_replicas(f"test:0,1,{full};bar:3,2,{empty},{full}") == [
        Announcement("test", 0, (ALL,)),
        Announcement("bar", 3, (NONE, ALL)),
    ]


@settings(deadline=None)
@given(st.text(alphabet="test:;0123,=/AZ ", max_size=60))
def test_replicas_parse_or_are_refused(text: str) -> None:
    with contextlib.suppress(BadReply):
        parse_replicas(text)


@pytest.mark.parametrize("name", ["other", ""])
def test_nobody_is_chosen_for_a_namespace_that_is_not_known(name: str) -> None:
    assert all(
        view_of("A").choose(name, 0, replica, 0) is None
        for replica in (Replica.SEQUENCE, Replica.MASTER)
    )
