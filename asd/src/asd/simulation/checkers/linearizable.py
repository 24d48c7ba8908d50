"""Is there an order of the operations on one object that explains all that clients were told?

Linearizable means: each operation took effect at one moment between its beginning and its end. To
find such moments is a search (Wing and Gong 1993): of the operations that began before any of those
left ended, one is taken to be the next; if that leads nowhere, another is tried. Two branches that
have taken the same operations and come to the same state have the same future, so the second is not
followed (Lowe 2017); that makes the search quick for the histories there are, though not for all.

Operations in doubt have no end. They may be taken at any time, or left out.

The list of beginnings and ends is linked, so that taking an operation out and putting it back costs
nothing. Rejected: trying all orders by recursion (deep), and a search by generations alone (which
proves less: it believes the server).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Final

from attrs import evolve

from asd.simulation.history import NEVER, Operation, Status
from cluster.simulation.checks import Violation

State = Hashable
Step = Callable[[Any, Operation], tuple[bool, Any]]
"""State and operation in; whether it can have happened so, and the state after it."""

MOST_STEPS: Final = 300_000
"""A search that takes more is given up, and counted as undecided."""


class _Event:
    """A beginning or an end, in the linked list."""

    __slots__ = ("after", "before", "end", "number", "operation")

    def __init__(self, operation: Operation | None, number: int, end: _Event | None) -> None:
        self.operation = operation
        self.number = number
        self.end = end
        """Of a beginning: the end that belongs to it, if there is one."""
        self.before: _Event | None = None
        self.after: _Event | None = None


def linearize(operations: Iterable[Operation], step: Step, state: State) -> bool | None:
    """Can it have happened? None when the search was given up.

    `state` is the object's before the first operation. Operations that were refused say nothing and
    are left out.
    """
    taking = [each for each in operations if each.status is not Status.REFUSED]
    head = _linked(taking)
    left = sum(each.ended != NEVER for each in taking)
    taken, seen = 0, {(0, state)}
    way: list[tuple[_Event, State]] = []
    event = head.after
    steps = 0
    while left:
        steps += 1
        if steps > MOST_STEPS:
            return None
        if event is not None and event.operation is not None:
            possible, after = step(state, event.operation)
            bit = 1 << event.number
            if possible and (taken | bit, after) not in seen:
                seen.add((taken | bit, after))
                way.append((event, state))
                taken, state = taken | bit, after
                left -= event.end is not None
                _take_out(event)
                event = head.after
            else:
                event = event.after
            continue
        # An end: what it ends should have been taken before. Another way, then.
        if not way:
            return False
        event, state = way.pop()
        taken &= ~(1 << event.number)
        left += event.end is not None
        _put_back(event)
        event = event.after
    return True


def _linked(operations: Sequence[Operation]) -> _Event:
    """The head of the list of all beginnings and ends, in the order in which they were."""
    events: list[tuple[int, _Event]] = []
    for number, operation in enumerate(operations):
        end = _Event(None, number, None) if operation.ended != NEVER else None
        events.append((operation.begun, _Event(operation, number, end)))
        if end is not None:
            events.append((operation.ended, end))
    head = last = _Event(None, -1, None)
    for _, event in sorted(events, key=lambda each: each[0]):
        last.after, event.before = event, last
        last = event
    return head


def _take_out(event: _Event) -> None:
    for each in (event, event.end):
        if each is not None:
            assert each.before is not None
            each.before.after = each.after
            if each.after is not None:
                each.after.before = each.before


def _put_back(event: _Event) -> None:
    for each in (event.end, event):
        if each is not None:
            assert each.before is not None
            each.before.after = each
            if each.after is not None:
                each.after.before = each


def check_linearizable(
    operations: Sequence[Operation], step: Step, state: State, *, shown: int = 30
) -> bool:
    """As `linearize`; whether the search came to an end. Raises Violation with the shortest
    beginning of the history that cannot have happened."""
    verdict = linearize(operations, step, state)
    if verdict is not False:
        return verdict is not None
    ends = sorted(each.ended for each in operations if each.ended != NEVER)
    low, high = 0, len(ends) - 1  # a history of which a beginning cannot be, cannot be
    while low < high:
        middle = (low + high) // 2
        if linearize(_until(operations, ends[middle]), step, state) is False:
            high = middle
        else:
            low = middle + 1
    lines = [str(each) for each in operations if each.begun < ends[low]][-shown:]
    raise Violation(
        f"{operations[0].place} is not linearizable from {state!r}; these cannot all be:\n"
        + "\n".join(lines)
    )


def _until(operations: Sequence[Operation], now: int) -> list[Operation]:
    """What had happened at some moment: of an operation that ran then nobody knew the outcome."""
    return [
        each
        if each.ended <= now
        else evolve(each, ended=NEVER, status=Status.IN_DOUBT, result=None, generation=0)
        for each in operations
        if each.begun < now
    ]
