"""Room for records: truncation, expiry, eviction, and when writes stop."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.config import NamespaceConfig
from asd.config.namespace import StorageConfig
from asd.measures.turns import Turns
from asd.process.machine import Machine, Readings
from asd.process.transaction_threads import TransactionThreads
from asd.space.engines import make_engine
from asd.space.namespace import Namespace
from asd.space.nsup import Nsup
from asd.space.truncation import TruncationMetadata, Truncator
from citrusleaf.cf_clock import VirtualClock
from cluster.smd import MemoryStore, Smd

PAYLOAD = b"\0\0" + bytes(30)


class TightMachine(Machine):
    """A machine whose free memory the test sets."""

    free_pct = 50

    def read(self) -> Readings:
        return Readings(memory_total=100, memory_free=self.free_pct)


class Space:
    """A namespace with its supervisor."""

    def __init__(self, **config: Any) -> None:
        self.clock = VirtualClock()
        self.config = NamespaceConfig("test", nsup_period=120, **config)
        engine = make_engine(self.config)
        self.threads = TransactionThreads(1, 1)
        turns = Turns(self.clock.monotonic_ns, lambda end: None)
        self.namespace = Namespace(
            self.config, engine, self.clock, self.threads, turns, community=True
        )
        self.machine = TightMachine()
        self.changes = 0
        self.nsup = Nsup(self.namespace, self.machine, self.changed)

    def changed(self) -> None:
        self.changes += 1

    def put(self, number: int, ttl: int = 0, set_name: bytes = b"s") -> bytes:
        digest = (number * 2654435761 % 2**32).to_bytes(4, "big") * 5
        void_time = self.clock.epoch_s() + ttl if ttl else 0
        self.namespace.store(digest, 1, void_time, set_name, False, PAYLOAD)
        return digest

    def has(self, digest: bytes) -> bool:
        return self.namespace.load(digest, self.clock.epoch_s()) is not None

    @property
    def count(self) -> int:
        return self.namespace.engine.index.objects


@pytest.fixture
def spaces() -> Iterator[Any]:
    """Makes spaces; their threads end with the test."""
    made: list[Space] = []

    def make(**config: Any) -> Space:
        made.append(Space(**config))
        return made[-1]

    yield make
    for space in made:
        space.threads.stop()


# -------------------------------------------------------------------- truncation


def truncate(space: Space) -> TruncationMetadata:
    """What the node has for truncation."""
    smd = Smd(MemoryStore(), ["truncate"])
    metadata = TruncationMetadata(smd, {b"test": space.namespace}, space.clock, space.changed)
    metadata.start()
    return metadata


async def work(space: Space) -> None:
    """Let the job do what there is, by the time that thresholds are over."""
    space.clock.advance(0.001)
    task = asyncio.create_task(Truncator(space.namespace).run())
    await asyncio.sleep(0)
    while space.namespace.truncation.running:
        await asyncio.sleep(0)
    task.cancel()


def test_what_is_truncated_is_gone_at_once_and_removed_later(spaces: Any) -> None:
    space = spaces()
    old = space.put(1)
    other = space.put(2, set_name=b"other")
    truncate(space).truncate("test", "s", space.clock.epoch_ms() + 1)
    assert not space.has(old)
    assert space.has(other)
    new = space.put(3)
    again = space.put(1)
    assert space.has(new)
    assert space.has(again)
    assert space.namespace.limits_writes(b"s")
    asyncio.run(work(space))
    assert (space.count, space.has(new), space.has(again), space.has(other)) == (
        3,
        True,
        True,
        True,
    )
    assert not space.namespace.limits_writes(b"s")
    assert space.changes == 1


def test_only_what_is_older_than_the_threshold(spaces: Any) -> None:
    space = spaces()
    old = space.put(1)
    space.clock.advance(10)
    threshold = space.clock.epoch_ms()
    space.clock.advance(10)
    new = space.put(2)
    truncate(space).truncate("test", None, threshold)
    asyncio.run(work(space))
    assert (space.count, space.has(old), space.has(new)) == (1, False, True)
    assert space.namespace.truncation.thresholds == {None: threshold}


def test_an_unknown_set_or_namespace_is_no_matter(spaces: Any) -> None:
    space = spaces()
    space.put(1)
    metadata = truncate(space)
    metadata.truncate("test", "unknown", space.clock.epoch_ms())
    metadata.truncate("unknown", None, space.clock.epoch_ms())
    metadata.undo("test", "unknown")
    assert not space.namespace.truncation.running


def test_taking_a_threshold_back(spaces: Any) -> None:
    space = spaces()
    digest = space.put(1)
    metadata = truncate(space)
    metadata.truncate("test", "s", space.clock.epoch_ms() + 1)
    metadata.undo("test", "s")
    assert space.has(digest)


# ------------------------------------------------------------ expiry and eviction


def test_a_cycle_removes_what_has_expired(spaces: Any) -> None:
    space = spaces()
    for number in range(500):
        space.put(number, ttl=10 if number % 2 else 0)
    space.clock.advance(20)
    assert asyncio.run(space.nsup.cycle()) == 250
    assert space.count == 250
    assert space.namespace.statistics.expired_objects == 250


def test_the_soonest_to_expire_are_evicted(spaces: Any) -> None:
    space = spaces(indexes_memory_budget=1000, evict_indexes_memory_pct=50, evict_tenths_pct=100)
    protected = [space.put(number, ttl=100, set_name=b"kept") for number in range(10)]
    space.config.set_of_set(b"kept", "disable-eviction", "true")
    never = [space.put(100 + number) for number in range(10)]
    soon = [space.put(200 + number, ttl=1000 + number) for number in range(10)]
    late = [space.put(300 + number, ttl=900_000) for number in range(90)]
    evicted = asyncio.run(space.nsup.cycle())
    assert evicted == space.namespace.statistics.evicted_objects == 10
    assert space.namespace.hwm_breached
    assert not any(map(space.has, soon))
    assert all(map(space.has, [*protected, *never, *late]))


def test_nothing_is_evicted_below_the_threshold(spaces: Any) -> None:
    space = spaces(indexes_memory_budget=1 << 30, evict_indexes_memory_pct=50)
    space.put(1, ttl=100)
    assert asyncio.run(space.nsup.cycle()) == 0
    assert not space.namespace.hwm_breached


# ------------------------------------------------------------------- stop-writes


def refused(space: Space, number: int = 1) -> int:
    with pytest.raises(OperationError) as error:
        space.put(number)
    return error.value.code


def test_writes_stop_with_the_machines_memory(spaces: Any) -> None:
    space = spaces()
    space.machine.free_pct = 5
    space.nsup.watch()
    assert refused(space) == ResultCode.OUT_OF_SPACE
    assert space.namespace.limits_writes(b"s")
    space.machine.free_pct = 50
    space.nsup.watch()
    space.put(1)
    assert space.changes == 2


def test_writes_stop_with_the_data_size(spaces: Any) -> None:
    space = spaces(storage_engine=StorageConfig(data_size=3200, stop_writes_used_pct=50))
    number = 0
    while not space.namespace.stop_writes:
        space.put(number := number + 1)
        space.nsup.watch()
    assert 45 <= number <= 55
    assert refused(space) == ResultCode.OUT_OF_SPACE
    for done in range(1, number):
        space.namespace.door.remove_unread(space_digest(done))
    space.nsup.watch()
    space.put(1)


def space_digest(number: int) -> bytes:
    return (number * 2654435761 % 2**32).to_bytes(4, "big") * 5


@pytest.mark.parametrize(("limit", "value"), [("stop-writes-count", 3), ("stop-writes-size", 90)])
def test_a_set_has_limits_of_its_own(spaces: Any, limit: str, value: int) -> None:
    space = spaces()
    space.config.set_of_set(b"s", limit, str(value))
    digests = [space.put(number) for number in range(3)]
    assert refused(space, 9) == ResultCode.FORBIDDEN
    space.put(10, set_name=b"other")
    space.namespace.door.remove_unread(digests[0])
    space.put(9)


def test_a_threshold_from_before_a_restart_holds(spaces: Any) -> None:
    space = spaces()
    old = space.put(1)
    space.clock.advance(10)
    smd = Smd(MemoryStore(), ["truncate"])
    smd.set("truncate", "test|s", str(space.clock.epoch_ms()), 0)
    TruncationMetadata(smd, {b"test": space.namespace}, space.clock, space.changed).start()
    assert not space.has(old)
