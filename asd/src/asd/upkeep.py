"""The upkeep of engines that keep records on a medium: flushes, and the end of tombstones."""

from __future__ import annotations

import asyncio
import logging

from asd.namespace import Namespace
from asd.transaction_threads import TransactionThreads
from storage.engine import StorageError
from storage.memory import MemoryEngine

log = logging.getLogger("asd.drv_ssd")

LOOK_S = 1.0
"""How often the tomb raider looks whether its time has come."""


def needs_upkeep(namespace: Namespace) -> bool:
    """Does the engine keep records anywhere but in memory?"""
    return type(namespace.engine) is not MemoryEngine


async def flush(namespace: Namespace) -> None:
    """Sync every `flush-max-ms`, so that a crash loses no more. Ends by cancellation or failure."""
    while True:
        await asyncio.sleep(namespace.config.storage_engine.flush_max_ms / 1000 or 1)
        try:
            await namespace.group_commit.wait()
        except (OSError, StorageError) as error:
            log.critical("{%s} the medium failed, writes are refused: %s", namespace.name, error)
            namespace.stop_writes = True
            return


async def raid_tombs(namespace: Namespace, threads: TransactionThreads) -> None:
    """Take tombstones away that nothing needs, every `tomb-raider-period`. Ends by cancellation."""
    from storage.ssd import SsdEngine
    from storage.ssd.tomb_raider import TombRaid

    engine, clock = namespace.engine, namespace.clock
    if not isinstance(engine, SsdEngine):
        return
    last_s = clock.epoch_s()
    while True:
        await asyncio.sleep(LOOK_S)
        config = namespace.config
        if clock.epoch_s() - last_s < config.tomb_raider_period or not config.tomb_raider_period:
            continue
        last_s = clock.epoch_s()
        raid = TombRaid(engine, clock.epoch_ms() - 1000 * config.tomb_raider_eligible_age)
        try:
            await threads.run(raid.read)
        except OSError as error:
            log.warning("{%s} the tomb raider cannot read: %s", namespace.name, error)
            continue
        log.info("{%s} took %d tombstones away", namespace.name, raid.finish())
