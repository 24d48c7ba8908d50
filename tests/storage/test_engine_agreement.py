"""Engines side by side with the model: after any history they answer alike."""

from __future__ import annotations

import struct

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from storage.engine import TOMBSTONE, OutOfSpace
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
    return -(-(len(payload) + 8) // 16) * 16 if payload else 0


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
        assert sorted(self.engine.records()) == sorted(self.model.records())
        statistics = self.engine.statistics()
        expected = self.model.statistics()
        assert {name: statistics[name] for name in expected} == expected
        assert statistics["data_used_bytes"] == self.used_bytes()


TestEnginesBesideModel = EnginesBesideModel.TestCase
TestEnginesBesideModel.settings = settings(max_examples=50, stateful_step_count=50, deadline=None)
