"""Partition versions, kept with the engine that has the records.

A version says how far a copy may be trusted, so it must not say more after a crash than is true.

    b"v" + partition (u16)    cluster key (u64), flags (u8) of `cluster.partitions.version`
    b"clustered"              the engine has been a node of a cluster: a partition without a version
                              is one that was being dropped
    b"clean"                  it was closed with everything written
    b"consistency" + number   `KeptState` as JSON, in parts

- Records without a version in an engine that never was in a cluster are those of a node alone: a
  full copy, of no cluster (key 0), which vouches for nothing.
- In one that was, they are what a crash left of a copy that was being dropped: they go.
- A node that runs alone writes without telling anybody, so versions from before say too much: they
  are forgotten when such an engine is opened by a node alone.
- Where a write is acknowledged before the medium has it, a copy that was not closed cleanly may
  lack the last second: it comes back as a subset.
"""

from __future__ import annotations

import json
import struct
from typing import Final

from attrs import evolve

from cluster import PARTITIONS, KeptState, PartitionVersion
from cluster.partitions.roster import from_flat
from cluster.partitions.version import from_flags
from storage.engine import Engine

_KEY: Final = struct.Struct(">cH")
_VALUE: Final = struct.Struct(">QB")
_PREFIX: Final = b"v"
CLUSTERED: Final = b"clustered"
CLEAN: Final = b"clean"
_STATE: Final = b"consistency"
"""The beginning of the keys of `KeptState`; a number of one byte follows."""
_ROOM: Final = 240
"""Bytes of it in an entry."""


def load(engine: Engine, strong: bool = False) -> dict[int, PartitionVersion]:
    """The versions that an engine, just opened, has survived with; it is a cluster's from now on,
    and not clean until `close`."""
    meta = dict(engine.meta())
    found = {
        _KEY.unpack(key)[1]: from_flags(*_VALUE.unpack(value))
        for key, value in meta.items()
        if key[:1] == _PREFIX and len(key) == _KEY.size
    }
    if CLUSTERED not in meta:
        engine.set_meta(CLUSTERED, b"\1")
        if strong:
            found = {}  # nobody knows whose they are
    if CLUSTERED not in meta and not strong:
        index = engine.index
        kept = [p for p in range(PARTITIONS) if index.count(p)]
        found = {partition: PartitionVersion(0, True) for partition in kept}
        for partition, version in found.items():
            save(engine, partition, version)
    elif CLEAN not in meta and not engine.acknowledges_sync:
        found = {partition: _doubted(version, strong) for partition, version in found.items()}
    engine.set_meta(CLEAN, None)
    return found


def _doubted(version: PartitionVersion, strong: bool) -> PartitionVersion:
    """The version of a copy that may lack its last second. In strong consistency it does not count
    until it has everything again; who has no copy has lost nothing."""
    if version.witnesses:
        return version
    doubted = version.as_subset()
    return evolve(doubted, evades=True) if strong else doubted


def load_state(engine: Engine) -> KeptState:
    """What an engine has kept of strong consistency; nothing where nothing is, or is damaged."""
    meta = dict(engine.meta())
    parts: list[bytes] = []
    while (part := meta.get(_STATE + bytes([len(parts)]))) is not None:
        parts.append(part)
    try:
        promised, *flats = json.loads(b"".join(parts) or b"[0]")
        rosters = [from_flat(flat) for flat in flats]
    except (ValueError, TypeError):
        return KeptState()
    return KeptState(promised, tuple([each for each in rosters if each is not None]))


def save_state(engine: Engine, state: KeptState) -> None:
    """Keep it, in as many entries as it takes."""
    flats = [roster.flat() for roster in state.rosters]
    text = json.dumps([state.promised, *flats], separators=(",", ":")).encode()
    count = -(-len(text) // _ROOM)
    for number in range(count):
        part = text[number * _ROOM : (number + 1) * _ROOM]
        engine.set_meta(_STATE + bytes([number]), part)
    if dict(engine.meta()).get(_STATE + bytes([count])) is not None:
        engine.set_meta(_STATE + bytes([count]), None)


def save(engine: Engine, partition: int, version: PartitionVersion | None) -> None:
    """Keep a version; None forgets it."""
    value = None
    if version is not None:
        value = _VALUE.pack(version.cluster_key, version.flags)
    engine.set_meta(_KEY.pack(_PREFIX, partition), value)


def close(engine: Engine) -> None:
    """The engine is about to be closed, with everything."""
    engine.set_meta(CLEAN, b"\1")


def forget(engine: Engine) -> None:
    """A node alone has opened the engine: what was known of copies elsewhere is no longer true."""
    for key in [key for key in engine.meta() if key in (CLUSTERED, CLEAN) or key[:1] == _PREFIX]:
        engine.set_meta(key, None)
