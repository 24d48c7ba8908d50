"""The contract of the fast paths, walked: every kind beside every bar; what a path may raise."""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable
from typing import Any, Final

import pytest

from aerospike_common import as_msgpack
from aerospike_common.wire.batch import REPEAT
from aerospike_common.wire.codes import (
    FieldType,
    Info1,
    Info2,
    Info3,
    OpType,
    ParticleType,
    ResultCode,
)
from aerospike_common.wire.message import (
    Op,
    encode_message,
    is_batch,
    parse_message,
    split_messages,
)
from asd.batch.batch import Batch
from asd.config import SetConfig
from asd.fastpath import operate
from asd.fastpath.cache import head_size
from asd.fastpath.contract import CONTRACT, Bar, Kind
from asd.records.bin_times import Rules
from asd.service import tsvc, way
from asd.sindex import IndexDefinition, KeyType, Source
from asd.space.consistency import Consistency
from asd.space.namespace import Namespace
from asd.space.ownership import DUPLICATES, ELSEWHERE, REPLICATED
from citrusleaf.cf_clock import VirtualClock
from citrusleaf.cf_digest import partition_id
from cluster import PARTITIONS
from storage.engine import OutOfSpace
from storage.memory import MemoryEngine
from without_paths import NoPaths

INT: Final = ParticleType.INTEGER
FIVE: Final = (b"a", INT, struct.pack(">q", 5))
SIX: Final = (b"b", INT, struct.pack(">q", 6))
NAME: Final = (b"name", ParticleType.STRING, b"ada")
LIST: Final = (b"l", ParticleType.LIST, as_msgpack.pack([1, 2, 3]))
FILTER: Final = as_msgpack.pack([1, [81, 2, "a"], 5])  # bin a, an integer, is 5
KEY: Final = b"\x03user"
BUMP: Final = b"function bump(r, by) r.a = (r.a or 0) + by aerospike:update(r) return r.a end"
CALL: Final = {30: b"m", 31: b"bump", 32: as_msgpack.pack([1]), 33: b"\0"}  # fields UDF_...

BINS: Final = {
    Kind.PUT_MANY: (FIVE, SIX),
    Kind.COLLECTION_READ: (LIST,),
    Kind.COLLECTION_WRITE: (LIST,),
}
"""The bins of the record that a kind of path is about; one integer for all others."""

WRITES: Final = frozenset(
    {Kind.PUT_ONE, Kind.PUT_MANY, Kind.COLLECTION_WRITE, Kind.OPERATE, Kind.ROW_PUT}
    | {Kind.PLAIN_OPERATE, Kind.FUNCTION, Kind.SHIPPED}
)
ROWS: Final = frozenset({Kind.ROW_GET, Kind.ROW_PUT})
OWN_WAYS: Final = {
    Kind.PLAIN_OPERATE: {"plain operate"},
    Kind.OPERATE: {"plain operate", "operate"},
}
"""The paths that stand behind others are the closest ones of these kinds."""


def ask(kit: Any, kind: Kind, **more: Any) -> bytes:
    """A request of this kind; `more` changes it."""
    match kind:
        case Kind.GET:
            return kit.get(1, **more)
        case Kind.EXISTS:
            return kit.request(1, info1=Info1.READ | Info1.GET_NO_BINS, **more)
        case Kind.SELECT:
            return kit.request(1, info1=Info1.READ, ops=[Op(OpType.READ, 0, b"a", b"")], **more)
        case Kind.FILTERED_GET:
            return kit.get(1, fields={FieldType.FILTER: FILTER, **more.pop("fields", {})}, **more)
        case Kind.COLLECTION_READ:
            ops = [Op(OpType.CDT_READ, ParticleType.BLOB, b"l", as_msgpack.pack([16]))]
            return kit.request(1, info1=Info1.READ, ops=ops, **more)
        case Kind.READ_OPS:
            ops = [Op(OpType.EXP_READ, ParticleType.BLOB, b"x", b"\x92" + FILTER + b"\0")]
            return kit.request(1, info1=Info1.READ, ops=ops, **more)
        case Kind.PUT_ONE:
            return kit.put(1, FIVE, **more)
        case Kind.PUT_MANY:
            return kit.put(1, FIVE, SIX, **more)
        case Kind.COLLECTION_WRITE:
            ops = [Op(OpType.CDT_MODIFY, ParticleType.BLOB, b"l", as_msgpack.pack([1, 4]))]
            return kit.request(1, info2=Info2.WRITE | more.pop("info2", 0), ops=ops, **more)
        case Kind.OPERATE | Kind.PLAIN_OPERATE:
            ops = [Op(OpType.INCR, INT, b"a", struct.pack(">q", 1))]
            return kit.request(1, info2=Info2.WRITE | more.pop("info2", 0), ops=ops, **more)
        case Kind.SHIPPED:
            return kit.shipped(1, FIVE, NAME, **{"generation": 7, **more})
        case Kind.FUNCTION:
            fields = CALL | more.pop("fields", {})
            return kit.request(1, info2=Info2.WRITE | more.pop("info2", 0), fields=fields, **more)
        case _:
            return row(kit, kind, **more)


