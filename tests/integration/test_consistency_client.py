"""Strong consistency as an application sees it: the official client, real processes that are
killed, stopped and cut off from each other.

What Jepsen's reports say of the real server is named: acknowledged writes lost when the network
splits (3.5.4), and when a process is stopped for longer than its regime can tell (3.99).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import aerospike
import pytest
from aerospike import exception as ex

from asd import Cluster

# The client announces what its next release will drop; that says nothing about this server.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

Client = Any
KEY = ("test", "set", "key")
LATEST = {"read_mode_sc": aerospike.POLICY_READ_MODE_SC_LINEARIZE}
MODES = (
    aerospike.POLICY_READ_MODE_SC_SESSION,
    aerospike.POLICY_READ_MODE_SC_LINEARIZE,
    aerospike.POLICY_READ_MODE_SC_ALLOW_REPLICA,
    aerospike.POLICY_READ_MODE_SC_ALLOW_UNAVAILABLE,
)
FORBIDDEN = 22
REST_S = 240
"""Until all copies are where they belong again, on a machine that does other things too."""


def until(what: str, holds: Callable[[], bool], limit_s: float = 60) -> None:
    end_s = time.monotonic() + limit_s
    while not holds():
        assert time.monotonic() < end_s, what
        time.sleep(0.1)


def figures(cluster: Cluster, node: int) -> dict[str, str]:
    return dict(each.split("=") for each in cluster.info(node, "namespace/test").split(";"))


def is_served(cluster: Cluster, nodes: range, size: int) -> bool:
    found = [figures(cluster, node) for node in nodes]
    return all(
        each["unavailable_partitions"] == each["dead_partitions"] == "0"
        and each["ns_cluster_size"] == str(size)
        for each in found
    )


def set_roster(cluster: Cluster, nodes: int) -> None:
    """As an operator does it, on any node and then on the principal."""
    observed = cluster.info(0, "roster:namespace=test").rpartition("=")[2]
    assert cluster.info(0, f"roster-set:namespace=test;nodes={observed}") == "ok"
    told = [cluster.info(node, "recluster:") for node in range(nodes)]
    assert sorted(told) == ["ignored-by-non-principal"] * (nodes - 1) + ["ok"]
    until("the roster is in effect", lambda: is_served(cluster, range(nodes), nodes))


def connect(cluster: Cluster, *nodes: int) -> Client:
    hosts = [cluster.addresses[node] for node in nodes]
    times = {"total_timeout": 5000}
    policies = {"read": times, "write": times, "remove": times, "batch": times}
    config = {"hosts": hosts, "policies": policies}
    return aerospike.client(config).connect()


def start(nodes: int, replication_factor: int) -> Cluster:
    return Cluster(
        nodes=nodes,
        replication_factor=replication_factor,
        arguments=("--strong-consistency",),
    )


# --- one node -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def alone() -> Iterator[Client]:
    with start(1, 1) as cluster:
        client = connect(cluster, 0)
        with pytest.raises(ex.AerospikeError):
            client.put(KEY, {"a": 1})
        assert cluster.info(0, "roster:namespace=test").startswith("roster=null:pending")
        set_roster(cluster, 1)
        client.close()
        client = connect(cluster, 0)
        yield client
        client.close()


@pytest.fixture
def client(alone: Client) -> Client:
    alone.put(KEY, {"a": 1})
    return alone


@pytest.mark.parametrize("mode", MODES)
def test_every_read_mode_has_the_latest_value(client: Client, mode: int) -> None:
    assert client.get(KEY, {"read_mode_sc": mode})[2] == {"a": 1}
    rows = client.batch_read([KEY], policy={"read_mode_sc": mode}).batch_records
    assert rows[0].record[2] == {"a": 1}


def test_a_delete_must_be_durable(client: Client) -> None:
    with pytest.raises(ex.AerospikeError) as refused:
        client.remove(KEY)
    assert refused.value.code == FORBIDDEN
    assert client.exists(KEY)[1]
    with pytest.raises(ex.AerospikeError) as refused:
        client.put(KEY, {"a": aerospike.null()})
    assert refused.value.code == FORBIDDEN
    client.remove(KEY, policy={"durable_delete": True})
    assert client.exists(KEY)[1] is None
    client.put(KEY, {"a": 2})
    assert client.get(KEY, LATEST)[2] == {"a": 2}


def test_records_do_not_expire(client: Client) -> None:
    with pytest.raises(ex.AerospikeError) as refused:
        client.put(KEY, {"a": 2}, meta={"ttl": 60})
    assert refused.value.code == FORBIDDEN
    assert client.get(KEY)[2] == {"a": 1}


def test_generations_are_exact(client: Client) -> None:
    generation = client.exists(KEY)[1]["gen"]
    policy = {"gen": aerospike.POLICY_GEN_EQ}
    client.put(KEY, {"a": 2}, meta={"gen": generation}, policy=policy)
    with pytest.raises(ex.RecordGenerationError):
        client.put(KEY, {"a": 3}, meta={"gen": generation}, policy=policy)
    assert client.exists(KEY)[1]["gen"] == generation + 1


# --- three nodes ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with start(3, 2) as made:
        set_roster(made, 3)
        yield made


class Counting:
    """Clients, one by way of each node, that add to counters by compare-and-set, and add to a set,
    until they are told to end. What was acknowledged is known."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster = cluster
        self._name = name
        self._ends = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(node,)) for node in range(3)]
        self.added: list[int] = []
        self.acknowledged = 0
        self.doubted = 0
        self.stale: list[str] = []

    def __enter__(self) -> Counting:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        for thread in self._threads:
            thread.join()

    def counter(self) -> tuple[str, str, str]:
        return ("test", "count", self._name)

    def element(self, number: int) -> tuple[str, str, str]:
        return ("test", "set", f"{self._name}-{number}")

    def _run(self, node: int) -> None:
        client, number = None, node
        while not self._ends.is_set():
            try:
                client = client or connect(self._cluster, node)
                self._add_one(client)
                number += 3
                client.put(self.element(number), {"n": number}, policy={"max_retries": 0})
                self.added.append(number)
            except ex.AerospikeError:
                time.sleep(0.05)
        if client is not None:
            client.close()

    def _add_one(self, client: Client) -> None:
        """Compare and set, once. The value read must not be older than what was acknowledged."""
        known = self.acknowledged
        try:
            _, meta, bins = client.get(self.counter(), LATEST)
            value, generation = bins["n"], meta["gen"]
        except ex.RecordNotFound:
            value, generation = 0, 0
        if value < known:
            self.stale.append(f"{value} read after {known} were acknowledged")
        policy = {"gen": aerospike.POLICY_GEN_EQ, "max_retries": 0}
        if not generation:
            policy = {"exists": aerospike.POLICY_EXISTS_CREATE, "max_retries": 0}
        try:
            client.put(self.counter(), {"n": value + 1}, meta={"gen": generation}, policy=policy)
        except (ex.RecordGenerationError, ex.RecordExistsError):
            return
        except ex.AerospikeError as error:
            self.doubted += error.in_doubt
            raise
        self.acknowledged += 1

    def check(self, client: Client) -> None:
        """Nothing that was acknowledged is lost, and nothing was done that was refused."""
        assert not self.stale
        value = client.get(self.counter(), LATEST)[2]["n"]
        assert self.acknowledged <= value <= self.acknowledged + self.doubted
        keys = [self.element(number) for number in self.added]
        lost = [key for key in keys if client.exists(key, LATEST)[1] is None]
        assert not lost
        assert keys


