"""Our client beside the official one: the same scenarios, the same bytes sent, the same results."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aerospike
import pytest
from aerospike_helpers.batch import records as br
from aerospike_helpers.operations import list_operations as list_ops
from aerospike_helpers.operations import map_operations as map_ops
from aerospike_helpers.operations import operations as ops
from tap import Tap

from aerospike_client import (
    BatchApply,
    BatchOperate,
    BatchPut,
    BatchRead,
    BatchRemove,
    Client,
    CommitLevel,
    Exists,
    Generation,
    IndexKind,
    Key,
    OperatePolicy,
    ReadModeAP,
    ReadPolicy,
    SendKey,
    WritePolicy,
)
from aerospike_client.queries import between, equals
from aerospike_common import AsGeojson
from aerospike_common.as_msgpack import pack
from aerospike_common.wire import Op, OpType

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

KEY = Key("test", "people", "ada")
OFFICIAL_KEY = ("test", "people", "ada")


PUT = {"n": 1, "s": "text", "f": 2.5, "l": [1, "two", [3.5]], "raw": bytearray(b"raw"), "t": True}
OURS = {**PUT, "raw": b"raw"}
APPEND_TO_LIST = Op(OpType.CDT_MODIFY, 4, b"l", pack([1, 7]))
MAP_SIZE = Op(OpType.CDT_READ, 4, b"m", pack([96]))
READ_N = Op(OpType.READ, 0, b"n", b"")
INCREMENT = Op(OpType.INCR, 1, b"n", (5).to_bytes(8, "big"))

Call = Callable[[Any], Any]

SINGLE: list[tuple[str, Call, Call]] = [
    ("put", lambda c: c.put(OFFICIAL_KEY, PUT), lambda c: c.put(KEY, OURS)),
    ("get", lambda c: c.get(OFFICIAL_KEY), lambda c: c.get(KEY)),
    ("select", lambda c: c.select(OFFICIAL_KEY, ["n", "s"]), lambda c: c.select(KEY, ["n", "s"])),
    ("exists", lambda c: c.exists(OFFICIAL_KEY), lambda c: c.exists(KEY)),
    ("touch", lambda c: c.touch(OFFICIAL_KEY, 100), lambda c: c.touch(KEY, WritePolicy(ttl=100))),
    ("append", lambda c: c.append(OFFICIAL_KEY, "s", "x"), lambda c: c.append(KEY, {"s": "x"})),
    ("prepend", lambda c: c.prepend(OFFICIAL_KEY, "s", "x"), lambda c: c.prepend(KEY, {"s": "x"})),
    (
        "increment",
        lambda c: c.increment(OFFICIAL_KEY, "n", 3),
        lambda c: c.increment(KEY, {"n": 3}),
    ),
    (
        "put with policies",
        lambda c: c.put(
            OFFICIAL_KEY,
            {"n": 1},
            {"ttl": 1000, "gen": 5},
            {
                "exists": aerospike.POLICY_EXISTS_CREATE_OR_REPLACE,
                "gen": aerospike.POLICY_GEN_GT,
                "key": aerospike.POLICY_KEY_SEND,
                "commit_level": aerospike.POLICY_COMMIT_LEVEL_MASTER,
            },
        ),
        lambda c: c.put(
            KEY,
            {"n": 1},
            WritePolicy(
                ttl=1000,
                gen=Generation.GT,
                generation=5,
                exists=Exists.CREATE_OR_REPLACE,
                key=SendKey.SEND,
                commit_level=CommitLevel.MASTER,
            ),
        ),
    ),
    (
        "get with policies",
        lambda c: c.get(
            OFFICIAL_KEY,
            {
                "read_mode_ap": aerospike.POLICY_READ_MODE_AP_ALL,
                "total_timeout": 700,
                "socket_timeout": 300,
            },
        ),
        lambda c: c.get(
            KEY, ReadPolicy(read_mode_ap=ReadModeAP.ALL, total_timeout=700, socket_timeout=300)
        ),
    ),
    (
        "operate with lists",
        lambda c: c.operate(OFFICIAL_KEY, [list_ops.list_append("l", 7), ops.read("n")]),
        lambda c: c.operate(KEY, [APPEND_TO_LIST, READ_N]),
    ),
    (
        "operate with maps",
        lambda c: c.operate(OFFICIAL_KEY, [map_ops.map_size("m"), ops.increment("n", 5)]),
        lambda c: c.operate(KEY, [MAP_SIZE, INCREMENT]),
    ),
    (
        "operate that only reads",
        lambda c: c.operate(OFFICIAL_KEY, [ops.read("n"), map_ops.map_size("m")]),
        lambda c: c.operate(KEY, [READ_N, MAP_SIZE]),
    ),
    (
        "geojson",
        lambda c: c.put(
            OFFICIAL_KEY, {"g": aerospike.geojson('{"type": "Point", "coordinates": [1, 2]}')}
        ),
        lambda c: c.put(KEY, {"g": AsGeojson('{"type": "Point", "coordinates": [1, 2]}')}),
    ),
    ("remove", lambda c: c.remove(OFFICIAL_KEY), lambda c: c.remove(KEY)),
]


def prepare(ours: Client, tap: Tap) -> None:
    """The record as each scenario finds it."""
    ours.remove(KEY)
    ours.put(KEY, {"n": 1, "s": "text", "l": [1], "m": {"a": 1}})
    tap.taken()


@pytest.mark.parametrize(("name", "theirs", "our"), SINGLE, ids=[name for name, _, _ in SINGLE])
def test_the_same_bytes_for_one_record(
    name: str, theirs: Call, our: Call, official: Any, ours: Client, tap: Tap
) -> None:
    prepare(ours, tap)
    theirs(official)
    expected = tap.taken()
    after = ours.exists(KEY) and ours.get(KEY).bins
    prepare(ours, tap)
    our(ours)
    assert [body.hex(" ") for body in tap.taken()] == [body.hex(" ") for body in expected]
    assert (ours.exists(KEY) and ours.get(KEY).bins) == after


BATCH_KEYS = [Key("test", "batch", number) for number in range(4)]
OFFICIAL_KEYS = [("test", "batch", number) for number in range(4)]


def official_mix() -> br.BatchRecords:
    write = [ops.write("n", 1)]
    return br.BatchRecords(
        [
            br.Write(OFFICIAL_KEYS[0], write),
            br.Read(OFFICIAL_KEYS[1], ops=None, read_all_bins=True),
            br.Read(OFFICIAL_KEYS[2], [ops.read("n")]),
            br.Write(OFFICIAL_KEYS[1], [ops.increment("n", 5), ops.read("n")]),
            br.Remove(OFFICIAL_KEYS[3]),
            br.Apply(OFFICIAL_KEYS[2], "module", "function", []),
        ]
    )


BATCHES: list[tuple[str, Call, Call]] = [
    ("get many", lambda c: c.batch_read(OFFICIAL_KEYS), lambda c: c.get_many(BATCH_KEYS)),
    (
        "get some bins of many",
        lambda c: c.batch_read(OFFICIAL_KEYS, ["n", "s"]),
        lambda c: c.get_many(BATCH_KEYS, ["n", "s"]),
    ),
    (
        "a mix",
        lambda c: c.batch_write(official_mix()),
        lambda c: c.batch(
            [
                BatchPut(BATCH_KEYS[0], {"n": 1}),
                BatchRead(BATCH_KEYS[1]),
                BatchRead(BATCH_KEYS[2], ops=[READ_N]),
                BatchOperate(BATCH_KEYS[1], [INCREMENT, READ_N]),
                BatchRemove(BATCH_KEYS[3]),
                BatchApply(BATCH_KEYS[2], "module", "function"),
            ]
        ),
    ),
]


@pytest.mark.parametrize(("name", "theirs", "our"), BATCHES, ids=[name for name, _, _ in BATCHES])
def test_the_same_bytes_for_batches(
    name: str, theirs: Call, our: Call, official: Any, ours: Client, tap: Tap
) -> None:
    ours.batch([BatchPut(key, {"n": 0, "s": "x"}) for key in BATCH_KEYS])
    tap.taken()
    theirs(official)
    expected = tap.taken()
    our(ours)
    assert [body.hex(" ") for body in tap.taken()] == [body.hex(" ") for body in expected]


def without_task(body: bytes) -> str:
    """A query's message without its random task id."""
    at = body.index(b"\x00\x00\x00\x09\x07") + 5
    return (body[:at] + bytes(8) + body[at + 8 :]).hex(" ")


