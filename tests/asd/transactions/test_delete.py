"""Deletes: what they leave, and what they refuse."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from aerospike_common.wire.codes import Info2, OpType, ParticleType, ResultCode
from aerospike_common.wire.message import Op
from asd.config import Edition
from storage.engine import TOMBSTONE

BIN = (b"a", ParticleType.INTEGER, struct.pack(">q", 5))
DELETE = Info2.WRITE | Info2.DELETE


def test_a_durable_delete_in_memory_leaves_a_tombstone(kit: Any) -> None:
    """Other copies must be able to learn of it."""
    wire = kit.Wire(kit.make_node())
    for _ in range(3):
        wire.send(kit.put(1, BIN))
    reply = wire.call(kit.request(1, info2=DELETE | Info2.DURABLE_DELETE))
    assert reply.result_code == ResultCode.OK
    namespace = wire.node.namespaces[b"test"]
    assert namespace.engine.get(kit.digest(1)) is None
    entry = namespace.engine.index.entry(namespace.engine.index.find(kit.digest(1)))
    assert entry.flags & TOMBSTONE
    assert entry.generation == 4
    assert wire.call(kit.get(1)).result_code == ResultCode.NOT_FOUND
    wire.send(kit.put(1, BIN))
    assert wire.call(kit.get(1)).result_code == ResultCode.OK


def test_a_plain_delete_leaves_nothing(kit: Any) -> None:
    wire = kit.Wire(kit.make_node())
    wire.send(kit.put(1, BIN))
    assert wire.call(kit.request(1, info2=DELETE)).result_code == ResultCode.OK
    assert not wire.node.namespaces[b"test"].engine.index.find(kit.digest(1))
    assert wire.call(kit.request(1, info2=DELETE)).result_code == ResultCode.NOT_FOUND


@pytest.mark.parametrize("durable", [False, True])
def test_a_write_that_leaves_no_bin_is_a_delete(kit: Any, durable: bool) -> None:
    wire = kit.Wire(kit.make_node())
    wire.send(kit.put(1, BIN))
    info2 = Info2.WRITE | (Info2.DURABLE_DELETE if durable else 0)
    request = kit.request(1, info2=info2, ops=[Op(OpType.DELETE_ALL, 0, b"", b"")])
    assert wire.call(request).result_code == ResultCode.OK
    namespace = wire.node.namespaces[b"test"]
    assert namespace.statistics.deleted_last_bin == 1
    assert namespace.engine.index.tombstones == durable


def test_the_community_edition_deletes_nothing_durably(kit: Any) -> None:
    wire = kit.Wire(kit.make_node(edition=Edition.COMMUNITY))
    wire.send(kit.put(1, BIN))
    reply = wire.call(kit.request(1, info2=DELETE | Info2.DURABLE_DELETE))
    assert reply.result_code == ResultCode.ENTERPRISE_ONLY
    assert wire.call(kit.get(1)).result_code == ResultCode.OK
