"""Queries, indexes, background jobs and truncation, through both faces and a whole server."""

from __future__ import annotations

from typing import Any

import pytest

from aerospike_client import (
    BatchPut,
    IndexExists,
    IndexKind,
    IndexNotFound,
    IndexType,
    InvalidParameter,
    Key,
    NodeUnavailable,
    Partitions,
    QueryCursor,
    QueryPolicy,
    UdfFailed,
    between,
    contains,
    equals,
    geo,
)
from aerospike_common import AsGeojson
from aerospike_common.wire import Op, OpType, ParticleType

COUNT = 500


@pytest.fixture
def filled(client: Any) -> Any:
    """A client of a server with 500 records in one set and one in another."""
    keys = [Key("test", "many", number) for number in range(COUNT)]
    client.batch(
        [
            BatchPut(
                key,
                {
                    "n": key.user_key,
                    "s": f"s{int(key.user_key) % 5}",
                    "l": [int(key.user_key) % 7, "x"],
                    "m": {"k": int(key.user_key) % 3},
                },
            )
            for key in keys
        ]
    )
    client.put(Key("test", "other", 1), {"n": 1})
    return client


def numbers(stream: Any) -> list[int]:
    return sorted(record.bins["n"] for record in stream)


def test_a_query_gives_each_record_of_the_set_once(filled: Any) -> None:
    assert numbers(filled.query("test", "many")) == list(range(COUNT))


def test_without_a_set_all_of_the_namespace_come(filled: Any) -> None:
    sets = {record.key.set_name for record in filled.query("test")}
    assert sets == {"many", "other"}


def test_bins_can_be_picked_or_left_away(filled: Any) -> None:
    assert {tuple(r.bins) for r in filled.query("test", "many", bins=["s"])} == {("s",)}
    assert {tuple(r.bins) for r in filled.query("test", "many", bins=())} == {()}
    metadata = QueryPolicy(include_bins=False)
    assert {tuple(r.bins) for r in filled.query("test", "many", policy=metadata)} == {()}


def test_partitions_divide_the_records(filled: Any) -> None:
    halves = [
        numbers(filled.query("test", "many", partitions=Partitions(begin, 2048)))
        for begin in (0, 2048)
    ]
    assert sorted(halves[0] + halves[1]) == list(range(COUNT))
    assert 0 < len(halves[0]) < COUNT


def test_after_a_key_comes_the_rest_of_its_partition(filled: Any) -> None:
    for record in list(filled.query("test", "many"))[:20]:
        whole = filled.query("test", "many", partitions=Partitions.one(record.key.partition_id))
        keys = [r.key for r in whole]
        rest = filled.query("test", "many", partitions=Partitions.after_key(record.key))
        assert [r.key for r in rest] == keys[keys.index(record.key) + 1 :]


def test_max_records_and_the_cursor_page_through(filled: Any) -> None:
    seen: list[int] = []
    cursor = None
    policy = QueryPolicy(max_records=120)
    for _ in range(10):
        stream = filled.query("test", "many", cursor=cursor, policy=policy)
        page = [record.bins["n"] for record in stream]
        assert len(page) <= 120
        seen += page
        cursor = QueryCursor.from_bytes(bytes(stream.cursor))
        if cursor.done:
            break
    assert sorted(seen) == list(range(COUNT))


def test_a_query_left_in_the_middle_goes_on_elsewhere(filled: Any) -> None:
    stream = filled.query("test", "many")
    first = []
    for record in stream:
        first.append(record.bins["n"])
        if len(first) == 123:
            break
    cursor = stream.cursor
    stream.close()
    rest = numbers(filled.query("test", "many", cursor=cursor))
    assert sorted(first + rest) == list(range(COUNT))


def test_indexes_answer_conditions(filled: Any) -> None:
    for name, bin_name, kind, index_type in (
        ("n", "n", IndexKind.NUMERIC, IndexType.DEFAULT),
        ("s", "s", IndexKind.STRING, IndexType.DEFAULT),
        ("l", "l", IndexKind.NUMERIC, IndexType.LIST),
        ("mk", "m", IndexKind.STRING, IndexType.MAP_KEYS),
        ("mv", "m", IndexKind.NUMERIC, IndexType.MAP_VALUES),
    ):
        filled.create_index(name, "test", "many", bin_name, kind, index_type=index_type).wait(5000)
    every = range(COUNT)
    for where, expected in (
        (between("n", 10, 19), range(10, 20)),
        (equals("n", 7), [7]),
        (equals("n", 7, index="n"), [7]),
        (equals("s", "s3"), [n for n in every if n % 5 == 3]),
        (contains("l", 2), [n for n in every if n % 7 == 2]),
        (contains("m", "k", IndexType.MAP_KEYS), every),
        (contains("m", 1, IndexType.MAP_VALUES), [n for n in every if n % 3 == 1]),
    ):
        assert numbers(filled.query("test", "many", where=where)) == list(expected)
    assert {row["indexname"] for row in filled.indexes("test")} == {"n", "s", "l", "mk", "mv"}


