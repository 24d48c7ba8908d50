"""Indexes stay exact whatever happens: the entries are what a look at all records gives."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import ParticleType
from asd.bins.particle import Particle
from asd.config import NamespaceConfig
from asd.fastpath.one_bin import BinHead, OneBinWrite
from asd.measures.turns import Turns
from asd.process.heavy_work import Inline
from asd.process.transaction_threads import TransactionThreads
from asd.records.change import Change
from asd.records.record import Bins, pack_payload
from asd.sindex import IndexDefinition, KeyType, Source
from asd.sindex.indexes import LIGHT
from asd.sindex.work import IndexValues
from asd.space.engines import make_engine
from asd.space.index_builder import IndexBuilder
from asd.space.index_settler import IndexSettler
from asd.space.namespace import Namespace
from asd.space.truncation import Truncator
from citrusleaf.cf_clock import VirtualClock
from citrusleaf.cf_digest import partition_id
from cluster import PARTITIONS

KEYS = 4
USED_PARTITIONS = 3
DEFINITIONS = (
    IndexDefinition("n", b"s", b"n", KeyType.NUMERIC),
    IndexDefinition("everywhere", b"", b"n", KeyType.NUMERIC),
    IndexDefinition("t", b"s", b"t", KeyType.STRING),
    IndexDefinition("l", b"s", b"l", KeyType.NUMERIC, Source.LIST),
    IndexDefinition("ttl", b"s", b"", KeyType.NUMERIC, expression=as_msgpack.pack([69])),
    IndexDefinition("set", b"s", b"", KeyType.NUMERIC, Source.SET),
)

numbers = st.integers(-2, 2).map(
    lambda n: Particle(ParticleType.INTEGER, n.to_bytes(8, "big", signed=True))
)
texts = st.sampled_from([b"", b"a", b"b"]).map(lambda t: Particle(ParticleType.STRING, t))
lists = st.lists(st.integers(0, 3), max_size=3).map(
    lambda items: Particle(ParticleType.LIST, as_msgpack.pack(items))
)
values = st.one_of(numbers, texts)
some_bins = st.fixed_dictionaries({}, optional={b"n": values, b"t": values, b"l": lists})
key_numbers = st.integers(0, KEYS - 1)
sets = st.sampled_from([b"s", b"other", b""])


def digest(number: int) -> bytes:
    return bytes((number % USED_PARTITIONS, 0)) + bytes((number,)) * 18


class Exactness(RuleBasedStateMachine):
    """Writes of all kinds, removals, expiry, truncation, with indexes coming and going."""

    def __init__(self) -> None:
        super().__init__()
        config = NamespaceConfig("test", nsup_period=120)
        engine = make_engine(config)
        self.threads = TransactionThreads(1, 1)
        self.clock = VirtualClock()
        turns = Turns(self.clock.monotonic_ns, lambda end: None)
        self.namespace = Namespace(config, engine, self.clock, self.threads, turns, community=True)

    @initialize(
        definitions=st.one_of(
            st.just(DEFINITIONS[:3]), st.sets(st.sampled_from(DEFINITIONS), min_size=1)
        )
    )
    def begin(self, definitions: Iterable[IndexDefinition]) -> None:
        for definition in definitions:
            self.namespace.indexes.create(definition)
        self.build(PARTITIONS)

    def teardown(self) -> None:
        self.threads.stop()

    @rule(which=st.sampled_from(DEFINITIONS))
    def create_or_delete(self, which: IndexDefinition) -> None:
        if not self.namespace.indexes.delete(which.name):
            self.namespace.indexes.create(which)

    @rule(wanted=st.sets(st.sampled_from([b"s", b"other"])))
    def set_indexes(self, wanted: set[bytes]) -> None:
        self.namespace.indexes.keep_set_indexes(wanted)

    @rule(partitions=st.sampled_from([1, PARTITIONS, PARTITIONS]))
    def build(self, partitions: int) -> None:
        builder = IndexBuilder(self.namespace, self.threads)
        for index in self.namespace.indexes:
            for partition in range(index.built, min(USED_PARTITIONS, partitions)):
                builder._heavy.clear()
                rows = builder._rows(index, *builder._members(index, partition))
                index.entries.load(partition, sorted(rows))
                for slot in builder._heavy:
                    index.leave_unsettled(partition, slot)
            index.built = max(index.built, partitions)

    @rule(most=st.sampled_from([None, 0, 8, LIGHT]))
    def limit(self, most: int | None) -> None:
        """What a change may cost where it stands."""
        self.namespace.indexes.most = most

    @rule(turns=st.integers(0, 9))
    def settle(self, turns: int) -> None:
        """A settler works for some turns of the loop."""
        settler = IndexSettler(self.namespace, self.threads, Inline(IndexValues()))
        self.namespace.indexes.left.set()

        async def work() -> None:
            task = asyncio.create_task(settler.run())
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        asyncio.run(work())

    @rule(number=key_numbers, bins=some_bins, set_name=sets, ttl=st.sampled_from([0, 10]))
    def store(self, number: int, bins: Bins, set_name: bytes, ttl: int) -> None:
        void_time = self.clock.epoch_s() + ttl if ttl else 0
        payload = pack_payload(bins, b"")
        self.namespace.store(digest(number), 1, void_time, set_name, False, payload)

    @rule(number=key_numbers, written=st.lists(numbers, min_size=1, max_size=3))
    def write_numbers(self, number: int, written: list[Particle]) -> None:
        for value in written:
            self.write_one_bin(number, b"n", value, b"s")
            self.indexes_are_exact()

    @rule(number=key_numbers, name=st.sampled_from([b"n", b"t"]), value=values, set_name=sets)
    def write_one_bin(self, number: int, name: bytes, value: Particle, set_name: bytes) -> None:
        """As a plan does."""
        watching = self.namespace.indexes.watching(set_name)
        if not all(index.keys.direct for index in watching):
            return
        writes = OneBinWrite(self.namespace, set_name)
        size = 4 + len(name) + len(value.data)
        op = size.to_bytes(4, "big") + bytes((2, value.type, 0, len(name))) + name
        head = BinHead.parse(op)
        assert head is not None
        payload = head.start + value.data
        now = self.clock.epoch_ms()
        if not writes.overwrite(digest(number), now, writes.set_id, head.start, payload):
            writes.put(digest(number), now, head, payload)

    @rule(number=key_numbers)
    def remove(self, number: int) -> None:
        self.namespace.door.remove_unread(digest(number))

    @rule(number=key_numbers)
    def touch(self, number: int) -> None:
        record = self.namespace.engine.get(digest(number))
        if record is not None:
            self.namespace.commit(
                Change(
                    digest(number),
                    record,
                    self.namespace.renewed(record, self.clock.epoch_s() + 50),
                )
            )

    @rule(seconds=st.sampled_from([0.001, 1, 30]))
    def time_passes(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule(set_id=st.none() | st.integers(1, 2))
    def truncate(self, set_id: int | None) -> None:
        self.clock.advance(0.01)
        self.namespace.truncation.begin(set_id, self.clock.epoch_ms())
        asyncio.run(Truncator(self.namespace)._remove_hidden())
        self.namespace.truncation.clear()

    @invariant()
    def indexes_are_exact(self) -> None:
        namespace = self.namespace
        for index in namespace.indexes:
            index._check()
            wanted = set()
            for number in range(KEYS):
                record = namespace.engine.get(digest(number))
                if record is None or partition_id(digest(number)) >= index.built:
                    continue
                set_name = namespace.set_names[record[3]]
                if index.watches(set_name):
                    keys = index.keys_of(digest(number), record, set_name)
                    slot = namespace.engine.index.find(digest(number))
                    if slot in index.unsettled.get(partition_id(digest(number)), ()):
                        continue
                    wanted |= {(partition_id(digest(number)), bval, slot) for bval in keys}
            assert set(index.entries._all()) == wanted
            assert index.unsettled.keys() <= set(range(USED_PARTITIONS))


TestExactness = Exactness.TestCase
TestExactness.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
