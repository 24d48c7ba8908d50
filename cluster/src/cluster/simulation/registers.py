"""Histories of registers: what clients asked and were told of one record, and whether there is an
order of it all that explains it (linearizability).

An operation takes effect once, between its beginning and its end; one whose end nobody knows, at
any time after its beginning, or never. The search is that of Wing and Gong: take any operation that
no other one must precede, see whether its answer fits, go on with the rest; what was tried is not
tried again. Histories are cut where everything is at rest, so that they are short.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import Enum, auto

from attrs import define, frozen

NEVER = float("inf")


class Kind(Enum):
    """What a client asks of a register."""

    WRITE = auto()
    SWAP = auto()
    """Write, if the value is still the expected one."""
    DELETE = auto()
    READ = auto()
    """The latest value (linearizable)."""
    LOOK = auto()
    """A value, perhaps not the latest (session)."""


class Told(Enum):
    """What a client was told."""

    NOTHING = auto()
    """No answer, or one that leaves open what has happened."""
    DONE = auto()
    REFUSED = auto()
    """The value was not the expected one, or there was none to delete."""
    UNDONE = auto()
    """It has not happened, and will not."""


@define(eq=False)
class Operation:
    """One operation on one register. Values are written once; None: there is no record."""

    kind: Kind
    began_s: float
    value: bytes | None = None
    """What is written, or was read."""
    expected: bytes | None = None
    ended_s: float = NEVER
    told: Told = Told.NOTHING

    def after(self, state: bytes | None) -> tuple[bool, bytes | None]:
        """Does its answer fit this state? And the state after it."""
        match self.kind:
            case Kind.READ:
                return state == self.value, state
            case Kind.WRITE:
                return True, self.value
            case Kind.SWAP:
                done, then = state == self.expected, self.value
            case _:
                done, then = state is not None, None
        if self.told is Told.REFUSED:
            return not done, state
        return done, then


@frozen
class _Search:
    operations: Sequence[Operation]
    final: bytes | None
    seen: set[tuple[int, bytes | None]]

    def finds(self, state: bytes | None) -> bool:
        """Is there an order that ends in `final`? Depth first, on a stack of our own."""
        must = sum(1 << at for at, each in enumerate(self.operations) if each.ended_s != NEVER)
        stack = [(0, state)]
        while stack:
            done, now = stack.pop()
            if (done, now) in self.seen:
                continue
            self.seen.add((done, now))
            if done & must == must and now == self.final:
                return True
            stack += self._next(done, now)
        return False

    def _next(self, done: int, now: bytes | None) -> Iterable[tuple[int, bytes | None]]:
        left = [(at, op) for at, op in enumerate(self.operations) if not done >> at & 1]
        first_end_s = min([op.ended_s for _, op in left], default=NEVER)
        # What need not have happened is tried last: the stack is taken from its end.
        for at, op in sorted(left, key=lambda each: -each[1].ended_s):
            if op.began_s <= first_end_s:
                fits, then = op.after(now)
                if fits:
                    yield done | 1 << at, then


def explain(operations: Iterable[Operation], before: bytes | None, final: bytes | None) -> str:
    """Why no order of the operations leads from one state to the other; '' if one does."""
    counted = [
        op
        for op in operations
        if op.kind is not Kind.LOOK
        and op.told is not Told.UNDONE
        and not (op.kind is Kind.READ and op.told is not Told.DONE)
    ]
    counted.sort(key=lambda op: op.began_s)
    if _Search(counted, final, set()).finds(before):
        return ""
    lines = [
        f"{op.began_s - 1000:.3f}..{op.ended_s - 1000:.3f} {op.kind.name} {op.value!r}"
        f" expected {op.expected!r}: {op.told.name}"
        for op in counted
    ]
    return f"no order explains, from {before!r} to {final!r}: " + "; ".join(lines)
