"""Complaints that come again and again: each is logged once in a while.

A stranger that is refused tries again, for days. The first time must be in the log, and an operator
who looks must see that it goes on; a line for each attempt would bury the rest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from typing import Final

AGAIN_MS: Final = 60_000
"""How long the same complaint is kept back after it was logged."""
MOST: Final = 1000
"""Complaints remembered: a table that is full starts afresh."""


class Complaints:
    """What has been complained of lately."""

    def __init__(self, log: logging.Logger, now_ms: Callable[[], int]) -> None:
        self._log = log
        self._now_ms = now_ms
        self._said: dict[Hashable, tuple[int, int]] = {}

    def say(self, about: Hashable, text: str, *arguments: object) -> None:
        """Warn of something, unless the same (by `about`) was warned of in the last minute."""
        now_ms = self._now_ms()
        until_ms, kept_back = self._said.get(about, (0, 0))
        if now_ms < until_ms:
            self._said[about] = until_ms, kept_back + 1
            return
        if len(self._said) >= MOST:
            self._said.clear()
        self._said[about] = now_ms + AGAIN_MS, 0
        more = f" ({kept_back} more since it was last said)" if kept_back else ""
        self._log.warning(text + more, *arguments)
