"""Our client beside the official one: policies, rows of batches, and queries of every kind send the
same bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aerospike
import pytest
from aerospike_helpers import expressions as exp
from aerospike_helpers.batch import records as br
from aerospike_helpers.operations import operations as ops
from tap import Tap

from aerospike_client import (
    ApplyPolicy,
    BatchApply,
    BatchApplyPolicy,
    BatchOperate,
    BatchPolicy,
    BatchPut,
    BatchRead,
    BatchReadPolicy,
    BatchRemove,
    BatchWritePolicy,
    Client,
    CommitLevel,
    Exists,
    Generation,
    IndexKind,
    IndexType,
    Key,
    OperatePolicy,
    Partitions,
    QueryPolicy,
    ReadPolicy,
    SendKey,
    WritePolicy,
    operations,
)
from aerospike_client.expressions import Bin
from aerospike_client.queries import between, contains, equals, geo

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

KEY = Key("test", "people", "ada")
OFFICIAL_KEY = ("test", "people", "ada")
THEIR_FILTER = exp.GE(exp.IntBin("n"), 1).compile()
OUR_FILTER = Bin("n") >= 1
PUT = {"n": 1}

Call = Callable[[Any], Any]


def put_with(theirs: dict[str, Any], ours: WritePolicy) -> tuple[Call, Call]:
    meta = {name: theirs.pop(name) for name in ("ttl", "generation") if name in theirs}
    meta = {"gen" if name == "generation" else name: value for name, value in meta.items()}
    return lambda c: c.put(OFFICIAL_KEY, PUT, meta, theirs), lambda c: c.put(KEY, PUT, ours)


def read_with(theirs: dict[str, Any], ours: ReadPolicy) -> tuple[Call, Call]:
    return lambda c: c.get(OFFICIAL_KEY, theirs), lambda c: c.get(KEY, ours)


def operate_with(theirs: dict[str, Any], ours: OperatePolicy) -> tuple[Call, Call]:
    our_ops = [operations.add("n", 1), operations.read("n")]
    return (
        lambda c: c.operate(OFFICIAL_KEY, [ops.increment("n", 1), ops.read("n")], None, theirs),
        lambda c: c.operate(KEY, our_ops, ours),
    )


SINGLE: dict[str, tuple[Call, Call]] = {
    "put, create": put_with(
        {"exists": aerospike.POLICY_EXISTS_CREATE}, WritePolicy(exists=Exists.CREATE)
    ),
    "put, update": put_with(
        {"exists": aerospike.POLICY_EXISTS_UPDATE}, WritePolicy(exists=Exists.UPDATE)
    ),
    "put, replace": put_with(
        {"exists": aerospike.POLICY_EXISTS_REPLACE}, WritePolicy(exists=Exists.REPLACE)
    ),
    "put, equal generation": put_with(
        {"gen": aerospike.POLICY_GEN_EQ, "generation": 1},
        WritePolicy(gen=Generation.EQ, generation=1),
    ),
    "put, never expires": put_with({"ttl": aerospike.TTL_NEVER_EXPIRE}, WritePolicy(ttl=-1)),
    "put, keeps its ttl": put_with({"ttl": aerospike.TTL_DONT_UPDATE}, WritePolicy(ttl=-2)),
    "put, durable": put_with({"durable_delete": True}, WritePolicy(durable_delete=True)),
    "put, filter": put_with(
        {"expressions": THEIR_FILTER}, WritePolicy(filter_expression=OUR_FILTER)
    ),
    "put, times": put_with(
        {"total_timeout": 700, "socket_timeout": 300},
        WritePolicy(total_timeout=700, socket_timeout=300),
    ),
    "put, no times": put_with(
        {"total_timeout": 0, "socket_timeout": 0}, WritePolicy(total_timeout=0, socket_timeout=0)
    ),
    "put, compressed": put_with({"compress": True}, WritePolicy(compress=True)),
    "get, filter": read_with(
        {"expressions": THEIR_FILTER}, ReadPolicy(filter_expression=OUR_FILTER)
    ),
    "get, key": read_with({"key": aerospike.POLICY_KEY_SEND}, ReadPolicy(key=SendKey.SEND)),
    "get, touch": read_with({"read_touch_ttl_percent": 80}, ReadPolicy(read_touch_ttl_percent=80)),
    "operate": operate_with({}, OperatePolicy()),
    "operate, key": operate_with(
        {"key": aerospike.POLICY_KEY_SEND}, OperatePolicy(key=SendKey.SEND)
    ),
    "operate, filter": operate_with(
        {"expressions": THEIR_FILTER}, OperatePolicy(filter_expression=OUR_FILTER)
    ),
    "operate, durable": operate_with({"durable_delete": True}, OperatePolicy(durable_delete=True)),
    "remove, durable": (
        lambda c: c.remove(OFFICIAL_KEY, None, {"durable_delete": True}),
        lambda c: c.remove(KEY, WritePolicy(durable_delete=True)),
    ),
    "remove, generation": (
        lambda c: c.remove(OFFICIAL_KEY, {"gen": 1}, {"gen": aerospike.POLICY_GEN_EQ}),
        lambda c: c.remove(KEY, WritePolicy(gen=Generation.EQ, generation=1)),
    ),
    "apply": (
        lambda c: c.apply(OFFICIAL_KEY, "module", "function", [1, "two", [3]]),
        lambda c: c.apply(KEY, "module", "function", [1, "two", [3]]),
    ),
    "apply, policies": (
        lambda c: c.apply(
            OFFICIAL_KEY,
            "module",
            "function",
            [],
            {
                "key": aerospike.POLICY_KEY_SEND,
                "ttl": 100,
                "commit_level": aerospike.POLICY_COMMIT_LEVEL_MASTER,
                "expressions": THEIR_FILTER,
            },
        ),
        lambda c: c.apply(
            KEY,
            "module",
            "function",
            [],
            ApplyPolicy(
                key=SendKey.SEND,
                ttl=100,
                commit_level=CommitLevel.MASTER,
                filter_expression=OUR_FILTER,
            ),
        ),
    ),
}


def trying(call: Call, client: Any) -> None:
    """Make a call; what is answered is another test's matter."""
    try:
        call(client)
    except (aerospike.exception.AerospikeError, Exception) as error:
        if not hasattr(error, "in_doubt"):
            raise


