"""The service port: framing, pipelining, slow readers, limits, and bytes that make no sense."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerospike_common.wire.codes import FieldType, Info2, ParticleType, ResultCode
from aerospike_common.wire.message import parse_message
from asd.config import Edition
from asd.service.connection import MAX_UNSENT
from asd.shipping.compression import ALGORITHMS, Compressor

INT = ParticleType.INTEGER
BIN = (b"a", INT, struct.pack(">q", 5))


def replies(data: bytes) -> list[int]:
    """The result codes of a run of framed replies."""
    codes = []
    while data:
        size = 8 + int.from_bytes(data[2:8], "big")
        codes.append(parse_message(data[8:size]).result_code)
        data = data[size:]
    return codes


def test_requests_in_one_piece_are_answered_in_order(kit: Any) -> None:
    wire = kit.Wire(kit.make_node())
    data = kit.get(1) + kit.put(1, BIN) + kit.get(1) + kit.get(2)
    assert replies(wire.send(data)) == [2, 0, 0, 2]


@pytest.mark.parametrize("size", [1, 7, 8, 9, 40, 63])
def test_requests_in_small_pieces_are_answered_alike(kit: Any, size: int) -> None:
    wire = kit.Wire(kit.make_node())
    data = kit.put(1, BIN) + kit.get(1) + kit.get(2)
    out = b"".join(wire.send(data[i : i + size]) for i in range(0, len(data), size))
    assert replies(out) == [0, 0, 2]


@pytest.mark.parametrize(
    "head",
    [
        b"\x01\x03" + bytes(6),
        b"\x00\x03" + bytes(6),
        b"\x02\x00" + bytes(6),
        b"\x02\x06" + bytes(6),
        b"\x02\x03" + (128 * 1024 * 1024 + 1).to_bytes(6, "big"),
        b"\x16\x03\x01\x02\x00\x01\x00\x01",
    ],
    ids=["version 1", "version 0", "type 0", "type 6", "too large", "TLS hello"],
)
def test_a_broken_frame_closes_after_what_came_before(kit: Any, head: bytes) -> None:
    wire = kit.Wire(kit.make_node())
    assert replies(wire.send(kit.get(1) + head)) == [2]
    assert wire.transport.closed


def test_a_broken_frame_is_known_by_its_header_alone(kit: Any) -> None:
    wire = kit.Wire(kit.make_node())
    wire.send(b"\x02\x09\x00\x00\x00\x00\x10\x00")
    assert wire.transport.closed


def test_internal_frames_are_neither_answered_nor_closed(kit: Any) -> None:
    wire = kit.Wire(kit.make_node())
    assert wire.send(b"\x02\x05" + (4).to_bytes(6, "big") + b"abcd") == b""
    assert not wire.transport.closed
    assert replies(wire.send(kit.get(1))) == [2]


@pytest.mark.parametrize(
    ("edition", "code"),
    [
        (Edition.COMMUNITY, ResultCode.SECURITY_NOT_SUPPORTED),
        (Edition.ENTERPRISE, ResultCode.SECURITY_NOT_ENABLED),
    ],
)
def test_without_access_control_admin_frames_say_so(
    kit: Any, edition: Edition, code: ResultCode
) -> None:
    wire = kit.Wire(kit.make_node(edition=edition))
    for version in (0, 2):
        reply = wire.send(bytes((version, 2)) + (16).to_bytes(6, "big") + bytes(16))
        assert reply[:8] == b"\x02\x02\x00\x00\x00\x00\x00\x10"
        assert reply[9] == code


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_compressed_requests(kit: Any, algorithm: str) -> None:
    wire = kit.Wire(kit.make_node())
    request = Compressor(algorithm, 1).compress(kit.put(1, BIN))
    assert wire.call(request).result_code == 0
    assert wire.call(kit.get(1)).ops[0].value == BIN[2]
    assert wire.call(b"\x02\x04" + (3).to_bytes(6, "big") + b"abc").result_code == 4
    assert wire.call(request[:-8] + bytes(8)).result_code == 4
    assert wire.call(kit.get(1)).ops[0].value == BIN[2], "the connection goes on"
    community = kit.Wire(kit.make_node(edition=Edition.COMMUNITY))
    assert community.call(request).result_code == 25


def test_a_client_that_does_not_read_is_not_answered_further(kit: Any) -> None:
    wire = kit.Wire(kit.make_node())
    wire.send(kit.put(1, BIN))

    class Full(kit.FakeTransport):
        def write(self, data: bytes) -> None:
            super().write(data)
            wire.connection.pause_writing()

    full = Full()
    wire.connection.connection_made(full)
    wire.connection.data_received(kit.get(1) * (3 * MAX_UNSENT))
    assert len(replies(full.written)) == MAX_UNSENT
    assert not full.reading
    for _ in range(2):
        full.written = b""
        wire.connection.resume_writing()
        assert len(replies(full.written)) == MAX_UNSENT
    full.written = b""
    wire.connection.resume_writing()
    assert full.written == b""
    assert full.reading


def test_one_connection_too_many_is_turned_away(kit: Any) -> None:
    node = kit.make_node()
    node.config.service.set("proto-fd-max", "2")
    wires = [kit.Wire(node) for _ in range(3)]
    assert [wire.transport.closed for wire in wires] == [False, False, True]
    wires[0].connection.connection_lost(None)
    assert not kit.Wire(node).transport.closed
    wires[2].connection.connection_lost(None)
    assert len(node.connections) == 2
    assert node.statistics.client_connections_opened == 3
    assert node.statistics.client_connections_closed == 1


def test_our_own_bug_costs_one_request(kit: Any, caplog: pytest.LogCaptureFixture) -> None:
    wire = kit.Wire(kit.make_node())

    def broken(digest: bytes) -> None:
        raise KeyError("a bug")

    engine = wire.node.namespaces[b"test"].engine
    wire.node.namespaces[b"test"].engine = type("Broken", (), {"get": staticmethod(broken)})()
    assert wire.call(kit.get(1)).result_code == ResultCode.SERVER_ERROR
    assert "failed inside the server" in caplog.text
    wire.node.namespaces[b"test"].engine = engine
    assert wire.call(kit.get(1)).result_code == ResultCode.NOT_FOUND


MESSAGE = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda body: b"\x02\x03" + len(body).to_bytes(6, "big") + body, st.binary(max_size=90)
    ),
)


@given(st.lists(MESSAGE, max_size=5), st.integers(1, 50))
def test_no_bytes_get_anything_but_replies_or_a_close(
    kit: Any, messages: list[bytes], size: int
) -> None:
    wire = kit.Wire(kit.make_node())
    data = b"".join(messages)
    for i in range(0, len(data), size):
        out = wire.send(data[i : i + size])
        while out:
            assert out[0] == 2
            assert out[1] in (1, 2, 3)
            out = out[8 + int.from_bytes(out[2:8], "big") :]
        if wire.transport.closed:
            break


@given(st.data())
def test_a_request_with_flipped_bytes_gets_one_reply(kit: Any, data: st.DataObject) -> None:
    node = kit.make_node()
    wire = kit.Wire(node)
    wire.send(kit.put(1, BIN))
    wire.send(kit.get(1))
    request = bytearray(data.draw(st.sampled_from([kit.put(1, BIN), kit.get(1)])))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(8, len(request) - 1))
        request[place] = data.draw(st.integers(0, 255))
    if request[9] & 0x08 or request[10] & 0x40:
        return  # batches and queries answer with streams
    wire.send(bytes(request))
    assert not wire.transport.closed


def test_a_value_that_no_record_can_hold_is_refused_without_being_kept(kit: Any) -> None:
    """Its frame is known by its beginning; what is behind it is answered as ever."""
    wire = kit.Wire(kit.make_node())
    namespace = wire.node.namespaces[b"test"]
    blob = (b"a", ParticleType.BLOB, bytes(9 << 20))
    data = kit.put(1, BIN) + kit.put(2, BIN, blob) + kit.get(1) + kit.get(2)
    most = 0
    out = b""
    for at in range(0, len(data), 1 << 16):
        out += wire.send(data[at : at + (1 << 16)])
        most = max(most, wire.connection.partial_bytes)
    assert replies(out) == [0, ResultCode.RECORD_TOO_BIG, 0, ResultCode.NOT_FOUND]
    assert most < 1 << 17
    assert wire.connection.partial_bytes == 0
    assert namespace.statistics.client.write_error == 1


@pytest.mark.parametrize("kind", [ParticleType.BLOB, ParticleType.LIST, ParticleType.INTEGER])
@pytest.mark.parametrize("more", [{}, {"info2": Info2.CREATE_ONLY}, {"set_name": b"other"}])
def test_whatever_else_is_wrong_is_said_as_if_it_had_been_kept(
    kit: Any, kind: int, more: dict[str, Any]
) -> None:
    """The record's generation, too."""
    data = kit.put(1, (b"a", kind, bytes(9 << 20)), **more)
    answers = []
    for piece in (len(data), 1 << 16):
        wire = kit.Wire(kit.make_node())
        wire.send(kit.put(1, BIN))
        out = b"".join(wire.send(data[at : at + piece]) for at in range(0, len(data), piece))
        answers.append((out, wire.node.namespaces[b"test"].statistics.client.write_error))
    assert answers[0] == answers[1]
    assert answers[0][1] == 1


