"""The command as a process, with a small client on one connection for tests that care about result
codes and lost connections; and a node without loop and sockets: bytes go into a connection, replies
come out again (`kit`)."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from aerospike_common.wire.codes import FieldType, Info1, Info2, Info3, OpType, ParticleType
from aerospike_common.wire.message import Message, Op, encode_message, parse_message
from asd.config import Config, Edition, NamespaceConfig
from asd.measures.turns import Turns
from asd.node import Node
from asd.service.connection import Connection
from citrusleaf.cf_clock import VirtualClock
from citrusleaf.cf_digest import key_digest

SET = "people"


class WireClient:
    """Blocking requests, one after the other. Raises OSError when it is cut."""

    def __init__(self, port: int, timeout_s: float = 20) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout_s)
        self._answers = self._socket.makefile("rb")

    def close(self) -> None:
        self._answers.close()
        self._socket.close()

    def put(self, namespace: str, key: int, value: bytes) -> int:
        """Write the bin `v`; the result code."""
        ops = [Op(OpType.WRITE, ParticleType.BLOB, b"v", value)]
        return self.ask(namespace, key, info2=Info2.WRITE, ops=ops).result_code

    def get(self, namespace: str, key: int) -> tuple[int, bytes | None]:
        """Result code and the bin `v`."""
        reply = self.ask(namespace, key, info1=Info1.READ | Info1.GET_ALL)
        return reply.result_code, reply.ops[0].value if reply.ops else None

    def delete(self, namespace: str, key: int, *, durable: bool = False) -> int:
        """The result code."""
        return self.ask(
            namespace,
            key,
            info2=Info2.WRITE | Info2.DELETE | (Info2.DURABLE_DELETE if durable else 0),
        ).result_code

    def ask(self, namespace: str, key: int, **message: Any) -> Message:
        """The reply to one command on a record."""
        fields = {
            FieldType.NAMESPACE: namespace.encode(),
            FieldType.SET: SET.encode(),
            FieldType.DIGEST: key_digest(SET, key),
        }
        return parse_message(self._exchange(3, encode_message(fields=fields, **message)))

    def info(self, command: str) -> str:
        """The value an info command is answered with."""
        return self._exchange(1, f"{command}\n".encode()).decode().partition("\t")[2].rstrip("\n")

    def figures(self, namespace: str) -> dict[str, str]:
        """What `namespace/NAME` says."""
        rows = self.info(f"namespace/{namespace}").split(";")
        return dict(row.split("=", 1) for row in rows)

    def _exchange(self, kind: int, body: bytes) -> bytes:
        self._socket.sendall(bytes((2, kind)) + len(body).to_bytes(6, "big") + body)
        return self._read(int.from_bytes(self._read(8)[2:], "big"))

    def _read(self, size: int) -> bytes:
        data = self._answers.read(size)
        if len(data) < size:
            raise ConnectionResetError("the server has closed the connection")
        return data


@contextmanager
def asd_process(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """An asd process and its port; ended the hard way if the test did not end it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "asd", "--service-port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("asd ready 127.0.0.1:"), line
        yield process, int(line.rpartition(":")[2])
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def running() -> Any:
    """`asd_process`, to be called in a test."""
    return asd_process


@pytest.fixture
def wire() -> Iterator[Callable[[int], WireClient]]:
    """A function from a port to a client; the clients are closed after the test."""
    with ExitStack() as clients:

        def connect(port: int) -> WireClient:
            client = WireClient(port)
            clients.callback(client.close)
            return client

        yield connect


# ------------------------------------------------------------------ a node without sockets


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


def shipped(number: int, *bins: tuple[bytes, int, bytes], **more: Any) -> bytes:
    """A write of these bins as another data center sends it: of the whole record, for ever."""
    fields = {FieldType.NAMESPACE: b"test", FieldType.DIGEST: digest(number)}
    set_name = more.pop("set_name", b"demo")
    if set_name is not None:
        fields[FieldType.SET] = set_name
    fields |= more.pop("fields", {})
    fields[FieldType.LAST_UPDATE_TIME] = bytes(8)
    info2 = Info2.WRITE | more.pop("info2", 0)
    info3 = more.pop("info3", 0) | Info3.CREATE_OR_REPLACE
    ops = more.pop("ops", [Op(OpType.WRITE, kind, name, value) for name, kind, value in bins])
    more = {"record_ttl": 0xFFFFFFFF, **more}
    body = encode_message(Info1.XDR, info2, info3, fields=fields, ops=ops, **more)
    return b"\x02\x03" + len(body).to_bytes(6, "big") + body


def make_node(clock: VirtualClock | None = None, **config: Any) -> Node:
    """A node with the namespaces `test` and `bar`, open but on no port."""
    spaces = {name: NamespaceConfig(name, nsup_period=120) for name in ("test", "bar")}
    edition = config.pop("edition", Edition.ENTERPRISE)
    random = config.pop("random", None)
    node = Node(
        Config(namespaces=spaces, edition=edition, **config),
        clock or VirtualClock(),
        machine_id=1,
        random=random,
    )
    node.turns = Turns(node.clock.monotonic_ns, lambda end: None)  # `Wire` ends them
    for namespace in node.namespaces.values():
        namespace.engine.open()
    return node


def codes(data: bytes) -> list[int]:
    """The result codes of replies to single-record commands, one behind the other."""
    found = []
    while data:
        size = 8 + int.from_bytes(data[2:8], "big")
        found.append(parse_message(data[8:size]).result_code)
        data = data[size:]
    return found


class Kit:
    """The helpers of this file, as a fixture."""

    FakeTransport = FakeTransport
    Wire = Wire
    digest = staticmethod(digest)
    request = staticmethod(request)
    get = staticmethod(get)
    codes = staticmethod(codes)
    put = staticmethod(put)
    shipped = staticmethod(shipped)
    make_node = staticmethod(make_node)


@pytest.fixture(scope="session")
def kit() -> type[Kit]:
    """Everything needed to talk to a node without sockets."""
    return Kit
