"""A node without sockets, and functions called on its records."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

import pytest

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import FieldType, Info2, ParticleType
from aerospike_common.wire.message import Message, parse_message
from asd.bins.particle import Particle
from asd.config import Config, Edition, NamespaceConfig, ServiceConfig
from asd.measures.turns import Turns
from asd.node import Node
from asd.records.record import pack_bins, unpack_bins
from asd.security.rights import UNRESTRICTED
from asd.transactions import dispatch
from asd.transactions.transaction import Reply
from citrusleaf.cf_clock import VirtualClock

DIGEST = b"0123456789abcdefghij"


ASKER = SimpleNamespace(peer="?", rights=UNRESTRICTED)
"""A connection that may do everything."""


class Functions:
    """A node and its functions."""

    def __init__(self, **service: Any) -> None:
        self.clock = VirtualClock()
        config = Config(
            namespaces={"test": NamespaceConfig("test", nsup_period=120)},
            edition=Edition.COMMUNITY,
            service=ServiceConfig(**service),
        )
        self.node = Node(config, self.clock, machine_id=1)
        self.node.turns = Turns(self.clock.monotonic_ns, lambda end: None)  # no loop turns
        self.namespace = self.node.namespaces[b"test"]
        self.namespace.engine.open()

    def register(self, source: str, name: str = "m.lua") -> None:
        self.node.udf.put(name, source.encode())

    def store(
        self,
        bins: dict[bytes, Any],
        *,
        digest: bytes = DIGEST,
        void_time: int = 0,
        key: bytes = b"",
    ) -> None:
        """A record of the set `s` with these bins (plain values, see `particle`)."""
        payload = pack_bins({name: particle(value) for name, value in bins.items()})
        if key:
            payload += key + struct.pack(">I", len(key))
        self.namespace.store(digest, 1, void_time, b"s", bool(key), payload)

    def bins(self, digest: bytes = DIGEST) -> dict[bytes, Any] | None:
        """The record's bins as plain values; None when there is no record."""
        record = self.namespace.load(digest, self.clock.epoch_s())
        if record is None:
            return None
        return {name: plain(value) for name, value in unpack_bins(record[5]).items()}

    def call(
        self,
        function: str,
        *arguments: Any,
        packed: bytes | None = None,
        module: str = "m",
        fields: dict[int, bytes] | None = None,
        **header: int,
    ) -> Reply:
        """The reply to a request; `packed` are the bytes of the arguments instead."""
        every = {
            FieldType.NAMESPACE: b"test",
            FieldType.SET: b"s",
            FieldType.UDF_PACKAGE: module.encode(),
            FieldType.UDF_FUNCTION: function.encode(),
            FieldType.UDF_ARGS: as_msgpack.pack(list(arguments)) if packed is None else packed,
            **(fields or {}),
        }
        head = {"info1": 0, "info2": Info2.WRITE, "info3": 0, "record_ttl": 0, **header}
        message = Message(
            head["info1"],
            head["info2"],
            head["info3"],
            0,
            0,
            0,
            head["record_ttl"],
            head.get("timeout", 1000),
            every,
            [],
        )
        origin = self.namespace.statistics.client
        return dispatch.run(self.node, self.namespace, message, DIGEST, origin, ASKER)

    def result(self, function: str, *arguments: Any, **more: Any) -> Any:
        """The value a function returns, as a plain one. It must not fail."""
        reply = self.call(function, *arguments, **more)
        name, value = answer_of(reply)
        assert (reply.code, name) == (0, b"SUCCESS"), (reply, value)
        return plain(value)

    def failure(self, function: str, *arguments: Any, **more: Any) -> str:
        """The text of a function's failure."""
        reply = self.call(function, *arguments, **more)
        name, value = answer_of(reply)
        assert (reply.code, name) == (100, b"FAILURE"), reply
        return str(plain(value))


def answer_of(reply: Reply) -> tuple[bytes, Particle]:
    """Name and value of the one op of a reply."""
    assert reply.n_ops == 1, reply
    header = struct.pack(">BBBBBBIIIHH", 22, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)
    op = parse_message(header + reply.ops).ops[0]
    return op.name, Particle(op.particle_type, op.value)


def particle(value: Any) -> Particle:
    """A value as a record has it. Strings in lists and maps begin with their type byte."""
    match value:
        case bool():
            return Particle(ParticleType.BOOL, bytes((value,)))
        case int():
            return Particle(ParticleType.INTEGER, struct.pack(">q", value))
        case float():
            return Particle(ParticleType.DOUBLE, struct.pack(">d", value))
        case str():
            return Particle(ParticleType.STRING, value.encode("utf-8", "surrogateescape"))
        case bytes():
            return Particle(ParticleType.BLOB, value)
        case list():
            return Particle(ParticleType.LIST, as_msgpack.pack(value))
        case _:
            return Particle(ParticleType.MAP, as_msgpack.pack(value))


def plain(value: Particle) -> Any:
    """The other way; other types stay as they are."""
    match value.type:
        case ParticleType.NULL:
            return None
        case ParticleType.BOOL:
            return value.data == b"\1"
        case ParticleType.INTEGER:
            return struct.unpack(">q", value.data)[0]
        case ParticleType.DOUBLE:
            return struct.unpack(">d", value.data)[0]
        case ParticleType.STRING:
            return value.data.decode("utf-8", "surrogateescape")
        case ParticleType.BLOB:
            return value.data
        case ParticleType.LIST | ParticleType.MAP:
            return as_msgpack.unpack(value.data)
        case _:
            return value


@pytest.fixture
def functions() -> Functions:
    """A node without modules and records."""
    return Functions()


@pytest.fixture(scope="session")
def make_functions() -> type[Functions]:
    """To make a node with other settings."""
    return Functions


@pytest.fixture(scope="session")
def digest() -> bytes:
    """The record that calls are about."""
    return DIGEST
