"""What a fast path knows by the bytes behind the digest: requests that ask for the same are taken
apart once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from aerospike_common.wire.message import Message, parse_message
from citrusleaf.cf_digest import DIGEST_SIZE

KNOWN: Final = 64
"""Ends of requests that one path keeps."""

MAX_SIZE: Final = 256
"""Bytes of the longest end that is kept: long ones hold values, which seldom come again."""

_FRAME_HEADER: Final = 8

T = TypeVar("T")


class Known(Generic[T]):
    """What was made of messages; `made` is it by the bytes behind the digest."""

    __slots__ = ("_before", "_keeps", "_make", "_rest", "made")

    def __init__(self, make: Callable[[Message], T], rest: int, head_size: int) -> None:
        """`make` is given a message, and raises for one that it refuses; None is not kept.
        `rest` and `head_size` as the path has them."""
        self._make = make
        self._rest = rest
        self._before = head_size - _FRAME_HEADER
        self._keeps = rest - DIGEST_SIZE <= MAX_SIZE
        self.made: dict[bytes, T] = {}

    def add(self, data: bytes, digest: int, wire: bytes) -> T:
        """What `make` makes of the message around a digest. Raises MessageError, and what `make`
        does."""
        made = self._make(parse_message(data[digest - self._before : digest + self._rest]))
        if made is not None and self._keeps:
            if len(self.made) >= KNOWN:
                self.made.clear()
            self.made[wire] = made
        return made
