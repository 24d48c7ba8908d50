"""A query that reads records for its client."""

from __future__ import annotations

from asd.query.foreground import ForegroundQuery
from asd.query.walk import Stretch


class BasicQuery(ForegroundQuery):
    """Sends what it finds."""

    async def _take(self, batch: Stretch, messages: list[bytes]) -> bool:
        piece = await self._reader.answer(batch, self._pace.over)
        if piece:
            messages.append(piece)
        return self._reader.full
