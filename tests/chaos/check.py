"""What must hold of every record: pure functions of its history, of what the nodes hold, and of
what was going on (`chaos.windows`).

Two orders tell whether something is lost. By *time*: an acknowledged write comes behind whatever
was over before it began. By *generation*: it rises by one with each write of a record, on whatever
node, and where copies differ the higher one stays; so an acknowledged write has a higher one than
all that were acknowledged before it began, and no two have the same. The second holds even across a
split, because nobody may write to a record whose copies differ before the better one is found.

A write that is *in doubt* may take effect at any later time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from chaos.history import OK, Operation, Place, Value
from chaos.windows import FOREVER, Windows
from chaos.workloads import COUNTER, DURABLE, EXPIRING, LIST, PLAIN, REGISTER, STILL, STILL_RECORDS

LATE_S: Final = 2.0
"""An expired record may be seen so long after its end: times of life are whole seconds."""


class Complaint(NamedTuple):
    """Something that must not be."""

    what: str
    """A few words, the same for all of its kind."""
    place: Place
    text: str


class End(NamedTuple):
    """A record as it stands in the end."""

    value: Value
    generation: int


class Case:
    """One record: its history, its end, and what excuses what."""

    def __init__(
        self,
        place: Place,
        operations: Sequence[Operation],
        final: End | None,
        windows: Windows,
        *,
        forgets: bool,
    ) -> None:
        """`forgets`: does its namespace lose what it has when nodes die?"""
        self.place = place
        self.operations = operations
        self.final = final
        self.windows = windows
        self.writes = [each for each in operations if each.act == "write"]
        self.acknowledged = [each for each in self.writes if each.acknowledged]
        self.reads = [each for each in operations if each.act == "read" and not each.failed]
        self._forgets = forgets
        self.kept_since = self.forgotten_by(FOREVER)

    def forgotten_by(self, time: float) -> float:
        """What was acknowledged before this may be lost without anybody's fault."""
        return self.windows.forgotten_by(time) if self._forgets else 0.0

    def is_firm(self, operation: Operation) -> bool:
        """Was it done while nobody served apart?"""
        return not self.windows.is_apart(operation.start, operation.end)

    def complain(self, what: str, text: str) -> Complaint:
        """About this record."""
        return Complaint(what, self.place, text)


def check_record(case: Case) -> list[Complaint]:
    """All that is wrong with one record."""
    return [complaint for check in _CHECKS[case.place[1]] for complaint in check(case)]


# ---------------------------------------------------------------------- what is there in the end


def nobody_wrote(case: Case) -> Iterable[Complaint]:
    """What is there was written, and not refused."""
    if case.final is None:
        return
    found = case.final.value
    values = found if isinstance(found, list) else [found]
    accepted = {write.value for write in case.writes if not write.refused}
    for value in values:
        if value not in accepted:
            refused = any(write.value == value for write in case.writes)
            what = "refused, and there" if refused else "nobody wrote it"
            yield case.complain(what, f"the record has {value}")


def lost_by_time(case: Case) -> Iterable[Complaint]:
    """No acknowledged write lies behind the one that is there."""
    kept = [each for each in case.acknowledged if each.end > case.kept_since]
    if case.final is None:
        if kept:
            yield case.complain("lost", f"there is no record, and {len(kept)} writes of it")
        return
    there = [each for each in case.writes if each.value == case.final.value]
    if not there or not there[0].acknowledged:
        return  # nobody knows when a write in doubt took effect
    later = [each for each in kept if each.start > there[0].end and case.is_firm(each)]
    if later:
        yield case.complain(
            "lost",
            f"the record has {case.final.value}; {later[-1].value} was acknowledged after it",
        )


def lost_by_generation(case: Case) -> Iterable[Complaint]:
    """No acknowledged generation is higher than the one that is there."""
    kept = [each for each in case.acknowledged if each.end > case.kept_since]
    highest = max(kept, key=lambda each: each.generation, default=None)
    if highest is not None and case.final and case.final.generation < highest.generation:
        yield case.complain(
            "lost",
            f"the record has generation {case.final.generation}; {highest.value} was"
            f" acknowledged with {highest.generation}",
        )


def elements_lost(case: Case) -> Iterable[Complaint]:
    """A list has each value once, at the place that its generation says."""
    if case.final is None or not isinstance(case.final.value, list):
        return
    elements = case.final.value
    twice = [value for value, times in Counter(elements).items() if times > 1]
    if twice:
        yield case.complain("applied twice", f"{twice} are in the list more than once")
    if len(elements) != case.final.generation:
        yield case.complain(
            "torn", f"{len(elements)} elements with generation {case.final.generation}"
        )
    if not _began_anew(case):
        for write in case.acknowledged:
            at = write.generation - 1
            is_there = at < len(elements) and elements[at] == write.value
            if write.end > case.kept_since and case.is_firm(write) and not is_there:
                yield case.complain("lost", f"{write.value} is not element {at} of the list")


def _began_anew(case: Case) -> bool:
    """Did a node that had no copy serve the record apart, and begin with generation 1?"""
    highest = 0
    for write in case.acknowledged:
        if write.generation <= highest and not case.is_firm(write):
            return True
        highest = max(highest, write.generation)
    return False


def counted_wrong(case: Case) -> Iterable[Complaint]:
    """A counter's value is its generation."""
    if case.final is not None and case.final.value != case.final.generation:
        yield case.complain(
            "torn", f"value {case.final.value} with generation {case.final.generation}"
        )


# ---------------------------------------------------------------------- on the way


