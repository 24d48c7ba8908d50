"""The cluster as the page and the metrics have it: a node alone, one that looks, one of three."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from asd.http.cluster import MAX_ADDRESS, MAX_ADDRESSES, census, cluster_status, letters
from asd.membership.state import Addresses, Alone, Joining, PeerRow
from citrusleaf.cf_clock import VirtualClock
from cluster import PARTITIONS, Sketch


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


def test_one_of_three(fake_cluster: Any) -> None:
    shown = cluster_status(node_of(fake_cluster("A2", ["A3", "A1"])))
    assert (shown["alone"], shown["integrity"], shown["key"]) == (False, True, "C0FFEE")
    assert [each["id"] for each in shown["nodes"]] == ["A3", "A2", "A1"]
    assert [each["me"] for each in shown["nodes"]] == [False, True, False]
    assert [each["skew_ms"] for each in shown["nodes"]] == [12, 0, -26]
    assert {each["since_s"] for each in shown["nodes"]} == {100}
    addresses = [each["addresses"] for each in shown["nodes"]]
    assert addresses == [["10.0.0.1:3000"], ["127.0.0.1:3000"], ["10.0.0.1:3000"]]
    assert shown["proxied"] == 2
    (space,) = shown["namespaces"]
    assert space["copies"] == 2
    assert space["masters"][:5] == [0, 1, 2, 0, 1]
    assert space["roles"][:12] == "NmnrmrnmnrMr"
    assert space["racks"] == [1, 2, 1]
    assert (space["lag"], space["lag_bytes"]) == ([5, 0, 0], [500, 0, 0])
    assert space["progress"]["planned_to_come"] == 9


def test_what_a_peer_says_of_itself_is_bounded(fake_cluster: Any) -> None:
    cluster = fake_cluster("A2", ["A3"])
    cluster.peers = [PeerRow("A3", Addresses(("x" * 1000,) * 9))]
    addresses = cluster_status(node_of(cluster))["nodes"][0]["addresses"]
    assert addresses == ["x" * MAX_ADDRESS] * MAX_ADDRESSES


def test_the_census_counts_every_partition_once(fake_cluster: Any) -> None:
    node = node_of(fake_cluster("A2", ["A3", "A1"]))
    counted = census(node, node.namespaces[b"test"])
    assert sum(counted.values()) == PARTITIONS
    assert counted["master", "settled"] + counted["master", "migrating"] == 1365
    assert sum(number for (_, state), number in counted.items() if state == "migrating") == 410


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
