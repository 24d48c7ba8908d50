"""Clusters that all take writes and ship to each other, while links are cut and nodes die.

Applications of all sites write the same records: each a bin of its own, which it deletes now and
then, and one bin that all write; some records they delete, durably. Clocks of machines are wrong by
up to `SKEW_S`; in some runs they agree, and all sites write the same new record at each beat, so
that many are written within one millisecond. Two sites tell each other; or three make a ring, in
which each tells the next alone and what comes is passed on.

When all is healed, and nothing waits to be shipped any more, all sites must have the same; a bin
that one application alone writes must have what was acknowledged to it last; and one that all
write, something that was acknowledged; what all wrote within one millisecond, that of the greatest
src-id. So this looks for writes that one side keeps and another does not, for deletes that are
undone, and for what goes round a ring for ever.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from aerospike_client import AsyncClient, ClientError, Key, RecordNotFound, WritePolicy
from asd.config import NamespaceConfig
from asd.records.record import CEMETERY, unpack_bins
from asd.simulation.account import Result
from asd.simulation.checkers.rest import digests_of
from asd.simulation.machine import Machine, Shape, in_memory
from asd.simulation.sites import FAULTS, PAUSE_S, SPACE, SitesRun
from asd.simulation.world import World
from cluster import PARTITIONS
from cluster.simulation import Conditions, Violation

KEPT: Final = 12
"""Records that are never deleted, but bins of them."""
DELETED: Final = 6
"""Records that are, by everybody."""
SKEW_S: Final = 0.2
RING_EVERY: Final = 4
"""One seed in so many has a ring of three."""
BEAT_EVERY: Final = 5
"""One seed in so many has clocks that agree, and writers that write together."""
BEAT_S: Final = 0.05
TOGETHER: Final = 1000
"""From here on are the records that are written on a beat, each once by each site."""
PROMPT_S: Final = 0.00099
"""What is acknowledged so soon after a beat was written within one millisecond with the others.
The network is fast enough for that: to the master, to the replica, and back."""
_DURABLE: Final = WritePolicy(durable_delete=True)

Contents = dict[bytes, dict[bytes, Any]]


def _space() -> NamespaceConfig:
    config = in_memory(SPACE.decode())
    config.set("conflict-resolve-writes", "true")
    return config


class ConvergingRun(SitesRun):
    """One run, from a seed."""

    def __init__(self, seed: int, rounds: int = 3, faults: Sequence[str] = FAULTS) -> None:
        """As of `SitesRun`."""
        self.together = seed % BEAT_EVERY == 2
        super().__init__(seed, rounds, faults)
        self.own: dict[tuple[int, int], int | None] = {}
        """What each site's bin of each kept record must be, None: gone."""
        self.told: dict[int, set[int]] = {}
        """What was acknowledged of the bin that all write, by record."""
        self.prompt = Counter[int]()
        """By how many sites each record was written within the millisecond of its beat."""

    def _make_world(self, seed: int) -> World:
        ring = seed % RING_EVERY == 0
        ships = ((0, 1), (1, 2), (2, 0)) if ring else ((0, 1), (1, 0))
        shape = Shape(
            nodes=2,
            namespaces=(_space(),),
            ships=ships,
            converges=True,
            forwards=ring,
            max_wall_offset_s=0.0 if self.together else SKEW_S,
        )
        fast = Conditions(PROMPT_S / 16, PROMPT_S / 5) if self.together else None
        return World(seed, shape, fast, sites=3 if ring else 2)

    # ---------------------------------------------------------------------- what happens

    def _start_writers(self) -> list[asyncio.Task[None]]:
        sites = range(len(self.world.sites))
        start = self.world.start_application
        write = self._write_together if self.together else self._write_at
        return [start(write(site), f"writer {site}") for site in sites]

    async def _write_together(self, site: int) -> None:
        """A new record at each beat, at one moment with the writers of all sites."""
        world = self.world
        async with world.client(site=site) as client:
            while self._writing:
                beat = int(world.now_s / BEAT_S) + 1
                await asyncio.sleep(beat * BEAT_S - world.now_s)
                key, number = TOGETHER + beat, _on_beat(beat, site)
                await self._persist(client, key, {"s": number})
                self.writes += 1
                self.told.setdefault(key, set()).add(number)
                if world.now_s < beat * BEAT_S + PROMPT_S:
                    self.prompt[key] += 1

    async def _write_at(self, site: int) -> None:
        chance, number = self.world.chance, site
        async with self.world.client(site=site) as client:
            while self._writing:
                number += 8
                key = chance.below(KEPT + DELETED)
                gone = chance.below(5) == 0
                if key >= KEPT and gone:
                    await self._persist(client, key, None)
                    self.writes += 1
                else:
                    mine = None if gone else number
                    await self._persist(client, key, {f"w{site}": mine, "s": number})
                    self.writes += 1
                    self.told.setdefault(key, set()).add(number)
                    if key < KEPT:
                        self.own[site, key] = mine
                await asyncio.sleep(2 * PAUSE_S)

    async def _persist(self, client: AsyncClient, key: int, bins: dict[str, Any] | None) -> None:
        """Until it is acknowledged: also where another site's clock is ahead."""
        where = Key(SPACE.decode(), "s", key)
        while True:
            try:
                if bins is None:
                    await client.remove(where, _DURABLE)
                else:
                    await client.put(where, bins)
            except RecordNotFound:
                return
            except ClientError:
                await asyncio.sleep(PAUSE_S)
            else:
                return

    # ------------------------------------------------------------------------- the check

    def check(self) -> None:
        """Raises Violation."""
        first = contents_of(self.world.of_site(0)[0])
        for site in self.world.sites:
            for machine in site:
                found = contents_of(machine)
                where = f"{machine.name} of site {machine.site}"
                for digest in sorted(first.keys() | found.keys()):
                    mine, other = first.get(digest), found.get(digest)
                    if mine != other:
                        told = f"{digest.hex()[:8]} is {mine} at the first and {other} there"
                        raise Violation(f"{where}: a record differs: {told}")
        for key in {*range(KEPT + DELETED), *self.told}:
            self._check_values(key, first.get(Key(SPACE.decode(), "s", key).digest, {}))

    def _check_values(self, key: int, bins: dict[bytes, Any]) -> None:
        for (site, of), wanted in self.own.items():
            found = bins.get(b"w%d" % site)
            if of == key and found != wanted:
                raise Violation(f"record {key}: site {site} wrote {wanted}, and it is {found}")
        shared = bins.get(b"s")
        if shared is not None and shared not in self.told.get(key, ()):
            raise Violation(f"record {key}: {shared} was never acknowledged")
        if shared is None and not KEPT <= key < TOGETHER and key in self.told:
            raise Violation(f"record {key} is not there")
        sites = len(self.world.sites)
        last = _on_beat(key - TOGETHER, sites - 1)
        if self.prompt[key] == sites and shared != last:
            told = "all wrote it in one millisecond, and the greatest src-id does not stay"
            raise Violation(f"record {key}: {told}: it is {shared}, not {last}")


