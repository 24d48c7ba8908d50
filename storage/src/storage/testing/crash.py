"""Crash tests: run a workload on a `FaultyDisk`, crash anywhere, reopen, and compare.

    python -m storage.testing.crash --states 20000

A *crash state* is a prefix of the trace of writes and syncs, with any legal subset of what was not
yet synced (`storage.testing.faulty`). After each the store is opened and must hold, of every
digest, one of the versions that may be there (`History.allowed`). Most states are crashed a second
and a third time, with more work between. Everything follows from the seed that is printed.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from types import MappingProxyType
from typing import Final, Protocol

from citrusleaf.cf_random import CfRandom
from storage.cold import ColdEngine
from storage.engine import TOMBSTONE, Engine, OutOfSpace, Overwrites
from storage.kv import KvEngine
from storage.ssd import SsdEngine
from storage.testing.faulty import FaultyDisk, surviving_files
from storage.testing.kv_store import LoggedStore

CHAIN: Final = 3
"""Crashes one behind the other."""
STATES_OF_A_WORKLOAD: Final = 8
"""First crashes tried of one workload."""

Chance = Callable[[], float]
"""Random numbers from 0 to below 1."""


class Checked(Engine, Protocol):
    """An engine that can assert its invariants."""

    started_warm: bool

    def _check(self) -> None: ...


MakeEngine = Callable[[FaultyDisk], Checked]


class CrashFault(AssertionError):
    """A store held, after a crash, what may not be there."""


def seeded(seed: int) -> Chance:
    """Random numbers that follow from a seed."""
    random = CfRandom(seed)
    return lambda: random.u64() / (1 << 64)


@dataclass
class Step:
    """One call of the workload: what, and where in the trace it began and ended."""

    kind: str
    digest: bytes
    value: bytes
    begin: int
    end: int = sys.maxsize


@dataclass
class History:
    """What was done since the last crash, and what each digest could hold then."""

    steps: list[Step] = field(default_factory=list)
    before: dict[bytes, set[bytes | None]] = field(default_factory=dict)
    older: dict[bytes, set[bytes]] = field(default_factory=dict)
    """Values that may still stand somewhere on the medium, superseded."""

    def allowed(self, cut: int) -> dict[bytes, set[bytes | None]]:
        """What each digest may hold after a crash when the trace was `cut` long.

        Of the versions not acknowledged any may be there; an acknowledged one, or a later one,
        must. A plain remove lets older copies come back, up to the last durable delete.
        """
        synced = [n for n, step in enumerate(self.steps) if step.kind == "sync" and step.end <= cut]
        acknowledged = synced[-1] if synced else -1
        may = {digest: set(values) for digest, values in self.before.items()}
        older = {digest: set(values) for digest, values in self.older.items()}
        for number, step in enumerate(self.steps):
            if step.begin > cut:
                break
            durable = number < acknowledged
            if step.kind == "clear":
                for digest in may.keys() - META_KEYS:
                    _settle(may, digest, None, step.end <= cut)
                if step.end <= cut:
                    older = {}
            elif step.kind == "meta":
                _settle(may, step.digest, step.value or None, durable)
            elif step.kind == "put":
                _settle(may, step.digest, step.value, durable)
                older.setdefault(step.digest, set()).add(step.value)
            elif step.kind == "delete":
                _settle(may, step.digest, None, durable)
            elif step.kind == "remove":
                may.setdefault(step.digest, {None}).update({None}, older.get(step.digest, ()))
        return may

    def after(self, cut: int, found: dict[bytes, bytes | None], warm: bool) -> History:
        """The history that begins with what was found after the crash.

        A warm start, as after a clean shutdown, does not look at the medium: what was removed
        before may still come back at the next crash.
        """
        before: dict[bytes, set[bytes | None]] = {d: {value} for d, value in found.items()}
        if warm:
            for digest, values in self.allowed(cut).items():
                before[digest] |= values
        older = {digest: set(values) for digest, values in self.older.items()}
        for step in self.steps:
            if step.begin > cut:
                break
            if step.kind == "clear" and step.end <= cut:
                older = {}
            if step.kind == "put":
                older.setdefault(step.digest, set()).add(step.value)
        return History([], before, older)


def _settle(
    may: dict[bytes, set[bytes | None]], digest: bytes, value: bytes | None, durable: bool
) -> None:
    if durable:
        may[digest] = {value}
    else:
        may.setdefault(digest, {None}).add(value)


DIGESTS: Final = tuple(
    partition.to_bytes(2, "little") + bytes([home, 0, 0, 0]) + bytes([0, 0, spread]) + bytes(11)
    for partition, home, spread in ((n % 3, n // 3 % 2, n) for n in range(14))
)


META_KEYS: Final = (b"m", b"metadata")
"""Keys of the metadata that workloads set, written down as if they were digests."""


class Workload:
    """Random calls to an engine, written down."""

    def __init__(self, disk: FaultyDisk, make: MakeEngine, history: History, chance: Chance):
        self.disk = disk
        self.history = history
        self._make = make
        self._chance = chance
        self._count = self._now = int(chance() * 1_000_000)
        self.engine = make(disk)
        self.engine.open()
        self._raid: Iterator[Callable[[], None] | None] = iter(())

    def run(self, steps: int) -> None:
        """So many calls; the engine is left open, as at a crash."""
        for _ in range(steps):
            draw = self._chance()
            digest = DIGESTS[int(self._chance() * len(DIGESTS))]
            if draw < 0.05:
                self._set_meta()
            elif draw < 0.62:
                self._put(digest)
            elif draw < 0.70:
                self._call("delete", digest)
            elif draw < 0.76:
                self._call("remove", digest)
            elif draw < 0.95:
                self._call("sync")
            elif draw < 0.96:
                self._call("clear")
            elif draw < 0.99:
                self._call("raid")
            else:
                self._call("reopen")
            self._raid_on(3)

    def _raid_on(self, parts: int) -> None:
        """Go on with the raid there is, by so many parts."""
        for part in islice(self._raid, parts):
            if part is not None:
                part()

    def _put(self, digest: bytes) -> None:
        self._count += 1
        size = int(self._chance() ** 3 * 1500)
        value = (b"%x %d " % (digest[8], self._count)) * (1 + size // 8)
        self._call("put", digest, value)
        if self._chance() < 0.3:  # the same once more, by the short cut for it
            self._call("put", digest, value[::-1], again=True)

    def _set_meta(self) -> None:
        self._count += 1
        key = META_KEYS[int(self._chance() * len(META_KEYS))]
        forget = self._chance() < 0.3
        self._call("meta", key, b"" if forget else b"%d" % self._count * 20)

    def _call(
        self, kind: str, digest: bytes = b"", value: bytes = b"", *, again: bool = False
    ) -> None:
        """Do it and write it down; what finds no room has not happened."""
        step = Step(kind, digest, value, len(self.disk.trace))
        if kind == "reopen":
            step.kind = "sync"
        self.history.steps.append(step)
        engine = self.engine
        if kind != "raid":
            self._now += 1
        try:
            if again and isinstance(engine, Overwrites):
                if not engine.overwrite(digest, self._now, 7, b"", value):
                    self.history.steps.remove(step)
            elif kind == "put":
                engine.put(digest, 1, 0, self._now, 7, 0, value)
            elif kind == "delete":
                engine.put(digest, 1, 0, self._now, 7, TOMBSTONE, b"")
            elif kind == "meta":
                engine.set_meta(digest, value or None)
            elif kind == "remove":
                engine.remove(digest)
            elif kind == "clear":
                engine.clear()
            elif kind == "sync":
                engine.sync()
            elif kind == "raid":
                self._raid = engine.tomb_raid(self._now).parts()
            else:
                self._raid = iter(())
                engine.close()
                step.end = len(self.disk.trace)
                self.engine = self._make(self.disk)
                self.engine.open()
        except OutOfSpace:
            self.history.steps.remove(step)
        step.end = min(step.end, len(self.disk.trace))


def contents(engine: Engine) -> dict[bytes, bytes | None]:
    """What the store holds of each digest, and its metadata."""
    found = {key: engine.meta().get(key) for key in META_KEYS}
    for digest in DIGESTS:
        record = engine.get(digest)
        found[digest] = None if record is None else record[5]
    return found


def try_workload(make: MakeEngine, seed: int) -> int:
    """Run a workload and crash it; how many states were tried. Raises CrashFault."""
    chance = seeded(seed)
    disk = FaultyDisk()
    workload = Workload(disk, make, History(), chance)
    workload.run(20 + int(chance() * 100))
    states = 0
    for _ in range(STATES_OF_A_WORKLOAD):
        states += _crash(make, workload.history, disk, {}, chance, CHAIN)
    return states


def _crash(
    make: MakeEngine,
    history: History,
    disk: FaultyDisk,
    before: dict[str, bytearray],
    chance: Chance,
    chain: int,
) -> int:
    """Crash somewhere in the trace, check, and from there work on and crash again."""
    cut = len(disk.trace) if chance() < 0.3 else int(chance() * (len(disk.trace) + 1))
    files = surviving_files(disk.trace[:cut], chance, before)
    image = {path: bytearray(data) for path, data in files.items()}
    survived = FaultyDisk(files)
    workload = Workload(survived, make, History(), chance)
    workload.engine._check()
    found = contents(workload.engine)
    for digest, allowed in history.allowed(cut).items():
        if found[digest] not in allowed:
            raise CrashFault(
                f"{digest.hex()} holds {found[digest]!r}, allowed {allowed!r};"
                f" cut at {cut} of {len(disk.trace)}, {chain} crashes to go"
            )
    if chain == 1:
        return 1
    workload.history = history.after(cut, found, workload.engine.started_warm)
    workload.run(int(chance() * 30))
    return 1 + _crash(make, workload.history, survived, image, chance, chain - 1)


def small_ssd(disk: FaultyDisk) -> SsdEngine:
    """An ssd store small enough that blocks are reused all the time."""
    return SsdEngine(
        ["a", "b"], disk, block_size=4096, names_size=4096, size=80 << 10, cache_bytes=4096
    )


def small_cold(disk: FaultyDisk) -> ColdEngine:
    """An ssd_cold store of small chunks."""
    return ColdEngine("a", disk, block_size=8192, names_size=4096, chunk_bytes=1000)


def small_kv(disk: FaultyDisk) -> KvEngine:
    """A kv engine over the store there is for this."""
    return KvEngine("a", store=LoggedStore("a", disk), disk=disk)


ENGINES: Final[Mapping[str, MakeEngine]] = MappingProxyType(
    {"ssd": small_ssd, "ssd_cold": small_cold, "kv": small_kv}
)


def main(arguments: list[str]) -> int:
    """The command line; the exit status, 1 when a state was wrong."""
    parser = argparse.ArgumentParser(prog="python -m storage.testing.crash", description=__doc__)
    parser.add_argument("--states", type=int, default=20_000, help="crash states to try")
    parser.add_argument("--seed", type=int, default=1, help="of the first workload")
    parser.add_argument("--engine", choices=ENGINES, action="append", help="default: all")
    given = parser.parse_args(arguments)
    logging.disable(logging.ERROR)  # half-written blocks are reported, and meant to be
    for name in given.engine or ENGINES:
        states, seed = 0, given.seed
        while states < given.states:
            try:
                states += try_workload(ENGINES[name], seed)
            except Exception as error:
                print(f"\n{name}, --seed {seed}: {error!r}")
                return 1
            seed += 1
            if sys.stdout.isatty():
                print(f"\r{name}: {states} crash states", end="", flush=True)
        print(f"\r{name}: {states} crash states, all well (seeds {given.seed} to {seed - 1})")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
