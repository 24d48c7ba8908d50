"""Queries by the primary index against a model; what is found however the records change."""

from __future__ import annotations

import asyncio
import struct
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from aerospike_common.wire.codes import FieldType, Info1, Info3, OpType, ParticleType
from aerospike_common.wire.message import Op
from asd.bins.particle import Particle
from asd.query.encode import Encoder, Row, interleave
from asd.query.walk import LARGE, PrimaryWalk
from citrusleaf.cf_clock import VirtualClock
from storage.engine import Record
from storage.index import ENTRY, PrimaryIndex

KEY = b"\x03key"


class Made(NamedTuple):
    """A record of the model."""

    digest: bytes
    value: int
    set_name: bytes
    key: bytes
    ttl: int


made = st.builds(
    Made,
    st.tuples(st.integers(0, 2), st.integers(0, 255), st.binary(min_size=2, max_size=2)).map(
        lambda d: bytes((d[0], d[1] << 4 & 0xF0)) + d[2] * 9
    ),
    st.integers(-3, 3),
    st.sampled_from([b"s", b"s", b"other", b""]),
    st.sampled_from([b"", b"", KEY]),
    st.sampled_from([0, 0, 1, 100]),
)


def bins(value: int) -> dict[bytes, Particle]:
    return {b"v": Particle(ParticleType.INTEGER, value.to_bytes(8, "big", signed=True))}


def partition(digest: bytes) -> int:
    return int.from_bytes(digest[:2], "little") & 0xFFF


@settings(max_examples=60, deadline=None)
@given(
    records=st.lists(made, max_size=25, unique_by=lambda r: r.digest),
    set_name=st.sampled_from([b"s", b"other", None, b"unknown"]),
    no_bins=st.booleans(),
    resume=st.booleans(),
    most=st.integers(0, 6),
)
def test_what_is_found(
    kit: Any,
    records: list[Made],
    set_name: bytes | None,
    no_bins: bool,
    resume: bool,
    most: int,
) -> None:
    clock = VirtualClock()
    node = kit.make_node(clock)
    namespace = node.namespaces[b"test"]
    for r in records:
        void_time = clock.epoch_s() + r.ttl if r.ttl else 0
        kit.store(
            namespace, r.digest, bins(r.value), set_name=r.set_name, key=r.key, void_time=void_time
        )
    clock.advance(10)
    fields = {FieldType.MAX_RECORDS: struct.pack(">Q", most)}
    behind = max((r.digest for r in records if partition(r.digest) == 1), default=None)
    partitions = [0, 1, 2]
    if resume and behind is not None:
        partitions = [0, 2]
        fields[FieldType.DIGESTS] = behind
    else:
        behind = None
    wanted = sorted(
        (
            r
            for r in records
            if partition(r.digest) <= 2
            and set_name in (None, r.set_name)
            and r.ttl != 1
            and (behind is None or partition(r.digest) != 1 or r.digest < behind)
        ),
        key=lambda r: r.digest,
        reverse=True,
    )

    async def run() -> Any:
        info1 = Info1.READ | (Info1.GET_NO_BINS if no_bins else 0)
        body = kit.query(partitions, set_name=set_name, info1=info1, fields=fields)
        return await kit.Client(node).ask(body)

    *found, last = asyncio.run(run())
    assert (last.result_code, last.info3, last.fields) == (0, Info3.LAST, {})
    assert len(found) == (min(most, len(wanted)) if most else len(wanted))
    by_digest = {r.digest: r for r in wanted}
    for number in range(3):
        digests = [m.fields[4] for m in found if partition(m.fields[4]) == number]
        model = [r.digest for r in wanted if partition(r.digest) == number]
        assert digests == model[: len(digests)]
    for message in found:
        r = by_digest[message.fields[FieldType.DIGEST]]
        assert list(message.fields) == [0, 4, *([1] if r.set_name else []), *([2] if r.key else [])]
        assert message.fields.get(FieldType.SET, b"") == r.set_name
        assert message.fields.get(FieldType.KEY, b"") == r.key
        assert message.info1 == (Info1.GET_NO_BINS if no_bins else 0)
        value = r.value.to_bytes(8, "big", signed=True)
        assert message.ops == ([] if no_bins else [Op(OpType.READ, 1, b"v", value)])


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.binary(min_size=20, max_size=20),
            st.integers(1, 65535),
            st.integers(0, 2**32 - 1),
            st.integers(-(2**63), 2**63 - 1),
            st.binary(max_size=5),
        ),
        min_size=1,
        max_size=8,
    ),
    st.booleans(),
    st.booleans(),
)
def test_all_at_once_is_as_one_by_one(
    rows: list[tuple[bytes, int, int, int, bytes]], with_bvals: bool, in_set: bool
) -> None:
    encoder = Encoder(b"test", [b"", b"demo"], no_bins=False)
    set_id = int(in_set)
    joined = b"".join(
        ENTRY.pack(digest, generation, set_id, void_time, 0, 5, 0, 9)
        for digest, generation, void_time, _, _ in rows
    )
    bvals = [row[3] for row in rows] if with_bvals else None
    heads, size = encoder.heads(joined, set_id, bvals)
    one_by_one = []
    for digest, generation, void_time, bval, ops in rows:
        record: Record = (generation, void_time, 5, set_id, 0, b"\0\0" + ops)
        row = Row(digest, record, bval if with_bvals else None)
        one_by_one.append(encoder.whole_row(row))
    assert interleave(heads, size, [row[4] for row in rows]) == b"".join(one_by_one)


def test_a_large_partition_is_walked_while_it_changes() -> None:
    index = PrimaryIndex()

    def insert(number: int) -> bytes:
        digest = bytes(2) + (number * 2654435761 % 2**32).to_bytes(4, "big") + bytes(14)
        if not index.find(digest):
            index.insert(digest, 1, 0, 0, 0, 0, 0, 0)
        return digest

    count = 3 * LARGE
    digests = [insert(number) for number in range(count)]
    stay = set(digests[::2])
    goes = digests[1::2]
    walk = PrimaryWalk(index, {0: None})
    seen: list[bytes] = []
    step = 0
    while (batch := walk.next(256, lambda: False)) is not None:
        seen += [entry[:20] for entry in batch.entries]
        step += 1
        for digest in goes[step::7]:
            index.remove(digest)
        for number in range(count + 50 * step, count + 50 * (step + 1)):
            insert(number)
    assert step > 4
    assert seen == sorted(set(seen), reverse=True)
    assert stay <= set(seen)


def test_a_filter_and_some_bins(kit: Any) -> None:
    node = kit.make_node()
    for number in range(10):
        kit.store(node.namespaces[b"test"], bytes((number,)) * 20, bins(number % 3))
    least = b"\x93\x03\x93\x51\x02\xa1v\x00"  # bin("v", int) > 0

    async def run() -> list[Any]:
        client = kit.Client(node)
        ops = [Op(OpType.READ, 0, b"v", b""), Op(OpType.READ, 0, b"w", b"")]
        return [
            await client.ask(kit.query(fields={FieldType.FILTER: least}, ops=ops)),
            await client.ask(kit.query(ops=ops[1:])),
            await client.ask(kit.query(ops=ops[1:], info2=0x80)),
        ]

    filtered, missing, nulls = asyncio.run(run())
    assert len(filtered) == 1 + sum(1 for number in range(10) if number % 3)
    assert all([op.name for op in m.ops] == [b"v"] for m in filtered[:-1])
    assert len(missing) == 1
    assert all(m.ops == [Op(OpType.READ, 0, b"w", b"")] for m in nulls[:-1])
    assert len(nulls) == 11