def row(kit: Any, kind: Kind, **more: Any) -> bytes:
    """A batch of one row."""
    ops = [Op(OpType.WRITE, INT, FIVE[0], FIVE[2])] if kind is Kind.ROW_PUT else []
    info1 = 0 if ops else Info1.READ | Info1.GET_ALL
    info2 = more.get("info2", 0) | (Info2.WRITE if ops else 0)
    fields = {FieldType.NAMESPACE: b"test", FieldType.SET: more.get("set_name", b"demo")}
    fields |= more.get("fields", {})
    header = (22, info1, info2, more.get("info3", 0), 0, 0, 0, 0, 0, len(fields), len(ops))
    its = encode_message(fields=fields, ops=ops)[22:]
    flags, meta = 0x02, bytes((info1, info2, more.get("info3", 0)))
    if more.get("generation"):
        flags, meta = flags | 0x04, meta + struct.pack(">H", more["generation"])
    if more.get("record_ttl"):
        flags, meta = flags | 0x08, meta + struct.pack(">I", more["record_ttl"])
    body = struct.pack(">I", 0) + kit.digest(1) + bytes((flags,)) + meta
    field = struct.pack(">IB", 1, 0) + body + struct.pack(">HH", *header[-2:]) + its
    assert not flags & REPEAT
    whole = encode_message(Info1.READ | Info1.BATCH, fields={FieldType.BATCH: field})
    return b"\x02\x03" + len(whole).to_bytes(6, "big") + whole


def result_of(reply: bytes) -> int:
    """The result code of the first message of a reply."""
    end = 8 + int.from_bytes(reply[2:8], "big")
    return parse_message(split_messages(reply[8:end])[0]).result_code


# ------------------------------------------------------------------------ the situations


def store(kit: Any, wire: Any, kind: Kind, set_name: bytes = b"demo", **more: Any) -> None:
    """Put the record that the kind is about into the store, as it is expected."""
    bins = more.pop("bins", None) or BINS.get(kind, (FIVE,))
    if kind is Kind.FUNCTION:
        wire.node.udf.put("m.lua", BUMP)
    wire.send(kit.put(1, *bins, set_name=set_name, **more))


def warm(kit: Any, wire: Any, kind: Kind) -> None:
    """Have the path made, and the connection know the head of its requests."""
    for _ in range(2):
        wire.send(ask(kit, kind))


Prepare = Callable[[Any, Any, Kind], dict[str, Any]]
"""(kit, wire, kind): make the situation; how the request differs from the plain one."""


def plain(kit: Any, wire: Any, kind: Kind) -> dict[str, Any]:
    store(kit, wire, kind)
    return {}


def with_request(**more: Any) -> Prepare:
    def prepare(kit: Any, wire: Any, kind: Kind) -> dict[str, Any]:
        store(kit, wire, kind)
        return more

    return prepare


def with_set(**config: Any) -> Prepare:
    def prepare(kit: Any, wire: Any, kind: Kind) -> dict[str, Any]:
        store(kit, wire, kind)
        wire.node.namespaces[b"test"].config.sets[b"demo"] = SetConfig(**config)
        wire.node.paths.clear()
        return {}

    return prepare


def with_index(source: Source) -> Prepare:
    def prepare(kit: Any, wire: Any, kind: Kind) -> dict[str, Any]:
        store(kit, wire, kind)
        namespace = wire.node.namespaces[b"test"]
        indexes, digest = namespace.indexes, kit.digest(1)
        indexes.create(IndexDefinition("i", b"demo", b"a", KeyType.NUMERIC, source))
        for index in indexes:
            index.built = PARTITIONS
            for bval in index.keys_of(digest, namespace.engine.get(digest), b"demo"):
                slot = namespace.engine.index.find(digest)
                index.entries.add(partition_id(digest), bval, digest, slot)
        wire.node.paths.clear()
        return {}

    return prepare


