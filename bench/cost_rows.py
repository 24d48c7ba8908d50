"""The kinds of request that `bench/costs.py` measures, and what each costs the real server.

`REAL` is in gets of one bin of Aerospike Community 8.1.2.0 on the machine where it was measured
(6.2 us of processor time), so it need not be there. Lists and maps have 1,000 elements.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

import aerospike
from aerospike import predicates
from aerospike_helpers import cdt_ctx
from aerospike_helpers import expressions as exp
from aerospike_helpers.batch import records as rows
from aerospike_helpers.operations import bitwise_operations as bits
from aerospike_helpers.operations import expression_operations, hll_operations
from aerospike_helpers.operations import list_operations as lists
from aerospike_helpers.operations import map_operations as maps
from aerospike_helpers.operations import operations as op

FUNCTIONS: Final = b"""
function bump(record, bin, by)
  record[bin] = (record[bin] or 0) + by
  aerospike:update(record)
  return record[bin]
end
function tally(record)
  local sum = 0
  for value in list.iterator(record['u']) do sum = sum + value end
  return sum
end
"""

Client: TypeAlias = Any
Call: TypeAlias = Callable[[Client, int], object]
"""One request: the client, and the number of the call."""
Prepare: TypeAlias = Callable[[Client], None]

REAL: Final[Mapping[str, float]] = MappingProxyType(
    {
        "get 1 bin": 1.0,
        "put 1 bin": 1.1,
        "exists": 1.0,
        "touch": 1.2,
        "get 10 bins": 1.1,
        "put 10 bins": 1.3,
        "select 2 of 10": 1.0,
        "create and remove": 2.1,
        "increment": 1.1,
        "increment, append, read": 1.2,
        "list append, 1000 unordered": 1.4,
        "list append, 1000 ordered": 2.3,
        "list get by index": 1.2,
        "list get by rank range 10": 10.3,
        "list get by value range": 5.6,
        "list sort": 18.5,
        "map put, 1000 ordered": 3.5,
        "map put, 1000 unordered": 6.1,
        "map increment": 4.6,
        "map get by key": 2.5,
        "map top 10 by rank": 18.0,
        "map remove by value range": 6.1,
        "append below two contexts": 2.1,
        "bit set and count, 1 KiB": 1.2,
        "hll add 10": 1.3,
        "hll add 1000": 7.6,
        "hll count": 2.6,
        "get with a filter of 9 nodes": 1.3,
        "expression read": 1.1,
        "expression write": 1.3,
        "batch get 100": 8.0,
        "batch put 100": 17.5,
        "batch operate 100, map get": 129.8,
        "get 100 kB": 2.2,
        "put 100 kB": 6.8,
        "scan of 10,000": 4990.9,
        "index query of 1 record": 175.9,
        "index query of 1000 records": 249.0,
        "function: bump a bin": 1.4,
        "function: sum a list of 1000": 14.1,
        "info statistics": 19.2,
        "info namespace/test": 20.4,
    }
)
"""Request -> what it costs the real server, in its own gets of one bin."""


class Row(NamedTuple):
    """A kind of request: its name in `REAL`, calls to measure at once, what must be there before,
    and the request."""

    name: str
    calls: int
    prepare: Prepare
    call: Call


def key(number: int, set_name: str = "v") -> tuple[str, str, int]:
    """A record's key."""
    return ("test", set_name, number)


def filled(set_name: str, bins: Mapping[str, Any], count: int = 1000) -> Prepare:
    """Makes records of the same bins."""

    def prepare(client: Client) -> None:
        for number in range(count):
            client.put(key(number, set_name), dict(bins))

    return prepare


def nothing(client: Client) -> None:
    """Nothing must be there."""


# -- records --------------------------------------------------------------------------------------

TEN: Final = MappingProxyType({f"b{at}": at if at % 2 else "x" * 20 for at in range(10)})
BIG: Final = MappingProxyType({"b": random.Random(7).randbytes(100_000)})


def create_and_remove(client: Client, number: int) -> None:
    """Two requests, counted as one."""
    client.put(key(number, "cr"), {"a": 1})
    client.remove(key(number, "cr"))


def record_rows() -> list[Row]:
    """Whole records and plain bins."""
    one, ten, big = filled("v", {"n": 1}), filled("ten", TEN), filled("big", BIG, 10)
    several = [op.increment("n", 1), op.write("s", "abc"), op.read("n")]
    return [
        Row("get 1 bin", 3000, one, lambda c, i: c.get(key(i % 1000))),
        Row("put 1 bin", 3000, one, lambda c, i: c.put(key(i % 1000), {"n": i})),
        Row("exists", 3000, one, lambda c, i: c.exists(key(i % 1000))),
        Row("touch", 2000, one, lambda c, i: c.touch(key(i % 1000), 100)),
        Row("get 10 bins", 2000, ten, lambda c, i: c.get(key(i % 1000, "ten"))),
        Row("put 10 bins", 2000, ten, lambda c, i: c.put(key(i % 1000, "ten"), dict(TEN))),
        Row("select 2 of 10", 2000, ten, lambda c, i: c.select(key(i % 1000, "ten"), ["b1", "b2"])),
        Row("create and remove", 1500, nothing, create_and_remove),
        Row("increment", 2000, one, lambda c, i: c.increment(key(i % 1000), "n", 1)),
        Row(
            "increment, append, read",
            2000,
            filled("op", {"n": 1, "s": ""}),
            lambda c, i: c.operate(key(i % 1000, "op"), several),
        ),
        Row("get 100 kB", 500, big, lambda c, i: c.get(key(i % 10, "big"))),
        Row("put 100 kB", 300, big, lambda c, i: c.put(key(i % 10, "big"), dict(BIG))),
    ]


