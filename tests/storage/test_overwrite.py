"""The short cut for the most common update does what get and put would do, or nothing."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from storage.engine import TOMBSTONE, Overwrites
from storage.memory import MemoryEngine

DIGEST = bytes(range(20))
START = b"\x00\x01head"

RECORDS = st.tuples(
    st.sampled_from([1, 2, 65534, 65535]),
    st.sampled_from([0, 9]),
    st.just(500),
    st.sampled_from([1, 2]),
    st.sampled_from([0, 1, TOMBSTONE]),
    st.sampled_from([START + b"old", START + b"longer", b"\x00\x02headold", b""]),
)


@given(st.none() | RECORDS, st.sampled_from([START + b"new", START + b"longest"]))
def test_it_agrees_with_get_and_put(record: Any, payload: bytes) -> None:
    engine = MemoryEngine()
    if record is not None:
        engine.put(DIGEST, *record)
    before = engine.get(DIGEST)
    fits = (
        before is not None
        and before[1:5] == (0, 500, 1, 0)
        and before[5].startswith(START)
        and len(before[5]) == len(payload)
    )
    generation = engine.overwrite(DIGEST, 600, 1, START, payload)
    if not fits:
        assert generation == 0
        assert engine.get(DIGEST) == before
        return
    assert before is not None
    assert generation == before[0] % 65535 + 1
    assert engine.get(DIGEST) == (generation, 0, 600, 1, 0, payload)
    engine.index._check()


def test_the_memory_engine_has_it() -> None:
    assert isinstance(MemoryEngine(), Overwrites)
