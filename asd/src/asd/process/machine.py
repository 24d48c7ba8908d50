"""The machine a node runs on: its memory, its processors, and the node's own process.

An adapter: the operating system is asked here and nowhere else.
"""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import psutil
from attrs import frozen

_SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "max_map_count": "/proc/sys/vm/max_map_count",
        "min_free_kbytes": "/proc/sys/vm/min_free_kbytes",
        "swappiness": "/proc/sys/vm/swappiness",
        "thp_defrag": "/sys/kernel/mm/transparent_hugepage/defrag",
        "thp_enabled": "/sys/kernel/mm/transparent_hugepage/enabled",
        "zone_reclaim_mode": "/proc/sys/vm/zone_reclaim_mode",
    }
)


LOOPBACK: Final = "127.0.0.1"
_SOMEWHERE: Final = ("192.0.2.1", 9)
"""An address kept for documentation: nothing is sent there."""


def processors() -> tuple[int, ...]:
    """The processors that this process may use, by number."""
    if hasattr(os, "sched_getaffinity"):
        return tuple(sorted(os.sched_getaffinity(0)))
    return tuple(range(os.cpu_count() or 1))


def pin(processor: int) -> None:
    """Keep this process on one processor. Raises OSError."""
    if not hasattr(os, "sched_setaffinity"):
        raise OSError(errno.ENOSYS, "this system keeps no process on a processor")
    os.sched_setaffinity(0, {processor})


@frozen
class Readings:
    """What the machine said at one moment; zeros where nothing is known.

    Memory in bytes, shares of the processors in percent, of the last second or some more.
    """

    memory_total: int = 0
    memory_free: int = 0
    cpu_user_pct: float = 0.0
    cpu_kernel_pct: float = 0.0
    process_cpu_pct: float = 0.0
    process_memory: int = 0
    process_threads: int = 0
    huge_pages: int = 0
    """Memory in pages that the kernel made large by itself."""

    @property
    def memory_free_pct(self) -> int:
        """Free memory in percent of all."""
        return 100 * self.memory_free // self.memory_total if self.memory_total else 0


class Machine:
    """A machine that says nothing, for nodes in simulations and tests."""

    kernel_settings: Mapping[str, str] = MappingProxyType({})
    """Of the operating system: `max_map_count`, `min_free_kbytes`, `swappiness`, `thp_defrag`,
    `thp_enabled`, `zone_reclaim_mode`, as far as they are known."""

    def read(self) -> Readings:
        """Ask the machine. Takes well under a millisecond."""
        return Readings()

    def address(self) -> str:
        """Where other machines reach this one; its loopback where it has no network."""
        return LOOPBACK


class RealMachine(Machine):
    """The machine this process runs on."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self.kernel_settings = MappingProxyType(_kernel_settings())
        self._read_s = time.monotonic()
        self._readings = self._read()  # its shares mean nothing: they are since the last time

    def read(self) -> Readings:
        """Ask the operating system, if that is a second ago: two who ask one right after the other
        are to hear the same, and not the share of what was in between."""
        now_s = time.monotonic()
        if now_s - self._read_s >= 1:
            self._read_s, self._readings = now_s, self._read()
        return self._readings

    def _read(self) -> Readings:
        cpu = psutil.cpu_times_percent()
        memory = psutil.virtual_memory()
        with self._process.oneshot():
            return Readings(
                memory_total=memory.total,
                memory_free=memory.available,
                cpu_user_pct=cpu.user,
                cpu_kernel_pct=cpu.system,
                process_cpu_pct=self._process.cpu_percent(),
                process_memory=self._process.memory_info().rss,
                process_threads=self._process.num_threads(),
                huge_pages=_huge_pages(),
            )

    def address(self) -> str:
        """Ask by which of its addresses the machine would reach others."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(_SOMEWHERE)  # of a datagram socket: nothing is sent
            except OSError:
                return LOOPBACK
            host: str = probe.getsockname()[0]
            return host


def _kernel_settings() -> dict[str, str]:
    settings = {}
    for name, path in _SETTINGS.items():
        text = _read(path)
        if text:
            # of several possible values, the one in effect stands in brackets
            settings[name] = text.partition("[")[2].partition("]")[0] or text.strip()
    return settings


def _huge_pages() -> int:
    for line in _read("/proc/meminfo").splitlines():
        if line.startswith("AnonHugePages:"):
            return int(line.split()[1]) * 1024
    return 0


def _read(path: str) -> str:
    """The file's text; empty where there is no such file, as on other systems than Linux."""
    try:
        return Path(path).read_text("ascii")
    except OSError:
        return ""
