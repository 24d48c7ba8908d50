"""The machine a node runs on: its memory, its processors, and the node's own process.

An adapter: the operating system is asked here and nowhere else.
"""

from __future__ import annotations

import psutil
from attrs import frozen


@frozen
class Readings:
    """What the machine said at one moment; zeros where nothing is known.

    Memory in bytes, shares of the processors in percent since the reading before.
    """

    memory_total: int = 0
    memory_free: int = 0
    cpu_user_pct: float = 0.0
    cpu_kernel_pct: float = 0.0
    process_cpu_pct: float = 0.0
    process_memory: int = 0
    process_threads: int = 0

    @property
    def memory_free_pct(self) -> int:
        """Free memory in percent of all."""
        return 100 * self.memory_free // self.memory_total if self.memory_total else 0


class Machine:
    """A machine that says nothing, for nodes in simulations and tests."""

    def read(self) -> Readings:
        """Ask the machine. Takes well under a millisecond."""
        return Readings()


class RealMachine(Machine):
    """The machine this process runs on."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self.read()  # the first shares of the processors mean nothing

    def read(self) -> Readings:
        """Ask the operating system."""
        memory = psutil.virtual_memory()
        cpu = psutil.cpu_times_percent()
        with self._process.oneshot():
            return Readings(
                memory_total=memory.total,
                memory_free=memory.available,
                cpu_user_pct=cpu.user,
                cpu_kernel_pct=cpu.system,
                process_cpu_pct=self._process.cpu_percent(),
                process_memory=self._process.memory_info().rss,
                process_threads=self._process.num_threads(),
            )
