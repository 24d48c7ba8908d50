"""`AsBuffer`: bytes in the making."""

from __future__ import annotations

from typing import TypeAlias

Chunk: TypeAlias = bytes | bytearray | memoryview


class AsBufferFullError(Exception):
    """The buffer's limit does not leave room for what was to be written; nothing was."""


class AsBuffer:
    """Bytes that grow at the end, up to a limit. It has `write`, so it stands in for a file.

    >>> buffer = AsBuffer(limit=8)
    >>> buffer.write(b"abc")
    3
    >>> buffer.write(b"def"), bytes(buffer), len(buffer)
    (3, b'abcdef', 6)
    >>> buffer.write(b"ghi")
    Traceback (most recent call last):
      ...
    aerospike_common.as_buffer.AsBufferFullError: 9 bytes, limit 8
    """

    def __init__(self, initial: Chunk = b"", *, limit: int | None = None) -> None:
        """Begin with a copy of `initial`; hold at most `limit` bytes."""
        self._data = bytearray()
        self._limit = limit
        self.write(initial)

    def write(self, data: Chunk) -> int:
        """Add `data` at the end; how many bytes that were. O(len(data)) amortised.

        Raises AsBufferFullError, and BufferError while a view is held.
        """
        self._require(len(self._data) + memoryview(data).nbytes)
        before = len(self._data)
        self._data += data
        return len(self._data) - before

    def resize(self, size: int) -> None:
        """Cut off what is behind `size` bytes, or fill up with zeros to there.

        Raises AsBufferFullError, and BufferError while a view is held.
        """
        if size < 0:
            raise ValueError(f"negative size: {size}")
        self._require(size)
        missing = size - len(self._data)
        if missing > 0:
            self._data += bytes(missing)
        else:
            del self._data[size:]

    def view(self) -> memoryview:
        """The bytes without a copy, to read and to change in place.

        The buffer keeps its size until the view is released.
        """
        return memoryview(self._data)

    def __len__(self) -> int:
        return len(self._data)

    def __bytes__(self) -> bytes:
        return bytes(self._data)

    def _require(self, size: int) -> None:
        if self._limit is not None and size > self._limit:
            raise AsBufferFullError(f"{size} bytes, limit {self._limit}")

    def _check(self) -> None:
        assert self._limit is None or len(self._data) <= self._limit
