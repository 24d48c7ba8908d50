"""Faults and time on the nodes of a cluster of processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aerospike_client import (
    Client,
    ClientError,
    ClientPolicy,
    Key,
    ReadPolicy,
    WritePolicy,
)
from aerospike_common.wire import ResultCode
from asd import Cluster

KEYS = [Key("test", "s", number) for number in range(40)]
PATIENT = ClientPolicy(
    connect_timeout=20_000,
    read=ReadPolicy(total_timeout=60_000, max_retries=500, sleep_between_retries=50),
    write=WritePolicy(total_timeout=60_000, max_retries=500, sleep_between_retries=50, ttl=100),
)
ONCE = WritePolicy(total_timeout=20_000, ttl=100)


@pytest.fixture(scope="module")
def running() -> Iterator[Cluster]:
    with Cluster(2) as cluster:
        yield cluster


@pytest.fixture
def cluster(running: Cluster) -> Cluster:
    running.restore()
    return running


@pytest.fixture
def client(cluster: Cluster) -> Iterator[Client]:
    with Client(cluster.addresses, PATIENT) as client:
        yield client


def test_a_fault_is_one_nodes(cluster: Cluster, client: Client) -> None:
    fault = cluster.node(1).inject("stop-writes")
    refusals = []
    for key in KEYS:
        try:
            client.put(key, {"a": 1}, ONCE)
        except ClientError as error:
            refusals.append(error)
    assert 0 < len(refusals) < len(KEYS)
    assert {error.code for error in refusals} == {ResultCode.OUT_OF_SPACE}
    assert len({error.node for error in refusals}) == 1
    assert fault.hits == len(refusals)

    cluster.restore()
    for key in KEYS:
        client.put(key, {"a": 1})


def test_time_goes_on_for_all_nodes_and_those_that_start_later(
    cluster: Cluster, client: Client
) -> None:
    for key in KEYS:
        client.put(key, {"a": 1})
    before_s = [cluster.node(node).control("status")["clock"]["wall_ns"] / 1e9 for node in (0, 1)]

    cluster.advance(200)
    assert not any(client.exists_many(KEYS))

    cluster.kill(0)
    cluster.start(0)
    for node in (0, 1):
        now_s = cluster.node(node).control("status")["clock"]["wall_ns"] / 1e9
        assert 200 <= now_s - before_s[node] < 400
    with pytest.raises(ValueError, match="backwards"):
        cluster.advance(-1)


def test_what_a_node_ahead_of_its_time_has_written_is_gone_like_all_else(
    cluster: Cluster, client: Client
) -> None:
    skew = cluster.node(0).inject("clock-skew", seconds=500)
    for key in KEYS:
        client.put(key, {"a": 1}, WritePolicy(total_timeout=60_000, ttl=-1))
    skew.remove()

    cluster.restore()

    assert not any(client.exists_many(KEYS))
    for key in KEYS:
        client.put(key, {"a": 2})
    assert all(client.exists_many(KEYS))


def test_a_node_that_does_not_run_is_named(cluster: Cluster) -> None:
    cluster.kill(1)
    with pytest.raises(RuntimeError, match="node 1 is not running"):
        cluster.node(1).inject("slow-node")


def test_the_manual_s_cluster_that_lets_nobody_in() -> None:
    """It runs here: nodes that are starved by other tests lose each other."""
    page = (Path(__file__).parents[2] / "docs" / "security.md").read_text("utf-8")
    (example,) = page.split("```py\n")[1:]
    exec(example.split("```")[0], {})


def test_a_cluster_for_measurements_has_nothing_to_control() -> None:
    with pytest.raises(TypeError, match="controlled=False"):
        Cluster(1, controlled=False).node(0)
