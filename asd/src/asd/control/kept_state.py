"""A state of a server that tests have kept, in their hands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self


class KeptState:
    """A snapshot of a running server; as a context manager it is gone back to at the end."""

    def __init__(
        self, ask: Callable[[str, Mapping[str, Any]], dict[str, Any]], number: int
    ) -> None:
        """`ask` has a command of the server carried out."""
        self._ask = ask
        self._number = number

    def restore(self) -> None:
        """Go back to it; any number of times. ValueError when it has been forgotten."""
        self._ask("restore", {"id": self._number})

    def forget(self) -> None:
        """Give the memory back that it takes. ValueError when it has been forgotten."""
        self._ask("forget", {"id": self._number})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.restore()
        self.forget()