def test_the_same_bytes_for_queries(official: Any, ours: Client, tap: Tap) -> None:
    ours.put(Key("test", "q", 1), {"n": 1, "s": "x"})
    for name, kind in (("n", IndexKind.NUMERIC), ("s", IndexKind.STRING)):
        ours.create_index(f"q{name}", "test", "q", name, kind).wait(5000)
    for theirs, our in (
        (lambda: official.query("test", "q"), lambda: ours.query("test", "q")),
        (
            lambda: _selected(official.query("test", "q"), "n"),
            lambda: ours.query("test", "q", bins=["n"]),
        ),
        (
            lambda: _where(official, aerospike.predicates.between("n", 1, 9)),
            lambda: ours.query("test", "q", where=between("n", 1, 9)),
        ),
        (
            lambda: _where(official, aerospike.predicates.equals("s", "x")),
            lambda: ours.query("test", "q", where=equals("s", "x")),
        ),
    ):
        tap.taken()
        found = theirs().results()
        expected = [without_task(body) for body in tap.taken()]
        mine = list(our())
        assert [without_task(body) for body in tap.taken()] == expected
        assert [record.bins for record in mine] == [bins for _, _, bins in found]


def _selected(query: Any, *bins: str) -> Any:
    query.select(*bins)
    return query


def _where(official: Any, predicate: Any) -> Any:
    query = official.query("test", "q")
    query.where(predicate)
    return query


def test_the_same_results_for_every_kind_of_value(official: Any, ours: Client) -> None:
    values = {
        "i": -5,
        "d": 1.25,
        "s": "Grüße",
        "b": True,
        "l": [1, "a", [2.5, None], {"k": [1]}],
        "m": {"a": 1, "b": {"c": [1]}, 3: "x"},
    }
    ours.put(KEY, values)
    assert official.get(OFFICIAL_KEY)[2] == values
    official.remove(OFFICIAL_KEY)
    official.put(OFFICIAL_KEY, values)
    assert ours.get(KEY).bins == values
    assert ours.get(KEY).generation == official.get(OFFICIAL_KEY)[1]["gen"]


def test_the_same_answers_of_operate(official: Any, ours: Client) -> None:
    ours.put(KEY, {"n": 1, "l": [1], "m": {"a": 1}})
    calls = [ops.increment("n", 5), ops.read("n"), list_ops.list_append("l", 7)]
    theirs = official.operate_ordered(OFFICIAL_KEY, calls)[2]
    ours.put(KEY, {"n": 1, "l": [1], "m": {"a": 1}})
    mine = ours.operate(KEY, [INCREMENT, READ_N, APPEND_TO_LIST], OperatePolicy())
    assert list(mine.results) == theirs