def _on_beat(beat: int, site: int) -> int:
    """What a site writes: the greater its number, the smaller, so that no order of values can stand
    in for that of data centers."""
    return 8 * (beat + 1) - site


def contents_of(machine: Machine) -> Contents:
    """Digest to bins, of all records of a node that clients see."""
    node = machine.node
    assert node is not None
    engine = node.namespaces[SPACE].engine
    found: Contents = {}
    for partition in range(PARTITIONS):
        for digest in digests_of(engine.index, partition):
            record = engine.get(digest)
            if record is not None and record[4] < CEMETERY:
                bins = unpack_bins(record[5])
                found[digest] = {n: int.from_bytes(each.data, "big") for n, each in bins.items()}
    return found


def sites_run(seed: int, rounds: int = 3) -> SitesRun:
    """A run of one seed in a sweep: one of three ships one way, the others converge."""
    return SitesRun(seed, rounds) if seed % 3 == 0 else ConvergingRun(seed, rounds)


def go(seed: int, minutes: float) -> Result:
    """What a seed comes to; three faults a minute."""
    run = sites_run(seed, max(1, round(3 * minutes)))
    began_s, violation = run.world.now_s, ""
    try:
        run.run()
    except Violation as error:
        violation = str(error)
    return Result(
        seed=seed,
        minutes=minutes,
        simulated_s=round(run.world.now_s - began_s, 3),
        violation=violation,
        plan=f"seed {seed}: {type(run).__name__} of {len(run.world.sites)} sites",
        digest=run.world.digest,
        phases=run.rounds,
        faults=dict(run.happened),
        operations={type(run).__name__: run.writes},
    )
