"""What can go wrong in a world, besides what can happen to any machines (`cluster.simulation`).

Faults of disks, what operators do, and restarts that are asked for. Each makes one thing happen,
for as long as it draws, and says what in a line.

What a namespace has only in the memory of processes is gone when enough of them die. So where that
is how it is configured (`keeps_all` is False), processes are killed one at a time, each when all
others have their copies: then nothing may be lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from asd.simulation.commands import COMMANDS
from asd.simulation.world import World
from cluster.simulation import GENERAL, Chance, Fault

KILLS: Final = frozenset({"kill", "power", "restart"})
"""Faults that end a process."""
MEDIA: Final = frozenset({"full-disk", "short-write", "dying-disk"})
"""Faults that a disk is not trusted after: what was not synced is lost."""
KILLS_ALL: Final = frozenset({"kill-all"})
"""Faults that end all at once."""
DISKS: Final = frozenset({"slow-disk", "full-disk", "short-write", "dying-disk"})
"""Faults of disks."""


def _restart(world: World, chance: Chance) -> str:
    """A node is asked to end, hands over, and is started again some time later."""
    running = [name for name in world.names if world.machines[name].serves]
    if len(running) < 2:
        return ""
    name = chance.choose(running)
    world.stop(name)
    world.later(chance.between(5, 12), lambda: world.restart(name))
    return f"ask {name} to end"


def _reset_clients(world: World, chance: Chance) -> str:
    """All connections of clients to a node break."""
    name = chance.choose(world.names)
    world.reset_clients(name)
    return f"clients lose their connections to {name}"


def _slow_disk(world: World, chance: Chance) -> str:
    """Work on a node's threads takes very long, and reads find nothing in the page cache."""
    name = chance.choose(world.names)
    machine = world.machines[name]
    slow_s = chance.choose((0.02, 0.2, 1.0))
    machine.disk.slow.update(machine.disk.files)
    if machine.threads is not None:
        machine.threads.slowest_s = slow_s

    def recover() -> None:
        machine.disk.slow.clear()
        if machine.threads is not None:
            machine.threads.slowest_s = world.shape.slowest_io_s

    world.later(chance.between(0.5, 8), recover)
    return f"the disk of {name} takes {slow_s} s"


def _full_disk(world: World, chance: Chance) -> str:
    """A node's disk has no more room."""
    name = chance.choose(world.names)
    disk = world.machines[name].disk
    disk.capacity_bytes = sum(map(len, disk.files.values()))

    def recover() -> None:
        disk.capacity_bytes = None

    world.later(chance.between(0.5, 8), recover)
    return f"the disk of {name} is full"


def _short_write(world: World, chance: Chance) -> str:
    """The next writes to a node's disk stop half way."""
    name = chance.choose(world.names)
    world.machines[name].disk.short_writes = 1 + chance.below(3)
    return f"writes to the disk of {name} stop half way"


def _dying_disk(world: World, chance: Chance) -> str:
    """Writes to and syncs of a node's disk fail for a time."""
    name = chance.choose(world.names)
    disk = world.machines[name].disk
    disk.dead.update(disk.files)
    world.later(chance.between(0.5, 8), disk.dead.clear)
    return f"the disk of {name} refuses writes"


KINDS: Mapping[str, Fault[World]] = MappingProxyType(
    {
        **GENERAL,
        **COMMANDS,
        "restart": _restart,
        "reset-clients": _reset_clients,
        "slow-disk": _slow_disk,
        "full-disk": _full_disk,
        "short-write": _short_write,
        "dying-disk": _dying_disk,
    }
)
"""Every kind of fault that happens to a world."""


def strike(world: World, chance: Chance, kind: str, *, keeps_all: bool) -> str:
    """Have a fault of a kind happen, if it may; what it is, '' when nothing happened."""
    if not keeps_all and kind in KILLS_ALL:
        return ""
    if not keeps_all and kind in KILLS | MEDIA and not _others_have_copies(world):
        return ""
    return KINDS[kind](world, chance)


def _others_have_copies(world: World) -> bool:
    """Nothing is lost with one node. In strong consistency what a node has lost counts until all
    are together again, so all must be there."""
    if not all(machine.disk_works for machine in world.machines.values()):
        return False
    if world.strong:
        return world.is_serving()
    return len([name for name in world.names if world.is_running(name)]) > 1 and world.is_settled()
