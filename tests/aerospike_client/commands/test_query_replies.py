"""Records of a query's reply, read by what the record before was like, beside a naive reading."""

from __future__ import annotations

import contextlib
import struct
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from aerospike_client import Key
from aerospike_client.commands.bins import BinsReader
from aerospike_client.commands.query_replies import AT_A_TIME, Page, RecordsReader
from aerospike_client.key import user_key_particle
from aerospike_client.record import Record
from aerospike_client.values import from_particle, to_particle
from aerospike_common.wire import (
    FieldType,
    Info3,
    MessageError,
    encode_field,
    encode_op,
    encode_reply,
)

VALUES = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.text(max_size=20) | st.just("bytes that are no text: \udcff"),
    st.floats(allow_nan=False),
    st.booleans(),
    st.binary(max_size=20),
    st.lists(st.integers(0, 9), max_size=3),
)
# Few names and sets, so that records are alike, almost alike, and not at all.
BINS = st.dictionaries(st.sampled_from(["a", "b", "longer-name"]), VALUES, max_size=3)


@st.composite
def messages(draw: st.DrawFn) -> tuple[bytes, Record, int | None]:
    """A record's message, the record, and its place in an index."""
    set_name = draw(st.sampled_from(["", "s", "another"]))
    key = Key("test", set_name, draw(st.integers(0, 10**6)))
    user_key = key.user_key if draw(st.booleans()) else None
    bval = draw(st.none() | st.integers(-(2**63), 2**63 - 1))
    bins = draw(BINS)
    fields = [(FieldType.NAMESPACE, b"test"), (FieldType.DIGEST, key.digest)]
    if set_name:
        fields.append((FieldType.SET, set_name.encode()))
    if user_key is not None:
        fields.append((FieldType.KEY, user_key_particle(user_key)))
    if bval is not None:
        fields.append((FieldType.BVALS, bval.to_bytes(8, "little", signed=True)))
    generation, void_time = draw(st.integers(1, 65535)), draw(st.integers(0, 2**32 - 1))
    message = encode_reply(
        0,
        generation,
        void_time,
        len(bins),
        encoded(bins),
        fields=b"".join([encode_field(*field) for field in fields]),
        n_fields=len(fields),
    )
    found = Key.of_digest("test", set_name, key.digest, user_key)
    return message, Record(found, bins, generation, void_time), bval


def encoded(bins: dict[str, Any]) -> bytes:
    return b"".join([encode_op(1, kind, name, data) for name, kind, data in particles(bins)])


def particles(bins: dict[str, Any]) -> list[tuple[bytes, int, bytes]]:
    return [(name.encode(), *to_particle(value)) for name, value in bins.items()]


def content(record: Record) -> tuple[Any, ...]:
    """All of a record: keys are equal when their digests are."""
    return tuple(record.key), record[1:]


def read(frames: list[bytes], *, raw: bool = False) -> tuple[list[Record], list[int | None], Page]:
    """What the frames hold, each record's place in the index, and the last frame's page."""
    reader = RecordsReader("test", particles=raw)
    records: list[Record] = []
    bvals: list[int | None] = []
    page = Page()
    for frame in frames:
        page = Page()
        for some in reader.records(frame, page):
            assert 0 < len(some) <= AT_A_TIME
            records += some
            bvals += [page.bvals.get(number) for number in range(len(some))]
    return records, bvals, page


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(messages(), max_size=8), max_size=4), st.booleans())
def test_records_are_read_whatever_came_before(
    frames: list[list[tuple[bytes, Record, int | None]]], raw: bool
) -> None:
    records, bvals, page = read([b"".join([m for m, _, _ in frame]) for frame in frames], raw=raw)

    sent = [each for frame in frames for each in frame]
    assert bvals == [bval for _, _, bval in sent]
    assert page.end is None
    if raw:  # undecoded, and the same when they are decoded
        for record in records:
            for name, particle in record.bins.items():
                record.bins[name] = from_particle(*particle)
    assert [content(record) for record in records] == [content(record) for _, record, _ in sent]


@settings(deadline=None)
@given(messages(), st.integers(1, 3 * AT_A_TIME))
def test_many_that_are_alike_come_some_at_a_time(
    one: tuple[bytes, Record, int | None], count: int
) -> None:
    gone = encode_reply(11, 77, info3=Info3.PARTITION_DONE)
    done = encode_reply(0, 78, info3=Info3.PARTITION_DONE)
    last = encode_reply(0, info3=Info3.LAST)
    records, bvals, page = read([gone + one[0] * count + done + last])

    assert [content(record) for record in records] == [content(one[1])] * count
    assert bvals == [one[2]] * count
    assert (page.unavailable, page.end) == ([77], 0)


@settings(deadline=None, max_examples=200)
@given(st.lists(messages(), min_size=1, max_size=3), st.data())
def test_what_is_damaged_is_refused_or_read(
    sent: list[tuple[bytes, Record, int | None]], data: st.DataObject
) -> None:
    """Cut off, or with other bytes in it, behind the whole of it: never another error."""
    whole = b"".join([message for message, _, _ in sent])
    damaged = bytearray(whole)
    for at in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=3)):
        damaged[at] = data.draw(st.integers(0, 255))
    damaged = damaged[: data.draw(st.integers(0, len(damaged)))]
    with contextlib.suppress(MessageError):
        read([whole, bytes(damaged)])


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60), st.integers(0, 3))
@example(struct.pack(">IBBBB", 4, 1, 3, 0, 9) + bytes(9), 1)  # a name longer than its op
@example(struct.pack(">IBBBB", 6, 1, 1, 0, 1) + b"n\x05", 1)  # an integer of one byte
@example(struct.pack(">IBBBB", 5, 1, 3, 0, 1) + b"\xff", 1)  # a name that is no text
def test_ops_are_read_or_refused(data: bytes, n_ops: int) -> None:
    try:
        bins, end = BinsReader().read(data, 0, n_ops)
    except MessageError:
        return
    assert end <= len(data)
    assert len(bins) <= n_ops


def test_many_names_are_read_though_not_all_are_remembered() -> None:
    reader = BinsReader()
    for number in range(5000):
        bins = {f"n{number}": number, "text": "t"}
        assert reader.read(encoded(bins), 0, 2)[0] == bins
    assert len(reader._known) <= 4096
