"""Several nodes: commands find theirs, batches and queries are divided, nodes come and go."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from faces import Face
from stub import Stub, balance, cluster

from aerospike_client import BatchPut, ClientPolicy, InvalidRequest, Key, Replica, WritePolicy
from aerospike_client.policies import ReadPolicy
from aerospike_common.wire import FieldType, parse_message
from aerospike_common.wire.frame import HEADER_SIZE

KEYS = [Key("test", "s", number) for number in range(60)]
FAST = ClientPolicy(tend_interval=50)


@pytest.fixture
def stubs() -> Iterator[list[Stub]]:
    """Three nodes."""
    with ExitStack() as stack:
        nodes = cluster("A1", "A2", "A3")
        for node in nodes:
            stack.enter_context(node)
        yield nodes


def owners(stubs: list[Stub], key: Key) -> tuple[Stub, Stub]:
    place = key.partition_id % len(stubs)
    return stubs[place], stubs[(place + 1) % len(stubs)]


def eventually(condition: Callable[[], bool]) -> None:
    """The tend needs some rounds; ten seconds are very many."""
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_one_seed_finds_all_and_commands_go_to_masters(face: Face, stubs: list[Stub]) -> None:
    client = face([stubs[1].address])
    assert {node.name for node in client.nodes} == {"A1", "A2", "A3"}
    for key in KEYS:
        client.put(key, {"a": 1})
    expected = [sum(owners(stubs, key)[0] is stub for key in KEYS) for stub in stubs]
    assert [len(stub.requests) for stub in stubs] == expected
    assert all(expected)


def test_copies_are_read_when_asked_for(face: Face, stubs: list[Stub]) -> None:
    client = face([stubs[0].address])
    for _ in range(10):
        client.exists(KEYS[0], ReadPolicy(replica=Replica.ANY))
    master, copy = owners(stubs, KEYS[0])
    assert (len(master.requests), len(copy.requests)) == (5, 5)


def test_the_client_s_own_rack_is_read(face: Face, stubs: list[Stub]) -> None:
    """Whoever of a record's nodes lies there; the master where none does. Writes go to masters."""
    for number, stub in enumerate(stubs):
        stub.rack = number
    near = stubs[2]
    policy = ClientPolicy(rack_ids=(2,), read=ReadPolicy(replica=Replica.PREFER_RACK))
    client = face([stubs[0].address], policy)
    for key in KEYS:
        client.exists(key)
    asked = [near if near in owners(stubs, key) else owners(stubs, key)[0] for key in KEYS]
    assert [len(stub.requests) for stub in stubs] == [asked.count(stub) for stub in stubs]
    assert len(near.requests) > len(KEYS) / 3

    for key in KEYS:
        client.put(key, {"a": 1})
    asked += [owners(stubs, key)[0] for key in KEYS]
    assert [len(stub.requests) for stub in stubs] == [asked.count(stub) for stub in stubs]


def test_a_batch_is_divided_and_put_together(face: Face, stubs: list[Stub]) -> None:
    client = face([stubs[0].address])
    results = client.batch([BatchPut(key, bins) for bins in [{"a": 1}] for key in KEYS])
    assert [result.key for result in results] == KEYS
    assert all(result.ok for result in results)
    assert [len(stub.requests) for stub in stubs] == [1, 1, 1]


def test_a_query_is_divided(face: Face, stubs: list[Stub]) -> None:
    client = face([stubs[0].address])
    stream = client.query("test", "s")
    assert list(stream) == []
    assert stream.cursor.done
    asked = [parse_message(stub.requests[0][HEADER_SIZE:]).fields for stub in stubs]
    sizes = [len(fields[FieldType.PARTITION_IDS]) // 2 for fields in asked]
    assert sum(sizes) == 4096
    assert [len(stub.requests) for stub in stubs] == [1, 1, 1]


def test_all_nodes_work_on_a_query_at_once(face: Face, stubs: list[Stub]) -> None:
    gate = threading.Barrier(3)
    for stub in stubs:
        stub.script, stub.gate = ["gate"], gate
    assert list(face([stubs[0].address]).query("test", "s")) == []
    assert not gate.broken


@pytest.mark.parametrize("what", ["half", "mangled", "garbage"])
def test_what_one_node_has_not_answered_is_asked_again(
    face: Face, stubs: list[Stub], what: str
) -> None:
    stubs[1].script = [what]
    client = face([stubs[0].address])
    stream = client.query("test", "s")
    assert list(stream) == []
    assert sorted(node.metrics.connection_errors for node in client.nodes) == [0, 0, 1]
    assert not any(node.metrics.timeouts for node in client.nodes)
    assert stream.cursor.done
    again = [parse_message(stub.requests[-1][HEADER_SIZE:]).fields for stub in stubs]
    first = [parse_message(stub.requests[0][HEADER_SIZE:]).fields for stub in stubs]
    assert sorted(len(stub.requests) for stub in stubs) == [1, 1, 2]
    assert again[2][FieldType.PARTITION_IDS] == first[1][FieldType.PARTITION_IDS]


def test_a_node_that_refuses_a_query_ends_it_for_all(face: Face, stubs: list[Stub]) -> None:
    stubs[1].script = ["code 4"]
    client = face([stubs[0].address])
    with pytest.raises(InvalidRequest):
        list(client.query("test", "s"))
    assert list(client.query("test", "s")) == []


def test_when_a_node_dies_its_copies_answer(face: Face, stubs: list[Stub]) -> None:
    client = face([stubs[0].address], ClientPolicy(tend_interval=60_000))
    dead = stubs[2]
    dead.stop()
    key = next(key for key in KEYS if owners(stubs, key)[0] is dead)
    assert client.exists(key)
    assert all(client.exists_many(KEYS))
    retried = WritePolicy(max_retries=1)
    client.put(key, {"a": 1}, retried)
    (metrics,) = (node.metrics for node in client.nodes if node.name == "A3")
    assert metrics.connection_errors >= 3


def test_nodes_that_leave_and_join_are_noticed(face: Face, stubs: list[Stub]) -> None:
    client = face([stubs[0].address], FAST)

    def names() -> set[str]:
        if face.name == "asyncio":
            client.info("node")  # lets the loop turn, on which the tend runs
        return {node.name for node in client.nodes}

    balance(stubs[:2])
    stubs[2].stop()
    eventually(lambda: names() == {"A1", "A2"})
    for key in KEYS:
        client.put(key, {"a": 1})
    assert not stubs[2].requests
    with Stub(name="A4") as joined:
        balance([stubs[0], stubs[1], joined])
        eventually(lambda: names() == {"A1", "A2", "A4"})
        for key in KEYS:
            client.put(key, {"a": 1}, WritePolicy(max_retries=5))
        eventually(lambda: bool(joined.requests))
