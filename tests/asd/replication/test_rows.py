"""Records as rows and back: nothing is lost on the way, whatever the flags and the set."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from asd.replication.rows import record_of, removal, row_of, set_bytes, set_text
from cluster import REMOVAL, TOMBSTONE
from storage import engine

DIGEST = bytes(range(20))


@given(
    st.integers(1, 65535),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**40 - 1),
    st.integers(0, 127),
    st.binary(max_size=20),
    st.binary(max_size=9),
)
def test_a_record_comes_back_as_it_was(
    generation: int, void_time: int, updated: int, flags: int, payload: bytes, name: bytes
) -> None:
    record = (generation, void_time, updated, 7, flags, payload)
    row = row_of(DIGEST, record, set_text(name))
    assert not row[5] & (REMOVAL | TOMBSTONE)
    assert record_of(row, lambda given: 7 if given == name else 0) == record
    assert set_bytes(set_text(name)) == name


def test_a_tombstone_is_one_on_both_sides() -> None:
    record = (3, 0, 9, 0, engine.TOMBSTONE, b"")
    row = row_of(DIGEST, record, "")
    assert row[5] & TOMBSTONE
    assert record_of(row, lambda name: 0) == record


def test_a_plain_delete_is_a_removal() -> None:
    row = removal(DIGEST, 5)
    assert (row[0], row[2], row[5], row[6]) == (DIGEST, 5, REMOVAL, b"")
