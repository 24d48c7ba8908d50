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
        self._line: deque[Held | bytes] = deque()
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

    def hold(self, held: Held) -> bool:
        """A reply that waits for its commitment; True when the line is full now."""
        self._line.append(held)
        self._size += len(held.reply)
        return self.full

    def add(self, data: bytes) -> None:
        """What waits for nothing but its place in the line."""
        self._line.append(data)
        self._size += len(data)

    def clear(self) -> None:
        """The client has gone."""
        self._line.clear()
        self._size = 0

    def release(self) -> bool:
        """Send all that need not wait any longer; True when the line is empty."""
        line, ready = self._line, []
        while line:
            first = line[0]
            if isinstance(first, Held):
                if not first.commitment.released:
                    break
                ready.append(first.final)
                self._size -= len(first.reply)
            else:
                ready.append(first)
                self._size -= len(first)
            line.popleft()
        if ready:
            self._write(b"".join(ready))
        return not line

    def _check(self) -> None:
        """Assert every invariant: what waits for nothing is never first in line."""
        sizes = [len(each.reply) if isinstance(each, Held) else len(each) for each in self._line]
        assert self._size == sum(sizes)
        assert not self._line or isinstance(self._line[0], Held)
