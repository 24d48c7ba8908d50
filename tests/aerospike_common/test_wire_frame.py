"""Frames: cutting a stream, compressed frames, limits."""

import struct
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerospike_common.wire.codes import MessageType
from aerospike_common.wire.errors import FrameError, MessageError
from aerospike_common.wire.frame import MAX_BODY, Frame, FrameReader, deflate, frame, inflate

FRAMES = st.lists(st.tuples(st.sampled_from(MessageType), st.binary(max_size=40)), max_size=8)


def chunked(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(edges)]


def test_the_worked_example_of_an_info_request() -> None:
    assert frame(1, b"node\nbuild\n")[:8] == bytes.fromhex("02 01 00 00 00 00 00 0B")


@given(FRAMES, st.lists(st.integers(min_value=0), max_size=12))
def test_any_chunking_gives_the_same_frames(frames: list, cuts: list[int]) -> None:
    stream = b"".join(frame(kind, body) for kind, body in frames)
    reader = FrameReader()
    out: list[Frame] = []
    for chunk in chunked(stream, cuts):
        reader.feed(chunk)
        out += reader
    assert out == [Frame(kind, body) for kind, body in frames]
    assert all(type(item.body) is bytes for item in out)
    assert reader.pending == 0


@given(FRAMES, st.lists(st.integers(min_value=0), max_size=12), st.data())
def test_frames_may_be_taken_late(frames: list, cuts: list[int], data: st.DataObject) -> None:
    reader = FrameReader()
    out: list[Frame] = []
    for chunk in chunked(b"".join(frame(kind, body) for kind, body in frames), cuts):
        reader.feed(chunk)
        for _ in range(data.draw(st.integers(0, 2))):
            item = reader.next_frame()
            if item is not None:
                out.append(item)
    assert [*out, *reader] == [Frame(kind, body) for kind, body in frames]


def test_whole_chunks_are_not_copied() -> None:
    reader = FrameReader()
    chunk = frame(3, b"x" * 100) * 3
    reader.feed(chunk)
    assert reader.next_frame() is not None
    assert reader._buffer is chunk


@pytest.mark.parametrize("header", ["0303", "1603", "0003", "0001", "ff03", "0200", "0206", "02ff"])
def test_a_wrong_version_or_type_is_an_error_for_good(header: str) -> None:
    reader = FrameReader()
    reader.feed(frame(3, b"good") + bytes.fromhex(header) + bytes(6))
    assert reader.next_frame() == (3, b"good")
    for _ in range(2):
        with pytest.raises(FrameError):
            reader.next_frame()


def test_version_zero_is_tolerated_for_admin_messages() -> None:
    reader = FrameReader()
    reader.feed(bytes.fromhex("0002 000000000001 aa"))
    assert reader.next_frame() == (MessageType.ADMIN, b"\xaa")


def test_the_largest_body_is_announced_without_memory_and_one_more_is_refused() -> None:
    reader = FrameReader()
    reader.feed(struct.pack(">Q", 0x0203 << 48 | MAX_BODY))
    assert reader.next_frame() is None
    assert reader.pending == 8
    reader = FrameReader()
    reader.feed(struct.pack(">Q", 0x0203 << 48 | MAX_BODY + 1))
    with pytest.raises(FrameError):
        reader.next_frame()


def test_a_reader_may_have_a_lower_limit() -> None:
    reader = FrameReader(max_body=3)
    reader.feed(frame(1, b"abc") + frame(1, b"abcd"))
    assert reader.next_frame() == (1, b"abc")
    with pytest.raises(FrameError, match="4 bytes, the limit is 3"):
        reader.next_frame()


def test_an_unfinished_frame_keeps_nothing_of_those_before_it() -> None:
    reader = FrameReader()
    whole, cut = frame(3, bytes(1000)), frame(3, bytes(1000))[:-1]
    for _ in range(50):
        reader.feed(whole + cut)
        assert len(list(reader)) == 1
        reader.feed(b"\0")
        assert len(list(reader)) == 1
        assert len(reader._buffer) <= 2 * len(whole)


@given(st.binary(max_size=500))
def test_deflate_and_inflate_are_inverse(body: bytes) -> None:
    (packed,) = _frames(deflate(body))
    assert packed.type == MessageType.AS_MSG_COMPRESSED
    assert inflate(packed.body) == body


def _frames(data: bytes) -> list[Frame]:
    reader = FrameReader()
    reader.feed(data)
    return list(reader)


def compressed(size: int, inner: bytes, extra: bytes = b"") -> bytes:
    return struct.pack(">Q", size) + zlib.compress(inner) + extra


GOOD = frame(3, bytes(22))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        bytes(7),
        bytes(8),
        compressed(len(GOOD) - 1, GOOD),
        compressed(len(GOOD) + 1, GOOD),
        compressed(len(GOOD), GOOD)[:-5],
        compressed(len(GOOD), GOOD, b"more"),
        struct.pack(">Q", len(GOOD)) + b"no zlib stream",
        compressed(7, GOOD[:7]),
        compressed(1 << 63, GOOD),
        compressed(len(GOOD), frame(1, bytes(22))),
        compressed(len(GOOD), frame(3, bytes(21)) + b"\0"),
        compressed(len(GOOD), b"\0" + GOOD[1:]),
    ],
)
def test_a_broken_compressed_body_is_a_message_error(body: bytes) -> None:
    with pytest.raises(MessageError):
        inflate(body)


def test_inflating_is_bounded() -> None:
    bomb = frame(3, bytes(1 << 20))
    assert inflate(compressed(len(bomb), bomb)) == bytes(1 << 20)
    with pytest.raises(MessageError):
        inflate(compressed(len(bomb), bomb), max_body=1000)
    with pytest.raises(MessageError):
        inflate(compressed(100, bomb), max_body=1000)