def sent(tap: Tap) -> list[str]:
    return [body.hex(" ") for body in tap.taken()]


@pytest.mark.parametrize("name", SINGLE)
def test_the_same_bytes_for_policies(name: str, official: Any, ours: Client, tap: Tap) -> None:
    theirs, our = SINGLE[name]
    bodies = []
    for call, client in ((theirs, official), (our, ours)):
        ours.remove(KEY)
        ours.put(KEY, PUT)
        tap.taken()
        trying(call, client)
        bodies.append(sent(tap))
    assert bodies[1] == bodies[0]
    assert bodies[0]


KEYS = [Key("test", "batch", number) for number in range(4)]
OFFICIAL_KEYS = [("test", "batch", number) for number in range(4)]
WRITE = {
    "ttl": 100,
    "key": aerospike.POLICY_KEY_SEND,
    "commit_level": aerospike.POLICY_COMMIT_LEVEL_MASTER,
    "expressions": THEIR_FILTER,
}
OUR_WRITE = BatchWritePolicy(
    ttl=100, key=SendKey.SEND, commit_level=CommitLevel.MASTER, filter_expression=OUR_FILTER
)
OUR_REMOVE = BatchWritePolicy(
    key=SendKey.SEND, commit_level=CommitLevel.MASTER, filter_expression=OUR_FILTER
)


def their_batch(rows: list[Any], **policy: Any) -> Call:
    return lambda c: c.batch_write(br.BatchRecords(rows), policy or None)


def our_batch(rows: list[Any], policy: BatchPolicy | None = None) -> Call:
    return lambda c: c.batch(rows, policy)


