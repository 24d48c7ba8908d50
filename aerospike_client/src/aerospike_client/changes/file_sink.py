"""Changes to files: a line of JSON each. An adapter.

`changes.jsonl` is written; when it is large enough it becomes `changes-000001.jsonl`, and so on. A
line is on the medium before its change is done, so a change may be there twice after a crash, and
the last line may be cut off.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Final

from aerospike_client.changes.change import Change

CURRENT: Final = "changes.jsonl"
ROTATE_BYTES: Final = 64 << 20


class FileSink:
    """Writes into one directory."""

    def __init__(
        self, directory: Path, shape: Callable[[Change], str], rotate_bytes: int = ROTATE_BYTES
    ) -> None:
        """The directory is made. OSError."""
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._shape = shape
        self._rotate_bytes = rotate_bytes
        self._file: IO[bytes] = (directory / CURRENT).open("ab")

    async def deliver(self, changes: Sequence[Change]) -> bool:
        """Write them; False when the medium refuses."""
        lines = "\n".join(map(self._shape, changes)) + "\n"
        try:
            self._file.write(lines.encode())
            self._file.flush()
            os.fsync(self._file.fileno())
            if self._file.tell() >= self._rotate_bytes:
                self._rotate()
        except OSError:
            return False
        return True

    def _rotate(self) -> None:
        self._file.close()
        numbers = [int(path.stem[8:]) for path in self._directory.glob("changes-[0-9]*.jsonl")]
        number = max(numbers, default=0) + 1
        current = self._directory / CURRENT
        current.rename(self._directory / f"changes-{number:06}.jsonl")
        self._file = current.open("ab")

    async def close(self) -> None:
        """Close the file."""
        self._file.close()
