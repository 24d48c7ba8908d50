"""What objects are, for the search of `linearizable`: an operation's effect on a state, and whether
its answer fits.

A state is a value and the record's generation (0: there is no record). An answer that has no
generation is held against the value alone.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from asd.simulation.history import Operation, Status

Versioned: TypeAlias = tuple[Any, int]

ABSENT: Versioned = (None, 0)


def register(state: Versioned, operation: Operation) -> tuple[bool, Versioned]:
    """A value that is read, written, written if the generation is right (`cas`), removed.

    `value` of a cas is (the generation it was to be, the new value); 0: no record.
    """
    value, generation = state
    match operation.act:
        case "read":
            return _read(state, operation), state
        case "write":
            return _written(operation, (operation.value, generation + 1))
        case "cas":
            wanted, new = operation.value
            if wanted != generation:
                return False, state
            return _written(operation, (new, generation + 1))
        case "remove":
            told = operation.result
            return told is None or told == (value is not None), ABSENT
    raise AssertionError(operation.act)


def counter(state: Versioned, operation: Operation) -> tuple[bool, Versioned]:
    """A number that is read, and added to; the answer to an addition is the sum."""
    value, generation = state
    if operation.act == "read":
        return _read(state, operation), state
    total = (value or 0) + operation.value
    fits = operation.result is None or operation.result == total
    possible, after = _written(operation, (total, generation + 1))
    return fits and possible, after


def appended(state: Versioned, operation: Operation) -> tuple[bool, Versioned]:
    """A list that is read, and appended to; the answer to an append is the length."""
    value, generation = state
    if operation.act == "read":
        return _read(state, operation), state
    items = (*(value or ()), operation.value)
    fits = operation.result is None or operation.result == len(items)
    possible, after = _written(operation, (items, generation + 1))
    return fits and possible, after


def _read(state: Versioned, operation: Operation) -> bool:
    value, generation = state
    if operation.result != value:
        return False
    return not operation.generation or operation.generation == generation


def _written(operation: Operation, after: Versioned) -> tuple[bool, Versioned]:
    told = operation.generation if operation.status is Status.DONE else 0
    return not told or told == after[1], after