def generations(case: Case) -> Iterable[Complaint]:
    """Acknowledged generations rise in the order of time."""
    known = [each for each in case.acknowledged if each.generation]
    by_end = sorted(known, key=lambda each: each.end)
    ends = [each.end for each in by_end]
    for write in known:
        if not case.is_firm(write):
            continue
        since = case.forgotten_by(write.end)
        before = [e for e in by_end[: bisect_left(ends, write.start)] if e.end > since]
        highest = max(before, key=lambda each: each.generation, default=None)
        if highest is not None and highest.generation >= write.generation:
            yield case.complain(
                "lost",
                f"{write.value} was acknowledged with generation {write.generation} after"
                f" {highest.value} with {highest.generation}",
            )
    yield from _same_generation(case, known)


def _same_generation(case: Case, known: Iterable[Operation]) -> Iterable[Complaint]:
    firm: dict[int, Operation] = {}
    for write in known:
        if not case.is_firm(write):
            continue
        other = firm.get(write.generation)
        if other is not None and other.end > case.forgotten_by(write.end):
            yield case.complain(
                "lost",
                f"{other.value} and {write.value} were both acknowledged with generation"
                f" {write.generation}",
            )
        firm[write.generation] = write


def old_reads(case: Case) -> Iterable[Complaint]:
    """A read is not older than what was acknowledged before it began."""
    known = sorted(case.acknowledged, key=lambda each: each.end)
    ends = [each.end for each in known]
    for read in case.reads:
        if case.windows.is_unsettled(read.start, read.end):
            continue
        since = case.forgotten_by(read.end)
        before = [e for e in known[: bisect_left(ends, read.start)] if e.end > since]
        newest = max(before, key=lambda each: each.generation, default=None)
        if newest is not None and read.generation < newest.generation:
            yield case.complain(
                "old read",
                f"{read.lane} read generation {read.generation} at {read.start:.3f};"
                f" {newest.generation} was acknowledged at {newest.end:.3f}",
            )


# ---------------------------------------------------------------------- ends of records


def came_back_after_its_end(case: Case) -> Iterable[Complaint]:
    """An expired record is not read any more, and not there in the end."""
    by_value = {write.value: write for write in case.acknowledged}
    for read in case.reads:
        write = by_value.get(read.value) if isinstance(read.value, int) else None
        if write is not None and read.start > write.end + write.life_s + LATE_S:
            yield case.complain(
                "expired, and there",
                f"{read.lane} read {read.value} at {read.start:.3f};"
                f" it was to live {write.life_s} s from {write.end:.3f}",
            )
    if case.final is not None:
        yield case.complain("expired, and there", f"the record has {case.final.value}")


def deleted_durably(case: Case) -> Iterable[Complaint]:
    """Gone for good, once it was acknowledged."""
    deletes = [each for each in case.operations if each.act == "delete" and each.acknowledged]
    for delete in deletes:
        if case.final is not None and delete.end > case.kept_since:
            yield case.complain("deleted durably, and there", f"it has {case.final.value}")
        for read in case.reads:
            firm = not case.windows.is_unsettled(read.start, read.end)
            since = case.forgotten_by(read.end)
            if read.code == OK and read.start > delete.end > since and firm:
                yield case.complain("deleted durably, and there", f"read at {read.start:.3f}")


def deleted_plainly(case: Case) -> Iterable[Complaint]:
    """Gone, where no copy was away between its first write and the end. (A plain delete leaves
    nothing, not on a medium either: a copy that was away, or starts, brings the record back.)"""
    for delete in case.operations:
        if delete.act == "delete" and delete.acknowledged and case.final is not None:
            first = case.operations[0].start
            until = max(case.operations[-1].end + 1, case.windows.looked)
            if case.windows.is_undisturbed(first, until):
                yield case.complain("deleted, and there", f"it has {case.final.value}")


def written_once(case: Case) -> Iterable[Complaint]:
    """What was written and not deleted is there."""
    tried = [each for each in case.operations if each.act == "delete" and not each.refused]
    kept = [each for each in case.acknowledged if each.end > case.kept_since]
    if kept and not tried and case.final is None:
        yield case.complain("lost", f"{kept[0].value} was acknowledged and never deleted")


Check = Callable[[Case], Iterable[Complaint]]

_WRITTEN: Final[tuple[Check, ...]] = (nobody_wrote, lost_by_generation, generations, old_reads)
_CHECKS: Final[Mapping[str, tuple[Check, ...]]] = {
    REGISTER: (*_WRITTEN, lost_by_time),
    LIST: (*_WRITTEN, elements_lost),
    COUNTER: (*_WRITTEN, counted_wrong),
    EXPIRING: (came_back_after_its_end,),
    DURABLE: (nobody_wrote, deleted_durably, written_once),
    PLAIN: (nobody_wrote, deleted_plainly, written_once),
}


# ---------------------------------------------------------------------- queries


def check_queries(
    operations: Sequence[Operation], windows: Windows, forgets: Callable[[str], bool]
) -> list[Complaint]:
    """A query gives every record that stood still just once. `forgets`: does a namespace lose what
    it has when nodes die?"""
    complaints = []
    began = min([each.start for each in operations], default=0.0)
    for query in operations:
        if query.set_name != STILL or not query.acknowledged:
            continue
        if windows.is_unsettled(query.start, query.end):
            continue
        if forgets(query.namespace) and windows.forgotten_by(query.end) > began:
            continue  # records that stand still are not written again before the next lap
        found = Counter(query.value if isinstance(query.value, list) else [])
        missing = [number for number in range(STILL_RECORDS) if not found[number]]
        twice = [number for number, times in found.items() if times > 1]
        if missing or twice:
            text = (
                f"{query.act} of {query.lane} at {query.start:.3f} (+{query.end - query.start:.1f}"
            )
            text += f" s): {len(missing)} missing, {len(twice)} twice: {(missing + twice)[:5]}"
            complaints.append(Complaint("a query was wrong", query.place, text))
    return complaints
