"""State machines whose transitions are a table of data.

A machine has a state and is fired with events. The rows of its table say, for a state and the class
of an event, which guard must hold, which state follows and what is done; guards and actions name
methods. The first row whose guard holds is taken. An event that has no row in a state is ignored
there. The documentation prints the tables, and a test asks that every row is taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, ClassVar

from attrs import field, frozen


class State(Enum):
    """The base of the states of machines. Members are one of a kind, so they are hashed by identity
    (an `Enum` hashes its name, in Python): a state is looked up at every event."""

    __hash__ = object.__hash__


@frozen(eq=False)
class Row:
    """One transition. `guard` and `action` name methods `(event, now)`; '' is always, nothing."""

    state: State
    event: type
    guard: str
    after: State
    action: str
    machine: str = field(default="", kw_only=True)

    def __str__(self) -> str:
        when = f" when {words(self.guard)}" if self.guard else ""
        return f"{self.machine}: {self.state.name} + {self.event.__name__}{when}"


Observer = Callable[[Row], None]
"""Told each row as it is taken."""

Compiled = tuple[Row, Callable[..., bool] | None, Callable[..., None] | None]


def words(name: str) -> str:
    """A method's name as it reads in a table: `_is_newer` -> "is newer"."""
    return name.strip("_").replace("_", " ")


class StateMachine:
    """The base of all state machines here; a subclass has a `TABLE` and sets `state`."""

    TABLE: ClassVar[tuple[Row, ...]] = ()
    _compiled: ClassVar[Mapping[tuple[State, type], tuple[Compiled, ...]]]

    state: State

    def __init__(self, state: State, observer: Observer | None = None) -> None:
        self.state = state
        self._observer = observer

    def __init_subclass__(cls) -> None:
        """Look the named methods up once, so that a row with a wrong name fails at import."""
        grouped: dict[tuple[State, type], list[Compiled]] = {}
        for row in cls.TABLE:
            guard = getattr(cls, row.guard) if row.guard else None
            action = getattr(cls, row.action) if row.action else None
            grouped.setdefault((row.state, row.event), []).append((row, guard, action))
        cls._compiled = {key: tuple(rows) for key, rows in grouped.items()}

    def fire(self, event: Any, now: int) -> bool:
        """Take the first row that fits the state, the event and its guard; whether there was one.

        The state changes before the action runs, so an action may fire again.
        """
        rows = self._compiled.get((self.state, type(event)))
        if rows is None:
            return False
        for row, guard, action in rows:
            if guard is None or guard(self, event, now):
                self.state = row.after
                if self._observer is not None:
                    self._observer(row)
                if action is not None:
                    action(self, event, now)
                return True
        return False


def table(machine: str, *rows: tuple[State, type, str, State, str]) -> tuple[Row, ...]:
    """Rows for a machine's `TABLE`: state, event, guard, state after, action."""
    return tuple(Row(*row, machine=machine) for row in rows)


def markdown(rows: tuple[Row, ...]) -> str:
    """A table as the documentation shows it."""
    lines = ["| State | Event | When | State after | Action |", "|---|---|---|---|---|"]
    for row in rows:
        cells = row.state.name, row.event.__name__, words(row.guard), row.after.name
        lines.append("| " + " | ".join((*cells, words(row.action))) + " |")
    return "\n".join(lines)
