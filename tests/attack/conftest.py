"""A node under attack: how long one request holds its loop, measured against an idle figure.

Bytes go into a connection of a node without sockets (`kit` of the tests of `asd`), so what `held`
measures is just what every other client would wait. The measure is `unit`: the processor time that
decoding and packing one list of a megabyte takes here and now. What a request is allowed is a
multiple of it, so a slow machine is slow on both sides.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import time
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import Info1, Info2, OpType, ParticleType
from aerospike_common.wire.message import Op, parse_message
from citrusleaf.cf_clock import VirtualClock

BIG = 190_000
"""Elements of a list that fills most of a record of the usual `max-record-size`."""


def _kit() -> ModuleType:
    """The helpers of the tests of `asd`, which are not on the path."""
    path = Path(__file__).parents[1] / "asd" / "conftest.py"
    spec = importlib.util.spec_from_file_location("asd_kit", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


kit = _kit()


class Target:
    """One node and one hostile client of it."""

    def __init__(self, clock: VirtualClock | None = None, **config: Any) -> None:
        self.node = kit.make_node(clock, **config)
        self.wire = kit.Wire(self.node)

    def put(self, number: int, *bins: tuple[bytes, int, bytes]) -> None:
        """Store a record; the test is wrong if that is refused."""
        assert parse_message(self.send(kit.put(number, *bins))[8:]).result_code == 0

    def store(self, number: int, **bins: Any) -> None:
        """Store lists, maps, strings and blobs."""
        self.put(number, *((name.encode(), *particle(value)) for name, value in bins.items()))

    def operate(self, number: int, *ops: Op, **more: Any) -> Any:
        """The answer to a command that writes."""
        return parse_message(self.send(operate(number, *ops, **more))[8:])

    def send(self, data: bytes) -> bytes:
        """The answer to a command, also to one that takes more than a turn of the loop."""

        async def answered() -> bytes:
            answer: bytes = self.wire.send(data)
            while self.wire.connection._job is not None:
                await asyncio.sleep(0)
                answer = self.wire.transport.written
            return answer

        return asyncio.run(answered())

    def held(self, data: bytes) -> tuple[float, bytes]:
        """Processor seconds of one piece of bytes, and what is answered."""
        gc.collect()
        began = time.thread_time()
        answer = self.send(data)
        return time.thread_time() - began, answer

    def peak(self, data: bytes) -> tuple[int, bytes]:
        """How many bytes more than before are in use at the worst moment, and what is answered."""
        gc.collect()
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            answer = self.send(data)
            return tracemalloc.get_traced_memory()[1] - before, answer
        finally:
            tracemalloc.stop()


def particle(value: Any) -> tuple[int, bytes]:
    """Particle type and bytes of a plain value."""
    if isinstance(value, bytes):
        return ParticleType.BLOB, value
    if isinstance(value, str):
        return ParticleType.STRING, value.encode()
    return (
        ParticleType.LIST if isinstance(value, list) else ParticleType.MAP,
        as_msgpack.pack(value),
    )


def operate(number: int, *ops: Op, info1: int = Info1.READ, **more: Any) -> bytes:
    """A framed command that writes."""
    request: bytes = kit.request(number, info1=info1, info2=Info2.WRITE, ops=ops, **more)
    return request


def modify(name: bytes, *op: Any) -> Op:
    """An operation that changes a list or map."""
    return Op(OpType.CDT_MODIFY, 0, name, as_msgpack.pack(list(op)))


def look(name: bytes, *op: Any) -> Op:
    """An operation that reads a list or map."""
    return Op(OpType.CDT_READ, 0, name, as_msgpack.pack(list(op)))


def bits(name: bytes, *op: Any) -> Op:
    """An operation that changes a blob."""
    return Op(OpType.BIT_MODIFY, ParticleType.BLOB, name, as_msgpack.pack(list(op)))


def compute(expression: Any, name: bytes = b"x") -> Op:
    """An expression that is read."""
    return Op(OpType.EXP_READ, 0, name, as_msgpack.pack([expression, 0]))


def code(answer: bytes) -> int:
    """The result code of one reply."""
    return answer[8 + 5]


@pytest.fixture
def target() -> Callable[..., Target]:
    """Makes a node to be attacked."""
    return Target


@pytest.fixture
def unit() -> float:
    """Processor seconds that decoding and packing a list of a megabyte takes: the least of some
    goes."""
    packed = as_msgpack.pack(list(range(70_000, 70_000 + BIG)))

    def once() -> float:
        began = time.thread_time()
        as_msgpack.pack(as_msgpack.unpack(packed))
        return time.thread_time() - began

    return min(once() for _ in range(5))


class Attack:
    """The helpers of this file, as a fixture."""

    BIG = BIG
    Target = Target
    kit = kit
    bits = staticmethod(bits)
    code = staticmethod(code)
    compute = staticmethod(compute)
    look = staticmethod(look)
    modify = staticmethod(modify)
    operate = staticmethod(operate)

    @staticmethod
    def integers(count: int) -> list[int]:
        """Integers of four bytes and more, in no order."""
        return [70_000 + at * 48_271 % 1_999_993 for at in range(count)]

    @staticmethod
    def texts(values: Iterable[str]) -> list[str]:
        """Strings as elements."""
        return ["\x03" + value for value in values]


@pytest.fixture
def attack() -> type[Attack]:
    """Everything needed to attack a node."""
    return Attack
