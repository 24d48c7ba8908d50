"""What the cluster library asks of a namespace."""

from __future__ import annotations

from typing import Any

import pytest

from asd.replication.rows import removal
from asd.sindex import IndexDefinition, KeyType
from asd.space.consistency import Consistency
from cluster import REMOVAL, TOMBSTONE
from cluster.consistency.stamp import time_of
from cluster.messages import RecordRow
from storage.bulk import partition_slots

DIGEST = bytes([5, 0]) + bytes(18)  # of partition 5
OTHER = bytes([6, 0]) + bytes(18)


def row(digest: bytes = DIGEST, generation: int = 1, updated: int = 100, **more: Any) -> RecordRow:
    flags = more.get("flags", 0)
    body = b"" if flags & (TOMBSTONE | REMOVAL) else more.get("body", b"\0\0")
    return digest, generation, updated, 0, more.get("set_name", "s"), flags, body


def test_rows_are_put_and_read_back(bench: Any) -> None:
    rows = (row(), row(OTHER, 7))
    assert bench.store.apply(rows, False, False) == 2
    assert bench.store.load((DIGEST, OTHER, bytes(20))) == rows
    assert bench.namespace.find_set(b"s") is not None
    assert bench.sent == []


def test_the_lane_is_believed_and_a_migration_resolved(bench: Any) -> None:
    bench.store.apply((row(generation=5),), False, False)
    bench.store.apply((row(generation=3),), True, False)
    assert bench.store.row(DIGEST)[1] == 5
    bench.store.apply((row(generation=6),), True, False)
    assert bench.store.row(DIGEST)[1] == 6
    bench.store.apply((row(generation=2),), False, False)
    assert bench.store.row(DIGEST)[1] == 2


def test_removals_leave_nothing_and_tombstones_themselves(bench: Any) -> None:
    bench.store.apply((row(), row(OTHER)), False, False)
    bench.store.apply((removal(DIGEST, 200), row(OTHER, 2, flags=TOMBSTONE)), False, False)
    assert bench.store.row(DIGEST) is None
    assert bench.store.row(OTHER)[5] & TOMBSTONE
    assert bench.namespace.find(OTHER) is None
    bench.store.apply((row(OTHER, 1),), True, True)
    assert bench.store.row(OTHER)[5] & TOMBSTONE, "an older version does not come back"


def test_a_survey_tells_what_a_comparison_needs(bench: Any, kit: Any) -> None:
    bench.store.apply((row(), row(OTHER)), False, False)
    ((summary,),) = bench.store.survey(5)
    assert summary[:3] == (DIGEST, 1, 100)
    assert bench.store.compare((summary,), True) == ()
    newer = (DIGEST, 2, *summary[2:])
    older = (DIGEST, 1, 50, *summary[3:])
    unknown = (bytes(20), 1, 1, 0, 0, 2)
    assert bench.store.compare((older, newer, unknown), True) == (1, 2)
    assert bench.store.compare((older, newer, unknown), False) == (0, 1, 2)


def test_a_survey_in_slices_tells_what_stays_and_nothing_of_other_partitions(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asd.replication.store.SURVEY_SLICE", 2)
    digests = [b"\5\0" + bytes([n]) * 18 for n in range(6)]
    bench.store.apply(tuple(row(digest) for digest in digests), False, False)
    slices = bench.store.survey(5)
    told = next(slices)
    gone, *stay = [digest for digest in digests if digest not in {each[0] for each in told}]
    bench.store.apply((removal(gone, 200), row(b"\6\0" + bytes(18))), False, False)
    told += [each for rows in slices for each in rows]
    assert {each[0] for each in told} == {*digests} - {gone}
    assert len(stay) == 3


def test_what_a_truncation_hides_does_not_come_back_by_migration(bench: Any) -> None:
    bench.metadata.set("truncate", "test|s", "500", 1)
    bench.metadata.set("truncate", "bar", "900", 1)
    bench.store.apply((row(updated=499), row(OTHER, updated=500)), True, True)
    assert bench.store.row(DIGEST) is None
    assert bench.store.row(OTHER) is not None
    bench.store.apply((row(updated=499),), False, False)
    assert bench.store.row(DIGEST) is not None, "what the master writes is newer than it looks"


def test_a_late_version_does_not_come_back_after_a_truncation(bench: Any) -> None:
    """It was under way on a connection that broke, and is given once more over the next."""
    space = bench.namespace
    space.consistency = Consistency(space.commitments, space.clock.monotonic_ns)
    bench.store.apply((row(updated=499),), False, False)
    space.truncation.begin(space.intern_set(b"s"), 500)
    space.door.remove_slots(5, list(partition_slots(space.engine.index, 5)))
    space.truncation.end(space.intern_set(b"s"), 500)
    bench.store.apply((row(updated=499), row(OTHER, updated=500)), False, False)
    bench.store.take_winner(row(updated=499))
    assert bench.store.row(DIGEST) is None
    assert bench.store.row(OTHER) is not None
    bench.store.apply((removal(OTHER, 400),), False, False)
    assert bench.store.row(OTHER) is None, "what is gone is gone"


def test_a_write_after_a_truncation_is_later_whatever_the_clock_does(bench: Any) -> None:
    space = bench.namespace
    space.consistency = Consistency(space.commitments, space.clock.monotonic_ns)
    threshold = space.clock.epoch_ms() + 3_600_000
    space.truncation.begin(space.intern_set(b"s"), threshold)
    space.truncation.end(space.intern_set(b"s"), threshold)
    bench.put(DIGEST)
    assert time_of(bench.store.row(DIGEST)[2]) >= threshold


def test_indexes_are_exact_on_a_copy(bench: Any) -> None:
    indexes = bench.namespace.indexes
    indexes.create(IndexDefinition("i", b"s", b"a", KeyType.NUMERIC))
    indexes.find("i").built = 4096
    value = b"\0\1" + (4 + 1 + 8).to_bytes(4, "big") + b"\1\1\0\1a" + (7).to_bytes(8, "big")
    bench.store.apply((row(body=value),), False, False)
    assert len(indexes.find("i").entries) == 1
    bench.store.apply((row(generation=2),), True, True)
    assert len(indexes.find("i").entries) == 0


def test_a_dropped_partition_is_empty_and_others_are_not(bench: Any) -> None:
    bench.store.apply((row(), row(OTHER, 1, flags=TOMBSTONE)), False, False)
    bench.store.drop(5)
    assert bench.store.row(DIGEST) is None
    assert bench.store.row(OTHER) is not None
    bench.store.drop(6)
    assert list(bench.store.survey(6)) == []


def test_what_the_medium_refuses_is_not_counted_as_kept(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from storage.engine import OutOfSpace

    put = bench.namespace.engine.put

    def full(digest: bytes, *rest: Any) -> None:
        if digest == OTHER:
            raise OutOfSpace
        put(digest, *rest)

    monkeypatch.setattr(bench.namespace.door, "_engine", Refusing(bench.namespace.engine, full))
    assert bench.store.apply((row(), row(OTHER)), False, False) == 1
    assert bench.store.row(DIGEST) is not None


class Refusing:
    """An engine with another `put`."""

    def __init__(self, engine: Any, put: Any) -> None:
        self._engine = engine
        self.put = put

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def test_a_winner_is_taken_only_if_it_wins(bench: Any) -> None:
    bench.store.apply((row(generation=5),), False, False)
    bench.store.take_winner(row(generation=4))
    assert bench.store.row(DIGEST)[1] == 5
    bench.store.take_winner(row(generation=6))
    assert bench.store.row(DIGEST)[1] == 6
