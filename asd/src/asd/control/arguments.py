"""The arguments of one command, taken one by one: what is missing, of the wrong kind or left over
is said by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

_T = TypeVar("_T")


class BadRequest(ValueError):
    """A command that cannot be carried out as it was given. The message says what would be
    right."""


class Arguments:
    """What came with a command."""

    def __init__(self, command: str, given: Mapping[str, Any]) -> None:
        self.command = command
        self._left = dict(given)
        self._known: list[str] = []

    def take(self, name: str, kind: type[_T]) -> _T | None:
        """An argument that may be missing, or null: None then. Raises BadRequest."""
        self._known.append(name)
        value = self._left.pop(name, None)
        if value is None:
            return None
        if kind is float and type(value) is int:
            value = float(value)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise BadRequest(f"{self.command}: '{name}' is to be {_NAMES[kind]}, not {value!r}")
        return value

    def need(self, name: str, kind: type[_T]) -> _T:
        """An argument that must be there. Raises BadRequest."""
        value = self.take(name, kind)
        if value is None:
            raise BadRequest(f"{self.command}: '{name}' is missing")
        return value

    def peek(self, name: str) -> Any:
        """An argument as it came, not taken yet; None when it is not there."""
        return self._left.get(name)

    def add(self, defaults: Mapping[str, Any]) -> None:
        """Arguments that hold where nothing else is given."""
        self._left = {**defaults, **self._left}

    def end(self) -> None:
        """All have been taken. Raises BadRequest for one that has not."""
        for name in self._left:
            expected = ", ".join(self._known) or "none"
            raise BadRequest(f"{self.command}: no argument '{name}'; there are: {expected}")


_NAMES: Mapping[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
    object: "a value",
}
