"""Roster and quorum rules, tried on every sub-cluster of small rosters."""

from __future__ import annotations

from itertools import combinations

import pytest

from cluster.partitions.balance import Member, balance
from cluster.partitions.roster import (
    Availability,
    availability,
    is_quorum,
    split_brain,
    unavailable_partitions,
)


def subsets(nodes):
    return [set(c) for size in range(len(nodes) + 1) for c in combinations(nodes, size)]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("factor", [1, 2, 3])
def test_no_two_disjoint_sub_clusters_have_a_partition(size, factor):
    roster = range(1, size + 1)
    replicas = tuple(range(1, min(factor, size) + 1))
    good = [
        s
        for s in subsets(roster)
        if availability(s, roster, replicas) is not Availability.UNAVAILABLE
    ]
    for one in good:
        for other in good:
            assert one & other


@pytest.mark.parametrize(
    ("present", "rule"),
    [
        ({1, 2, 9}, Availability.ALL_REPLICAS),
        ({2, 3, 4}, Availability.MAJORITY),
        ({1, 4}, Availability.HALF_WITH_MASTER),
        ({2, 4}, Availability.UNAVAILABLE),
        ({3, 4}, Availability.UNAVAILABLE),
        (set(), Availability.UNAVAILABLE),
    ],
)
def test_the_rules_of_a_roster_of_four(present, rule):
    assert availability(present, {1, 2, 3, 4}, (1, 2)) is rule


def test_replicas_stand_on_the_roster():
    with pytest.raises(ValueError, match="roster"):
        availability({1}, {1, 2}, (3,))
    with pytest.raises(ValueError, match="roster"):
        availability({1}, {1, 2}, ())


def test_a_whole_table():
    roster = [1, 2, 3, 4, 5]
    table = balance([Member(node) for node in roster], 2, partitions=64)
    assert unavailable_partitions({1, 2, 3, 4}, roster, table) == 0
    lost = unavailable_partitions({1, 2, 3}, roster, table)
    assert lost == sum(set(table.replicas(p)) == {4, 5} for p in range(64))
    assert unavailable_partitions(set(), roster, table) == 64
    assert is_quorum({1, 2, 3}, roster)
    assert not is_quorum({1, 2, 9}, roster)


def test_the_cluster_to_go_on_with():
    assert split_brain({10: {1, 2}, 11: {3}}) == 10
    assert split_brain({10: {1, 2}, 11: {3, 4}}) == 11
    with pytest.raises(ValueError, match="no cluster"):
        split_brain({})
