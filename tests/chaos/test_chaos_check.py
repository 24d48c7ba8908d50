"""The checks of chaos see what they are for: histories with one thing wrong, and such without."""

from __future__ import annotations

import pytest

from chaos.check import Case, End, check_queries, check_record
from chaos.ground import Event, Listed
from chaos.history import Operation, Value
from chaos.holdings import Held, Holdings, check_copies, check_indexes
from chaos.windows import Windows
from chaos.workloads import COUNTER, DURABLE, EXPIRING, LIST, PLAIN, REGISTER, STILL, STILL_RECORDS
from citrusleaf.cf_digest import partition_id

ALL = frozenset({0, 1, 2})
TIMEOUT = 9
NOT_FOUND = 2
UNAVAILABLE = 11


def operation(
    act: str,
    value: Value,
    start: float,
    generation: int = 0,
    *,
    code: int = 0,
    in_doubt: bool = False,
    life_s: int = 0,
    set_name: str = REGISTER,
) -> Operation:
    """One that takes half a second."""
    return Operation(
        *("own-0", "mem", set_name, "1", act, value, start, start + 0.5),
        *(code, in_doubt, generation, life_s),
    )


def write(value: int, start: float, generation: int = 0, **words: int | bool) -> Operation:
    return operation("write", value, start, generation, **words)  # type: ignore[arg-type]  # the words are its own


def calm() -> Windows:
    """One cluster of three, all the time."""
    lists = [Listed(0.0, node, "K", ALL) for node in ALL]
    return Windows([Event(0.0, "started", node) for node in ALL] + [Event(1.0, "at rest")], lists)


def parted(start: float, end: float) -> Windows:
    """Node 0 serves without the others for a while."""
    lists = [Listed(0.0, node, "K", ALL) for node in ALL]
    lists.append(Listed(start, 0, "L", frozenset({0})))
    lists += [Listed(start, node, "M", frozenset({1, 2})) for node in (1, 2)]
    lists += [Listed(end, node, "N", ALL) for node in ALL]
    events = [Event(0.0, "started", node) for node in ALL]
    return Windows([*events, Event(1.0, "at rest"), Event(end + 1, "at rest")], lists)


def forgotten(time: float) -> Windows:
    """Two nodes died, one after the other."""
    lists = [Listed(0.0, node, "K", ALL) for node in ALL]
    events = [Event(0.0, "started", node) for node in ALL] + [Event(1.0, "at rest")]
    return Windows([*events, Event(time - 1, "killed", 0), Event(time, "killed", 1)], lists)


def complaints(
    kind: str,
    operations: list[Operation],
    end: End | None,
    windows: Windows | None = None,
    *,
    forgets: bool = True,
) -> list[str]:
    case = Case(("mem", kind, "1"), operations, end, windows or calm(), forgets=forgets)
    return [complaint.what for complaint in check_record(case)]


FIRST, SECOND = write(7, 10, 1), write(8, 11, 2)


def test_a_record_that_is_as_it_was_written_last() -> None:
    reads = [operation("read", 8, 12, 2)]
    assert complaints(REGISTER, [FIRST, SECOND, *reads], End(8, 2)) == []


@pytest.mark.parametrize(
    ("operations", "end", "what"),
    [
        ([FIRST, SECOND], End(7, 1), "lost"),
        ([FIRST, SECOND], None, "lost"),
        ([FIRST, SECOND], End(9, 2), "nobody wrote it"),
        ([FIRST, write(8, 11, code=UNAVAILABLE)], End(8, 2), "refused, and there"),
        ([FIRST, write(8, 11, 1)], End(8, 1), "lost"),
        ([FIRST, write(8, 10.1, 1)], End(8, 1), "lost"),
        ([FIRST, SECOND, operation("read", 7, 12, 1)], End(8, 2), "old read"),
        (
            [FIRST, SECOND, operation("read", None, 12, code=NOT_FOUND)],
            End(8, 2),
            "old read",
        ),
    ],
)
def test_a_register_with_one_thing_wrong(
    operations: list[Operation], end: End | None, what: str
) -> None:
    assert what in complaints(REGISTER, operations, end)


def test_a_write_in_doubt_may_have_been_done_or_not_and_late() -> None:
    doubt = write(8, 11, code=TIMEOUT, in_doubt=True)
    for end in (End(7, 1), End(8, 2)):
        assert complaints(REGISTER, [FIRST, doubt], end) == []
    last = write(9, 12, 2)
    assert complaints(REGISTER, [FIRST, doubt, last], End(8, 3)) == []


def test_one_side_of_a_split_may_lose() -> None:
    here, there = write(8, 21, 2), write(9, 22, 2)
    apart = parted(20, 30)
    for end in (End(8, 2), End(9, 2)):
        assert complaints(REGISTER, [FIRST, here, there], end, apart) == []
        assert "lost" in complaints(REGISTER, [FIRST, here, there], end)
    assert "lost" in complaints(REGISTER, [FIRST, here, there], End(7, 1), apart)
    later = write(10, 40, 2)
    assert "lost" in complaints(REGISTER, [FIRST, here, there, later], End(10, 2), apart)


def test_what_was_in_memory_when_two_nodes_died_may_be_lost() -> None:
    assert complaints(REGISTER, [FIRST, SECOND], None, forgotten(20)) == []
    assert complaints(REGISTER, [FIRST, SECOND], None, forgotten(20), forgets=False) == ["lost"]
    assert complaints(REGISTER, [FIRST, SECOND, write(9, 30, 1)], None, forgotten(20)) == ["lost"]


