"""Which event loop to run on: uvloop where it is installed, the standard loop otherwise."""

from __future__ import annotations

import asyncio

try:
    import uvloop
except ImportError:
    uvloop = None  # type: ignore[assignment]  # the extra `fast` is not installed


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A loop for one node."""
    if uvloop is None:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
