"""The upkeep of engines that keep records on a medium: flushes, their end, that of tombstones."""

from __future__ import annotations

import asyncio
import errno
import logging
from contextlib import closing, suppress

from aerospike_common.wire.codes import ResultCode
from asd.process.transaction_threads import TransactionThreads
from asd.space.namespace import Failure, Namespace
from storage.engine import StorageError, Upkeep

log = logging.getLogger("asd.drv_ssd")

LOOK_S = 1.0
"""How often the tomb raider looks whether its time has come."""


def needs_upkeep(namespace: Namespace) -> bool:
    """Does the engine keep records on a medium that has to be synced?"""
    return isinstance(namespace.engine, Upkeep)


async def flush(namespace: Namespace) -> None:
    """Sync every `flush-max-ms`, so that a crash loses no more. Ends by cancellation.

    A medium that fails is tried again: one that was full may have room by then. Writes are refused
    meanwhile, of this namespace and of no other.
    """
    while True:
        await asyncio.sleep(namespace.config.storage_engine.flush_max_ms / 1000 or 1)
        try:
            await namespace.group_commit.wait()
        except (OSError, StorageError) as error:
            _fail(namespace, error)
        else:
            namespace.failure = None


def close(namespace: Namespace) -> None:
    """Close the engine. A medium that fails now costs its namespace the quick start, and others
    nothing."""
    try:
        namespace.engine.close()
    except (OSError, StorageError) as error:
        log.critical("{%s} was not written to the end: %s", namespace.name, error)


def _fail(namespace: Namespace, error: OSError | StorageError) -> None:
    """Refuse writes, and say why once."""
    if namespace.failure is None:
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        code = ResultCode.OUT_OF_SPACE if full else ResultCode.SERVER_ERROR
        namespace.failure = Failure(code, f"the medium failed, writes are refused: {error}")
        namespace.stop_writes = True
        log.critical("{%s} %s", namespace.name, namespace.failure.reason)


async def write_behind(namespace: Namespace, threads: TransactionThreads) -> None:
    """Write what an engine says has gathered between the flushes.

    Ends by cancellation, or when the medium fails: the next flush then says so.
    """
    engine = namespace.engine
    if not isinstance(engine, Upkeep):
        return
    due = asyncio.Event()
    engine.on_flush_due(due.set)
    with suppress(OSError):
        while True:
            await due.wait()
            due.clear()
            await threads.run(engine.write_behind)


async def raid_tombs(namespace: Namespace, threads: TransactionThreads) -> None:
    """Take tombstones away that nothing needs, every `tomb-raider-period`. Ends by cancellation."""
    engine, clock = namespace.engine, namespace.clock
    last_s = clock.epoch_s()
    while True:
        await asyncio.sleep(LOOK_S)
        config = namespace.config
        if namespace.consistency is not None:
            continue  # a copy that was away for long must not bring anything back
        if clock.epoch_s() - last_s < config.tomb_raider_period or not config.tomb_raider_period:
            continue
        last_s = clock.epoch_s()
        until = clock.epoch_ms() - 1000 * config.tomb_raider_eligible_age - 1
        raid = engine.tomb_raid(until)
        try:
            with closing(raid.parts()) as parts:
                for part in parts:  # one by one: flushes and reads wait for the same threads
                    if part is not None:
                        await threads.run(part)
                    await asyncio.sleep(config.storage_engine.tomb_raider_sleep / 1e6)
        except OSError as error:
            log.warning("{%s} the tomb raider cannot read: %s", namespace.name, error)
            continue
        log.info("{%s} took %d tombstones away", namespace.name, raid.gone)