def test_who_was_left_without_copies_is_overruled_by_who_comes_back() -> None:
    """Two nodes with files died; the third began anew."""
    died = forgotten(20)
    anew = [FIRST, SECOND, write(9, 30, 1), operation("read", 9, 31, 1)]
    assert complaints(REGISTER, anew, End(8, 2), died, forgets=False) == []
    assert "lost" in complaints(REGISTER, anew, End(9, 1), died, forgets=False)


def test_a_list_has_everything_once_in_its_place() -> None:
    appends = [FIRST, SECOND]
    assert complaints(LIST, appends, End([7, 8], 2)) == []
    assert "applied twice" in complaints(LIST, appends, End([7, 8, 8], 3))
    assert "torn" in complaints(LIST, appends, End([7, 8], 3))
    assert "lost" in complaints(LIST, [*appends, write(9, 12, 3)], End([7, 9, 8], 3))
    assert "nobody wrote it" in complaints(LIST, appends, End([7, 6], 2))


def test_a_list_that_began_anew_apart_may_win() -> None:
    appends = [FIRST, write(8, 21, 1), write(9, 22, 2)]
    assert complaints(LIST, appends, End([8, 9], 2), parted(20, 30)) == []
    assert "lost" in complaints(LIST, appends, End([8, 9], 2))


def test_a_counter_is_its_generation() -> None:
    counts = [write(1, 10, 1), write(2, 11, 2)]
    assert complaints(COUNTER, counts, End(2, 2)) == []
    assert "torn" in complaints(COUNTER, counts, End(2, 3))


def test_what_has_expired_is_gone() -> None:
    brief = write(7, 10, 1, life_s=3)
    assert complaints(EXPIRING, [brief, operation("read", 7, 14, 1)], None) == []
    assert complaints(EXPIRING, [brief, operation("read", 7, 16, 1)], None) != []
    assert complaints(EXPIRING, [brief], End(7, 1)) != []


def test_what_is_deleted_durably_stays_away() -> None:
    delete = operation("delete", None, 11)
    assert complaints(DURABLE, [FIRST, delete], None) == []
    assert "deleted durably, and there" in complaints(DURABLE, [FIRST, delete], End(7, 1))
    again = operation("read", 7, 12, 1)
    assert "deleted durably, and there" in complaints(DURABLE, [FIRST, delete, again], None)
    assert "lost" in complaints(DURABLE, [FIRST], None)


def test_what_is_deleted_plainly_stays_away_where_no_copy_was_away() -> None:
    delete = operation("delete", None, 11)
    assert complaints(PLAIN, [FIRST, delete], None) == []
    assert complaints(PLAIN, [FIRST, delete], End(7, 1)) == ["deleted, and there"]
    assert complaints(PLAIN, [FIRST, delete], End(7, 1), parted(10.7, 10.9)) == []


def test_a_query_gives_each_record_once() -> None:
    every = list(range(STILL_RECORDS))
    for value, wrong in ((every, False), (every[1:], True), ([*every, 3], True)):
        query = operation("query", sorted(value), 10, set_name=STILL)
        assert bool(check_queries([query], calm(), lambda name: True)) == wrong
        assert check_queries([query], parted(9, 11), lambda name: True) == []


def holdings(copies: dict[int, Held], owners: set[int], indexed: list[bytes]) -> Holdings:
    digest = bytes(20)
    held = {node: {"mem": {digest: copies[node]} if node in copies else {}} for node in range(3)}
    return Holdings(
        held,
        {0: {"mem": {REGISTER: indexed}}},
        {"mem": {partition_id(digest): frozenset(owners)}},
    )


def test_copies_are_alike_and_in_their_places() -> None:
    one, other = Held(REGISTER, 1, 0, 5, 7, 7), Held(REGISTER, 1, 0, 6, 7, 7)
    assert check_copies(holdings({0: one, 1: one}, {0, 1}, [])) == []
    for copies, owners, what in (
        ({0: one, 1: other}, {0, 1}, "copies differ"),
        ({0: one}, {0, 1}, "copies in the wrong places"),
        ({0: one, 1: one, 2: one}, {0, 1}, "copies in the wrong places"),
    ):
        assert [c.what for c in check_copies(holdings(copies, owners, []))] == [what]


def test_an_index_has_just_what_is_there() -> None:
    one = Held(REGISTER, 1, 0, 5, 7, 7)
    for indexed, wrong in (([bytes(20)], 0), ([], 1), ([bytes(20)] * 2, 1), ([b"x" * 20], 1)):
        assert len(check_indexes(holdings({0: one}, {0}, indexed))) == wrong


def test_windows_know_who_was_missed_without_a_reason() -> None:
    lists = [Listed(0.0, node, "K", ALL) for node in ALL]
    lists += [Listed(50.0, node, "L", frozenset({0, 1})) for node in (0, 1)]
    started = [Event(0.0, "started", node) for node in ALL]
    assert len(Windows(started, lists).starved) == 2
    for what in ("killed", "paused"):
        assert Windows([*started, Event(49.0, what, 2)], lists).starved == []


def test_windows_know_who_served_alone_after_a_pause() -> None:
    lists = [Listed(0.0, node, "K", ALL) for node in ALL]
    lists.append(Listed(52.0, 2, "L", frozenset({2})))
    events = [Event(0.0, "started", node) for node in ALL]
    events += [Event(20.0, "paused", 2), Event(50.0, "resumed", 2)]
    windows = Windows(events, lists)
    assert windows.alone_after_pause == [52.0]
    assert windows.is_apart(51, 53) is False  # the others still list it
