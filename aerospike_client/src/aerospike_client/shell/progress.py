"""A bar that says how far a backup or restore has come."""

from __future__ import annotations

from collections.abc import Callable

from aerospike_client.backup import Counts

_WIDTH = 24


def bar(done: int, total: int, counts: Counts) -> str:
    """One line: the bar, the part that is done, records and bytes.

    >>> bar(1, 4, Counts(records=1234, bytes=5_600_000))
    '[######                  ]  25 %  1,234 records  5.6 MB'
    """
    part = min(1.0, done / total) if total else 1.0
    filled = "#" * int(part * _WIDTH)
    size = f"{counts.bytes / 1e6:,.1f} MB"
    return f"[{filled:<{_WIDTH}}] {int(part * 100):3} %  {counts.records:,} records  {size}"


class Bar:
    """Draws over itself on a terminal; elsewhere it says nothing."""

    def __init__(self, write: Callable[[str], None] | None, total: int, by_bytes: bool) -> None:
        """`total` of records or, `by_bytes`, of bytes; `write` is None where nobody looks."""
        self._write = write
        self._total = total
        self._by_bytes = by_bytes

    def show(self, counts: Counts) -> None:
        """Draw."""
        if self._write is not None:
            done = counts.bytes if self._by_bytes else counts.records
            self._write("\r" + bar(done, self._total, counts))

    def end(self, counts: Counts) -> None:
        """Draw for the last time, as done."""
        if self._write is not None:
            self._write("\r" + bar(1, 1, counts) + "\n")
