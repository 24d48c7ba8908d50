"""An index built at once is the one that inserting the newest copies one by one gives."""

from __future__ import annotations

from struct import Struct

from hypothesis import given
from hypothesis import strategies as st

from storage.engine import TOMBSTONE
from storage.index import PrimaryIndex
from storage.index_builder import BACK, IndexBuilder

_FRONT = Struct("<20sHHIB3xQ")

COPIES = st.lists(
    st.lists(
        st.tuples(
            st.integers(0, 30),  # whose
            st.integers(0, 2),  # set
            st.sampled_from([0, 3, TOMBSTONE]),
            st.integers(1, 99),  # size
        ),
        max_size=30,
    ),
    max_size=5,
)


def digest_of(whose: int) -> bytes:
    """Of two partitions, with homes that collide."""
    return bytes((whose % 2, 0, whose % 5)) + bytes(3) + bytes((whose,)) * 14


@given(COPIES, st.randoms(use_true_random=False))
def test_it_keeps_the_newest_copy_of_each_digest(blocks, random):
    index = PrimaryIndex()
    builder = IndexBuilder(index)
    stamps = list(range(1, 1 + sum(map(len, blocks))))
    random.shuffle(stamps)
    copies = {}
    for rows in blocks:
        entries = []
        for whose, set_id, flags, size in rows:
            stamp = stamps.pop()
            digest = digest_of(whose)
            front = _FRONT.pack(digest, 1, set_id, 9, flags, 5)
            entries.append(front + BACK.pack(1000 + stamp, size, stamp))
            copies[stamp] = digest, 1, set_id, 9, flags, 5, 1000 + stamp, size
        builder.add(b"".join(entries))
    assert builder.count == len(copies)
    assert builder.stamp == max(copies, default=0)
    builder.finish()
    newest = {copies[stamp][0]: copies[stamp] for stamp in sorted(copies)}
    index._check()
    assert len(index) == len(newest)
    assert {digest: tuple(index.entry(index.find(digest))) for digest in newest} == newest
    kept = {copy[6] for copy in newest.values()}
    assert sorted(builder.superseded) == sorted(c[6] for c in copies.values() if c[6] not in kept)
