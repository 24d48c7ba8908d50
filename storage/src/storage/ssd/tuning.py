"""What of an ssd store may be changed while it runs, and what it is told by its surroundings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from citrusleaf.cf_clock import Clock, SystemClock


def _nobody_writes() -> None:
    """The usual `flush_due`: what was put is written by `sync`."""


@dataclass(slots=True)
class Tuning:
    """The parameters of a store that are looked at whenever they matter."""

    flush_size: int = 1 << 20
    """Most bytes of one write to a device."""
    max_write_cache: int | None = None
    """Bytes of sealed blocks that may wait for each device, at least one block; beyond it puts
    raise DeviceOverload. None = the thread that puts then writes them itself."""
    defrag_queue_min: int = 0
    """Sparse blocks that may wait before any is emptied; not when the device is full."""
    defrag_sleep_us: int = 0
    """Microseconds between one sparse block and the next; none when the device is full."""
    flush_due: Callable[[], None] = _nobody_writes
    """See `storage.engine.Upkeep`; called when `flush_size` more bytes wait."""
    clock: Clock = field(default_factory=SystemClock)
