"""Event loops: running asyncio programs, and going by a loop's own time."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from citrusleaf.cf_clock import Clock

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T], *, debug: bool | None = None) -> T:
    """`asyncio.run`, on uvloop where that is installed (the extra `fast`).

    Nothing in the client needs it: an `AsyncClient` runs on whatever loop it is used.
    """
    try:
        from uvloop import new_event_loop
    except ImportError:
        return asyncio.run(main, debug=debug)
    with asyncio.Runner(debug=debug, loop_factory=new_event_loop) as runner:
        return runner.run(main)


class LoopClock(Clock):
    """The time of the running event loop, for an `AsyncClient` on a simulated one.

    With it, and with a seeded `CfRandom`, everything that a client does is the same in every run
    that its loop makes the same. (A client that is given no clock goes by the system's: uvloop's
    own time moves in milliseconds, too coarse for latencies.)
    """

    def __init__(self, wall_s: float = 0.0) -> None:
        """`wall_s`: the Unix second at which the loop's time was 0."""
        self._wall_ns = round(wall_s * 1e9)

    def monotonic_ns(self) -> int:
        """Nanoseconds of the running loop. RuntimeError when none runs."""
        return round(asyncio.get_running_loop().time() * 1e9)

    def wall_ns(self) -> int:
        """Unix nanoseconds, by the loop's time."""
        return self._wall_ns + self.monotonic_ns()


async def together(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run coroutines at the same time. When one fails, or we are cancelled, the others are
    cancelled in their order and waited for; what the first failed with is raised as it is.

    (`asyncio.TaskGroup` wraps it, and cancels in an order that differs from run to run.)
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    except (Exception, asyncio.CancelledError):
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise
