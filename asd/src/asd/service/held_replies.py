"""The replies of one connection that wait, and all that stand in line behind them.

Clients match replies to requests by their order, so a reply that must wait holds up those behind
it, but not their *requests*: those are done as they come. While nothing waits, the connection
writes to its socket and this costs nothing; from the first held reply on it writes here
(`Connection` swaps one callable for another), until the line is empty again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from aerospike_common.wire.message import reply_frame
from asd.space.commitment import Commitment

MOST_BYTES: Final = 1 << 20
"""Bytes in line from which on the connection's requests wait as well."""

MOST_REPLIES: Final = 1024


class Held(NamedTuple):
    """A reply that may be sent when its commitment is released."""

    reply: bytes
    commitment: Commitment

    @property
    def final(self) -> bytes:
        """The reply to send, once it is released: an error if the commitment has failed."""
        code = self.commitment.code
        return reply_frame(code) if code else self.reply


class HeldReplies:
    """The line of one connection, in the order of the requests."""

    __slots__ = ("_line", "_size", "_write")

    def __init__(self, write: Callable[[bytes], None]) -> None:
        """`write` sends bytes to the client."""
        self._write = write
        self._line: deque[tuple[bytes, Commitment | None]] = deque()
        """Replies; None: it waits for nothing but its place."""
        self._size = 0

    def __len__(self) -> int:
        return len(self._line)

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return self._size

    @property
    def full(self) -> bool:
        """Take no more requests for now."""
        return self._size >= MOST_BYTES or len(self._line) >= MOST_REPLIES

    def hold(self, reply: bytes, commitment: Commitment) -> bool:
        """A reply that waits for its commitment; True when the line is full now."""
        line = self._line
        line.append((reply, commitment))
        self._size += len(reply)
        return self._size >= MOST_BYTES or len(line) >= MOST_REPLIES

    def add(self, data: bytes) -> None:
        """What waits for nothing but its place in the line."""
        self._line.append((data, None))
        self._size += len(data)

    def clear(self) -> None:
        """The client has gone."""
        self._line.clear()
        self._size = 0

    def release(self) -> bool:
        """Send all that need not wait any longer; True when the line is empty."""
        line, ready = self._line, []
        while line:
            reply, commitment = line[0]
            if commitment is not None and not commitment.released:
                break
            line.popleft()
            self._size -= len(reply)
            failed = commitment is not None and commitment.code
            ready.append(reply_frame(failed) if failed else reply)
        if ready:
            self._write(b"".join(ready))
        return not line

    def _check(self) -> None:
        """Assert every invariant: what waits for nothing is never first in line."""
        assert self._size == sum(len(reply) for reply, _ in self._line)
        assert not self._line or self._line[0][1] is not None
