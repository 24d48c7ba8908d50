"""Every engine beside the model: after any history, restarts and crashes included, all agree."""

from __future__ import annotations

import shutil
import struct
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from storage.cold import ColdEngine
from storage.engine import TOMBSTONE, raid_waited
from storage.kv import KvEngine
from storage.mapped import MappedMemoryEngine
from storage.memory import MemoryEngine
from storage.ssd import SsdEngine
from storage.testing import FaultyDisk, ModelEngine, surviving_files
from storage.testing.crash import seeded

LASTING = ("mapped", "ssd", "cold", "kv")

digests = st.builds(
    struct.Struct("<HIHB11x").pack,
    st.sampled_from([3, 4096 + 3, 4095]),
    st.sampled_from([0, 5]),
    st.integers(0, 1),
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


class EnginesSideBySide(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.disk = FaultyDisk()
        self.image: dict[str, bytearray] = {}
        self.model = ModelEngine()
        self.removed: set[bytes] = set()
        self.engines: dict[str, Any] = {"memory": MemoryEngine(block_size=4096)}
        self.engines |= {name: self.make(name) for name in LASTING}
        for engine in self.engines.values():
            engine.open()

    def make(self, name: str) -> Any:
        if name == "mapped":
            return MappedMemoryEngine(str(self.folder / "mapped"), block_size=4096)
        if name == "ssd":
            return SsdEngine(
                ["a", "b"], self.disk, block_size=4096, names_size=4096, cache_bytes=16384
            )
        if name == "cold":
            return ColdEngine(
                str(self.folder / "cold"), block_size=8192, chunk_bytes=700, read_blocking=True
            )
        return KvEngine(str(self.folder / "kv"))

    def teardown(self) -> None:
        for engine in self.engines.values():
            engine.close()
        shutil.rmtree(self.folder)

    @rule(digest=digests, meta=metadata, payload=payloads)
    def put(self, digest, meta, payload):
        for engine in (self.model, *self.engines.values()):
            engine.put(digest, *meta, payload)
        self.removed.discard(digest)

    @rule(digest=digests, meta=metadata, rounds=st.integers(1, 40), size=st.integers(20, 500))
    def overwrite_often(self, digest, meta, rounds, size):
        for n in range(rounds):
            self.put(digest, meta, bytes([n]) * (size + 16 * (n % 3)))

    @rule(digest=digests, meta=metadata)
    def put_tombstone(self, digest, meta):
        *others, flags = meta
        self.put(digest, (*others, flags | TOMBSTONE), b"")

    @rule(digest=digests)
    def remove(self, digest):
        expected = self.model.remove(digest)
        for engine in self.engines.values():
            assert engine.remove(digest) == expected
        self.removed.add(digest)

    @rule(until=st.integers(0, 2**40 - 1))
    def raid(self, until):
        """What older copies make an engine keep goes plainly, so that all hold the same again."""
        before = set(self.model.held)
        count = raid_waited(self.model, until)
        gone = before - set(self.model.held)
        for name, engine in self.engines.items():
            taken = raid_waited(engine, until)
            assert taken <= count if name in ("ssd", "cold") else taken == count, name
            for digest in gone:
                assert not engine.remove(digest), name
        self.removed |= gone

    @rule(set_id=st.integers(1, 3), name=st.binary(max_size=20))
    def name_set(self, set_id, name):
        for engine in (self.model, *self.engines.values()):
            engine.name_set(set_id, name)

    @rule(key=st.sampled_from([b"a", b"b" * 32]), value=st.none() | st.binary(max_size=256))
    def set_meta(self, key, value):
        for engine in (self.model, *self.engines.values()):
            engine.set_meta(key, value)

    @rule()
    def clear(self):
        for engine in (self.model, *self.engines.values()):
            engine.clear()
        self.removed.clear()

    @rule()
    def sync(self):
        for engine in self.engines.values():
            engine.sync()

    @rule(name=st.sampled_from(LASTING))
    def reopen(self, name):
        self.engines[name].close()
        self.engines[name] = self.make(name)
        self.engines[name].open()
        assert self.engines[name].started_warm

    @rule(seed=st.integers(0, 2**32))
    def crash(self, seed):
        """What was synced is there again; what was plainly removed may be, so it is once more."""
        ssd = self.engines["ssd"]
        ssd.sync()
        ssd.put(bytes(20), 9, 0, 1, 1, 0, b"lost or not")  # not of the digests compared
        files = surviving_files(self.disk.trace, seeded(seed), self.image)
        self.image = {path: bytearray(data) for path, data in files.items()}
        self.disk = FaultyDisk(files)
        crashed = self.engines["ssd"] = self.make("ssd")
        crashed.open()
        assert not crashed.started_warm
        for digest in (bytes(20), *self.removed):
            crashed.remove(digest)

    @rule(partition=st.sampled_from([3, 4095]), after=st.none() | digests)
    def scan(self, partition, after):
        expected = list(self.model.scan(partition, after))
        for engine in self.engines.values():
            assert list(engine.scan(partition, after)) == expected

    @rule(met=st.integers(0, 9), some=st.lists(digests), meta=metadata, payload=payloads)
    def change_under_a_pass(self, met, some, meta, payload):
        """What does not change is met once, the rest as it was or as it is."""
        before = dict(self.model.records())
        passes = {name: engine.records() for name, engine in self.engines.items()}
        rows = {name: list(islice(records, met)) for name, records in passes.items()}
        for n, digest in enumerate(some):
            if n % 2:
                self.remove(digest)
            else:
                self.put(digest, meta, payload)
        now = dict(self.model.records())
        lasting = [digest for digest in before if now.get(digest) == before[digest]]
        for name, records in passes.items():
            rows[name] += records
            digests_met = [digest for digest, _ in rows[name]]
            assert [digests_met.count(digest) for digest in lasting] == [1] * len(lasting), name
            for digest, record in rows[name]:
                assert record in (before.get(digest), now.get(digest)), name

    @invariant()
    def agree(self):
        expected = self.model.statistics()
        records = sorted(self.model.records())
        for name, engine in self.engines.items():
            engine._check()
            assert sorted(engine.records()) == records, name
            for digest in self.model.held:
                assert engine.get(digest) == self.model.get(digest), name
            statistics = engine.statistics()
            assert {key: statistics[key] for key in expected} == expected, name
            assert engine.set_names == self.model.set_names, name
            assert engine.meta() == self.model.meta(), name


TestEnginesSideBySide = EnginesSideBySide.TestCase
TestEnginesSideBySide.settings = settings(max_examples=25, stateful_step_count=30, deadline=None)
