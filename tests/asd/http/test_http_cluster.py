"""The cluster as the page and the metrics have it: a node alone, one that looks, one of three."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from asd.http.cluster import MAX_ADDRESS, MAX_ADDRESSES, census, cluster_status, letters
from asd.membership.state import Alone, Joining, PeerRow, Progress, Standing
from citrusleaf.cf_clock import VirtualClock
from cluster import PARTITIONS, Lag, PartitionMap, Role, Sketch


class OfThree(Joining):
    """The second of three nodes. It is the master of the last partition, keeps a copy of the
    others, and one of these is on its way."""

    integrity = True
    key = "C0FFEE"
    principal = "A3"
    nodes = ("A3", "A2", "A1")
    proxied = 2
    peers = (PeerRow("A1", ("10.0.0.1:3000",), ()), PeerRow("A3", ("x" * 1000,) * 9, ()))

    def __init__(self) -> None:
        super().__init__(0)
        self.standings = {"A3": Standing(0, -7), "A2": Standing(0), "A1": Standing(60_000, 12)}

    def racks(self, namespace: str) -> Any:
        return {"A1": 1, "A3": 2}

    def lag(self, namespace: str) -> Any:
        return {"A1": Lag(5, 500)}

    def partition_map(self, namespace: str) -> PartitionMap:
        return PartitionMap(2, (bytes(512),) * 2)

    def progress(self, namespace: str) -> Progress:
        return Progress(to_come=1, planned_to_come=9, records_come=70)

    def sketch(self, namespace: str) -> Sketch:
        others = PARTITIONS - 1
        roles = bytes([Role.REPLICA]) * others + bytes([Role.MASTER])
        return Sketch((0xA1,) * others + (0xA2,), roles, frozenset({3}))


def node_of(cluster: Any) -> Any:
    clock = VirtualClock()
    clock.advance(100)
    return SimpleNamespace(
        node_id="A2",
        cluster=cluster,
        clock=clock,
        addresses=["127.0.0.1"],
        port=3000,
        namespaces={b"test": SimpleNamespace(name="test")},
    )


def test_one_of_three() -> None:
    node = node_of(OfThree())
    shown = cluster_status(node)
    assert (shown["alone"], shown["integrity"], shown["key"]) == (False, True, "C0FFEE")
    assert [each["id"] for each in shown["nodes"]] == ["A3", "A2", "A1"]
    assert [each["me"] for each in shown["nodes"]] == [False, True, False]
    assert [each["skew_ms"] for each in shown["nodes"]] == [-7, 0, 12]
    ages = [each["since_s"] for each in shown["nodes"]]
    assert ages[0] == ages[1] == ages[2] + 60
    assert shown["nodes"][1]["addresses"] == ["127.0.0.1:3000"]
    assert shown["proxied"] == 2
    (space,) = shown["namespaces"]
    assert space["copies"] == 2
    assert space["masters"] == [2] * 4095 + [1]
    assert space["roles"] == "rrrR" + "r" * 4091 + "m"
    assert space["racks"] == [2, 0, 1]
    assert (space["lag"], space["lag_bytes"]) == ([0, 0, 5], [0, 0, 500])
    assert space["progress"]["planned_to_come"] == 9


def test_what_a_peer_says_of_itself_is_bounded() -> None:
    addresses = cluster_status(node_of(OfThree()))["nodes"][0]["addresses"]
    assert addresses == ["x" * MAX_ADDRESS] * MAX_ADDRESSES


def test_the_census_counts_every_partition_once() -> None:
    node = node_of(OfThree())
    counted = census(node, node.namespaces[b"test"])
    assert sum(counted.values()) == PARTITIONS
    assert {kind: number for kind, number in counted.items() if number} == {
        ("master", "settled"): 1,
        ("replica", "settled"): 4094,
        ("replica", "migrating"): 1,
    }


@pytest.mark.parametrize(("cluster", "role"), [(Alone(0), "master"), (Joining(0), "none")])
def test_a_node_without_others(cluster: Any, role: str) -> None:
    node = node_of(cluster)
    cluster.node_id = "A2"
    shown = cluster_status(node)
    assert shown["namespaces"][0]["masters"] == []
    assert shown["namespaces"][0]["roles"] == ""
    assert len(shown["nodes"]) == (role == "master")
    counted = census(node, node.namespaces[b"test"])
    assert len(counted) == 6
    assert counted[role, "settled"] == sum(counted.values()) == PARTITIONS


def test_letters_stand_for_roles() -> None:
    sketch = Sketch((1, 1, 1, 2), bytes([2, 1, 0, 0]), frozenset({0, 3}))
    assert letters(sketch) == "MrnN"
