"""The official Python client on real clusters: nothing that was acknowledged is lost."""

from __future__ import annotations

import base64
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

from aerospike_common.wire.codes import (
    FieldType,
    Info1,
    Info2,
    OpType,
    ParticleType,
    ResultCode,
)
from aerospike_common.wire.message import Message, Op, encode_message, parse_message
from asd import Cluster
from citrusleaf.cf_digest import key_digest, partition_id

aerospike = pytest.importorskip("aerospike", reason="the official client is not installed")

RECORDS = 300
PATIENT = {"max_retries": 150, "total_timeout": 10_000, "sleep_between_retries": 50}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(nodes=3) as running:
        yield running


@pytest.fixture
def client(cluster: Cluster) -> Iterator[Any]:
    policies = {"read": PATIENT, "write": PATIENT, "batch": PATIENT}
    connected = aerospike.client({"hosts": cluster.addresses, "policies": policies}).connect()
    yield connected
    connected.close()


def figures(cluster: Cluster, node: int, command: str = "namespace/test") -> dict[str, str]:
    return dict(row.split("=", 1) for row in cluster.info(node, command).split(";"))


def fill(client: Any, set_name: str, records: int = RECORDS) -> None:
    for key in range(records):
        client.put(("test", set_name, key), {"a": key})


def check(client: Any, set_name: str, records: int = RECORDS) -> None:
    for key in range(records):
        assert client.get(("test", set_name, key))[2] == {"a": key}


def columns(cluster: Cluster, node: int) -> list[bytes]:
    _, factor, *bitmaps = cluster.info(node, "replicas").split(",")
    assert int(factor) == len(bitmaps)
    return [base64.b64decode(bitmap) for bitmap in bitmaps]


def test_clients_see_one_cluster(cluster: Cluster) -> None:
    for node in range(3):
        said = figures(cluster, node, "statistics")
        assert said["cluster_size"] == "3"
        assert said["cluster_principal"] == "A3"
        assert said["cluster_integrity"] == "true"
        others = {f"127.0.0.1:{port}" for _, port in cluster.addresses} - {
            cluster.info(node, "service")
        }
        assert set(cluster.info(node, "services").split(";")) == others
        assert cluster.info(node, "peers-clear-std").startswith(
            cluster.info(node, "peers-generation") + ",3000,[["
        )
    recluster = [cluster.info(node, "recluster:") for node in range(3)]
    assert recluster == ["ignored-by-non-principal", "ignored-by-non-principal", "ok"]
    cluster.wait_stable()


def test_every_partition_has_one_master_and_one_replica(cluster: Cluster) -> None:
    cluster.wait_stable()
    for column in range(2):
        bits = [int.from_bytes(columns(cluster, node)[column], "big") for node in range(3)]
        assert sum(each.bit_count() for each in bits) == 4096
        assert bits[0] | bits[1] | bits[2] == (1 << 4096) - 1


def test_every_write_is_on_two_nodes(cluster: Cluster, client: Any) -> None:
    client.truncate("test", None, 0)
    fill(client, "two")
    client.remove(("test", "two", 0))
    client.operate(
        ("test", "two", 1),
        [
            {"op": aerospike.OPERATOR_INCR, "bin": "a", "val": 5},
        ],
    )
    said = [figures(cluster, node) for node in range(3)]
    masters = sum(int(each["master_objects"]) for each in said)
    proles = sum(int(each["prole_objects"]) for each in said)
    assert masters == proles == RECORDS - 1
    assert client.get(("test", "two", 1))[2] == {"a": 6}


def to_node(address: tuple[str, int], key: int, **message: Any) -> Message:
    """The reply of just this node to one command on a record of the set `proxied`.

    As every client does, asks again while the partition is on its way to another node.
    """
    for _ in range(50):
        reply = ask_node(address, key, **message)
        if reply.result_code != ResultCode.PARTITION_UNAVAILABLE:
            break
        time.sleep(0.1)
    return reply


def ask_node(address: tuple[str, int], key: int, **message: Any) -> Message:
    """The reply of just this node to one request."""
    with socket.create_connection(address, 10) as connection:
        connection.sendall(question(key, **message))
        return answer(connection)


def question(key: int, **message: Any) -> bytes:
    fields = {
        FieldType.NAMESPACE: b"test",
        FieldType.SET: b"proxied",
        FieldType.DIGEST: key_digest("proxied", key),
    }
    body = encode_message(fields=fields, **message)
    return b"\2\3" + len(body).to_bytes(6, "big") + body


def answer(connection: socket.socket) -> Message:
    with connection.makefile("rb") as answers:
        return parse_message(answers.read(int.from_bytes(answers.read(8)[2:], "big")))


def serves(cluster: Cluster, node: int, key: int) -> bool:
    """Is a node the master of a record?"""
    partition = partition_id(key_digest("proxied", key))
    return bool(columns(cluster, node)[0][partition >> 3] & (0x80 >> (partition & 7)))


def begin(address: tuple[str, int], key: int) -> socket.socket:
    """A connection that has been used once."""
    connection = socket.create_connection(address, 30)
    connection.sendall(question(key, info1=Info1.READ | Info1.GET_ALL))
    answer(connection)
    return connection


