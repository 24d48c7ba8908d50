"""Records with and without a set, with and without a key, in one page of a query's reply."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aerospike_client import Client, IndexKind, Key, SendKey, WritePolicy, equals
from asd import Server

KEYS = [Key("test", name, number) for number in range(40) for name in ("", "a", "bb")]


@pytest.fixture
def client(aerospike_server: Server) -> Iterator[Client]:
    host, port = aerospike_server.address
    with Client(f"{host}:{port}") as client:
        for number, key in enumerate(KEYS):
            send = SendKey.SEND if number % 4 == 0 else SendKey.DIGEST
            client.put(key, {"n": 7}, WritePolicy(key=send))
        yield client


def test_a_query_of_the_whole_namespace(client: Client) -> None:
    found = {record.key: record.key.set_name for record in client.query("test")}

    assert found == {key: key.set_name for key in KEYS}


def test_a_query_by_an_index_over_all_sets(client: Client) -> None:
    client.create_index("by-n", "test", "", "n", IndexKind.NUMERIC).wait()
    found = [record.key for record in client.query("test", where=equals("n", 7))]

    assert set(found) == set(KEYS)
    assert len(found) == len(KEYS)
