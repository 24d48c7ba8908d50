"""`Task`: something that the nodes are doing, to be awaited."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from aerospike_client.aio.engine import Engine
from aerospike_client.scripts.effects import Script
from aerospike_client.scripts.info import until


class Task:
    """An index being built, a function spreading, a job in the background."""

    def __init__(
        self, engine: Engine, what: str, poll: Callable[[], Script[bool]], task_id: int = 0
    ) -> None:
        self._engine = engine
        self._what = what
        self._poll = poll
        #: By this number the nodes know a job (`query-show`); 0 for other things.
        self.task_id = task_id

    async def is_done(self) -> bool:
        """Whether it is through on all nodes."""
        return await self._engine.run(self._poll())

    async def wait(self, timeout_ms: int = 0) -> None:
        """Return when it is through on all nodes. TimedOut after `timeout_ms` (0 = never)."""
        await self._engine.run(until(self._poll, timeout_ms, self._what))

    def __await__(self) -> Generator[Any, None, None]:
        """As `wait`, without a limit."""
        return self.wait().__await__()