def test_a_request_to_the_wrong_node_is_passed_on(cluster: Cluster, client: Any) -> None:
    fill(client, "proxied", 30)
    names = ("client_proxy_complete", "from_proxy_read_success", "from_proxy_write_success")
    before = [figures(cluster, node) for node in range(3)]
    for address in cluster.addresses:
        for key in range(30):
            reply = to_node(address, key, info1=Info1.READ | Info1.GET_ALL)
            assert reply.result_code == 0, (address, key, reply)
            assert reply.ops[0].value == key.to_bytes(8, "big")
    new = [Op(OpType.WRITE, ParticleType.INTEGER, b"a", (33).to_bytes(8, "big"))]
    for address in cluster.addresses:
        assert to_node(address, 3, info2=Info2.WRITE, ops=new).result_code == 0
    after = [figures(cluster, node) for node in range(3)]
    assert client.get(("test", "proxied", 3))[2] == {"a": 33}
    counts = {
        name: sum(int(after[n][name]) - int(before[n][name]) for n in range(3)) for name in names
    }
    # of three nodes that are asked for the same, two do not serve it
    assert counts == dict(zip(names, (62, 60, 2), strict=True))


def test_queries_and_indexes_are_of_the_whole_cluster(cluster: Cluster, client: Any) -> None:
    fill(client, "asked")
    client.index_single_value_create("test", "asked", "a", aerospike.INDEX_NUMERIC, "by_a")
    assert all("by_a" in cluster.info(node, "sindex-list:") for node in range(3))
    try:
        query = client.query("test", "asked")
        found = Counter(record[2]["a"] for record in query.results())
        assert found == Counter(range(RECORDS))
        query = client.query("test", "asked")
        query.where(aerospike.predicates.between("a", 10, 19))
        assert sorted(record[2]["a"] for record in query.results()) == list(range(10, 20))
    finally:
        client.index_remove("test", "by_a")
    assert not any("by_a" in cluster.info(node, "sindex-list:") for node in range(3))


def test_a_killed_node_loses_nothing_and_gets_everything_back(
    cluster: Cluster, client: Any
) -> None:
    fill(client, "killed")
    for victim in (2, 0):
        cluster.kill(victim)
        check(client, "killed")
        client.put(("test", "killed", "late"), {"v": victim})
        cluster.wait_stable()
        cluster.start(victim)
        cluster.wait_stable()
        check(client, "killed")
        assert client.get(("test", "killed", "late"))[2] == {"v": victim}


def test_a_split_and_its_heal(cluster: Cluster, client: Any) -> None:
    fill(client, "split")
    cluster.split([0], [1, 2])
    cluster.wait_stable(nodes=[0])
    cluster.wait_stable(nodes=[1, 2])
    cluster.heal()
    cluster.wait_stable()
    check(client, "split")


def test_a_node_that_joins_late_has_the_metadata(cluster: Cluster, client: Any) -> None:
    client.index_single_value_create("test", "late", "a", aerospike.INDEX_NUMERIC, "late_a")
    cluster.kill(1)
    cluster.wait_stable()
    cluster.start(1)
    assert "late_a" in cluster.info(1, "sindex-list:")
    cluster.wait_stable()
    client.index_remove("test", "late_a", {"timeout": 10_000})


def test_a_pause_that_is_shorter_than_the_timeout_is_nothing(cluster: Cluster) -> None:
    key = cluster.wait_stable()
    cluster.pause(1)
    time.sleep(0.2)
    cluster.resume(1)
    time.sleep(0.5)
    assert cluster.wait_stable() == key


AGAIN = {"socket_timeout": 500, "max_retries": 40, "total_timeout": 30_000}
"""Of a client that gives up a node that hangs, and asks the one that its map names by then."""


def test_a_node_that_hung_does_not_answer_from_its_old_map(cluster: Cluster, client: Any) -> None:
    """Requests that waited in its sockets were answered by the plan of a cluster that was over."""
    hung = 1
    keys = [key for key in range(60) if serves(cluster, hung, key)]
    fill(client, "proxied", 60)
    with ExitStack() as open_sockets:
        waiting = [open_sockets.enter_context(begin(cluster.addresses[hung], k)) for k in keys]
        cluster.pause(hung)
        open_sockets.callback(cluster.resume, hung)
        for connection, key in zip(waiting, keys, strict=True):
            connection.sendall(question(key, info1=Info1.READ | Info1.GET_ALL))
        cluster.wait_stable(nodes=[0, 2])
        for key in keys:  # the client goes by its old map until it has looked again
            client.put(("test", "proxied", key), {"a": key + 1000}, policy=AGAIN)
        cluster.resume(hung)
        said = [answer(connection) for connection in waiting]
    cluster.wait_stable()
    values = {
        key: int.from_bytes(reply.ops[0].value, "big")
        for key, reply in zip(keys, said, strict=True)
        if reply.result_code == 0
    }
    assert values == {key: key + 1000 for key in values}


def test_a_rolling_restart_costs_no_request(cluster: Cluster) -> None:
    """None is tried again, and none fails; on a busy machine some take long."""
    once = {"max_retries": 0, "total_timeout": 10_000}
    policies = {"read": once, "write": once}
    client = aerospike.client({"hosts": cluster.addresses, "policies": policies}).connect()
    failed: list[Exception] = []
    done = 0
    try:
        for node in range(3):
            with ThreadPoolExecutor(1) as threads:
                leaving = threads.submit(cluster.terminate, node)
                while not leaving.done():
                    key = ("test", "rolling", done % 100)
                    done += 1
                    try:
                        client.put(key, {"a": done})
                        assert client.get(key)[2] == {"a": done}
                    except aerospike.exception.AerospikeError as error:
                        failed.append(error)
            leaving.result()
            cluster.wait_stable()
            cluster.start(node)
            cluster.wait_stable()
    finally:
        client.close()
    assert done
    assert failed == []
