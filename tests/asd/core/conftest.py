"""A node without loop and sockets: bytes go into a connection, replies come out again."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

import pytest

from aerospike_common.wire.codes import FieldType, Info1, Info2, OpType
from aerospike_common.wire.message import Message, Op, encode_message, parse_message
from asd.config import Config, Edition, NamespaceConfig
from asd.measures.turns import Turns
from asd.node import Node
from asd.service.connection import Connection
from citrusleaf.cf_clock import VirtualClock


class FakeTransport:
    """Keeps what is written; `full` plays a client that does not read."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False
        self.reading = True

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_extra_info(self, name: str) -> tuple[str, int]:
        return ("127.0.0.1", 4000)


class Wire:
    """One client of one node."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.transport = FakeTransport()
        self.connection = Connection(node)
        self.connection.connection_made(self.transport)  # type: ignore[arg-type]  # a stand-in

    def send(self, data: bytes) -> bytes:
        """What the node writes when these bytes come."""
        self.transport.written = b""
        self.connection.data_received(data)
        self.node.turns.end()
        return self.transport.written

    def call(self, data: bytes) -> Message:
        """The one reply to one request."""
        reply = self.send(data)
        assert reply[:2] == b"\x02\x03"
        assert len(reply) == 8 + int.from_bytes(reply[2:8], "big")
        return parse_message(reply[8:])


def digest(number: int) -> bytes:
    """A made-up digest."""
    return struct.pack("<QQ4x", number * 0x9E3779B97F4A7C15 & 2**64 - 1, number)


def request(
    number: int,
    *,
    info1: int = 0,
    info2: int = 0,
    ops: Iterable[Op] = (),
    set_name: bytes | None = b"demo",
    fields: dict[int, bytes] | None = None,
    namespace: bytes = b"test",
    **header: int,
) -> bytes:
    """A framed single-record request with the fields in the order that clients send."""
    all_fields: dict[int, bytes] = {FieldType.NAMESPACE: namespace}
    if set_name is not None:
        all_fields[FieldType.SET] = set_name
    all_fields[FieldType.DIGEST] = digest(number)
    all_fields.update(fields or {})
    body = encode_message(info1, info2, fields=all_fields, ops=ops, **header)
    return b"\x02\x03" + len(body).to_bytes(6, "big") + body


def get(number: int, **more: Any) -> bytes:
    """A read of all bins."""
    return request(number, info1=Info1.READ | Info1.GET_ALL, **more)


def put(number: int, *bins: tuple[bytes, int, bytes], **more: Any) -> bytes:
    """A write of (name, particle type, value) bins."""
    ops = [Op(OpType.WRITE, kind, name, value) for name, kind, value in bins]
    return request(number, info2=Info2.WRITE | more.pop("info2", 0), ops=ops, **more)


def make_node(clock: VirtualClock | None = None, **config: Any) -> Node:
    """A node with the namespaces `test` and `bar`, open but on no port."""
    spaces = {name: NamespaceConfig(name, nsup_period=120) for name in ("test", "bar")}
    edition = config.pop("edition", Edition.ENTERPRISE)
    node = Node(
        Config(namespaces=spaces, edition=edition, **config), clock or VirtualClock(), machine_id=1
    )
    node.turns = Turns(node.clock.monotonic_ns, lambda end: None)  # `Wire` ends them
    for namespace in node.namespaces.values():
        namespace.engine.open()
    return node


class Kit:
    """The helpers of this file, as a fixture."""

    FakeTransport = FakeTransport
    Wire = Wire
    digest = staticmethod(digest)
    request = staticmethod(request)
    get = staticmethod(get)
    put = staticmethod(put)
    make_node = staticmethod(make_node)


@pytest.fixture(scope="session")
def kit() -> type[Kit]:
    """Everything needed to talk to a node without sockets."""
    return Kit
