"""Running asyncio programs."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

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
