"""Racks: no two copies of a partition lie on one while there are two, and a whole one may go."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Mapping

import pytest

from asd import Cluster

aerospike = pytest.importorskip("aerospike", reason="the official client is not installed")

RECORDS = 300
PATIENT = {"max_retries": 20, "total_timeout": 20_000, "sleep_between_retries": 50}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    with Cluster(nodes=4) as running:
        yield running


def put_into_racks(cluster: Cluster, racks: Mapping[int, int]) -> None:
    """Give each node (by number) its rack, and balance anew."""
    for node, rack in racks.items():
        change = f"set-config:context=namespace;id=test;rack-id={rack}"
        assert cluster.info(node, change) == "ok"
    balance(cluster)


def balance(cluster: Cluster) -> None:
    before = cluster.info(0, "cluster-stable:")
    assert cluster.info(3, "recluster:") == "ok"
    while cluster.info(0, "cluster-stable:ignore-migrations=true") == before:
        time.sleep(0.05)
    cluster.wait_stable()


def copies(cluster: Cluster) -> list[tuple[int, int]]:
    """Of each partition, the numbers of the nodes that have its master and its replica."""
    columns: list[dict[int, int]] = [{}, {}]
    for node in range(4):
        _, factor, *bitmaps = cluster.info(node, "replicas").split(",")
        assert factor == "2"
        for column, bitmap in zip(columns, map(base64.b64decode, bitmaps), strict=True):
            bits = int.from_bytes(bitmap, "big")
            for partition in range(4096):
                if bits >> (4095 - partition) & 1:
                    column[partition] = node
    return [(columns[0][partition], columns[1][partition]) for partition in range(4096)]


def check_spread(cluster: Cluster, racks: Mapping[int, int]) -> None:
    for master, replica in copies(cluster):
        assert racks[master] != racks[replica]
    ids = {node: f"A{node + 1}" for node in range(4)}
    shown = ":".join(
        f"rack_{rack}="
        + ",".join(ids[node] for node in sorted(racks, reverse=True) if racks[node] == rack)
        for rack in sorted(set(racks.values()))
    )
    for node, rack in racks.items():
        assert cluster.info(node, "racks:namespace=test") == shown
        assert cluster.info(node, "racks:") == f"ns=test:{shown}"
        assert cluster.info(node, "rack-ids") == f"test:{rack}"


def test_copies_lie_on_two_racks_and_one_may_go(cluster: Cluster) -> None:
    racks = {0: 1, 1: 1, 2: 2, 3: 2}
    put_into_racks(cluster, racks)
    check_spread(cluster, racks)
    assert loads(cluster) == [1024] * 4, "the balance is uniform"
    policies = {"read": PATIENT, "write": PATIENT}
    client = aerospike.client({"hosts": cluster.addresses, "policies": policies}).connect()
    try:
        for key in range(RECORDS):
            client.put(("test", "racks", key), {"a": key})
        for node in (0, 1):
            cluster.kill(node)
        for key in range(RECORDS):
            assert client.get(("test", "racks", key))[2] == {"a": key}
    finally:
        client.close()


def test_racks_can_be_changed_at_run_time(cluster: Cluster) -> None:
    for racks in ({0: 1, 1: 2, 2: 1, 3: 2}, {0: 5, 1: 7, 2: 7, 3: 7}):
        put_into_racks(cluster, racks)
        check_spread(cluster, racks)
        for node in range(4):
            change = "set-config:context=namespace;id=test;prefer-uniform-balance=false"
            assert cluster.info(node, change) == "ok"
        balance(cluster)
        check_spread(cluster, racks)


def loads(cluster: Cluster) -> list[int]:
    masters = [master for master, _ in copies(cluster)]
    return [masters.count(node) for node in range(4)]
