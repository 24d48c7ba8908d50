"""What happened in a world: lines to read, a digest of every callback, and failures that were only
logged.

Nodes log as they always do; who logs is who runs. What a node logs as critical is a failure of the
run, unless what was done to it explains that.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Callable
from struct import Struct

from cluster.simulation import History, ProcessLoop
from cluster.simulation import World as Timeline

LOGGERS = ("asd", "aerospike_client")
_pack_step = Struct("<d").pack


class Record:
    """The account of one world, while it is entered."""

    def __init__(self, timeline: Timeline, keep: int = 20_000) -> None:
        self.history = History(keep)
        self.critical: list[str] = []
        """What was logged as critical."""
        self._timeline = timeline
        self._names: dict[ProcessLoop, str] = {}
        self._steps = 0
        self._handler = _Handler(self._logged)
        self._levels: list[int] = []
        timeline.after_step = self._step

    def name(self, loop: ProcessLoop, name: str) -> None:
        """What runs on this loop is called so."""
        self._names[loop] = name

    def note(self, who: str, what: str) -> None:
        """Write a line."""
        self.history.add(self._timeline.now_s, who, what)

    @property
    def digest(self) -> str:
        """16 hexadecimal digits of the lines, 8 of the callbacks: when each ran, and on what."""
        return f"{self.history.digest}{self._steps:08x}"

    @property
    def steps(self) -> int:
        """Callbacks that have run."""
        return self._timeline.steps

    def begin(self) -> None:
        """Hear what is logged."""
        for name in LOGGERS:
            logger = logging.getLogger(name)
            self._levels.append(logger.level)
            logger.setLevel(logging.INFO)
            logger.addHandler(self._handler)

    def end(self) -> None:
        """Hear no more."""
        for name, level in zip(LOGGERS, self._levels, strict=True):
            logger = logging.getLogger(name)
            logger.removeHandler(self._handler)
            logger.setLevel(level)
        self._levels.clear()

    def _step(self, process: ProcessLoop) -> None:
        self._steps = zlib.crc32(_pack_step(self._timeline.now_s), self._steps)

    def _logged(self, line: logging.LogRecord) -> None:
        loop = asyncio._get_running_loop()
        who = self._names.get(loop, "") if isinstance(loop, ProcessLoop) else ""
        if not who:
            return  # another world's, or nobody's
        text = f"{line.levelname.lower()} {line.getMessage()}"
        if line.exc_info and line.exc_info[1] is not None:
            text += f": {line.exc_info[1]!r}"
        self.note(who, text)
        if line.levelno >= logging.CRITICAL:
            self.critical.append(f"{who}: {text}")


class _Handler(logging.Handler):
    """Hands on each record as it comes."""

    def __init__(self, hear: Callable[[logging.LogRecord], None]) -> None:
        super().__init__()
        self._hear = hear

    def emit(self, record: logging.LogRecord) -> None:
        """Something was logged."""
        self._hear(record)