# -- lists and maps -------------------------------------------------------------------------------

ELEMENTS: Final = tuple(range(1000))


def some_lists(client: Client) -> None:
    """20 records of an unordered list (u) and an ordered one (o)."""
    numbers = random.Random(7)
    for number in range(20):
        client.put(key(number, "l"), {"u": numbers.sample(ELEMENTS, 1000), "o": []})
        ordered = lists.list_set_order("o", aerospike.LIST_ORDERED)
        items = lists.list_append_items("o", list(ELEMENTS))
        client.operate(key(number, "l"), [ordered, items])


def some_maps(client: Client) -> None:
    """20 records of a map in key order (set m), and of one in no order (set mu)."""
    entries = {f"key{at:04d}": at for at in ELEMENTS}
    order = maps.map_set_policy("m", {"map_order": aerospike.MAP_KEY_ORDERED})
    for number in range(20):
        client.put(key(number, "m"), {"m": entries})
        client.operate(key(number, "m"), [order])
        client.put(key(number, "mu"), {"m": entries})


def nested(client: Client) -> None:
    """100 records of a map of 50 maps, each with a list of 20."""
    tree = {f"u{at}": {"tags": list(range(20)), "n": at} for at in range(50)}
    filled("nest", {"d": tree}, 100)(client)


def on(set_name: str, count: int, make: Callable[[int], Any]) -> Call:
    """An operate of one operation, which is made of the call's number."""
    return lambda client, number: client.operate(key(number % count, set_name), [make(number)])


def list_rows() -> list[Row]:
    """Operations on lists of 1,000."""
    value, count = aerospike.LIST_RETURN_VALUE, aerospike.LIST_RETURN_COUNT

    def row(name: str, calls: int, make: Callable[[int], Any]) -> Row:
        return Row(name, calls, some_lists, on("l", 20, make))

    return [
        row("list append, 1000 unordered", 1000, lambda i: lists.list_append("u", i)),
        row("list append, 1000 ordered", 1000, lambda i: lists.list_append("o", i % 1000)),
        row("list get by index", 1000, lambda i: lists.list_get_by_index("u", 500, value)),
        row(
            "list get by rank range 10",
            1000,
            lambda i: lists.list_get_by_rank_range("u", -10, value, 10),
        ),
        row(
            "list get by value range",
            1000,
            lambda i: lists.list_get_by_value_range("u", count, 100, 200),
        ),
        row("list sort", 300, lambda i: lists.list_sort("u")),
    ]


def map_rows() -> list[Row]:
    """Operations on maps of 1,000, and below contexts."""

    def row(name: str, calls: int, make: Callable[[int], Any], set_name: str = "m") -> Row:
        return Row(name, calls, some_maps, on(set_name, 20, make))

    def name_of(number: int) -> str:
        return f"key{number % 1000:04d}"

    path = [cdt_ctx.cdt_ctx_map_key("u7"), cdt_ctx.cdt_ctx_map_key("tags")]
    pairs, count = aerospike.MAP_RETURN_KEY_VALUE, aerospike.MAP_RETURN_COUNT
    one = maps.map_get_by_key("m", "key0500", aerospike.MAP_RETURN_VALUE)
    many = [key(at % 20, "m") for at in range(100)]
    return [
        row("map put, 1000 ordered", 1000, lambda i: maps.map_put("m", name_of(i), i)),
        row("map put, 1000 unordered", 1000, lambda i: maps.map_put("m", name_of(i), i), "mu"),
        row("map increment", 1000, lambda i: maps.map_increment("m", name_of(i), 1)),
        row(
            "map get by key",
            1000,
            lambda i: maps.map_get_by_key("m", name_of(i), aerospike.MAP_RETURN_VALUE),
        ),
        row(
            "map top 10 by rank",
            1000,
            lambda i: maps.map_get_by_rank_range("m", -10, 10, pairs),
        ),
        row(
            "map remove by value range",
            500,
            lambda i: maps.map_remove_by_value_range("m", 5000, 6000, count),
        ),
        Row(
            "append below two contexts",
            1000,
            nested,
            on("nest", 100, lambda i: lists.list_append("d", i, ctx=path)),
        ),
        Row(
            "batch operate 100, map get",
            50,
            some_maps,
            lambda c, i: c.batch_operate(many, [one]),
        ),
    ]