def with_partition(state: int) -> Prepare:
    def prepare(kit: Any, wire: Any, kind: Kind) -> dict[str, Any]:
        store(kit, wire, kind)
        warm(kit, wire, kind)
        ownership = wire.node.namespaces[b"test"].ownership
        for partition in range(PARTITIONS):
            ownership.set(partition, state)
        return {}

    return prepare


def truncating(kit: Any, wire: Any, kind: Kind) -> dict[str, Any]:
    store(kit, wire, kind)
    wire.node.namespaces[b"test"].truncation.begin(99, 1)
    wire.node.paths.clear()
    return {}


def faulty(kit: Any, wire: Any, kind: Kind) -> dict[str, Any]:
    """A fault is injected, for another set."""
    store(kit, wire, kind)
    wire.node.namespaces[b"test"].faulty = True
    wire.node.paths.clear()
    return {}


def strong(kit: Any, wire: Any, kind: Kind) -> dict[str, Any]:
    """Nothing is told before all replicas have it."""
    store(kit, wire, kind)
    namespace = wire.node.namespaces[b"test"]
    namespace.consistency = Consistency(namespace.commitments, namespace.clock.monotonic_ns)
    wire.node.paths.clear()
    return {}


def timed(kit: Any, wire: Any, kind: Kind) -> dict[str, Any]:
    """Times of bins are kept."""
    store(kit, wire, kind)
    wire.node.namespaces[b"test"].bin_times = Rules(0, merges=False, refuses=False)
    wire.node.paths.clear()
    return {}


def small_records(kit: Any, wire: Any, kind: Kind) -> dict[str, Any]:
    store(kit, wire, kind)
    wire.node.namespaces[b"test"].config.set("max-record-size", "4096")
    wire.node.paths.clear()
    return {}


def missing(kit: Any, wire: Any, kind: Kind) -> dict[str, Any]:
    """The set is known, and the path was made when the record was there."""
    store(kit, wire, kind)
    warm(kit, wire, kind)
    wire.send(kit.request(1, info2=Info2.WRITE | Info2.DELETE))
    warm(kit, wire, Kind.EXISTS)
    return {}


def new_set(kit: Any, wire: Any, kind: Kind) -> dict[str, Any]:
    return {"set_name": b"never"}


def record_as(**more: Any) -> Prepare:
    """The path is made for a plain record; then the record is another."""

    def prepare(kit: Any, wire: Any, kind: Kind) -> dict[str, Any]:
        store(kit, wire, kind)
        warm(kit, wire, kind)
        wire.send(kit.request(1, info2=Info2.WRITE | Info2.DELETE))
        store(kit, wire, kind, **more)
        return {}

    return prepare


def expired(kit: Any, wire: Any, kind: Kind) -> dict[str, Any]:
    record_as(record_ttl=10)(kit, wire, kind)
    wire.node.clock.advance(20)
    return {}


SITUATIONS: Final[dict[Bar, Prepare]] = {
    Bar.FILTER: with_request(fields={FieldType.FILTER: FILTER}),
    Bar.KEY: with_request(fields={FieldType.KEY: KEY}),
    Bar.IN_TRANSACTION: with_request(fields={FieldType.SOCKET_TIMEOUT: bytes(4)}),
    Bar.GENERATION: with_request(info2=Info2.GENERATION, generation=1),
    Bar.CONDITION: with_request(info3=Info3.UPDATE_ONLY),
    Bar.TTL: with_request(record_ttl=50),
    Bar.DEFAULT_TTL: with_set(name="demo", default_ttl=100),
    Bar.READ_TOUCH: with_set(name="demo", default_read_touch_ttl_pct=80),
    Bar.LIMITED: with_set(name="demo", stop_writes_count=100),
    Bar.SMALL_RECORDS: small_records,
    Bar.STRONG: strong,
    Bar.FAULTS: faulty,
    Bar.TRUNCATING: truncating,
    Bar.BIN_TIMES: timed,
    Bar.NEW_SET: new_set,
    Bar.INDEXED: with_index(Source.DEFAULT),
    Bar.INDEXED_DEEP: with_index(Source.LIST),
    Bar.FOREIGN: with_partition(ELSEWHERE),
    Bar.DUPLICATES: with_partition(DUPLICATES),
    Bar.MISSING: missing,
    Bar.OTHER_SET: record_as(set_name=b"other"),
    Bar.KEY_STORED: record_as(fields={FieldType.KEY: KEY}),
    Bar.EXPIRING: record_as(record_ttl=1000),
    Bar.EXPIRED: expired,
    Bar.OTHER_BINS: record_as(bins=((b"z", INT, FIVE[2]),)),
}

