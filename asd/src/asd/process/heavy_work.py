"""Who does heavy work for a node: what a node is handed for it, and how it can fail.

`asd.process.workers` are processes; `Inline` does it on the loop, in its own turn, as a simulation
wants it: the same steps in the same order each time. A node that is handed nothing does heavy work
where it stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol


class Failed(Exception):
    """The job has failed inside: a fault of ours, or no memory."""


class Died(Failed):
    """The worker that had the job has died, or none could be started."""


class Overrun(Failed):
    """The job took longer than it may."""


class Overloaded(Failed):
    """Too many jobs wait. Nothing has begun."""


class HeavyWork(Protocol):
    """Has jobs done off the loop."""

    @property
    def busy(self) -> int:
        """Workers that have a job."""

    @property
    def queued(self) -> int:
        """Jobs that wait."""

    @property
    def queued_bytes(self) -> int:
        """Bytes of them."""

    async def run(self, job: Any, size: int, limit_s: float) -> Any:
        """Have a job of so many bytes done; what came of it. Raises Failed."""

    async def stop(self) -> None:
        """Begin nothing more, and end what runs."""


class Inline:
    """Does jobs on the loop, each in a turn of its own."""

    busy = queued = queued_bytes = 0

    def __init__(self, do: Callable[[Any], Any]) -> None:
        self._do = do

    async def run(self, job: Any, size: int, limit_s: float) -> Any:
        """As `HeavyWork.run`; whatever it raises comes as it is."""
        await asyncio.sleep(0)
        return self._do(job)

    async def stop(self) -> None:
        """Nothing is under way."""