def test_an_index_query_pages_by_cursor(filled: Any) -> None:
    filled.create_index("n", "test", "many", "n", IndexKind.NUMERIC).wait(5000)
    seen: list[int] = []
    cursor = None
    for _ in range(30):
        stream = filled.query(
            "test",
            "many",
            where=between("n", 100, 299),
            cursor=cursor,
            policy=QueryPolicy(max_records=33),
        )
        seen += [record.bins["n"] for record in stream]
        cursor = QueryCursor.from_bytes(bytes(stream.cursor))
        if cursor.done:
            break
    assert sorted(seen) == list(range(100, 300))


def test_regions_find_their_points(client: Any) -> None:
    for name, longitude in (("near", 8.5), ("far", 120.0)):
        place = AsGeojson(f'{{"type": "Point", "coordinates": [{longitude}, 47.4]}}')
        client.put(Key("test", "places", name), {"name": name, "at": place})
    client.create_index("at", "test", "places", "at", IndexKind.GEO2DSPHERE).wait(5000)
    region = '{"type": "AeroCircle", "coordinates": [[8.5, 47.4], 1000.0]}'
    found = client.query("test", "places", where=geo("at", region))
    assert [record.bins["name"] for record in found] == ["near"]


def test_an_index_is_made_once_and_gone_when_dropped(filled: Any) -> None:
    filled.create_index("i", "test", "many", "n", IndexKind.NUMERIC).wait(5000)
    filled.create_index("i", "test", "many", "n", IndexKind.NUMERIC).wait(5000)
    with pytest.raises(IndexExists):
        filled.create_index("i", "test", "many", "s", IndexKind.STRING)
    filled.drop_index("test", "i").wait(5000)
    with pytest.raises(IndexNotFound):
        list(filled.query("test", "many", where=equals("n", 1), policy=QueryPolicy(max_retries=0)))
    filled.drop_index("test", "i").wait(5000)


def test_writes_in_the_background(filled: Any) -> None:
    op = Op(OpType.INCR, ParticleType.INTEGER, b"n", (1000).to_bytes(8, "big"))
    filled.write_all("test", "many", [op]).wait(10_000)
    assert numbers(filled.query("test", "many")) == list(range(1000, 1000 + COUNT))


def test_functions_in_the_background(filled: Any) -> None:
    source = "function double(rec) rec.n = rec.n * 2; aerospike:update(rec) end"
    filled.udf_put("twice.lua", source).wait(5000)
    task = filled.apply_all("test", "many", "twice", "double")
    task.wait(10_000)
    assert task.is_done()
    assert numbers(filled.query("test", "many")) == list(range(0, 2 * COUNT, 2))


def test_modules_are_listed_fetched_and_removed(client: Any) -> None:
    source = "function f() return 1 end"
    client.udf_put("mine.lua", source).wait(5000)
    assert "mine.lua" in [module.name for module in client.udf_list()]
    assert client.udf_get("mine.lua") == source.encode()
    client.udf_remove("mine.lua").wait(5000)
    assert "mine.lua" not in [module.name for module in client.udf_list()]
    with pytest.raises(UdfFailed, match="not found"):
        client.udf_get("mine.lua")
    with pytest.raises(UdfFailed, match=r"bad\.lua:1"):
        client.udf_put("bad.lua", "function f( return")


def test_truncation_empties_a_set(filled: Any) -> None:
    filled.truncate("test", "many")
    assert [r.key.set_name for r in filled.query("test")] == ["other"]
    filled.truncate("test")
    assert list(filled.query("test")) == []


def test_info(client: Any) -> None:
    (node,) = client.nodes
    assert client.info("node") == node.name
    assert client.info("node", node=node.name) == node.name
    assert client.info_all("namespaces") == {node.name: client.info("namespaces")}
    assert client.info("nonsense").startswith("ERROR:4:")


def test_what_makes_no_query_is_refused(client: Any) -> None:
    with pytest.raises(InvalidParameter, match="list of names"):
        client.query("test", "many", bins="n")
    with pytest.raises(InvalidParameter, match="nothing lies between"):
        between("n", 2, 1)
    with pytest.raises(InvalidParameter, match="partitions are 0 to 4095"):
        Partitions(4000, 200)
    with pytest.raises(InvalidParameter, match="not a query's cursor"):
        QueryCursor.from_bytes(b"nonsense")
    with pytest.raises(NodeUnavailable, match="no node has the namespace 'none'"):
        list(client.query("none"))
