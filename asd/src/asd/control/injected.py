"""A fault that tests have injected, in their hands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self


class InjectedFault:
    """A fault of a running server; as a context manager it is taken back at the end."""

    def __init__(
        self, ask: Callable[[str, Mapping[str, Any]], dict[str, Any]], number: int
    ) -> None:
        """`ask` has a command of the server carried out."""
        self._ask = ask
        self._number = number

    @property
    def hits(self) -> int:
        """How many requests it has struck. LookupError when it has been taken back."""
        for shown in self._ask("faults", {})["faults"]:
            if shown["id"] == self._number:
                return int(shown["hits"])
        raise LookupError("the fault has been taken back")

    def remove(self) -> None:
        """Take it back. ValueError when it has been already, or the server was reset."""
        self._ask("remove-fault", {"id": self._number})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.remove()
