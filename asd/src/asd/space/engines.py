"""Which storage engine a namespace's configuration asks for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from asd.config import NamespaceConfig, StorageConfig
from citrusleaf.cf_clock import Clock, SystemClock
from storage.device import Disk
from storage.engine import Engine, Parameters, Tunable
from storage.memory import MemoryEngine

if TYPE_CHECKING:
    from storage.kv import KeyValueStore

log = logging.getLogger("asd.engines")

_WRITE_BLOCK = 8 << 20


OpenStore = Callable[[str], "KeyValueStore"]
"""A key-value store at a path."""


def make_engine(
    namespace: NamespaceConfig,
    clock: Clock | None = None,
    disk: Disk | None = None,
    store_at: OpenStore | None = None,
) -> Engine:
    """The engine, not yet open.

    `clock` measures its pauses and `disk` has its files; by default those of the system. The
    engine kv's LMDB opens its file itself, so that `store_at` makes another where that must not be.
    """
    # Engines are imported when they are wanted: their libraries cost a start tens of milliseconds.
    config = namespace.storage_engine
    if config.engine == "memory" and not config.file:
        return MemoryEngine(config.data_size or None, defrag_lwm_pct=config.defrag_lwm_pct)
    if config.engine == "memory":
        from storage.mapped import MappedMemoryEngine

        return MappedMemoryEngine(
            config.file[0],
            config.data_size or None,
            defrag_lwm_pct=config.defrag_lwm_pct,
            disk=disk,
        )
    if config.engine == "kv":
        from storage.kv import KvEngine

        return KvEngine(
            config.file[0],
            store=store_at(config.file[0]) if store_at is not None else None,
            size=config.filesize or None,
            commit=config.commit_to_device,
            disk=disk,
        )
    if config.engine == "ssd_cold":
        from storage.cold import ColdEngine

        return ColdEngine(
            config.file[0],
            disk,
            size=config.filesize or None,
            block_size=_WRITE_BLOCK,
            commit=config.commit_to_device,
            level=config.compression_level or 9,
            progress=ColdStart(namespace.name).tell,
        )
    return _ssd(namespace, clock or SystemClock(), disk)


def _ssd(namespace: NamespaceConfig, clock: Clock, disk: Disk | None) -> Engine:
    from storage.ssd import SsdEngine
    from storage.ssd.tuning import Tuning

    config = namespace.storage_engine
    engine = SsdEngine(
        [*config.device, *config.file],
        disk,
        size=config.filesize or None,
        block_size=_WRITE_BLOCK,
        commit=config.commit_to_device,
        compression=config.compression,
        compression_level=_compression_level(config),
        encryption=config.encryption,
        key_file=config.encryption_key_file,
        old_key_file=config.encryption_old_key_file,
        cache_bytes=config.post_write_cache,
        defrag_lwm_pct=config.defrag_lwm_pct,
        progress=ColdStart(namespace.name).tell,
        tuning=Tuning(clock=clock),
    )
    apply_storage(engine, namespace)
    return engine


def apply_storage(engine: Engine, namespace: NamespaceConfig) -> None:
    """Let an engine take up the dynamic parameters."""
    config = namespace.storage_engine
    if isinstance(engine, Tunable):
        engine.tune(
            Parameters(
                defrag_lwm_pct=config.defrag_lwm_pct,
                compression=config.compression,
                compression_level=_compression_level(config),
                flush_size=config.flush_size,
                max_write_cache=config.max_write_cache,
                defrag_queue_min=config.defrag_queue_min,
                defrag_sleep_us=config.defrag_sleep,
            )
        )


def _compression_level(config: StorageConfig) -> int:
    """What the coder's level is: lz4 has an acceleration instead."""
    if config.compression == "lz4":
        return config.compression_acceleration
    return config.compression_level


class ColdStart:
    """Logs how the scan of a namespace's devices goes on, every tenth of it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._tenths = 0

    def tell(self, done: int, total: int, records: int) -> None:
        """So many of so many blocks are read, so many records found."""
        tenths = 10 * done // total
        if tenths > self._tenths:
            self._tenths = tenths
            log.info("{%s} cold start: %d %%, %d records", self._name, 10 * tenths, records)
