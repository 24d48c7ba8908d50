"""Log sinks: the configured levels and files, on the standard library's logging."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from logging.handlers import WatchedFileHandler
from types import MappingProxyType

from asd.config import LoggingConfig, LogSink

ROOT = "asd"

LEVELS: Mapping[str, int] = MappingProxyType(
    {
        "critical": logging.CRITICAL,
        "warning": logging.WARNING,
        "info": logging.INFO,
        "debug": logging.DEBUG,
        "detail": 5,
    }
)
"""The server's level names. `logging.ERROR` never occurs."""


def configure_logging(config: LoggingConfig) -> None:
    """Write the `asd.*` loggers to the configured sinks, replacing any earlier ones."""
    root = logging.getLogger(ROOT)
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    root.propagate = False
    root.setLevel(min(min(map(LEVELS.__getitem__, sink.levels.values())) for sink in config.sinks))
    for sink in config.sinks:
        root.addHandler(_handler(sink))


def _handler(sink: LogSink) -> logging.Handler:
    handler: logging.Handler
    handler = WatchedFileHandler(sink.path) if sink.path else logging.StreamHandler(sys.stderr)
    form = "%(asctime)s %(levelname)s (%(name)s) %(message)s"
    handler.setFormatter(logging.Formatter(form, "%b %d %Y %H:%M:%S %Z"))
    handler.addFilter(_ContextFilter(sink.levels))
    return handler


class _ContextFilter(logging.Filter):
    """Lets through what a sink wants of each context; the context is the logger's last name."""

    def __init__(self, levels: Mapping[str, str]) -> None:
        super().__init__()
        self._any = LEVELS[levels.get("any", "critical")]
        self._levels = {context: LEVELS[level] for context, level in levels.items()}

    def filter(self, record: logging.LogRecord) -> bool:
        context = record.name.rpartition(".")[2]
        return record.levelno >= self._levels.get(context, self._any)
