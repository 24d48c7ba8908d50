"""Requests that cost much: a row for each, as bytes, with the records that they need.

Each was once seen to hold a node for a tenth of a second up to a minute. They are legal: a careless
client sends them as well as a hostile one.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import FieldType, Info1, Info2, Info3, OpType, ParticleType
from aerospike_common.wire.message import Op, encode_message
from citrusleaf.cf_digest import key_digest

SET: Final = "holds"
BIG: Final = 190_000
"""Integers of five bytes that fill most of a record of the usual `max-record-size`."""

MEGABYTE: Final = (1 << 20) - 2000
COUNT: Final = 5
BIN, LET, VAR, CALL, REGEX = 81, 125, 124, 127, 7
EQ, AND, ADD = 1, 16, 20
LIST, INT, STR, BLOB = 4, 2, 3, 6


class Case(NamedTuple):
    """One row: what is stored first (record number to bins), and what is then sent."""

    kind: str
    name: str
    records: dict[int, dict[str, Any]]
    request: bytes
    answers: int = 1
    """Frames that come back."""
    before: tuple[bytes, ...] = ()
    """Requests sent, and answered, before."""


def frame(kind: int, body: bytes) -> bytes:
    """A whole frame."""
    return bytes((2, kind)) + len(body).to_bytes(6, "big") + body


def request(number: int, *ops: Op, fields: dict[int, bytes] | None = None, **more: Any) -> bytes:
    """A framed command on a record."""
    own = {
        FieldType.NAMESPACE: b"test",
        FieldType.SET: SET.encode(),
        FieldType.DIGEST: key_digest(SET, number),
    }
    return frame(3, encode_message(fields={**own, **(fields or {})}, ops=ops, **more))


def operate(number: int, *ops: Op, **more: Any) -> bytes:
    """A command that writes, and answers."""
    return request(number, *ops, info1=Info1.READ, info2=Info2.WRITE, **more)


def get(number: int, **more: Any) -> bytes:
    """A read of all bins."""
    return request(number, info1=Info1.READ | Info1.GET_ALL, **more)


def particle(value: Any) -> tuple[int, bytes]:
    """Particle type and bytes of a plain value."""
    if isinstance(value, bytes):
        return ParticleType.BLOB, value
    if isinstance(value, str):
        return ParticleType.STRING, value.encode()
    if isinstance(value, int):
        return ParticleType.INTEGER, struct.pack(">q", value)
    kind = ParticleType.LIST if isinstance(value, list) else ParticleType.MAP
    return kind, as_msgpack.pack(value)


def put(number: int, bins: dict[str, Any]) -> bytes:
    """A write of whole bins."""
    ops = [Op(OpType.WRITE, *_of(name, value)) for name, value in bins.items()]
    return request(number, *ops, info2=Info2.WRITE)


def _of(name: str, value: Any) -> tuple[int, bytes, bytes]:
    kind, data = particle(value)
    return kind, name.encode(), data


def look(name: str, *op: Any) -> Op:
    """An operation that reads a list or map."""
    return Op(OpType.CDT_READ, 0, name.encode(), as_msgpack.pack(list(op)))


def modify(name: str, *op: Any) -> Op:
    """An operation that changes a list or map."""
    return Op(OpType.CDT_MODIFY, 0, name.encode(), as_msgpack.pack(list(op)))


def bits(name: str, *op: Any) -> Op:
    """An operation that changes a blob."""
    packed = as_msgpack.pack(list(op))
    return Op(OpType.BIT_MODIFY, ParticleType.BLOB, name.encode(), packed)


def compute(expression: Any) -> Op:
    """An expression that is read."""
    return Op(OpType.EXP_READ, 0, b"x", as_msgpack.pack([expression, 0]))


def filtered(number: int, expression: Any) -> bytes:
    """A read of a record that a filter lets through."""
    return get(number, fields={FieldType.FILTER: as_msgpack.pack(expression)})


def info(commands: Iterable[str]) -> bytes:
    """Info commands in one request."""
    return frame(1, "".join(f"{command}\n" for command in commands).encode())


def batch(numbers: Iterable[int], ops: list[Op]) -> bytes:
    """A batch whose rows read with the same ops."""
    rows = []
    wire_ops = encode_message(fields={}, ops=ops)[22:]
    for at, number in enumerate(numbers):
        head = at.to_bytes(4, "big") + key_digest(SET, number)
        fields = b"".join(
            (len(value) + 1).to_bytes(4, "big") + bytes((kind,)) + value
            for kind, value in ((FieldType.NAMESPACE, b"test"), (FieldType.SET, SET.encode()))
        )
        counts = (2).to_bytes(2, "big") + len(ops).to_bytes(2, "big")
        rows.append(head + bytes((0, Info1.READ)) + counts + fields + wire_ops)
    field = len(rows).to_bytes(4, "big") + b"\1" + b"".join(rows)
    body = encode_message(Info1.READ | Info1.BATCH, 0, fields={FieldType.BATCH: field})
    return frame(3, body)


def query(ops: list[Op], expression: Any = None, info2: int = 0) -> bytes:
    """A query of the whole set."""
    fields = {
        FieldType.NAMESPACE: b"test",
        FieldType.SET: SET.encode(),
        FieldType.TRID: (77).to_bytes(8, "big"),
        FieldType.PARTITION_IDS: b"".join(n.to_bytes(2, "little") for n in range(4096)),
    }
    if expression is not None:
        fields[FieldType.FILTER] = as_msgpack.pack(expression)
    info1 = 0 if info2 else Info1.READ
    if info2:
        del fields[FieldType.PARTITION_IDS]
    message = encode_message(info1, info2, fields=fields, ops=ops, info3=Info3.PARTITION_DONE)
    return frame(3, message)


def runaway() -> bytes:
    """Registers a function `spin` that never ends, in the module `holds`."""
    source = base64.b64encode(b"function spin(rec) while true do end end").decode()
    size = f"content={source};content-len={len(source)}"
    return info([f"udf-put:filename=holds.lua;{size};udf-type=LUA"])


INTERVAL: Final = look("a", 25, COUNT, 100_000, 900_000)
"""Goes through a whole list and sorts what it finds."""


def integers(count: int) -> list[int]:
    """Integers of four bytes and more, in no order."""
    return [70_000 + at * 48_271 % 1_999_993 for at in range(count)]


def texts(values: Iterable[str]) -> list[str]:
    """Strings as elements."""
    return ["\x03" + value for value in values]


def cases() -> list[Case]:
    """All rows."""
    return [
        *_expressions(),
        *_bits(),
        *_lists(),
        *_maps(),
        *_many_ops(),
        *_streams(),
        *_others(),
        *_indexes(),
    ]


def _expressions() -> list[Case]:
    big = {1: {"a": integers(BIG)}}
    nested = {1: {"a": [[number] for number in range(50_000)]}}
    same = [EQ, [BIN, LIST, "a"], [BIN, LIST, "a"]]
    size = [CALL, INT, 0, [16], [BIN, LIST, "a"]]
    text = {1: {"s": "ab" * 520_000}}
    regex = [REGEX, 1, "[ab]*a[ab]{60}$", [BIN, STR, "s"]]
    regexes = [[REGEX, 1, f"[ab]*a[ab]{{{40 + n}}}c", [BIN, STR, "s"]] for n in range(20)]
    interval = [CALL, INT, 0, [25, COUNT, 100_000, 900_000], [BIN, LIST, "a"]]
    path = [0xFE, [0x04, [EQ, [122, INT, 1], 7]], 1]
    doubled: list[Any] = ["v0", [BIN, LIST, "a"]]
    for at in range(18):
        doubled += [f"v{at + 1}", [CALL, LIST, 0x40, [2, [VAR, f"v{at}"]], [VAR, f"v{at}"]]]
    kind = "Expressions"
    return [
        Case(
            kind,
            "100 x eq(bin, bin) of lists of lists",
            nested,
            operate(1, compute([AND, *[same] * 100])),
        ),
        Case(kind, "a filter of 20 x eq(bin, bin)", nested, filtered(1, [AND, *[same] * 20])),
        Case(kind, "a regex of many states over 1 MB", text, operate(1, compute(regex))),
        Case(kind, "20 regexes over 1 MB", text, operate(1, compute([AND, *regexes]))),
        Case(kind, "1,000 x size of a 1 MB list", big, operate(1, compute([ADD, *[size] * 1000]))),
        Case(kind, "10 x count by interval", big, operate(1, compute([ADD, *[interval] * 10]))),
        Case(kind, "a path selection of 190,000 elements", big, operate(1, look("a", *path))),
        Case(
            kind,
            "a list doubled by let",
            {1: {"a": [1] * 100}},
            operate(1, compute([LET, *doubled, [CALL, INT, 0, [16], [VAR, "v18"]]])),
        ),
        Case(
            kind,
            "200 regexes of 4 KB, compiled",
            {1: {"s": "a"}},
            operate(
                1,
                compute(
                    [AND, *[[REGEX, 1, f"{n}" + "a" * 4000, [BIN, STR, "s"]] for n in range(200)]]
                ),
            ),
        ),
    ]


def _bits() -> list[Case]:
    blob = {1: {"b": bytes(MEGABYTE)}}
    whole = MEGABYTE * 8
    kind = "Bits"
    return [
        Case(kind, "100 x NOT on 1 MB", blob, operate(1, *[bits("b", 7, 0, whole)] * 100)),
        Case(kind, "100 x shift on 1 MB", blob, operate(1, *[bits("b", 8, 0, whole, 3)] * 100)),
        Case(kind, "one shift on 1 MB", blob, operate(1, bits("b", 8, 0, whole, 3))),
        Case(
            kind,
            "resize to 127 MB, ten times",
            {1: {"b": bytes(100)}},
            operate(1, *[bits("b", 0, 127 << 20)] * 10, bits("b", 0, 100)),
        ),
    ]


def _lists() -> list[Case]:
    big = {1: {"a": integers(BIG)}}
    equal = {1: {"a": [5] * 10_000}}
    wildcards = [[number, as_msgpack.WILDCARD] for number in range(10_000)]
    ordered = (operate(1, modify("a", 0, 1)),)
    kind = "Lists and maps"
    values = look("a", 23, COUNT, list(range(10_000)))
    return [
        Case(kind, "sort of 190,000", big, operate(1, modify("a", 13, 0))),
        Case(kind, "one append to 190,000", big, operate(1, modify("a", 1, 5))),
        Case(kind, "count by interval of 190,000", big, operate(1, INTERVAL)),
        Case(kind, "30 x count by interval", big, operate(1, *[INTERVAL] * 30)),
        Case(kind, "value list of 10,000 on 190,000", big, operate(1, values)),
        Case(
            kind,
            "value list of 10,000 wildcards on 190,000",
            big,
            operate(1, look("a", 23, COUNT, wildcards)),
        ),
        Case(
            kind,
            "value list of 3,000 equal on 10,000 equal",
            equal,
            operate(1, look("a", 23, COUNT, [5] * 3_000)),
            before=ordered,
        ),
    ]


def _maps() -> list[Case]:
    table = {1: {"m": dict.fromkeys(range(70_000, 220_000), 1)}}
    nested: Any = integers(BIG)
    for _ in range(90):
        nested = [nested]
    context = [part for _ in range(90) for part in (0x11, 0)]
    keys = look("m", 107, COUNT, list(range(70_000, 80_000)))
    puts = [modify("m", 67, 1_000_000 - at, 7) for at in range(100)]
    kind = "Lists and maps"
    deep = operate(1, look("a", 0xFF, context, [16]))
    return [
        Case(kind, "10,000 keys of an unordered map of 150,000", table, operate(1, keys)),
        Case(kind, "100 map puts on 150,000", table, operate(1, *puts)),
        Case(kind, "context by rank, 90 levels", {1: {"a": nested}}, deep),
    ]


def _many_ops() -> list[Case]:
    big = {1: {"a": integers(BIG)}}
    bins = {1: {f"{number}": b"x" for number in range(16_000)}}
    append = Op(OpType.APPEND, ParticleType.STRING, b"s", b"x" * 250)
    appends = [modify("a", 1, at * 77) for at in range(1_000)]
    deletes = [Op(OpType.WRITE, 0, b"%d" % n, b"") for n in range(15_999)]
    elements = as_msgpack.pack([1, list(range(100_000)), 16])
    add = Op(OpType.HLL_MODIFY, ParticleType.BLOB, b"h", elements)
    return [
        Case("Lists and maps", "1,000 appends to 190,000", big, operate(1, *appends)),
        Case(
            "Strings", "4,000 appends of 250 bytes", {1: {"s": ""}}, operate(1, *[append] * 4_000)
        ),
        Case("Bins", "16,000 ops that delete bins", bins, operate(1, *deletes)),
        Case("HLL", "add of 100,000 integers", {1: {"n": 1}}, operate(1, add)),
    ]


def _streams() -> list[Case]:
    big = ten_big()
    equal = [EQ, [CALL, INT, 0, [25, COUNT, 100_000, 900_000], [BIN, LIST, "a"]], 1]
    sort = query([modify("a", 13, 0)], info2=Info2.WRITE)
    twenty = {1: {"a": integers(20_000)}}
    return [
        Case("Queries", "a filter of 30 ms a record, ten records", big, query([], equal), 0),
        Case("Queries", "an op of 30 ms a record, ten records", big, query([INTERVAL]), 0),
        Case("Background", "ten big lists sorted", big, sort),
        Case("Batches", "ten rows of 30 ms", big, batch(range(10), [INTERVAL]), 0),
        Case("Pipelining", "200 x 2 ms in one write", twenty, operate(1, INTERVAL) * 200, 200),
    ]


def _others() -> list[Case]:
    spin = request(
        1, info2=Info2.WRITE, fields={30: b"holds", 31: b"spin", 32: b"\x90", 33: b"\x02"}
    )
    truncates = info(f"truncate:namespace=test;set=s{n}" for n in range(1000))
    blob = Op(OpType.WRITE, ParticleType.BLOB, b"b", bytes(100 << 20))
    elements = Op(OpType.WRITE, ParticleType.LIST, b"b", as_msgpack.pack([1] * (10 << 20)))
    return [
        Case("UDF", "a runaway function", {1: {"n": 1}}, spin, before=(runaway(),)),
        Case("Info", "1,000 truncates of unknown sets", {}, truncates),
        Case("Frames", "a frame of 100 MB", {}, request(1, blob, info2=Info2.WRITE)),
        Case("Values", "a list of 10 MB, refused", {}, request(1, elements, info2=Info2.WRITE)),
    ]


def _indexes() -> list[Case]:
    big = {1: {"a": integers(BIG)}}
    words = {1: {"a": texts(f"word {number}" for number in range(70_000))}}
    keys = {1: {"a": dict.fromkeys(range(70_000, 200_000), 1)}}
    create = "sindex-create:ns=test;set=holds;indexname=h;indextype="
    of_list, of_texts = f"{create}list;indexdata=a,numeric", f"{create}list;indexdata=a,string"
    of_keys, of_text = f"{create}mapkeys;indexdata=a,numeric", f"{create}default;indexdata=a,string"
    expression = as_msgpack.pack([CALL, LIST, 0, [15, 7, 0, -1], [BIN, LIST, "a"]])
    encoded = base64.b64encode(expression).decode()
    of_expression = (
        f"sindex-create:ns=test;set=holds;indexname=h;exp={encoded};indextype=list;type=numeric"
    )
    delete = request(1, info2=Info2.WRITE | Info2.DELETE)
    truncate = info(["truncate:namespace=test;set=holds"])
    append = operate(1, modify("a", 1, 5))
    kind = "Secondary indexes"
    name = "a record whose indexed {} is {}"

    def case(what: str, done: str, records: Any, index: str, change: bytes) -> Case:
        return Case(kind, name.format(what, done), records, change, before=(info([index]),))

    small, other = put(1, {"a": [1]}), put(1, {"a": integers(BIG + 1)[1:]})
    return [
        case("list of 190,000", "replaced", big, of_list, small),
        case("list of 190,000", "replaced by as big a one", big, of_list, other),
        case("list", "replaced by one of 190,000", {1: {"a": [1]}}, of_list, other),
        case("list of 190,000", "given one more", big, of_list, append),
        case("list of 190,000", "deleted", big, of_list, delete),
        case("list of 190,000", "truncated", big, of_list, truncate)._replace(kind="Info"),
        case("list of 70,000 strings", "replaced", words, of_texts, small),
        case("list of 70,000 strings", "new", {}, of_texts, put(1, words[1])),
        case("map of 130,000 keys", "new", {}, of_keys, put(1, keys[1])),
        case("map of 130,000 keys", "deleted", keys, of_keys, delete),
        case("string of 1 MB", "new", {}, of_text, put(1, {"a": "ab" * 520_000})),
        case("expression has 190,000", "new", {}, of_expression, other),
        case("expression has 190,000", "replaced", big, of_expression, small),
        Case("Info", "an index of ten lists of 190,000", ten_big(), info([of_list])),
    ]


def ten_big() -> dict[int, dict[str, Any]]:
    """Ten records of a big list each."""
    return {number: {"a": integers(BIG)} for number in range(10)}