# -- bits, sketches, expressions ------------------------------------------------------------------


def sketches(client: Client) -> None:
    """20 empty sketches of 4,096 registers."""
    for number in range(20):
        client.operate(key(number, "h"), [hll_operations.hll_init("h", 12)])


def words(number: int, count: int) -> list[str]:
    """Elements for a sketch, others each time."""
    return [f"v{number}_{at}" for at in range(count)]


def value_rows() -> list[Row]:
    """Operations on blobs and sketches, filters and expressions."""
    wanted = exp.And(
        exp.GT(exp.IntBin("b1"), 0),
        exp.LT(exp.IntBin("b3"), 100),
        exp.Eq(exp.StrBin("b2"), "x" * 20),
    ).compile()
    total = exp.Add(exp.IntBin("b1"), exp.IntBin("b3"), 5).compile()
    bit_ops = [
        bits.bit_set("b", 100, 8, 1, bytearray(b"\xff")),
        bits.bit_count("b", 0, 8192),
    ]
    ten = filled("ten", TEN)
    read = expression_operations.expression_read("r", total)
    write = expression_operations.expression_write("r", total)

    def sketch(name: str, calls: int, make: Callable[[int], Any]) -> Row:
        return Row(name, calls, sketches, on("h", 20, make))

    return [
        Row(
            "bit set and count, 1 KiB",
            1000,
            filled("bit", {"b": bytes(1024)}, 100),
            lambda c, i: c.operate(key(i % 100, "bit"), bit_ops),
        ),
        sketch("hll add 10", 1000, lambda i: hll_operations.hll_add("h", words(i, 10))),
        sketch("hll add 1000", 100, lambda i: hll_operations.hll_add("h", words(i, 1000))),
        sketch("hll count", 1000, lambda i: hll_operations.hll_get_count("h")),
        Row(
            "get with a filter of 9 nodes",
            2000,
            ten,
            lambda c, i: c.get(key(i % 1000, "ten"), {"expressions": wanted}),
        ),
        Row("expression read", 2000, ten, on("ten", 1000, lambda i: read)),
        Row("expression write", 2000, ten, on("ten", 1000, lambda i: write)),
    ]


# -- many records, functions, info ----------------------------------------------------------------


def indexed(client: Client) -> None:
    """20,000 records with an index of integers."""
    for number in range(20_000):
        client.put(key(number, "q"), {"n": number, "g": number % 10})
    client.index_single_value_create("test", "q", "n", aerospike.INDEX_NUMERIC, "q_n")
    time.sleep(1)


def query_from(count: int) -> Call:
    """A query of so many records, by the index."""

    def call(client: Client, number: int) -> None:
        query = client.query("test", "q")
        query.where(predicates.between("n", number, number + count - 1))
        assert len(query.results()) == count

    return call


def scan(client: Client, number: int) -> None:
    """All records of a set."""
    assert len(client.query("test", "scan").results()) == 10_000


def functions(client: Client) -> None:
    """A module of two functions, and what they are called on."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "costs_functions.lua"
        path.write_bytes(FUNCTIONS)
        client.udf_put(str(path))
    time.sleep(0.5)
    filled("udf", {"n": 0}, 100)(client)
    some_lists(client)


def some_writes(number: int) -> Any:
    """A batch that writes 100 records."""
    keys = [key((number * 7 + at) % 1000) for at in range(100)]
    return rows.BatchRecords([rows.Write(each, [op.write("n", 1)]) for each in keys])


def other_rows() -> list[Row]:
    """Batches, queries, functions, info."""
    one, module = filled("v", {"n": 1}), "costs_functions"
    return [
        Row(
            "batch get 100",
            300,
            one,
            lambda c, i: c.batch_read([key((i * 7 + at) % 1000) for at in range(100)]),
        ),
        Row("batch put 100", 200, one, lambda c, i: c.batch_write(some_writes(i))),
        Row("scan of 10,000", 10, filled("scan", {"n": 1, "s": "abcdefghij"}, 10_000), scan),
        Row("index query of 1 record", 200, indexed, query_from(1)),
        Row("index query of 1000 records", 60, indexed, query_from(1000)),
        Row(
            "function: bump a bin",
            1000,
            functions,
            lambda c, i: c.apply(key(i % 100, "udf"), module, "bump", ["n", 1]),
        ),
        Row(
            "function: sum a list of 1000",
            200,
            functions,
            lambda c, i: c.apply(key(i % 20, "l"), module, "tally", []),
        ),
        Row("info statistics", 300, nothing, lambda c, i: c.info_all("statistics")),
        Row("info namespace/test", 300, nothing, lambda c, i: c.info_all("namespace/test")),
    ]


def every_row() -> dict[str, Row]:
    """All rows by name, in the order of `REAL`."""
    every = [*record_rows(), *list_rows(), *map_rows(), *value_rows(), *other_rows()]
    named = {row.name: row for row in every}
    assert named.keys() == REAL.keys()
    return {name: named[name] for name in REAL}