BATCHES: dict[str, tuple[Call, Call]] = {
    "existence": (
        lambda c: c.batch_read(OFFICIAL_KEYS, []),
        lambda c: c.exists_many(KEYS),
    ),
    "reads of one kind with a filter": (
        lambda c: c.batch_read(OFFICIAL_KEYS, policy={"expressions": THEIR_FILTER}),
        lambda c: c.get_many(KEYS, policy=BatchPolicy(filter_expression=OUR_FILTER)),
    ),
    "how the nodes are to go about it": (
        lambda c: c.batch_read(
            OFFICIAL_KEYS,
            policy={"allow_inline": False, "allow_inline_ssd": True, "respond_all_keys": False},
        ),
        lambda c: c.get_many(
            KEYS,
            policy=BatchPolicy(allow_inline=False, allow_inline_ssd=True, respond_all_keys=False),
        ),
    ),
    "reads with policies": (
        their_batch(
            [
                br.Read(
                    OFFICIAL_KEYS[0],
                    None,
                    read_all_bins=True,
                    policy={
                        "expressions": THEIR_FILTER,
                        "read_mode_ap": aerospike.POLICY_READ_MODE_AP_ONE,
                    },
                ),
                br.Read(
                    OFFICIAL_KEYS[1],
                    None,
                    read_all_bins=True,
                    policy={"read_touch_ttl_percent": 50},
                ),
            ]
        ),
        our_batch(
            [
                BatchRead(KEYS[0], policy=BatchReadPolicy(filter_expression=OUR_FILTER)),
                BatchRead(KEYS[1], policy=BatchReadPolicy(read_touch_ttl_percent=50)),
            ],
            BatchPolicy(max_retries=0),
        ),
    ),
    "writes with policies": (
        their_batch(
            [
                br.Write(key, [ops.write("n", 1)], meta={"ttl": 100}, policy=WRITE)
                for key in OFFICIAL_KEYS
            ]
        ),
        our_batch([BatchPut(key, {"n": 1}, policy=OUR_WRITE) for key in KEYS]),
    ),
    "writes of every existence": (
        their_batch(
            [
                br.Write(key, [ops.write("n", 1)], policy={"exists": exists})
                for key, exists in zip(
                    OFFICIAL_KEYS,
                    (
                        aerospike.POLICY_EXISTS_CREATE,
                        aerospike.POLICY_EXISTS_UPDATE,
                        aerospike.POLICY_EXISTS_REPLACE,
                        aerospike.POLICY_EXISTS_CREATE_OR_REPLACE,
                    ),
                    strict=True,
                )
            ]
        ),
        our_batch(
            [
                BatchPut(key, {"n": 1}, policy=BatchWritePolicy(exists=exists))
                for key, exists in zip(
                    KEYS,
                    (Exists.CREATE, Exists.UPDATE, Exists.REPLACE, Exists.CREATE_OR_REPLACE),
                    strict=True,
                )
            ]
        ),
    ),
    "operations": (
        their_batch(
            [br.Write(key, [ops.increment("n", 1), ops.read("n")]) for key in OFFICIAL_KEYS]
        ),
        our_batch(
            [BatchOperate(key, [operations.add("n", 1), operations.read("n")]) for key in KEYS]
        ),
    ),
    "removals": (
        their_batch([br.Remove(key) for key in OFFICIAL_KEYS]),
        our_batch([BatchRemove(key) for key in KEYS]),
    ),
    "removals with policies": (
        their_batch(
            [
                br.Remove(key, policy={name: v for name, v in WRITE.items() if name != "ttl"})
                for key in OFFICIAL_KEYS
            ]
        ),
        our_batch([BatchRemove(key, policy=OUR_REMOVE) for key in KEYS]),
    ),
    "functions": (
        their_batch([br.Apply(key, "module", "function", [1, "a"]) for key in OFFICIAL_KEYS]),
        our_batch([BatchApply(key, "module", "function", [1, "a"]) for key in KEYS]),
    ),
    "functions with policies": (
        their_batch([br.Apply(key, "m", "f", [], policy=WRITE) for key in OFFICIAL_KEYS]),
        our_batch(
            [
                BatchApply(
                    key,
                    "m",
                    "f",
                    policy=BatchApplyPolicy(
                        ttl=100,
                        key=SendKey.SEND,
                        commit_level=CommitLevel.MASTER,
                        filter_expression=OUR_FILTER,
                    ),
                )
                for key in KEYS
            ]
        ),
    ),
}


@pytest.mark.parametrize("name", BATCHES)
def test_the_same_bytes_for_rows(name: str, official: Any, ours: Client, tap: Tap) -> None:
    theirs, our = BATCHES[name]
    bodies = []
    for call, client in ((theirs, official), (our, ours)):
        ours.batch([BatchPut(key, {"n": 1}) for key in KEYS])
        tap.taken()
        call(client)
        bodies.append(sent(tap))
    assert bodies[1] == bodies[0]
    assert bodies[0]


def without_task(body: bytes) -> str:
    """A query's message without its random task id."""
    at = body.index(b"\x00\x00\x00\x09\x07") + 5
    return (body[:at] + bytes(8) + body[at + 8 :]).hex(" ")


POINT = '{"type": "Point", "coordinates": [1, 2]}'
REGION = '{"type": "AeroCircle", "coordinates": [[1, 2], 1000]}'


