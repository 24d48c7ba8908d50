"""What operators do to a world's nodes, by info commands over the simulated network.

An operator has a host of its own and asks nodes as `asinfo` does. So a command may meet a node that
is cut off, or be lost; then the answer is an error, which is noted, and nobody tries again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from aerospike_client import ClientError

if TYPE_CHECKING:
    from asd.simulation.world import World

LOOKS_S = 0.01
SPREADS_S = 1.0
"""What was set on one node has come to all."""


Command: TypeAlias = tuple[Iterable[str], str]
"""Who is asked, and what."""


async def ask_all(world: World, commands: Iterable[Command]) -> None:
    """Ask one thing after the other."""
    for names, command in commands:
        await ask(world, names, command)


async def after(others: Sequence[asyncio.Task[None]], work: Coroutine[Any, Any, None]) -> None:
    """Do something when other operators, each on a host of its own, are done."""
    while not all(each.done() for each in others):
        await asyncio.sleep(LOOKS_S)
    await work


async def ask(world: World, names: Iterable[str], command: str) -> dict[str, str]:
    """Ask nodes, one after the other; their answers, or what went wrong instead."""
    told: dict[str, str] = {}
    try:
        async with world.client() as client:
            for name in names:
                node = world.machines[name].node
                if node is None:
                    continue
                try:
                    told[name] = await client.info(command, node=node.node_id)
                except ClientError as error:
                    told[name] = f"no answer: {error}"
                world.note("operator", f"asks {name}: {command} -> {told[name]:.100}")
    except ClientError as error:
        world.note("operator", f"reaches nobody: {error}")
    return told


def roster_set(space: str, nodes: Iterable[str]) -> str:
    """The command that puts nodes, `ID` or `ID@RACK`, on a namespace's roster."""
    return f"roster-set:namespace={space};nodes={','.join(nodes)}"


async def set_rosters(world: World) -> None:
    """Put all nodes on the roster of every namespace with strong consistency, and have the cluster
    go by it."""
    first = world.names[0]
    for space in world.strong:
        shown = await ask(world, (first,), f"roster:namespace={space}")
        observed = shown[first].rpartition("observed_nodes=")[2]
        await ask(world, (first,), roster_set(space, [observed]))
    await asyncio.sleep(SPREADS_S)
    await ask(world, world.names, "recluster:")
