"""Compressed messages of every algorithm: back and forth, damaged, and lying about their size."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress

import lz4.frame
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from aerospike_common.wire import Frame, FrameReader, MessageError, MessageType
from aerospike_common.wire.frame import MAX_BODY, frame
from asd.shipping.compression import (
    ALGORITHMS,
    EVERYBODYS,
    Compressor,
    decompressed,
    heard,
    told,
)

GOOD = frame(3, bytes(range(250)) * 40)


def body_of(message: bytes) -> bytes:
    """Of the one compressed message that it is."""
    reader = FrameReader()
    reader.feed(message)
    ((kind, body),) = list[Frame](reader)
    assert kind == MessageType.AS_MSG_COMPRESSED
    return body


def announced(size: int, stream: bytes) -> bytes:
    return struct.pack(">Q", size) + stream


@given(st.binary(max_size=2000), st.sampled_from(ALGORITHMS), st.integers(1, 9))
def test_what_is_compressed_comes_back(body: bytes, algorithm: str, level: int) -> None:
    assert decompressed(body_of(Compressor(algorithm, level).compress(frame(3, body)))) == body


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_long_message_comes_back(algorithm: str) -> None:
    body = bytes(range(256)) * (10 << 12)
    assert decompressed(body_of(Compressor(algorithm, 9).compress(frame(3, body)))) == body


@given(st.data(), st.sampled_from(ALGORITHMS))
def test_what_is_damaged_is_found(data: st.DataObject, algorithm: str) -> None:
    body = bytearray(body_of(Compressor(algorithm, 1).compress(GOOD)))
    body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    with suppress(MessageError):
        assert decompressed(bytes(body)) == GOOD[8:], "a bit that means nothing"


@pytest.mark.parametrize("make", [zstandard.compress, lz4.frame.compress])
def test_sizes_that_lie_are_refused(make: Callable[[bytes], bytes]) -> None:
    size, stream = len(GOOD), make(GOOD)
    assert decompressed(announced(size, stream)) == GOOD[8:]
    wrong = [
        *(announced(each, stream) for each in (0, 7, 8, size - 1, size + 1, MAX_BODY, 1 << 63)),
        *(announced(size, stream[:cut]) for cut in (4, 5, 12, len(stream) // 2, len(stream) - 1)),
        announced(size, stream + b"\0"),
        announced(size, stream + stream),
        announced(size, make(frame(1, GOOD[8:]))),
        announced(size, make(GOOD[:-1])),
        announced(size, make(b"\0" + GOOD[1:])),
    ]
    for body in wrong:
        with pytest.raises(MessageError):
            decompressed(body)


@pytest.mark.parametrize("make", [zstandard.compress, lz4.frame.compress])
def test_a_bomb_is_not_unpacked(make: Callable[[bytes], bytes]) -> None:
    """Nothing beyond what is announced is made, and that is bounded."""
    bomb = make(bytes(MAX_BODY + 9))
    for size in (100, MAX_BODY + 8, MAX_BODY + 9):
        with pytest.raises(MessageError):
            decompressed(announced(size, bomb))


def test_a_zstandard_frame_tells_its_size() -> None:
    """Else its decoder would make room for whatever is announced."""
    silent = zstandard.ZstdCompressor(write_content_size=False).compress(GOOD)
    with pytest.raises(MessageError, match="zstandard frame of"):
        decompressed(announced(len(GOOD), silent))


@pytest.mark.parametrize(
    ("reply", "takes"),
    [
        (f"xdr-compression\t{told()}\n".encode(), frozenset(ALGORITHMS)),
        (b"xdr-compression\tlz4,brotli\n", EVERYBODYS | {"lz4"}),
        (b"xdr-compression\tERROR:4:unrecognized command\n", EVERYBODYS),
        (b"xdr-compression\t\n", EVERYBODYS),
        (b"ERROR:80:not authenticated\n", EVERYBODYS),
        (b"", EVERYBODYS),
        (b"a\tzstd\nb\tzstd\n", EVERYBODYS),
        (b"\xff\xfe", EVERYBODYS),
    ],
)
def test_what_a_server_takes_is_heard(reply: bytes, takes: frozenset[str]) -> None:
    assert heard(reply) == takes