@pytest.fixture(scope="module")
def queried(ours: Client) -> Client:
    """Records with indexes of every kind."""
    ours.put(Key("test", "q", 1), {"n": 1, "s": "x", "l": [1, 2], "m": {"a": 7}})
    for name, bin_name, kind, index_type in (
        ("qn", "n", IndexKind.NUMERIC, IndexType.DEFAULT),
        ("qs", "s", IndexKind.STRING, IndexType.DEFAULT),
        ("ql", "l", IndexKind.NUMERIC, IndexType.LIST),
        ("qk", "m", IndexKind.STRING, IndexType.MAP_KEYS),
        ("qv", "m", IndexKind.NUMERIC, IndexType.MAP_VALUES),
        ("qg", "g", IndexKind.GEO2DSPHERE, IndexType.DEFAULT),
    ):
        ours.create_index(name, "test", "q", bin_name, kind, index_type=index_type).wait(20_000)
    return ours


def where(*predicate: Any) -> Call:
    def ask(client: Any) -> Any:
        query = client.query("test", "q")
        query.where(*predicate)
        return query.results()

    return ask


def their_query(change: Call | None = None, **policy: Any) -> Call:
    def ask(client: Any) -> Any:
        query = client.query("test", "q")
        if change is not None:
            change(query)
        return query.results(policy)

    return ask


def our_query(**given: Any) -> Call:
    return lambda client: list(client.query("test", "q", **given))


QUERIES: dict[str, tuple[Call, Call]] = {
    "elements of lists": (
        where(aerospike.predicates.contains("l", aerospike.INDEX_TYPE_LIST, 1)),
        our_query(where=contains("l", 1)),
    ),
    "keys of maps": (
        where(aerospike.predicates.contains("m", aerospike.INDEX_TYPE_MAPKEYS, "a")),
        our_query(where=contains("m", "a", IndexType.MAP_KEYS)),
    ),
    "values of maps": (
        where(aerospike.predicates.range("m", aerospike.INDEX_TYPE_MAPVALUES, 1, 9)),
        our_query(where=between("m", 1, 9, index_type=IndexType.MAP_VALUES)),
    ),
    "a region": (
        where(aerospike.predicates.geo_within_geojson_region("g", REGION)),
        our_query(where=geo("g", REGION)),
    ),
    "equal integers": (
        where(aerospike.predicates.equals("n", 1)),
        our_query(where=equals("n", 1)),
    ),
    "a filter": (
        their_query(expressions=THEIR_FILTER),
        our_query(policy=QueryPolicy(filter_expression=OUR_FILTER)),
    ),
    "a range and a filter": (
        their_query(
            lambda query: query.where(aerospike.predicates.between("n", 1, 9)),
            expressions=THEIR_FILTER,
        ),
        our_query(where=between("n", 1, 9), policy=QueryPolicy(filter_expression=OUR_FILTER)),
    ),
    "slowly": (
        their_query(lambda query: setattr(query, "records_per_second", 500)),
        our_query(policy=QueryPolicy(records_per_second=500)),
    ),
    "no more than": (
        their_query(lambda query: setattr(query, "max_records", 5)),
        our_query(policy=QueryPolicy(max_records=5)),
    ),
    "times": (
        their_query(total_timeout=9000, socket_timeout=4000),
        our_query(policy=QueryPolicy(total_timeout=9000, socket_timeout=4000)),
    ),
    "some partitions": (
        their_query(partition_filter={"begin": 100, "count": 50}),
        our_query(partitions=Partitions(100, 50)),
    ),
    "short": (
        their_query(
            lambda query: query.where(aerospike.predicates.between("n", 1, 9)), short_query=True
        ),
        our_query(where=between("n", 1, 9), policy=QueryPolicy(short_query=True)),
    ),
}


@pytest.mark.parametrize("name", QUERIES)
def test_the_same_bytes_for_queries(name: str, official: Any, queried: Client, tap: Tap) -> None:
    theirs, our = QUERIES[name]
    bodies = []
    for call, client in ((theirs, official), (our, queried)):
        tap.taken()
        call(client)
        bodies.append([without_task(body) for body in tap.taken()])
    assert bodies[1] == bodies[0]
    assert bodies[0]


def test_the_same_bytes_for_jobs(official: Any, queried: Client, tap: Tap) -> None:
    query = official.query("test", "q")
    query.add_ops([ops.increment("n", 1)])
    tap.taken()
    query.execute_background()
    expected = [without_task(body) for body in tap.taken()]
    task = queried.write_all("test", "q", [operations.add("n", 1)])
    assert [without_task(body) for body in tap.taken()] == expected
    task.wait(20_000)

    official.scan_apply("test", "q", "module", "function", [1])
    expected = [without_task(body) for body in tap.taken()]
    queried.apply_all("test", "q", "module", "function", [1])
    assert [without_task(body) for body in tap.taken()] == expected
    assert expected
