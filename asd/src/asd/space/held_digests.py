"""Records that are being worked on elsewhere: writes of them wait, in the order in which they came.

The rw-hash of heavy commands (`asd.transactions.heavy`). Fast paths know nothing of it: while a
digest is held its partition is barred to them (`asd.space.ownership`), one of 4096.
"""

from __future__ import annotations

import asyncio
from collections import deque

from asd.space.ownership import Ownership
from citrusleaf.cf_digest import partition_id


class HeldDigests:
    """Those of one namespace. Belongs to the loop's thread."""

    __slots__ = ("_ownership", "digests")

    def __init__(self, ownership: Ownership) -> None:
        self._ownership = ownership
        self.digests: dict[bytes, deque[asyncio.Future[None]]] = {}
        """Those that are held, and who waits for each."""

    def hold(self, digest: bytes) -> None:
        """From now on nobody else may write the record."""
        assert digest not in self.digests
        self.digests[digest] = deque()
        self._ownership.bar(partition_id(digest))

    def release(self, digest: bytes) -> None:
        """Others may write it, but not before the loop's next turn."""
        waiting = self.digests.pop(digest)
        self._ownership.unbar(partition_id(digest))
        for turn in waiting:
            if not turn.done():
                turn.set_result(None)

    async def wait(self, digest: bytes) -> None:
        """Return when the record may be written, as far as anybody knows now."""
        waiting = self.digests.get(digest)
        if waiting is not None:
            turn = asyncio.get_running_loop().create_future()
            waiting.append(turn)
            await turn

    def _check(self) -> None:
        """Assert every invariant: what is held is barred."""
        assert all(partition_id(digest) in self._ownership.barred for digest in self.digests)
