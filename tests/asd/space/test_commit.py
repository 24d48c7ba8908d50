"""The door: observers see every change, once, in order, by whatever way it comes."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from aerospike_common.wire.codes import Info2, OpType, ParticleType, ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Op
from asd.records.change import Change
from storage.engine import Record

BIN = (b"a", ParticleType.INTEGER, struct.pack(">q", 5))


class Copy:
    """A copy of the records that is kept by observing."""

    def __init__(self) -> None:
        self.records: dict[bytes, Record] = {}
        self.told = 0

    def __call__(self, digest: bytes, new: Record | None) -> None:
        self.told += 1
        if new is None:
            self.records.pop(digest, None)
        else:
            self.records[digest] = new


def test_observers_see_every_kind_of_write(kit: Any) -> None:
    node = kit.make_node()
    namespace, copy, wire = node.namespaces[b"test"], Copy(), kit.Wire(node)
    wire.send(kit.put(1, BIN) * 2)
    namespace.door.observe(copy)
    node.paths.clear()
    text = (b"a", ParticleType.STRING, b"longer than before")
    touch = [Op(OpType.TOUCH, 0, b"", b"")]
    requests = [
        kit.put(1, BIN),
        kit.put(1, BIN),  # by its fast path
        kit.put(1, text),  # of another size
        kit.put(2, BIN, (b"b", ParticleType.STRING, b"x")),
        kit.put(2, BIN, (b"b", ParticleType.STRING, b"y")),
        kit.request(1, info2=Info2.WRITE, ops=touch),
        kit.put(3, BIN, fields={2: b"\x03key"}),
        kit.request(2, info2=Info2.WRITE | Info2.DELETE),
    ]
    for told, request in enumerate(requests, 1):
        assert wire.call(request).result_code == ResultCode.OK
        assert copy.told == told
    for number in (1, 2, 3):
        assert copy.records.get(kit.digest(number)) == namespace.engine.get(kit.digest(number))


def test_an_observer_that_is_forgotten_is_told_no_more(kit: Any) -> None:
    node = kit.make_node()
    namespace, copy = node.namespaces[b"test"], Copy()
    namespace.door.observe(copy)
    namespace.door.forget(copy)
    node.paths.clear()
    kit.Wire(node).send(kit.put(1, BIN))
    assert not copy.told
    assert not namespace.door.observers


def test_what_the_engine_refuses_nobody_hears_of(kit: Any, monkeypatch: Any) -> None:
    from storage.engine import OutOfSpace

    node = kit.make_node()
    namespace, copy = node.namespaces[b"test"], Copy()
    namespace.door.observe(copy)

    def refuse(*_: Any) -> None:
        raise OutOfSpace("full")

    monkeypatch.setattr(type(namespace.engine), "put", refuse)
    with pytest.raises(OperationError) as refusal:
        namespace.commit(Change(kit.digest(1), None, (1, 0, 5, 0, 0, b"\0\0")))
    assert refusal.value.code == ResultCode.OUT_OF_SPACE
    assert not copy.told


def test_without_observers_the_door_is_the_engine_s_own(kit: Any) -> None:
    namespace = kit.make_node().namespaces[b"test"]
    doors = namespace.door.doors(b"demo")
    assert doors.put == namespace.engine.put
    assert doors.overwrite == namespace.engine.overwrite
