"""Calls of users' functions in a worker: what they give is what they would give on the loop."""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from asd.records.work import Function, Worked
from citrusleaf.cf_clock import Clock

if TYPE_CHECKING:
    from asd.udf.lua_state import LuaState

STATES_KEPT: Final = 8
MOST_LINES: Final = 1000
LOAD_TIMEOUT_MS: Final = 1000


class Calls:
    """The modules that functions were called of lately, loaded."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._states: OrderedDict[tuple[str, tuple[tuple[str, bytes], ...]], LuaState] = (
            OrderedDict()
        )

    def call(self, function: Function, limit_ms: int) -> Worked:
        """Call it. A failure is a result, too."""
        # What is behind it is loaded by workers that call functions, and by no others.
        from asd.udf.lua_state import Host, LuaFailure, LuaState

        key = (function.module, tuple(sorted(function.sources.items())))
        with _Lines() as lines:
            try:
                state = self._states.pop(key, None)
                if state is None:
                    host = Host(self._clock, lambda name: function.sources.get(f"{name}.lua"))
                    state = LuaState(host, function.module, LOAD_TIMEOUT_MS)
                called = (limit_ms, function.name, function.arguments)
                result = tuple(state.apply_record(*called, *function.record))
            except LuaFailure as error:
                result = (-1, str(error).encode("utf-8", "surrogateescape"))
            else:
                if not state.spoiled:
                    self._states[key] = state
                    if len(self._states) > STATES_KEPT:
                        self._states.popitem(last=False)
        return Worked(result=result, lines=tuple(lines.kept))


class _Lines(logging.Handler):
    """Keeps what functions log, for the node to write."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[tuple[int, str]] = []
        self._logger = logging.getLogger("asd.udf")

    def __enter__(self) -> _Lines:
        self._before = self._logger.level, self._logger.propagate, self._logger.handlers
        self._logger.setLevel(logging.DEBUG)
        self._logger.propagate, self._logger.handlers = False, [self]
        return self

    def __exit__(self, *_: object) -> None:
        level, self._logger.propagate, self._logger.handlers = self._before
        self._logger.setLevel(level)

    def emit(self, record: logging.LogRecord) -> None:
        """A line."""
        if len(self.kept) < MOST_LINES:
            self.kept.append((record.levelno, record.getMessage()))