SAYS_NOTHING: Final = frozenset(
    {(Kind.FILTERED_GET, Bar.FILTER), (Kind.GET, Bar.FILTER), (Kind.OPERATE, Bar.OTHER_BINS)}
    | {(kind, Bar.NEW_SET) for kind in WRITES}
    | {(kind, Bar.OTHER_BINS) for kind in (Kind.COLLECTION_READ, Kind.COLLECTION_WRITE)}
    | {(kind, Bar.OTHER_BINS) for kind in (Kind.PLAIN_OPERATE, Kind.FUNCTION, Kind.READ_OPS)}
)
"""Pairs without a meaning: a filter makes a get a filtered one, a write makes the set."""

OF_RECORDS: Final = frozenset(
    {Bar.FOREIGN, Bar.DUPLICATES, Bar.MISSING, Bar.OTHER_SET, Bar.KEY_STORED}
    | {Bar.EXPIRING, Bar.EXPIRED, Bar.OTHER_BINS}
)
"""Bars that a path meets after it was made: the first request shows what it does."""

PAIRS: Final = [
    (kind, bar) for kind in Kind for bar in SITUATIONS if (kind, bar) not in SAYS_NOTHING
]


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What has not been answered by the closest path: by another path, or the general way."""
    taken: list[str] = []

    def spy(owner: Any, name: str, which: str) -> None:
        real = getattr(owner, name)

        def seen(*arguments: Any) -> Any:
            if name != "answer" or not is_batch(arguments[2]):  # batches look for paths themselves
                taken.append(which)
            return real(*arguments)

        monkeypatch.setattr(owner, name, seen)

    spy(way, "answer", "general")
    spy(tsvc, "answer", "general")
    spy(operate, "perform", "operate")
    spy(operate, "apply_ops", "plain operate")
    spy(Batch, "_transaction", "general")
    return taken


def test_every_bar_is_looked_at() -> None:
    assert SITUATIONS.keys() | {Bar.NOT_RESIDENT, Bar.FULL} == set(Bar)
    assert CONTRACT.keys() == set(Kind)


@pytest.mark.parametrize(("kind", "bar"), PAIRS, ids=lambda each: each.name)
def test_a_bar_sends_a_request_the_general_way(
    kit: Any, elsewhere: list[str], kind: Kind, bar: Bar
) -> None:
    nodes = kit.make_node(VirtualClock()), kit.make_node(VirtualClock())
    nodes[1].paths = NoPaths(nodes[1])
    replies = []
    for node in nodes:
        wire = kit.Wire(node)
        request = ask(kit, kind, **SITUATIONS[bar](kit, wire, kind))
        if kind not in ROWS:  # the connection knows the head
            wire.connection._head_size = head_size(request, 0)
        seen = []
        for _ in range(3):
            elsewhere.clear()
            seen.append((wire.send(request), set(elsewhere)))
        replies.append([reply for reply, _ in seen])
        if node is nodes[0]:
            ways = seen[0 if bar in OF_RECORDS else 2][1]
            ways -= OWN_WAYS.get(kind, set())
    assert replies[0] == replies[1]
    assert bool(ways) == (bar in CONTRACT[kind]), ways
    for node in nodes:
        node.paths._check()
        node.connections._check()
        node.turns._check()
        node.namespaces[b"test"]._check()
    engines = [node.namespaces[b"test"].engine for node in nodes]
    assert engines[0].get(kit.digest(1)) == engines[1].get(kit.digest(1))


@pytest.mark.parametrize("kind", list(Kind), ids=lambda each: each.name)
def test_without_a_bar_the_closest_path_answers(kit: Any, elsewhere: list[str], kind: Kind) -> None:
    wire = kit.Wire(kit.make_node())
    store(kit, wire, kind)
    warm(kit, wire, kind)
    elsewhere.clear()
    reply = wire.send(ask(kit, kind))
    assert result_of(reply) == ResultCode.OK
    assert set(elsewhere) <= OWN_WAYS.get(kind, set())


@pytest.mark.parametrize("kind", list(Kind), ids=lambda each: each.name)
def test_replicated_partitions_have_fast_paths(kit: Any, elsewhere: list[str], kind: Kind) -> None:
    wire = kit.Wire(kit.make_node())
    with_partition(REPLICATED)(kit, wire, kind)
    elsewhere.clear()
    wire.send(ask(kit, kind))
    assert set(elsewhere) <= OWN_WAYS.get(kind, set())


def test_all_but_one_partition_have_fast_paths(kit: Any, elsewhere: list[str]) -> None:
    """With 4,095 of 4,096 partitions owned, the fast paths answer all but the one."""
    node = kit.make_node()
    wire, ownership = kit.Wire(node), node.namespaces[b"test"].ownership
    numbers = range(200)
    for number in numbers:
        wire.send(kit.put(number, FIVE))
        wire.send(kit.get(number))
    lost = partition_id(kit.digest(7))
    ownership.set(lost, ELSEWHERE)
    elsewhere.clear()
    replies = {number: wire.call(kit.get(number)).result_code for number in numbers}
    away = [number for number in numbers if partition_id(kit.digest(number)) == lost]
    assert 7 in away
    assert elsewhere == ["general"] * len(away)
    assert all(replies[number] == ResultCode.PARTITION_UNAVAILABLE for number in away)
    assert all(replies[number] == ResultCode.OK for number in numbers if number not in away)
    ownership.set(lost, 0)
    elsewhere.clear()
    assert wire.call(kit.get(7)).result_code == ResultCode.OK
    assert not elsewhere  # nothing was forgotten while it was away


# --------------------------------------------------------------- what a path may raise


class Planted(MemoryEngine):
    """An engine with a fault behind its effect, or that refuses."""

    fault: Exception | None = None
    behind: Exception | None = None

    def put(self, *arguments: Any) -> None:
        if self.fault is not None:
            raise self.fault
        super().put(*arguments)
        if self.behind is not None:
            raise self.behind

    def overwrite(self, *arguments: Any) -> int:
        if self.fault is not None:
            raise self.fault
        generation = super().overwrite(*arguments)
        if self.behind is not None:
            raise self.behind
        return generation


def planted(kit: Any) -> tuple[Any, Planted]:
    """A node whose namespace `test` is on such an engine."""
    node, engine = kit.make_node(), Planted()
    config = node.namespaces[b"test"].config
    node.namespaces[b"test"] = Namespace(
        config, engine, node.clock, node.transaction_threads, node.turns, community=False
    )
    return node, engine


@pytest.mark.parametrize("kind", sorted(WRITES, key=lambda each: each.name), ids=lambda k: k.name)
def test_a_fault_behind_the_effect_is_not_run_again(
    kit: Any, caplog: pytest.LogCaptureFixture, kind: Kind
) -> None:
    node, engine = planted(kit)
    wire = kit.Wire(node)
    store(kit, wire, kind)
    warm(kit, wire, kind)
    before = engine.get(kit.digest(1))
    assert before is not None
    engine.behind = RuntimeError("planted")
    with caplog.at_level(logging.ERROR):
        reply = wire.send(ask(kit, kind))
    engine.behind = None
    assert result_of(reply) == ResultCode.SERVER_ERROR
    assert "planted" in caplog.text
    after = engine.get(kit.digest(1))
    assert after is not None
    assert after[0] == before[0] + 1  # once, and not twice


@pytest.mark.parametrize("kind", sorted(WRITES, key=lambda each: each.name), ids=lambda k: k.name)
def test_an_engine_that_refuses_is_asked_the_general_way(kit: Any, kind: Kind) -> None:
    node, engine = planted(kit)
    wire = kit.Wire(node)
    store(kit, wire, kind)
    warm(kit, wire, kind)
    before = engine.get(kit.digest(1))
    engine.fault = OutOfSpace("full")
    reply = wire.send(ask(kit, kind))
    assert result_of(reply) == ResultCode.OUT_OF_SPACE
    engine.fault = None
    assert engine.get(kit.digest(1)) == before
