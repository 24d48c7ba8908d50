"""The `storage-engine` context: in what a namespace keeps its records."""

from __future__ import annotations

from typing import Final

from attrs import Attribute, define, field, setters

from asd.config.kinds import U64_MAX, Paths
from asd.config.parameters import Parameter, Section, choice, flag, integer, size, text, value

MEMORY_STRIPES: Final = 8
"""Stripes `get-config` reports of a memory store; tools count on them."""

ENGINES: Final = ("memory", "device", "ssd", "kv", "ssd_cold")
"""The storage engines of this server; `ssd` is another word for `device`."""

PERSISTENT_MEMORY: Final = "pmem"
"""An engine of the enterprise edition that this server has not."""

_LOG: Final = ("device", "ssd")
_FILES: Final = ("device", "ssd", "ssd_cold")
_MEDIA: Final = (*_FILES, "kv")
_BLOCKS: Final = ("memory", "device", "ssd")
_PLACES: Final = ("device", "file")
_MIB: Final = 1 << 20
_GIB: Final = 1 << 30


@define(on_setattr=setters.frozen)
class StorageConfig(Section):
    """`storage-engine ENGINE { }`."""

    engine: str = field(default="memory")
    device: tuple[str, ...] = value(
        Paths(), (), works=True, shown=False, help="Block devices to use; may be repeated."
    )
    file: tuple[str, ...] = value(
        Paths(), (), works=True, shown=False, help="Files to use; may be repeated."
    )
    cache_replica_writes: bool = flag(
        dynamic=True,
        shown=False,
        engines=_LOG,
        help="Keep what other nodes send in the post-write cache too.",
        why_not="this node forms no cluster",
    )
    cold_start_empty: bool = flag(
        shown=False,
        engines=_LOG,
        refused="this server loads what its files and devices hold; to start empty, delete the"
        " files or wipe the devices first",
        help="Start without the records that the files and devices hold.",
    )
    commit_to_device: bool = flag(
        enterprise=True,
        works=True,
        engines=_MEDIA,
        help="Acknowledge a write only when it is on the medium.",
    )
    compression: str = choice(
        "none",
        "lz4",
        "snappy",
        "zstd",
        dynamic=True,
        works=True,
        enterprise=True,
        help="Compress records at rest.",
    )
    compression_acceleration: int = integer(
        0,
        0,
        65537,
        dynamic=True,
        works=True,
        enterprise=True,
        engines=_LOG,
        help="Speed over size, lz4.",
    )
    compression_level: int = integer(
        0,
        0,
        9,
        dynamic=True,
        works=True,
        enterprise=True,
        engines=_FILES,
        help="Size over speed, zstd.",
    )
    data_size: int = size(
        0,
        0,
        256 << 40,
        works=True,
        engines=("memory",),
        help="Memory for records; 0 = as much as there is.",
    )
    defrag_lwm_pct: int = integer(
        50,
        1,
        99,
        dynamic=True,
        works=True,
        engines=_BLOCKS,
        help="Blocks filled less than this are rewritten.",
    )
    defrag_queue_min: int = integer(
        0,
        dynamic=True,
        works=True,
        engines=_LOG,
        help="Blocks that may wait before one is rewritten, unless the device is full.",
    )
    defrag_sleep: int = integer(
        1000,
        dynamic=True,
        works=True,
        engines=_LOG,
        help="Microseconds between rewritten blocks of a device, unless it is full.",
    )
    defrag_startup_minimum: int = integer(
        0,
        0,
        99,
        help="Free space to make before serving.",
        why_not="serving begins when the records are loaded, however full the devices are",
    )
    direct_files: bool = flag(
        help="Bypass the page cache for files.",
        why_not="all files and devices go through the page cache; reads rely on it",
    )
    disable_odsync: bool = flag(
        help="Do not sync with every write.",
        why_not="no write syncs by itself; flush-max-ms and commit-to-device say when one does",
    )
    enable_benchmarks_storage: bool = flag(
        dynamic=True,
        help="Histograms of the engine's own work.",
        why_not="only whole requests are timed, not what the engine does for them",
    )
    encryption: str = choice(
        "none",
        "aes-128",
        "aes-256",
        enterprise=True,
        works=True,
        shown=False,
        help="Cipher at rest.",
    )
    encryption_key_file: str = text(
        enterprise=True,
        works=True,
        help="File with the key for records at rest, or `env:NAME`: a variable of the environment.",
    )
    encryption_old_key_file: str = text(
        enterprise=True,
        works=True,
        help="Where the key before is, when it has been changed; until the next start.",
    )
    evict_used_pct: int = integer(
        0,
        0,
        100,
        dynamic=True,
        works=True,
        help="Use of data-size, filesize or the devices from which records are evicted; 0 = never.",
    )
    filesize: int = size(
        0, 0, 2 << 40, works=True, engines=_MEDIA, help="Size of each file; 0 = as the disk allows."
    )
    flush_max_ms: int = integer(
        1000,
        0,
        1000,
        works=True,
        dynamic=True,
        help="Longest time a partly filled block waits.",
    )
    flush_size: int = size(
        _MIB,
        4096,
        8 * _MIB,
        dynamic=True,
        works=True,
        shown=False,
        engines=_LOG,
        help="Bytes written at a time, as soon as they have gathered; a power of 2.",
    )
    max_write_cache: int = size(
        64 * _MIB,
        0,
        U64_MAX,
        dynamic=True,
        works=True,
        engines=_LOG,
        help="Blocks of 8 MiB, at least one, that may wait for each device before writes are"
        " answered with device overload (18).",
    )
    post_write_cache: int = size(
        64 * _MIB,
        0,
        64 * _GIB,
        works=True,
        shown=False,
        engines=_LOG,
        help="Blocks kept in memory after they were written, of each file; a quarter of it besides "
        "for what is read.",
    )
    read_page_cache: bool = flag(
        dynamic=True,
        shown=False,
        engines=_LOG,
        help="Read through the page cache.",
        here=True,
        why_not="reads always go through the page cache",
    )
    serialize_tomb_raider: bool = flag(
        shown=False,
        engines=_LOG,
        enterprise=True,
        help="Remove the tombstones of one namespace at a time.",
        why_not="the tombstones of several namespaces may be removed at the same time",
    )
    sindex_startup_device_scan: bool = flag(
        shown=False,
        engines=_LOG,
        help="Fill secondary indexes at start in the order of the device.",
        why_not="secondary indexes are filled in the order of the primary index",
    )
    stop_writes_avail_pct: int = integer(
        5,
        0,
        100,
        dynamic=True,
        works=True,
        help="Free part of data-size, filesize or the devices under which writes are refused.",
    )
    stop_writes_used_pct: int = integer(
        70,
        0,
        100,
        dynamic=True,
        works=True,
        help="Use of data-size, filesize or the devices from which writes are refused; 0 = never.",
    )
    tomb_raider_sleep: int = integer(
        1000,
        dynamic=True,
        enterprise=True,
        works=True,
        engines=_LOG,
        help="Microseconds between blocks read for tombstones.",
    )

    @engine.validator
    def _known(self, _: Attribute[str], value: str) -> None:
        if value not in ENGINES:
            raise ValueError(no_such_engine(value))

    @property
    def paths(self) -> tuple[str, ...]:
        """The devices and files, in that order."""
        return self.device + self.file

    @property
    def is_limited(self) -> bool:
        """Is it known how much room for data there is?"""
        if self.engine == "memory":
            return self.data_size > 0
        return self.filesize > 0 or bool(self.device)

    def shows(self, parameter: Parameter) -> bool:
        """What an engine does not know is listed only where the real server does."""
        return super().shows(parameter) or self.engine in parameter.declaration.engines

    def without_effect(self, parameter: Parameter) -> str:
        """As `Section.without_effect`, and what the engine does not know."""
        engines = parameter.declaration.engines
        if engines and self.engine not in engines:
            return f"it is for storage-engine {', '.join(engines)}, not {self.engine}"
        return super().without_effect(parameter)

    def conflict(self) -> str:
        """Each engine needs its number of places; no engine has snappy."""
        if self.flush_size & self.flush_size - 1:
            return f"flush-size {self.flush_size} is not a power of 2"
        if self.compression == "snappy":
            return "compression snappy is not in this server: none, lz4 or zstd"
        if self.compression != "none" and self.engine in ("memory", "kv"):
            return f"the engine {self.engine} does not compress"
        if self.commit_to_device and self.engine == "memory":
            return "the engine memory cannot commit-to-device"
        if self.encryption != "none" and self.engine not in ("device", "ssd"):
            return f"the engine {self.engine} stores records unencrypted"
        if self.encryption != "none" and not self.encryption_key_file:
            return f"encryption {self.encryption} needs an encryption-key-file"
        places = len(self.paths)
        if self.engine == "memory" and (places > 1 or self.device):
            return "the engine memory takes at most one file, and no device"
        if self.engine in ("kv", "ssd_cold") and (places != 1 or self.device):
            return f"the engine {self.engine} needs one file"
        if self.engine in ("device", "ssd") and not places:
            return f"the engine {self.engine} needs at least one file or device"
        return ""

    def rows(self, prefix: str = "", community: bool = False) -> list[tuple[str, str]]:
        """(name, text): the engine, its stripes or places, its parameters."""
        if self.engine == "memory":
            places = [(f"{prefix}.stripe[{i}]", f"stripe-{i}") for i in range(MEMORY_STRIPES)]
        else:
            places = [(f"{prefix}.device[{i}]", path) for i, path in enumerate(self.device)]
            places += [(f"{prefix}.file[{i}]", path) for i, path in enumerate(self.file)]
        own = [row for row in super().rows(prefix + ".") if row[0].split(".")[-1] not in _PLACES]
        return [(prefix, self.engine), *places, *own]


def no_such_engine(engine: str) -> str:
    """What to say about an engine that this server has not."""
    if engine == PERSISTENT_MEMORY:
        return (
            "storage-engine pmem: records are kept in no persistent memory here; write memory or"
            " device"
        )
    return f"no storage engine '{engine}'; the engines of this server: {', '.join(ENGINES)}"
