"""Engines side by side with the model: after any history they answer alike."""

from __future__ import annotations

import struct

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from storage.bulk import column, entries_at, partition_slots
from storage.engine import TOMBSTONE, OutOfSpace, raid_waited
from storage.index import ENTRY
from storage.memory import MemoryEngine
from storage.testing import ModelEngine

DATA_SIZE = 12_000

# Few digests with few homes: most collide, and most histories overwrite.
digests = st.builds(
    struct.Struct("<HIH12x").pack,
    st.sampled_from([3, 4096 + 3, 4095]),
    st.sampled_from([0, 5, 2**32 - 1]),
    st.integers(0, 1),
)
payloads = st.one_of(
    st.integers(0, 60).map(lambda size: b"s" * size),
    st.integers(0, 2000).map(lambda size: b"l" * size),
    st.binary(min_size=21, max_size=21),
)
metadata = st.tuples(
    st.integers(1, 65535),
    st.sampled_from([0, 10, 2**32 - 1]),
    st.integers(0, 2**40 - 1),
    st.sampled_from([0, 1, 65535]),
    st.sampled_from([0, 1, 0x7F]),
)


def place_size(payload: bytes) -> int:
    return -(-len(payload) // 8) * 8


class EnginesBesideModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.model = ModelEngine()
        self.engine = MemoryEngine(DATA_SIZE, block_size=4096)

    def used_bytes(self) -> int:
        return sum(place_size(record[5]) for record in self.model.held.values())

    @rule(digest=digests, meta=metadata, payload=payloads)
    def put(self, digest, meta, payload):
        before = self.model.held.get(digest)
        self.model.put(digest, *meta, payload)
        fits = self.used_bytes() <= DATA_SIZE
        try:
            self.engine.put(digest, *meta, payload)
        except OutOfSpace:
            assert not fits
            del self.model.held[digest]
            if before is not None:
                self.model.held[digest] = before
        else:
            assert fits

    @rule(digest=digests, meta=metadata, rounds=st.integers(1, 40), size=st.integers(20, 500))
    def overwrite_often(self, digest, meta, rounds, size):
        for n in range(rounds):
            self.put(digest, meta, bytes([n]) * (size + 16 * (n % 3)))

    @rule(digest=digests, meta=metadata)
    def put_tombstone(self, digest, meta):
        *others, flags = meta
        for engine in (self.engine, self.model):
            engine.put(digest, *others, flags | TOMBSTONE, b"")

    @rule(some=st.lists(digests, min_size=1))
    def remove(self, some):
        for digest in some:
            assert self.engine.remove(digest) == self.model.remove(digest)

    @rule(partition=st.sampled_from([3, 4095]), chosen=st.sets(st.integers(0, 11)))
    def remove_slots(self, partition, chosen):
        slots = partition_slots(self.engine.index, partition)
        slots = [slot for at, slot in enumerate(slots) if at in chosen]
        gone = self.engine.index.digests_at(slots)
        assert self.engine.remove_slots(partition, slots) == sum(map(self.model.remove, gone))

    @rule()
    def settle(self):
        while not self.engine.settle():
            pass

    @rule(
        digest=digests,
        set_id=st.sampled_from([0, 1]),
        fill=st.binary(min_size=1, max_size=1),
        now=st.sampled_from([77, 2**40 - 1]),
    )
    def overwrite(self, digest, set_id, fill, now):
        old = self.model.get(digest)
        payload = fill * (len(old[5]) if old else 21)
        start = old[5][:1] if old else b""
        fits = old is not None and (old[1], *old[3:5]) == (0, set_id, 0) and old[2] <= now
        slot = self.engine.index.find(digest)
        if fill < b"m":
            done = self.engine.overwrite(digest, now, set_id, start, payload)
            assert done == (old[0] % 65535 + 1 if fits else 0)
        else:
            done = self.engine.exchange(digest, now, set_id, start, payload)
            assert done == ((old[0] % 65535 + 1, slot, old[5]) if fits else None)
        if fits:
            self.model.put(digest, old[0] % 65535 + 1, 0, now, set_id, 0, payload)

    @rule(until=st.integers(0, 2**40 - 1))
    def raid(self, until):
        assert raid_waited(self.engine, until) == raid_waited(self.model, until)

    @rule()
    def clear(self):
        self.engine.clear()
        self.model.clear()

    @rule(partition=st.sampled_from([3, 4095]), after=st.none() | digests)
    def scan(self, partition, after):
        assert list(self.engine.scan(partition, after)) == list(self.model.scan(partition, after))

    @invariant()
    def agree(self):
        self.engine._check()
        for digest in self.model.held:
            assert self.engine.get(digest) == self.model.get(digest)
        for partition in (3, 4095):
            entries = b"".join(
                entries_at(self.engine.index, partition_slots(self.engine.index, partition))
            )
            found = self.engine.payloads(column(entries, "location"), column(entries, "size"))
            wanted = [self.model.held[entry[0]][5] for entry in ENTRY.iter_unpack(entries)]
            assert found == wanted
        assert sorted(self.engine.records()) == sorted(self.model.records())
        statistics = self.engine.statistics()
        expected = self.model.statistics()
        assert {name: statistics[name] for name in expected} == expected
        assert statistics["data_used_bytes"] == self.used_bytes()


TestEnginesBesideModel = EnginesBesideModel.TestCase
TestEnginesBesideModel.settings = settings(max_examples=50, stateful_step_count=50, deadline=None)
