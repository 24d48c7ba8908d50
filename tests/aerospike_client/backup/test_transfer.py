"""Backup and restore: from a server into a file and into another namespace."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

from aerospike_client import (
    Client,
    IndexKind,
    IndexType,
    Key,
    QueryPolicy,
    SendKey,
    ServerError,
    WritePolicy,
    between,
)
from aerospike_client.backup import (
    BackupBin,
    BackupReader,
    BackupRecord,
    Counts,
    Existing,
    SecondaryIndex,
    backup,
    encode_header,
    encode_record,
    restore,
)
from aerospike_client.expressions import Bin
from aerospike_client.operations import ListOrder, MapOrder, context, hlls, lists, maps
from aerospike_client.operations.policies import ListPolicy, MapPolicy
from aerospike_common import AsBytes, AsGeojson
from aerospike_common.wire import ParticleType
from asd import Server

PLACE = AsGeojson('{"type": "Point", "coordinates": [1.0, 2.0]}')
FUNCTIONS = b"function one(rec)\n  return 1\nend\n\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(port=0, namespaces=["test", "other"]) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    server.reset()
    host, port = server.address
    with Client(f"{host}:{port}") as client:
        yield client


def saved(client: Client, namespace: str = "test", **options: Any) -> bytes:
    out = io.BytesIO()
    counts = backup(client, namespace, out.write, **options)
    assert counts.bytes == len(out.getvalue())
    return out.getvalue()


def everything(client: Client, namespace: str) -> dict[bytes, tuple[Any, ...]]:
    """Records by digest; lives to about a minute, since clocks go on."""
    return {
        record.key.digest: (
            record.key.set_name,
            record.key.user_key,
            record.bins,
            (record.ttl() or 0) // 60,
        )
        for record in client.query(namespace)
    }


def fill(client: Client) -> None:
    send = WritePolicy(key=SendKey.SEND)
    for number in range(250):
        client.put(Key("test", "many", number), {"n": number})
    client.put(Key("test", "keys", "text\nline"), {"a": 1}, send)
    client.put(Key("test", "keys", b"\x00\xff"), {"a": 1}, attrs.evolve(send, ttl=1050))
    client.put(
        Key("test", "", "values"),
        {
            "int": -1,
            "double": 0.1,
            "text": "zwei\nZeilen \\ ä",
            "bytes": b"\n \\\0",
            "true": True,
            "list": [1, "a", b"b", {"c": [None, 1.5]}],
            "map": {"b": 1, "a": {3: 4}},
            "place": PLACE,
            "other blob": AsBytes(b"pickle", ParticleType.PYTHON_BLOB),
        },
    )
    client.operate(
        Key("test", "ordered", 1),
        [
            lists.append_items("l", [3, 1, 2], ListPolicy(ListOrder.ORDERED)),
            maps.put_items("m", {"b": 1, "a": 2}, MapPolicy(MapOrder.KEY_ORDERED)),
            hlls.add("h", ["x", "y"], 8),
        ],
    )


def test_a_namespace_goes_into_a_file_and_into_another(client: Client) -> None:
    fill(client)
    before = everything(client, "test")

    for compact in (False, True):
        client.truncate("other")
        counts = restore(client, io.BytesIO(saved(client, compact=compact)).read, namespace="other")
        assert counts.records == len(before) == 254
        assert everything(client, "other") == before


def test_lists_and_maps_stay_ordered(client: Client) -> None:
    fill(client)
    restore(client, io.BytesIO(saved(client)).read, namespace="other")
    key = Key("other", "ordered", 1)
    client.operate(key, [lists.append("l", 0), maps.put("m", "A", 0)])

    assert client.get(key).bins["l"] == [0, 1, 2, 3]
    assert list(client.get(key).bins["m"]) == ["A", "a", "b"]
    assert client.operate(key, [hlls.get_count("h")]).bins["h"] == 2


def test_indexes_and_functions_go_along(client: Client) -> None:
    step = context.pack([context.map_key("tags")])
    client.put(Key("test", "demo", 1), {"age": 7, "m": {"tags": ["x"]}})
    client.create_index("by-age", "test", "demo", "age", IndexKind.NUMERIC).wait()
    client.create_index(
        "by-tag",
        "test",
        "",
        "m",
        IndexKind.STRING,
        index_type=IndexType.LIST,
        context=step,
    ).wait()
    total = Bin("age") + 1
    client.create_index("by-sum", "test", "demo", "", IndexKind.NUMERIC, expression=total).wait()
    client.udf_put("one.lua", FUNCTIONS).wait()

    file = saved(client)
    client.udf_remove("one.lua").wait()
    counts = restore(client, io.BytesIO(file).read, namespace="other")

    assert (counts.indexes, counts.functions, counts.records) == (3, 1, 1)
    assert client.udf_get("one.lua") == FUNCTIONS
    found = {row["indexname"]: row for row in client.indexes("other")}
    wanted = {row["indexname"]: {**row, "ns": "other"} for row in client.indexes("test")}
    assert found == wanted
    assert len(list(client.query("other", "demo", where=between("age", 7, 7)))) == 1


def test_a_set_and_a_filter(client: Client) -> None:
    fill(client)
    few = QueryPolicy(filter_expression=Bin("n") < 10)
    client.create_index("by-n", "test", "many", "n", IndexKind.NUMERIC).wait()
    client.create_index("by-a", "test", "keys", "a", IndexKind.NUMERIC).wait()

    entries = list(BackupReader(io.BytesIO(saved(client, set_name="many", policy=few)).read))

    assert [each.name for each in entries if isinstance(each, SecondaryIndex)] == ["by-n"]
    assert sum(isinstance(each, BackupRecord) for each in entries) == 10


@pytest.mark.parametrize(
    ("existing", "kept", "value"),
    [(Existing.OLDER, 1, "newer"), (Existing.NONE, 2, "newer"), (Existing.ANY, 0, "saved")],
)
def test_records_that_are_there(client: Client, existing: Existing, kept: int, value: str) -> None:
    newer, older = Key("test", "demo", "newer"), Key("test", "demo", "older")
    for key in (newer, older):
        client.put(key, {"v": "saved", "only": 1})
        client.put(key, {"v": "saved"})
    file = saved(client)
    for _ in range(3):
        client.put(newer, {"v": "newer"})
    client.remove(older)
    client.put(older, {"v": "older"})

    counts = restore(client, io.BytesIO(file).read, existing=existing)

    assert (counts.records, counts.kept) == (2 - kept, kept)
    assert client.get(newer).bins["v"] == value
    assert client.get(older).bins == (
        {"v": "older"} if existing is Existing.NONE else {"v": "saved", "only": 1}
    )


def test_what_has_expired_or_has_no_bins_stays_in_the_file(client: Client) -> None:
    record = BackupRecord("test", "demo", Key("test", "demo", 1).digest, None, 1, 0, ())
    gone = record._replace(void_time=5)
    file = encode_header("test") + encode_record(record) + encode_record(gone)

    assert restore(client, io.BytesIO(file).read) == Counts(bytes=len(file), expired=1, empty=1)


def test_bins_that_are_nil_are_none(client: Client) -> None:
    """As the Go tools write blobs of other languages; the server refused such records."""
    nil, one = BackupBin("gone", ParticleType.NULL, b""), BackupBin("n", 1, bytes(7) + b"\x01")
    record = BackupRecord("test", "demo", Key("test", "demo", 1).digest, None, 1, 0, (nil, one))
    empty = record._replace(digest=Key("test", "demo", 2).digest, bins=(nil,))
    file = encode_header("test") + encode_record(record) + encode_record(empty)

    assert restore(client, io.BytesIO(file).read) == Counts(records=1, bytes=len(file), empty=1)
    assert client.get(Key("test", "demo", 1)).bins == {"n": 1}


def test_a_record_that_is_refused_ends_the_restore(client: Client) -> None:
    fill(client)
    broken = saved(client).replace(b"- M map ", b"- M a-name-far-too-long ")

    with pytest.raises(ServerError, match="21"):
        restore(client, io.BytesIO(broken).read, namespace="other")


def test_progress_is_told(client: Client) -> None:
    fill(client)
    told: list[int] = []
    file = saved(client)
    restore(
        client,
        io.BytesIO(file).read,
        namespace="other",
        progress=lambda counts: told.append(counts.bytes),
    )

    assert told == sorted(told)
    assert told[-1] == len(file)
