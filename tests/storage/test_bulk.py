"""Bulk passes agree with the engine's one-by-one methods."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from storage import MemoryEngine, bulk
from storage.engine import TOMBSTONE

records = st.lists(
    st.tuples(
        st.binary(min_size=3, max_size=3).map(lambda d: d[:1] + b"\0" + d[1:] * 9),
        st.integers(1, 3),
        st.sampled_from([0, 1, TOMBSTONE]),
        st.binary(min_size=1, max_size=40),
    ),
    max_size=60,
    unique_by=lambda record: record[0],
)


def filled(rows: list[tuple[bytes, int, int, bytes]], partition: int = 5) -> MemoryEngine:
    """An engine with the records, most of them in one partition."""
    engine = MemoryEngine(block_size=256)
    for digest, set_id, flags, payload in rows:
        where = digest if digest[2] < 50 else bytes((partition, 0)) + digest[2:]
        engine.put(where, 1, 9, 5, set_id, flags, b"" if flags & TOMBSTONE else payload)
    return engine


@settings(max_examples=60, deadline=None)
@given(records, st.integers(0, 255))
def test_entries_columns_and_payloads(
    rows: list[tuple[bytes, int, int, bytes]], partition: int
) -> None:
    engine = filled(rows, partition)
    slots = bulk.partition_slots(engine.index, partition)
    entries = bulk.entries_at(engine.index, slots)
    assert sorted(entry[:20] for entry in entries) == engine.index.digests(partition)
    assert bulk.entries_in_order(engine.index, slots) == sorted(entries)
    joined = b"".join(entries)
    wanted = [engine.index.entry(slot) for slot in slots]
    for name in ("generation", "set_id", "void_time", "flags", "size", "location"):
        values = [getattr(entry, name) for entry in wanted]
        assert bulk.column(joined, name) == values == bulk.column_at(engine.index, name, slots)
    locations, sizes = bulk.column(joined, "location"), bulk.column(joined, "size")
    found = engine.payloads(locations, sizes)
    for entry, payload in zip(wanted, found, strict=True):
        record = engine.get(entry.digest)
        assert payload == (b"" if record is None else record[5])
    live = [at for at, size in enumerate(sizes) if size]
    starts = [locations[at] for at in live]
    assert engine.payload_byte(starts, 0) == bytes(found[at][0] for at in live)
    cut = engine.payloads(starts, [sizes[at] for at in live], skip=1)
    assert cut == [found[at][1:] for at in live]


@settings(max_examples=60, deadline=None)
@given(records, st.integers(0, 255), st.sets(st.integers(0, 59)))
def test_removing_slots_is_removing_each(
    rows: list[tuple[bytes, int, int, bytes]], partition: int, chosen: set[int]
) -> None:
    engine, model = filled(rows, partition), filled(rows, partition)
    slots = bulk.partition_slots(engine.index, partition)
    gone = [slot for at, slot in enumerate(slots) if at in chosen]
    digests = [entry[:20] for entry in bulk.entries_at(engine.index, gone)]
    assert engine.remove_slots(partition, gone) == sum(map(model.remove, digests))
    while not engine.settle():
        pass
    engine._check()
    for part in range(256):
        assert list(engine.scan(part)) == list(model.scan(part))
    for digest in digests:
        engine.put(digest, 1, 0, 5, 1, 0, b"again")
    engine._check()


@given(st.binary(min_size=1, max_size=20), st.binary(max_size=20), st.booleans())
def test_exchange_is_overwrite_with_more_to_tell(old: bytes, new: bytes, other: bool) -> None:
    engines = MemoryEngine(), MemoryEngine()
    digest = bytes(range(20))
    for engine in engines:
        engine.put(digest, 65535, 0, 5, 1, int(other), old)
    start = old[:1]
    generation = engines[0].overwrite(digest, 6, 1, start, new)
    done = engines[1].exchange(digest, 6, 1, start, new)
    if generation:
        assert done == (generation, engines[1].index.find(digest), old)
    else:
        assert done is None
    assert engines[0].get(digest) == engines[1].get(digest)
    assert engines[1].exchange(bytes(20), 6, 1, start, new) is None