def settled(cluster: Cluster) -> Client:
    """Everything is healed and at rest: a client of all nodes."""
    cluster.wait_stable(REST_S)
    until("everything is served", lambda: is_served(cluster, range(3), 3))
    return connect(cluster, 0, 1, 2)


def test_clients_are_told_the_regime(cluster: Cluster) -> None:
    told = [cluster.info(node, "replicas").split(":")[1].split(",")[0] for node in range(3)]
    assert len(set(told)) == 1
    assert int(told[0]) > 0


def test_jepsen_3_5_4_a_split_loses_no_acknowledged_write(cluster: Cluster) -> None:
    with Counting(cluster, "split") as counting:
        time.sleep(2)
        cluster.split([2], [0, 1])
        time.sleep(6)
        cluster.heal()
        time.sleep(4)
    counting.check(settled(cluster))


def test_jepsen_3_99_a_node_that_was_stopped_acknowledges_nothing_old(cluster: Cluster) -> None:
    with Counting(cluster, "pause") as counting:
        time.sleep(2)
        cluster.pause(2)
        time.sleep(8)
        cluster.resume(2)
        time.sleep(4)
    counting.check(settled(cluster))


def test_a_node_that_is_killed_and_has_lost_everything_costs_nothing(cluster: Cluster) -> None:
    with Counting(cluster, "kill") as counting:
        time.sleep(2)
        cluster.kill(1)
        time.sleep(5)
        cluster.start(1)
        time.sleep(3)
    counting.check(settled(cluster))


def test_a_minority_serves_nothing_and_says_so(cluster: Cluster) -> None:
    client = settled(cluster)
    client.put(KEY, {"a": 1})
    cluster.split([0], [1, 2])
    until("it is alone", lambda: figures(cluster, 0)["unavailable_partitions"] == "4096")
    assert figures(cluster, 0)["dead_partitions"] == "0"
    until("the others serve", lambda: figures(cluster, 1)["unavailable_partitions"] == "0")
    few = connect(cluster, 0)
    with pytest.raises(ex.AerospikeError):
        few.put(KEY, {"a": 2})
    few.close()
    cluster.heal()
    client = settled(cluster)
    assert client.get(KEY, LATEST)[2] == {"a": 1}
    client.close()


def test_partitions_whose_copies_are_lost_are_dead_until_they_are_revived(
    cluster: Cluster,
) -> None:
    settled(cluster).put(KEY, {"a": 1})
    cluster.kill(1)
    cluster.kill(2)
    cluster.start(1)
    cluster.start(2)
    until("they are dead", lambda: int(figures(cluster, 0)["dead_partitions"]) > 0)
    for node in range(3):
        assert cluster.info(node, "revive:namespace=test") == "ok"
    for node in range(3):
        cluster.info(node, "recluster:")
    client = settled(cluster)
    client.put(KEY, {"a": 2})
    assert client.get(KEY, LATEST)[2] == {"a": 2}
