"""What happened in a run: lines to read, and a digest that is the same when the run is."""

from __future__ import annotations

import hashlib
from collections import deque


class History:
    """Collects lines; keeps the last ones, counts all, and digests all."""

    def __init__(self, keep: int = 4000) -> None:
        self.lines: deque[str] = deque(maxlen=keep)
        self.count = 0
        self._digest = hashlib.blake2b(digest_size=8)

    def add(self, now_s: float, who: str, what: str) -> None:
        """Something happened, to a node or ('') to the world."""
        line = f"{now_s - 1000:9.3f} s  {who:4} {what}"
        self.lines.append(line)
        self.count += 1
        self._digest.update(line.encode())

    @property
    def digest(self) -> str:
        """16 hexadecimal digits: the same for two runs that went the same way."""
        return self._digest.hexdigest()
