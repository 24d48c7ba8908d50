"""Partition balance: who keeps which copy, and how little moves when nodes come and go."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.partitions.balance import Member, balance, least_moves, moves
from cluster.partitions.map import PARTITIONS

FEW = 64
NODES = st.lists(st.integers(1, (1 << 64) - 1), min_size=1, max_size=9, unique=True)


def members(ids, racks=1):
    return [Member(node, index % racks + 1) for index, node in enumerate(ids)]


@given(NODES, st.integers(1, 5), st.booleans(), st.integers(1, 4))
@settings(max_examples=60)
def test_each_partition_has_distinct_replicas_on_distinct_racks(ids, factor, uniform, racks):
    nodes = members(ids, racks)
    table = balance(nodes, factor, uniform=uniform, partitions=FEW)
    table._check()
    rack_of = {member.node: member.rack for member in nodes}
    for partition in range(FEW):
        replicas = table.replicas(partition)
        assert len(set(replicas)) == len(replicas) == min(factor, len(ids))
        wanted = min(len(replicas), len(set(rack_of.values())))
        assert len({rack_of[node] for node in replicas}) == wanted


@given(NODES, st.integers(1, 4), st.booleans(), st.data())
@settings(max_examples=60)
def test_the_table_depends_on_the_set_of_members_alone(ids, factor, uniform, data):
    nodes = members(ids, 2)
    other = data.draw(st.permutations(nodes))
    one = balance(nodes, factor, uniform=uniform, partitions=FEW)
    assert one.rows == balance(other, factor, uniform=uniform, partitions=FEW).rows


@given(NODES.filter(lambda ids: len(ids) > 1), st.integers(1, 4))
@settings(max_examples=60)
def test_nothing_moves_between_two_nodes_that_both_stay(ids, factor):
    with_it = balance(members(ids), factor, partitions=FEW)
    without = balance(members(ids[:-1]), factor, partitions=FEW)
    for partition in range(FEW):
        gained = set(with_it.replicas(partition)) - set(without.replicas(partition))
        assert gained <= {ids[-1]}
        rest = [node for node in with_it.rows[partition] if node != ids[-1]]
        assert tuple(rest) == without.rows[partition]
    assert moves(without, with_it) == least_moves(without, with_it)


@given(NODES, st.integers(1, 4), st.booleans(), st.integers(0, 9))
@settings(max_examples=60)
def test_quiesced_nodes_stand_last(ids, factor, uniform, count):
    nodes = [Member(node, 1, index < count) for index, node in enumerate(ids)]
    quiesced = {member.node for member in nodes if member.quiesced}
    table = balance(nodes, factor, uniform=uniform, partitions=FEW)
    for row in table.rows:
        flags = [node in quiesced for node in row]
        assert flags == sorted(flags)


@given(NODES, st.integers(1, 3))
@settings(max_examples=40)
def test_uniform_balance_evens_out_masters_and_copies(ids, factor):
    table = balance(members(ids), factor, uniform=True, partitions=256)
    masters = [sum(row[0] == node for row in table.rows) for node in ids]
    assert max(masters) - min(masters) <= 1
    loads = [table.loads()[node] for node in ids]
    assert max(loads) - min(loads) <= 256 * factor // len(ids) // 4 + 2


@pytest.mark.parametrize(
    ("few", "many", "uniform", "at_most"),
    [(3, 4, False, 1.0), (10, 11, False, 1.0), (3, 4, True, 1.1), (10, 11, True, 1.15)],
)
def test_movement_beside_the_theoretical_minimum(few, many, uniform, at_most):
    ids = [0xBB9000000000000 + 7919 * index for index in range(many)]
    before = balance(members(ids[:few]), 2, uniform=uniform)
    after = balance(members(ids), 2, uniform=uniform)
    assert moves(before, after) <= at_most * least_moves(before, after)


def test_spread_without_the_uniform_option():
    ids = [0xBB9000000000000 + 7919 * index for index in range(10)]
    loads = balance(members(ids), 2).loads()
    fair = 2 * PARTITIONS / 10
    # binomial: three standard deviations are 13 % of the share of a tenth
    assert all(abs(load - fair) < 0.13 * fair for load in loads.values())


def test_partition_maps_of_all_nodes_cover_everything_once():
    table = balance(members([1, 2, 3]), 2)
    maps = {node: table.partition_map(node, regime=4) for node in (1, 2, 3)}
    for partition in range(PARTITIONS):
        masters = [node for node, each in maps.items() if each.is_master(partition)]
        assert masters == [table.master(partition)]
    assert maps[1].regime == 4
    alone = balance([Member(7)], 2).partition_map(7)
    assert all(map(alone.is_master, range(PARTITIONS)))


@pytest.mark.parametrize(
    ("nodes", "factor"), [([], 1), ([Member(1), Member(1)], 1), ([Member(1)], 0)]
)
def test_what_is_no_succession_list(nodes, factor):
    with pytest.raises(ValueError, match=r"succession list|replication factor"):
        balance(nodes, factor)
