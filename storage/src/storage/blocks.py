"""Write blocks: who owns which bytes of a log.

A log is a row of fixed-size blocks. Places are handed out one behind the other in the block being
written (the head); a place is never written twice by a later record until its whole block is free
again. What is released makes its block sparse, and a sparse block is emptied by moving what still
lives in it to the head. This module only counts; the engine owns the bytes and does the moving.
"""

from __future__ import annotations

from array import array
from collections import deque

_NONE = -1


class WriteBlocks:
    """The accounts of a log of `block_size`-byte blocks, numbered from 0.

    A block whose places are less than `sparse_pct` percent used, once full, waits to be emptied.

    >>> blocks = WriteBlocks(1024, sparse_pct=50)
    >>> blocks.place(600), blocks.place(600)
    (0, 1024)
    >>> blocks.release(0, 600)
    0
    """

    __slots__ = (
        "_head",
        "_head_end",
        "_sparse",
        "_sparse_below",
        "_used",
        "_waiting",
        "block_size",
        "emptying",
        "free",
        "next",
        "used_bytes",
    )

    block_size: int
    free: list[int]
    """Blocks that hold nothing; the last is used next."""
    emptying: int | None
    """The sparse block being emptied; None again when it is free."""
    next: int
    """Where the next place begins, if it fits the head."""
    used_bytes: int
    """Bytes of all places not released."""

    def __init__(self, block_size: int, sparse_pct: int) -> None:
        self.block_size = block_size
        self._sparse_below = block_size * sparse_pct // 100
        self._used = array("I")  # by block: bytes of places not released
        self._waiting = bytearray()  # by block: 1 while queued in _sparse
        self._sparse: deque[int] = deque()
        self.free = []
        self.emptying = None
        self._head = _NONE
        self._head_end = 0
        self.next = 0
        self.used_bytes = 0

    @classmethod
    def restored(cls, block_size: int, sparse_pct: int, used: array[int]) -> WriteBlocks:
        """The accounts of a log whose blocks, none being written, are used so far. O(blocks)."""
        blocks = cls(block_size, sparse_pct)
        blocks._used = used
        blocks._waiting = bytearray(len(used))
        blocks.used_bytes = sum(used)
        for block, size in enumerate(used):
            if size == 0:
                blocks.free.append(block)
            elif size < blocks._sparse_below:
                blocks._wait(block)
        return blocks

    def used_of_blocks(self) -> array[int]:
        """By block, the bytes of places not released; what `restored` takes."""
        return self._used

    def __len__(self) -> int:
        """Blocks ever needed at once; the log is this many blocks long."""
        return len(self._used)

    def place(self, size: int) -> int:
        """Hand out `size` bytes (at most a block): their position in the log. O(1)."""
        position = self.next
        if position + size > self._head_end:
            self._next_head()
            position = self.next
        self.next = position + size
        self._used[self._head] += size
        self.used_bytes += size
        return position

    def release(self, position: int, size: int) -> int | None:
        """Take back a place; the number of the block that became free by it, if any. O(1)."""
        block = position // self.block_size
        used = self._used[block] = self._used[block] - size
        self.used_bytes -= size
        if block == self._head:
            return None
        if used == 0:
            self.free.append(block)
            if block == self.emptying:
                self.emptying = None
            return block
        if used < self._sparse_below:
            self._wait(block)
        return None

    def sparse(self) -> int | None:
        """Where the next sparse block to empty begins, if there is one. O(1).

        It is `emptying` from now on. Move what lives in it to new places and release the old ones.
        """
        assert self.emptying is None
        while self._sparse:
            block = self._sparse.popleft()
            self._waiting[block] = 0
            if block != self._head and 0 < self._used[block] < self._sparse_below:
                self.emptying = block
                return block * self.block_size
        return None

    @property
    def sparse_blocks(self) -> int:
        """Blocks that wait to be emptied."""
        return len(self._sparse)

    def _next_head(self) -> None:
        sealed = self._head
        if self.free:
            self._head = self.free.pop()
        else:
            self._head = len(self._used)
            self._used.append(0)
            self._waiting.append(0)
        self.next = self._head * self.block_size
        self._head_end = self.next + self.block_size
        if sealed != _NONE:
            if self._used[sealed] == 0:
                self.free.append(sealed)
            elif self._used[sealed] < self._sparse_below:
                self._wait(sealed)

    def _wait(self, block: int) -> None:
        if not self._waiting[block] and block != self.emptying:
            self._waiting[block] = 1
            self._sparse.append(block)

    def _check(self) -> None:
        """Assert every invariant. O(blocks)."""
        assert len(self._used) == len(self._waiting)
        assert sum(self._used) == self.used_bytes
        assert len(set(self.free)) == len(self.free)
        assert sorted(self._sparse) == [b for b, w in enumerate(self._waiting) if w]
        for block, used in enumerate(self._used):
            if block == self._head:
                assert block not in self.free
                assert used <= self.next - block * self.block_size <= self.block_size
                continue
            assert used <= self.block_size
            assert (used == 0) == (block in self.free)
            if 0 < used < self._sparse_below:
                assert self._waiting[block] != (block == self.emptying)
