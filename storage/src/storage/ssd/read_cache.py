"""What was read from a device lately, kept so that the system need not be asked for it again.

Asking the page cache for a record and checking the answer costs ten times what taking it out of
memory does. Single payloads are kept first, whatever else is in their block. Where reads go on
missing, now and then a whole piece of a block is kept: the more of it is asked for, the likelier
it is that a miss falls into it. A record is served from a piece once it has been read and checked.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from storage.ssd.layout import RECORD_HEADER

MAX_PAYLOADS: Final = 1 << 13
MAX_PAYLOAD_SIZE: Final = 1 << 10
"""Payloads kept, and bytes of the longest."""
PIECE: Final = 64 << 10
"""Bytes of a piece; a block is cut into them from its beginning."""
MISSES: Final = 8
MISSES_FULL: Final = 64
"""Reads missed for each piece that is kept, and when another has to go for it: to read one costs
about as much as ten records."""


class ReadCache:
    """What was read from one device. The owner's alone.

    `read`        (offset, size) -> the device's bytes, or None when that would block
    `data_start`  where block 0 begins
    `max_bytes`   of all pieces
    """

    __slots__ = (
        "_block_size",
        "_data_start",
        "_max_pieces",
        "_misses",
        "_per_block",
        "_read",
        "payloads",
        "pieces",
    )

    def __init__(
        self,
        read: Callable[[int, int], bytes | None],
        data_start: int,
        block_size: int,
        max_bytes: int,
    ) -> None:
        self._read = read
        self._data_start = data_start
        self._block_size = block_size
        self._max_pieces = max_bytes // min(PIECE, block_size)
        self._misses = 0
        self._per_block = -(-block_size // PIECE)
        self.payloads: dict[int, bytes] = {}
        """Plain payloads by location."""
        self.pieces: dict[int, tuple[bytes, bytearray]] = {}
        """(bytes, by 16 of them: 1 where a plain record begins that was found right), by the
        piece's number on the device."""

    def find(self, number: int, at: int, location: int, size: int) -> bytes | None:
        """The payload, `size` bytes, of the record at a place of a block; None when not kept."""
        payload = self.payloads.get(location)
        if payload is not None:
            return payload
        piece = self.pieces.get(number * self._per_block + at // PIECE)
        if piece is not None:
            data, proven = piece
            begin = at % PIECE
            if proven[begin >> 4]:
                return data[begin + RECORD_HEADER : begin + RECORD_HEADER + size]
        return None

    def note(self, number: int, at: int, location: int, record: bytes, payload: bytes) -> None:
        """A plain record was read at a place of a block, and found right."""
        if len(payload) <= MAX_PAYLOAD_SIZE:
            if len(self.payloads) >= MAX_PAYLOADS:
                self.payloads.clear()
            self.payloads[location] = payload
        which = number * self._per_block + at // PIECE
        piece = self.pieces.get(which)
        if piece is not None:
            data, proven = piece
            begin = at % PIECE
            if data[begin : begin + len(record)] == record:
                proven[begin >> 4] = 1
            return
        self._misses += 1
        full = len(self.pieces) >= self._max_pieces
        if self._misses >= (MISSES_FULL if full else MISSES):
            self._misses = 0
            self._keep_piece(number, at // PIECE, which)

    def forget(self, number: int) -> None:
        """The block is written over: its locations will mean other records."""
        self.payloads.clear()
        if self.pieces:
            for which in range(number * self._per_block, (number + 1) * self._per_block):
                self.pieces.pop(which, None)

    def _keep_piece(self, number: int, nth: int, which: int) -> None:
        if not self._max_pieces:
            return
        start = nth * PIECE
        size = min(PIECE, self._block_size - start)
        data = None
        with suppress(OSError):  # whoever needs what is there will come upon it
            data = self._read(self._data_start + number * self._block_size + start, size)
        if data is not None:
            if len(self.pieces) >= self._max_pieces:
                del self.pieces[next(iter(self.pieces))]  # the oldest
            self.pieces[which] = data, bytearray(size >> 4)