def test_the_same_value_in_one_piece_is_refused_alike(kit: Any) -> None:
    wire = kit.Wire(kit.make_node())
    blob = (b"a", ParticleType.BLOB, bytes(9 << 20))
    assert replies(wire.send(kit.put(2, blob) + kit.get(2))) == [13, 2]
    assert wire.node.namespaces[b"test"].statistics.client.write_error == 1


@pytest.mark.parametrize("what", ["fits", "is no value", "is for no namespace"])
def test_a_big_frame_that_may_succeed_is_kept(kit: Any, what: str) -> None:
    wire = kit.Wire(kit.make_node())
    wire.node.namespaces[b"test"].config.set("max-record-size", "8M")
    blob = (b"a", ParticleType.BLOB, bytes(2 << 20))
    data = kit.put(1, blob)
    if what == "is no value":
        data = kit.put(1, BIN, fields={FieldType.FILTER: bytes(2 << 20)})
    elif what == "is for no namespace":
        data = kit.put(1, blob, fields={FieldType.NAMESPACE: b"other"})
    assert wire.send(data[: 1 << 16]) == b""
    assert wire.connection.partial_bytes == (1 << 16) - 8
    (code,) = replies(wire.send(data[1 << 16 :]))
    assert code == {"fits": 0, "is no value": 0, "is for no namespace": 20}[what]
