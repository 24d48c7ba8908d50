"""`AsLogger`: the five levels of the database's log, written through Python's `logging`."""

from __future__ import annotations

import logging
from enum import IntEnum

import attrs


class AsLogLevel(IntEnum):
    """How much a line matters, in the numbers that users' functions log with.

    >>> AsLogLevel.WARN < AsLogLevel.TRACE
    True
    """

    ERROR = 0
    WARN = 1
    INFO = 2
    DEBUG = 3
    TRACE = 4

    @property
    def logging_level(self) -> int:
        """The same in the numbers of `logging`, where more is graver. TRACE is half of DEBUG.

        >>> AsLogLevel.WARN.logging_level == logging.WARNING
        True
        """
        return (logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG, logging.DEBUG // 2)[
            self
        ]


@attrs.frozen
class AsLogger:
    """Writes lines to the `logging.Logger` it is given, which decides what becomes of them.

    >>> logger = AsLogger(logging.Logger("udf", logging.INFO))
    >>> logger.is_enabled(AsLogLevel.WARN), logger.is_enabled(AsLogLevel.TRACE)
    (True, False)
    """

    logger: logging.Logger

    def is_enabled(self, level: AsLogLevel) -> bool:
        """Whether a line of this level would be written: ask before making a costly one."""
        return self.logger.isEnabledFor(level.logging_level)

    def log(self, level: AsLogLevel, message: str, *arguments: object) -> None:
        """Write `message % arguments`, formatted only if it is written."""
        # The line belongs to the caller, not to this file.
        self.logger.log(level.logging_level, message, *arguments, stacklevel=2)
