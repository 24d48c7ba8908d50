"""A node without sockets whose queries run on a loop: bytes go in, messages come out."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from aerospike_common.wire.codes import FieldType, Info1, Info3
from aerospike_common.wire.message import Message, Op, encode_message, parse_message, split_messages
from asd.config import Config, Edition, NamespaceConfig
from asd.node import Node
from asd.records.record import Bins, pack_payload
from asd.service.connection import Connection
from asd.sindex import IndexDefinition, SecondaryIndex
from asd.space.index_builder import IndexBuilder
from asd.space.namespace import Namespace
from citrusleaf.cf_clock import VirtualClock

EVERYWHERE = tuple(range(4096))


class Transport:
    """Keeps what is written; `stuck` plays a client that does not read."""

    def __init__(self) -> None:
        self.written = b""
        self.closed = False
        self.stuck: Connection | None = None

    def write(self, data: bytes) -> None:
        self.written += data
        if self.stuck is not None and data:
            self.stuck.pause_writing()

    def close(self) -> None:
        self.closed = True

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        """Nothing to do: only the test sends."""

    resume_reading = pause_reading

    def get_extra_info(self, name: str) -> tuple[str, int]:
        return ("127.0.0.1", 4000)


class Client:
    """One client of one node. Use it inside a running loop."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.transport = Transport()
        self.connection = Connection(node)
        self.connection.connection_made(self.transport)  # type: ignore[arg-type]  # a stand-in

    def begin(self, body: bytes) -> None:
        """Send a request."""
        self.transport.written = b""
        self.connection.data_received(b"\x02\x03" + len(body).to_bytes(6, "big") + body)

    async def finish(self) -> list[Message]:
        """The messages of the reply, once it is whole."""
        while self.connection.busy:
            await asyncio.sleep(0)
        return self.received()

    def received(self) -> list[Message]:
        """The messages that have come so far."""
        data, messages = self.transport.written, []
        while data:
            size = int.from_bytes(data[2:8], "big")
            messages += map(parse_message, split_messages(data[8 : 8 + size]))
            data = data[8 + size :]
        return messages

    async def ask(self, body: bytes) -> list[Message]:
        """Send a request; the messages of its reply."""
        self.begin(body)
        return await self.finish()


def query(
    partitions: Iterable[int] | None = EVERYWHERE,
    *,
    set_name: bytes | None = b"s",
    info1: int = Info1.READ,
    info2: int = 0,
    info3: int = Info3.PARTITION_DONE,
    ops: Iterable[Op] = (),
    trid: int | None = None,
    fields: Mapping[int, bytes] | None = None,
    **header: int,
) -> bytes:
    """A query's message."""
    every: dict[int, bytes] = {FieldType.NAMESPACE: b"test"}
    if set_name is not None:
        every[FieldType.SET] = set_name
    every[FieldType.SOCKET_TIMEOUT] = struct.pack(">I", 10_000)
    every[FieldType.TRID] = struct.pack(">Q", trid or random.getrandbits(63) + 1)
    if partitions is not None:
        listed = list(partitions)
        every[FieldType.PARTITION_IDS] = struct.pack(f"<{len(listed)}H", *listed)
    every.update(fields or {})
    return encode_message(int(info1), int(info2), int(info3), fields=every, ops=ops, **header)


def make_node(clock: VirtualClock | None = None, **config: Any) -> Node:
    """A node with the namespace `test`, open but on no port."""
    space = NamespaceConfig("test", nsup_period=120, **config)
    given = Config(namespaces={"test": space}, edition=Edition.COMMUNITY)
    node = Node(given, clock or VirtualClock(), machine_id=1)
    node.namespaces[b"test"].engine.open()
    return node


def store(
    namespace: Namespace,
    digest: bytes,
    bins: Bins,
    *,
    set_name: bytes = b"s",
    key: bytes = b"",
    void_time: int = 0,
) -> None:
    """Write a record."""
    namespace.store(digest, 1, void_time, set_name, bool(key), pack_payload(bins, key))


def build(node: Node, definition: IndexDefinition) -> SecondaryIndex:
    """Create an index and build it."""
    namespace = node.namespaces[b"test"]
    namespace.indexes.create(definition)
    index = namespace.indexes.find(definition.name)
    assert index is not None
    asyncio.run(IndexBuilder(namespace, node.transaction_threads)._build(index))
    assert index.readable
    return index


class Kit:
    """The helpers of this file, as a fixture."""

    Client = Client
    query = staticmethod(query)
    make_node = staticmethod(make_node)
    store = staticmethod(store)
    build = staticmethod(build)


@pytest.fixture(scope="session")
def kit() -> type[Kit]:
    """Everything needed to ask queries of a node without sockets."""
    return Kit
