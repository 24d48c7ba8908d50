"""What blocks leaves the loop: reads that are not in memory, writes that wait for the medium."""

from __future__ import annotations

import asyncio
import struct
import threading
from typing import Any

import pytest

from aerospike_common.wire.codes import ParticleType
from asd.measures.turns import Turns
from asd.process.transaction_threads import TransactionThreads
from asd.space.namespace import Namespace
from citrusleaf.cf_clock import VirtualClock
from storage.engine import NotResident, StorageError
from storage.memory import MemoryEngine

BIN = (b"a", ParticleType.INTEGER, struct.pack(">q", 5))


class ColdEngine(MemoryEngine):
    """Every record must be loaded, on another thread, before it can be read once."""

    def __init__(self) -> None:
        super().__init__()
        self.cold = True
        self.loads: list[int] = []

    def get(self, digest: bytes) -> Any:
        if self.cold:
            raise NotResident(self._load)
        return super().get(digest)

    def _load(self) -> None:
        self.loads.append(threading.get_ident())
        self.cold = False


class SlowMedium(MemoryEngine):
    """Writes must be synced; a sync waits until the test lets it go."""

    def __init__(self) -> None:
        super().__init__()
        self.acknowledges_sync = True
        self.syncs = 0
        self.go = threading.Semaphore(0)
        self.broken = False
        self.fault: Exception = OSError("the medium is gone")

    def sync(self) -> None:
        self.go.acquire()
        self.syncs += 1
        if self.broken:
            raise self.fault


def use(node: Any, engine: Any) -> None:
    config = node.namespaces[b"test"].config
    turns = Turns(node.clock.monotonic_ns, asyncio.get_running_loop().call_soon)
    node.namespaces[b"test"] = Namespace(
        config, engine, node.clock, node.transaction_threads, turns, community=True
    )


async def settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0.001)


def test_a_read_that_blocks_is_answered_later_and_in_order(kit: Any) -> None:
    async def play() -> None:
        node = kit.make_node()
        engine = ColdEngine()
        use(node, engine)
        wire = kit.Wire(node)
        assert wire.send(kit.get(1) + kit.put(1, BIN) + kit.get(1)) == b""
        assert not wire.transport.reading
        await settle()
        assert kit.codes(wire.transport.written) == [2, 0, 0]
        assert wire.transport.reading
        assert engine.loads
        assert threading.get_ident() not in engine.loads
        node.transaction_threads.stop()

    asyncio.run(play())


def test_a_plan_whose_record_is_not_in_memory_waits_too(kit: Any) -> None:
    async def play() -> None:
        node = kit.make_node()
        engine = ColdEngine()
        engine.cold = False
        use(node, engine)
        wire = kit.Wire(node)
        wire.send(kit.put(1, BIN))
        assert kit.codes(wire.send(kit.get(1))) == [0]
        assert node.paths.table
        engine.cold = True
        assert wire.send(kit.get(1)) == b""
        await settle()
        assert kit.codes(wire.transport.written) == [0]
        node.transaction_threads.stop()

    asyncio.run(play())


def test_writes_wait_for_the_medium_and_share_a_sync(kit: Any) -> None:
    async def play() -> None:
        node = kit.make_node()
        engine = SlowMedium()
        use(node, engine)
        wires = [kit.Wire(node) for _ in range(5)]
        for number, wire in enumerate(wires):
            assert wire.send(kit.put(number, BIN)) == b""
        await settle()
        assert all(wire.transport.written == b"" for wire in wires)
        engine.go.release()
        engine.go.release()
        await settle()
        assert all(kit.codes(wire.transport.written) == [0] for wire in wires)
        assert engine.syncs <= 2
        node.transaction_threads.stop()

    asyncio.run(play())


def test_a_write_does_not_trust_a_sync_that_began_before_it(kit: Any) -> None:
    async def play() -> None:
        node = kit.make_node()
        engine = SlowMedium()
        use(node, engine)
        first, second = kit.Wire(node), kit.Wire(node)
        first.send(kit.put(1, BIN))
        await settle()  # its sync has begun
        second.send(kit.put(2, BIN))
        engine.go.release()
        await settle()
        assert kit.codes(first.transport.written) == [0]
        assert second.transport.written == b""
        engine.go.release()
        await settle()
        assert kit.codes(second.transport.written) == [0]
        node.transaction_threads.stop()

    asyncio.run(play())


def test_waiting_for_the_medium_is_part_of_how_long_it_takes(kit: Any) -> None:
    async def play() -> None:
        clock = VirtualClock()
        clock.advance(1)
        node = kit.make_node(clock)
        engine = SlowMedium()
        use(node, engine)
        wire, namespace = kit.Wire(node), node.namespaces[b"test"]
        wire.send(kit.put(1, BIN))
        await settle()
        assert sum(namespace.write_latency.counts) == 0
        clock.advance(0.25)
        engine.go.release()
        await settle()
        assert sum(namespace.write_latency.counts) == 1
        assert namespace.write_latency.total_ns == 250_000_000
        use(node, ColdEngine())
        namespace = node.namespaces[b"test"]
        wire.send(kit.get(1))
        clock.advance(0.125)
        await settle()
        assert sum(namespace.read_latency.counts) == 1
        assert namespace.read_latency.total_ns == 125_000_000
        node.transaction_threads.stop()

    asyncio.run(play())


@pytest.mark.parametrize("fault", [OSError("gone"), StorageError("damaged")])
def test_a_medium_that_cannot_sync_is_said(
    kit: Any, caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    async def play() -> None:
        node = kit.make_node()
        engine = SlowMedium()
        engine.broken, engine.fault = True, fault
        use(node, engine)
        wire = kit.Wire(node)
        wire.send(kit.put(1, BIN))
        engine.go.release()
        await settle()
        assert kit.codes(wire.transport.written) == [9]  # it is done, and may not last: in doubt
        node.transaction_threads.stop()

    asyncio.run(play())
    assert "cannot sync" in caplog.text


def test_the_threads_finish_what_is_queued() -> None:
    async def play() -> list[int]:
        threads = TransactionThreads(2, 2)
        done: list[int] = []
        waits = [asyncio.create_task(threads.run(lambda n=n: done.append(n))) for n in range(20)]
        await asyncio.gather(*waits)
        threads.stop()
        return done

    assert sorted(asyncio.run(play())) == list(range(20))


def test_what_the_work_raises_comes_back() -> None:
    async def play() -> None:
        threads = TransactionThreads(1, 1)

        def work() -> None:
            raise OSError("no medium")

        with pytest.raises(OSError, match="no medium"):
            await threads.run(work)
        threads.stop()

    asyncio.run(play())
