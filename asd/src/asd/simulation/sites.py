"""Two clusters, of which the first ships to the second, while links are cut and nodes die.

One application writes to the first; faults come and go; when all is healed, and nothing waits to
be shipped any more, both must have the same records with the same values, and those that the
application was told of. So this looks for changes that are lost and for older versions that went
over newer ones.

Faults are those that shipping promises to stand (docs/shipping.md): ways between the clusters are
cut, connections broken, and a node of either side dies while the other has what it has.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final

from aerospike_client import AsyncClient, ClientError, Key, RecordNotFound
from asd.simulation.checkers.rest import digests_of
from asd.simulation.machine import Machine, Shape
from asd.simulation.world import World
from cluster import PARTITIONS
from cluster.simulation import Violation

SPACE: Final = b"test"
KEYS: Final = 24
PAUSE_S: Final = 0.02
QUIET_S: Final = 60.0
"""Within this what waited must be shipped, when all is healed."""
DOUBT_S: Final = 4.0
"""After this what is in doubt has been shipped once more (`failure_handler.SETTLE_MS`)."""
SLOW_S: Final = 0.3
"""What connections are slowed down by before they break, so that something is on its way."""
CUT: Final = "the ways between the clusters are cut"
BREAK: Final = "the connections between the clusters break"
DIE_HERE: Final = "a node dies that ships"
DIE_THERE: Final = "a node dies that is shipped to"
FAULTS: Final = (CUT, BREAK, DIE_HERE, DIE_THERE)
REST_S: Final = 20.0
"""A cluster that has lost a node is whole again after this, at the latest."""


class SitesRun:
    """One run, from a seed. `written`: what each key's record must be, None: gone."""

    def __init__(self, seed: int, rounds: int = 3, faults: Sequence[str] = FAULTS) -> None:
        """`faults`: those that may happen, one a round."""
        self.world = self._make_world(seed)
        self.rounds, self.faults = rounds, faults
        self.happened = Counter[str]()
        self.writes = 0
        self.written: dict[int, int | None] = {}
        self._writing = True

    def _make_world(self, seed: int) -> World:
        return World(seed, Shape(nodes=2, ships=((0, 1),)), sites=2)

    def run(self) -> None:
        """From the start of the nodes to the last check. Raises Violation."""
        with self.world as world:
            writers = self._start_writers()
            for _ in range(self.rounds):
                world.wait(world.chance.between(0.5, 2.0))
                self._harm()
            self._writing = False
            for writer in writers:
                world.wait_until(writer.done, REST_S, "done with writing")
            world.heal()
            world.wait_until(world.is_serving, QUIET_S, "serving")
            world.wait(DOUBT_S)
            world.wait_until(self._is_shipped, QUIET_S, "shipped")
            world.wait(DOUBT_S)
            self.check()

    # ---------------------------------------------------------------------- what happens

    def _start_writers(self) -> list[asyncio.Task[None]]:
        return [self.world.start_application(self._write(), "writer")]

    async def _write(self) -> None:
        """Write and delete records until told to end, each until it is acknowledged."""
        chance = self.world.chance
        async with self.world.client() as client:
            number = 0
            while self._writing:
                number += 1
                key = chance.below(KEYS)
                where = Key(SPACE.decode(), "s", key)
                deletes = chance.below(5) == 0
                while not await _acknowledged(client, where, None if deletes else number):
                    await asyncio.sleep(PAUSE_S)
                self.written[key] = None if deletes else number
                self.writes += 1
                await asyncio.sleep(PAUSE_S)

    def _harm(self) -> None:
        """One fault, and its end."""
        world, chance = self.world, self.world.chance
        here, *others = ([machine.name for machine in site] for site in world.sites)
        there = others[chance.below(len(others))] if len(others) > 1 else others[0]
        ways = [(a, b) for a in here for b in there]
        ways += [(b, a) for a, b in ways]
        fault = self.faults[chance.below(len(self.faults))]
        world.note("", fault)
        self.happened[fault] += 1
        if fault == CUT:
            lasts_s = chance.between(0.5, 15.0)
            world.cut_for(lasts_s, ways)
            world.wait(lasts_s)
        elif fault == BREAK:
            world.clog_for(2 * SLOW_S, ways, SLOW_S)
            world.wait(2 * SLOW_S)
            for a, b in ways[: len(ways) // 2]:
                world.reset(a, b)
        else:
            name = (here if fault == DIE_HERE else there)[chance.below(2)]
            world.crash(name)
            world.wait(chance.between(0.5, 5.0))
            world.restart(name)
            world.wait_until(world.is_serving, REST_S, "serving")

    def _is_shipped(self) -> bool:
        """Does nothing wait any more?"""
        return all(
            link.schedule.backlog == 0
            and not link.schedule.under_way
            and len(link.schedule.recovery) == 0
            for machine in self.world.machines.values()
            if machine.node is not None
            for shipper in machine.node.shipping.shippers.values()
            for link in shipper.links.values()
        )

    # ------------------------------------------------------------------------- the check

    def check(self) -> None:
        """Both have what was written, and nothing else. Raises Violation."""
        expected = {
            Key(SPACE.decode(), "s", key).digest: number
            for key, number in self.written.items()
            if number is not None
        }
        for site in self.world.sites:
            for machine in site:
                found = records_of(machine)
                digests = sorted(found.keys() | expected.keys())
                wrong = [each for each in digests if found.get(each) != expected.get(each)]
                if wrong:
                    told = ", ".join(
                        f"{each.hex()[:8]} {found.get(each)} instead of {expected.get(each)}"
                        for each in wrong[:5]
                    )
                    where = f"{machine.name} of site {machine.site}"
                    raise Violation(f"{where}: {len(wrong)} records are wrong: {told}")


async def _acknowledged(client: AsyncClient, key: Key, number: int | None) -> bool:
    """Write a record, or delete it: was that acknowledged?"""
    try:
        if number is None:
            await client.remove(key)
        else:
            await client.put(key, {"n": number})
    except RecordNotFound:
        return True
    except ClientError:
        return False
    return True


def records_of(machine: Machine) -> dict[bytes, int]:
    """Digest to the number in it, of all records of a node that are not deleted."""
    node = machine.node
    assert node is not None
    engine = node.namespaces[SPACE].engine
    found: dict[bytes, int] = {}
    for partition in range(PARTITIONS):
        for digest in digests_of(engine.index, partition):
            record = engine.get(digest)
            if record is not None:
                found[digest] = int.from_bytes(record[5][-8:], "big")
    return found
