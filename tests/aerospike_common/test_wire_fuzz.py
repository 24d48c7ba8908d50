"""The invariant of the wire: any bytes give a parsed object, "need more" or a protocol error.

Nothing else comes out, whole or byte by byte, and no more is held than has arrived.
"""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aerospike_common.wire.admin import parse_admin
from aerospike_common.wire.codes import MessageType
from aerospike_common.wire.errors import FrameError, MessageError, ProtocolError
from aerospike_common.wire.frame import Frame, FrameReader, deflate, frame, inflate
from aerospike_common.wire.info import info_parameters, parse_info_reply, parse_info_request
from aerospike_common.wire.message import (
    Op,
    encode_message,
    parse_batch,
    parse_message,
    parse_slices,
    split_messages,
)

PUT = encode_message(
    info2=1,
    fields={0: b"test", 1: b"demo", 4: bytes(20), 2: b"\x01" + bytes(8)},
    ops=[Op(2, 1, b"a", bytes(8)), Op(2, 3, b"b", b"text")],
)


def parse_info(body: bytes) -> object:
    return [info_parameters(command.arguments) for command in parse_info_request(body)]


PARSERS = {
    MessageType.INFO: parse_info,
    MessageType.ADMIN: parse_admin,
    MessageType.AS_MSG: parse_message,
    MessageType.AS_MSG_COMPRESSED: inflate,
}
CODECS = [*PARSERS.values(), parse_batch, split_messages, parse_info_reply]


def read(chunks: list[bytes]) -> tuple[list[Frame], bool]:
    """All frames that a reader makes of the chunks, and whether it ended in an error."""
    reader = FrameReader()
    frames: list[Frame] = []
    arrived = 0
    for chunk in chunks:
        reader.feed(chunk)
        arrived += len(chunk)
        try:
            frames += reader
        except FrameError:
            return frames, True
        assert reader.pending <= arrived
    return frames, False


@st.composite
def flipped(draw: st.DrawFn, whole: bytes) -> bytes:
    """A good message with a few bytes changed, cut or repeated."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        position = draw(st.integers(0, len(data) - 1))
        data[position] = draw(st.sampled_from([0, 1, 4, 0x7F, 0x80, 0xFF]))
    return bytes(data[: draw(st.integers(1, len(data)))])


STREAMS = st.one_of(
    st.binary(max_size=200),
    flipped(frame(MessageType.AS_MSG, PUT) + frame(MessageType.INFO, b"build\n")),
    flipped(deflate(PUT)),
)


@given(STREAMS)
@example(frame(MessageType.AS_MSG, PUT) * 3)
def test_a_stream_is_read_alike_whole_and_byte_by_byte(stream: bytes) -> None:
    frames, failed = read([stream])
    bytewise, failed_bytewise = read([stream[i : i + 1] for i in range(len(stream))])
    assert frames == bytewise
    assert failed == failed_bytewise
    for item in frames:
        parser: Callable[[bytes], object] | None = PARSERS.get(MessageType(item.type))
        if parser is not None:
            check(parser, item.body)


@pytest.mark.parametrize("codec", CODECS)
@given(st.one_of(st.binary(max_size=200), flipped(PUT), flipped(deflate(PUT)[8:])))
def test_a_body_is_parsed_or_refused(codec: Callable[[bytes], object], body: bytes) -> None:
    check(codec, body)


def check(codec: Callable[[bytes], object], body: bytes) -> None:
    with suppress(ProtocolError):
        codec(body)


@given(flipped(PUT))
def test_a_parsed_message_says_what_the_bytes_say(body: bytes) -> None:
    """What is accepted can be encoded again and gives the same message."""
    try:
        message = parse_message(body)
    except ProtocolError:
        return
    assert parse_message(encode_message(*message)) == message
    assert sum(len(data) for data in message.fields.values()) <= len(body)


@given(st.binary(max_size=200) | flipped(PUT), st.integers(1, 3))
def test_a_message_in_slices_is_what_it_is_in_one(body: bytes, ops_at_once: int) -> None:
    def sliced() -> object:
        slices = parse_slices(body, ops_at_once)
        try:
            while True:
                next(slices)
        except StopIteration as end:
            return end.value
        except MessageError as error:
            return str(error)

    def whole() -> object:
        try:
            return parse_message(body)
        except MessageError as error:
            return str(error)

    assert sliced() == whole()
