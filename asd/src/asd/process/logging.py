"""Log sinks: where lines go and from which level on, on the standard library's logging.

A line belongs to a *context*, the part of the server that speaks, under the names operators know
from `aerospike.conf`. Levels are kept for each sink and context, and may change while the server
runs.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from types import MappingProxyType
from typing import Final

from asd.config import LOG_CONTEXTS, LOG_LEVELS, LoggingConfig, LogSink, ServiceConfig
from asd.process.log_queue import LogQueue

ROOTS: Final = ("asd", "cluster", "storage", "asyncio")
"""The loggers whose lines go to the sinks, with all below them. The event loop says there that it
has no file descriptor for another connection."""

LEVELS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "critical": logging.CRITICAL,
        "warning": logging.WARNING,
        "info": logging.INFO,
        "debug": logging.DEBUG,
        "detail": 5,
    }
)
"""The server's level names. A line of level `ERROR` counts as a warning."""

CONTEXTS: Final = LOG_CONTEXTS
"""All contexts, in the order in which `log/<id>` lists them. Many are silent in this server."""

_LINE: Final = "%(asctime)s: %(level)s (%(context)s): (%(filename)s:%(lineno)d) %(message)s"

ANY: Final = "any"
"""Stands for all contexts."""

_CONTEXT_OF: Final[Mapping[str, str]] = MappingProxyType(
    {
        "node": "as",
        "connections": "service",
        "ssd": "drv-ssd",
        "memory": "drv-mem",
        "heartbeat": "hb",
        "mesh": "hb",
        "multicast": "hb",
        "cluster": "clustering",
        "paxos": "clustering",
        "balance": "partition",
    }
)
"""Last part of a logger's name to context, where they differ."""


def context_of(logger_name: str) -> str:
    """The context of a logger: `asd.nsup` to `nsup`; `misc` for one that has none of its own."""
    name = logger_name.rpartition(".")[2].replace("_", "-")
    name = _CONTEXT_OF.get(name, name)
    return name if name in CONTEXTS else "misc"


class LogSinks:
    """The sinks of a node by number, each with a level for every context."""

    def __init__(self, config: LoggingConfig) -> None:
        self._paths = [sink.path for sink in config.sinks]
        self._levels = [_levels_of(sink) for sink in config.sinks]
        self._attached: list[logging.Logger] = []
        self._handlers: list[logging.Handler] = []
        self.queue: LogQueue | None = None
        """The lines on their way, where sinks are written to by a thread."""

    def __len__(self) -> int:
        return len(self._paths)

    def name(self, number: int) -> str:
        """The sink's file, or `stderr`."""
        return self._paths[number] or "stderr"

    def levels(self, number: int) -> Mapping[str, str]:
        """Context to level, of every context in the order of `CONTEXTS`."""
        return MappingProxyType(self._levels[number])

    def set_level(self, number: int, context: str, level: str) -> None:
        """From now on the sink takes lines of a context (or of `any`) from `level` on.

        Raises ValueError for a context or level that does not exist.
        """
        if level not in LOG_LEVELS or (context != ANY and context not in CONTEXTS):
            raise ValueError(f"{context}={level}")
        levels = self._levels[number]
        levels.update(dict.fromkeys(CONTEXTS, level) if context == ANY else {context: level})
        self._set_thresholds()

    def wants(self, number: int, record: logging.LogRecord) -> bool:
        """Does the sink take this line?"""
        level = self._levels[number][context_of(record.name)]
        return record.levelno >= LEVELS[level]

    def attach(
        self, formatter: logging.Formatter, *, now_s: Callable[[], float] | None = None
    ) -> None:
        """Write the server's lines to these sinks, which replace those of an earlier call.

        With `now_s`, a clock in seconds, they go through a queue (`asd.process.log_queue`), and
        whoever logs never waits for a sink. Raises OSError when a file cannot be opened.
        """
        handlers = [self._handler(number, formatter) for number in range(len(self))]
        self._handlers = handlers
        if now_s is not None:
            self.queue = LogQueue(handlers, now_s)
            handlers = [self.queue]
        self._attached = [logging.getLogger(name) for name in ROOTS]
        for logger in self._attached:
            for old in list(logger.handlers):
                logger.removeHandler(old)
                old.close()
            logger.propagate = False
            for handler in handlers:
                logger.addHandler(handler)
        self._set_thresholds()

    def _handler(self, number: int, formatter: logging.Formatter) -> logging.Handler:
        path = self._paths[number]
        # Watched: a file that was moved away by log rotation is opened anew.
        handler: logging.Handler = (
            WatchedFileHandler(path, encoding="utf-8", errors="backslashreplace")
            if path
            else logging.StreamHandler(sys.stderr)
        )
        handler.setFormatter(formatter)
        handler.addFilter(lambda record: self.wants(number, record))
        return handler

    def reopen(self) -> None:
        """Open all files anew: they may have been moved away."""
        for handler in self._handlers:
            if isinstance(handler, WatchedFileHandler):
                with handler.lock or nullcontext():
                    handler.reopenIfNeeded()

    @property
    def dropped(self) -> int:
        """Lines that the sinks did not take in time."""
        return 0 if self.queue is None else self.queue.dropped

    def close(self) -> None:
        """Write what still waits, if the sinks take it."""
        if self.queue is not None:
            self.queue.close()

    def _set_thresholds(self) -> None:
        # What no sink wants is dropped at its logger, before a line is made of it.
        lowest = min(LEVELS[level] for levels in self._levels for level in levels.values())
        for logger in self._attached:
            logger.setLevel(lowest)


def _levels_of(sink: LogSink) -> dict[str, str]:
    """Contexts not named have the level of `any`; without it, only what is critical is said."""
    usual = sink.levels.get(ANY, "critical")
    return {context: sink.levels.get(context, usual) for context in CONTEXTS}


def formatter(config: ServiceConfig, form: str) -> logging.Formatter:
    """Makes lines: of `form` `text` as operators know them, of `json` one object a line."""
    if form == "json":
        return JsonFormatter()
    return TextFormatter(local_time=config.log_local_time, milliseconds=config.log_millis)


class TextFormatter(logging.Formatter):
    """`Nov 21 2026 23:08:17 GMT: INFO (nsup): (nsup.py:54) {test} removed ...`."""

    def __init__(self, *, local_time: bool = False, milliseconds: bool = False) -> None:
        super().__init__(_LINE)
        self._local_time = local_time
        self._milliseconds = milliseconds

    def format(self, record: logging.LogRecord) -> str:
        record.level = level_name(record).upper()
        record.context = context_of(record.name)
        return super().format(record)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802  # the library's name
        moment = datetime.fromtimestamp(record.created, UTC)
        if self._local_time:
            moment = moment.astimezone()
        text = moment.strftime("%b %d %Y %H:%M:%S")
        if self._milliseconds:
            text += f".{moment.microsecond // 1000:03}"
        return f"{text} GMT{moment.strftime('%z') if self._local_time else ''}"


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (ISO 8601, UTC), level, context, message, and where from."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        line = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": level_name(record),
            "context": context_of(record.name),
            "message": record.getMessage(),
            "source": f"{record.filename}:{record.lineno}",
        }
        if record.exc_text:  # it has been through the queue
            line["exception"] = record.exc_text
        elif record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def level_name(record: logging.LogRecord) -> str:
    """The server's name for the level of a line."""
    return next((name for name, level in LEVELS.items() if record.levelno >= level), "detail")
