"""The `kv` engine: records in an embedded key-value store kept by others, LMDB by default.

Puts gather in memory and are written by `sync`, all in one transaction. Another store is another
`KeyValueStore`, a class of the size of `LmdbStore`.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping
from typing import Final, Protocol

import lmdb

from citrusleaf.cf_hooks import new_mutex
from storage.device import Disk, SystemDisk
from storage.engine import OutOfSpace, Record, StorageError
from storage.index import ENTRY_SIZE, META, PARTITIONS, TOMBSTONE, PrimaryIndex
from storage.index_builder import BACK, IndexBuilder
from storage.index_file import load_index, save_index
from storage.metadata import Metadata, unpack_table
from storage.tomb_raid import IndexRaid

DIGEST_SIZE: Final = 20
NAMES_KEY: Final = b"set-names"
META_SIZE: Final = 20
MAX_PENDING_BYTES: Final = 32 << 20
"""Bytes gathered before a put writes them itself."""
DUE_BYTES: Final = 8 << 20
"""Bytes gathered before somebody else is asked to write them."""
_MAP_BYTES: Final = 1 << 40  # address space, not memory
_OVERHEAD: Final = 64  # bytes a record takes in the tree beyond its own, about

_meta = META.unpack_from
_pack_meta = META.pack


def _nobody_writes() -> None:
    """What is called when nobody has asked for `on_flush_due`."""


class KeyValueStore(Protocol):
    """What the engine asks of a store. Every method raises OSError when the medium fails."""

    def open(self) -> None:
        """Make ready."""

    def close(self) -> None:
        """Let go."""

    def get(self, key: bytes) -> bytes | None:
        """The value of the last `write`, or None."""

    def write(self, batch: Mapping[bytes, bytes | None]) -> None:
        """Set and (None) delete, all or nothing, on the medium on return. On any thread."""

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Everything there is."""

    def clear(self, left: Mapping[bytes, bytes]) -> None:
        """Delete everything but set what is `left`, all or nothing, on the medium on return."""

    def version(self) -> int:
        """Another number after every change."""

    def used_bytes(self) -> int:
        """Bytes of the file that hold something."""

    def copy(self, path: str) -> None:
        """Write a whole, compact copy, while others read and write."""


class LmdbStore:
    """An LMDB file, and beside it one named -lock."""

    def __init__(self, path: str, map_bytes: int = _MAP_BYTES) -> None:
        self._path = path
        self._map_bytes = map_bytes
        self._environment: lmdb.Environment
        self._reader: lmdb.Transaction[bytes | memoryview]
        self._stale = False

    def open(self) -> None:
        """Map the file, made where there is none."""
        try:
            self._environment = lmdb.open(
                self._path, subdir=False, map_size=self._map_bytes, readahead=False, meminit=False
            )
        except lmdb.Error as error:
            raise OSError(str(error)) from error
        self._reader = self._environment.begin()
        self._stale = False

    def close(self) -> None:
        """Unmap the file."""
        self._reader.abort()
        self._environment.close()

    def get(self, key: bytes) -> bytes | None:
        """A copy of the value, out of the mapped file. O(log n)."""
        if self._stale:
            self._stale = False
            self._reader.abort()
            self._reader = self._environment.begin()
        value = self._reader.get(key)
        assert value is None or isinstance(value, bytes)  # no memoryview: not asked for
        return value

    def write(self, batch: Mapping[bytes, bytes | None]) -> None:
        """One transaction, one fdatasync."""
        try:
            with self._environment.begin(write=True) as transaction:
                for key in sorted(batch):  # in the tree's order: each page is visited once
                    value = batch[key]
                    if value is None:
                        transaction.delete(key)
                    else:
                        transaction.put(key, value)
        except (lmdb.MapFullError, lmdb.DiskError) as error:
            raise OSError(errno.ENOSPC, str(error)) from error
        except lmdb.Error as error:
            raise OSError(errno.EIO, str(error)) from error
        self._stale = True

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Everything, by key."""
        with self._environment.begin() as transaction:
            for key, value in transaction.cursor().iternext():
                yield bytes(key), bytes(value)

    def clear(self, left: Mapping[bytes, bytes]) -> None:
        """Drop the tree; its pages are used again."""
        with self._environment.begin(write=True) as transaction:
            transaction.drop(self._environment.open_db(None, transaction), delete=False)
            for key, value in left.items():
                transaction.put(key, value)
        self._stale = True

    def version(self) -> int:
        """The number of the last transaction."""
        return int(self._environment.info()["last_txnid"])

    def used_bytes(self) -> int:
        """Bytes of the tree's pages."""
        stat = self._environment.stat()
        pages = stat["branch_pages"] + stat["leaf_pages"] + stat["overflow_pages"]
        return int(pages * stat["psize"])

    def copy(self, path: str) -> None:
        """Copy what the last transaction left."""
        try:
            self._environment.copy(path, compact=True)
        except lmdb.Error as error:
            raise OSError(str(error)) from error


class KvEngine:
    """An `Engine` on a key-value store: an LMDB file at `path`, or the `store` given.

    `size`    limit in bytes on what the store uses, about; None = as much as there is room
    `commit`  puts may be acknowledged only after a `sync`
    `disk`    where `path`.index is, left by a clean shutdown

    Removing is durable here: nothing that was removed comes back once a `sync` has followed.
    """

    def __init__(
        self,
        path: str,
        *,
        store: KeyValueStore | None = None,
        size: int | None = None,
        commit: bool = False,
        disk: Disk | None = None,
    ) -> None:
        self.acknowledges_sync = commit
        self.index = PrimaryIndex()
        self._metadata = Metadata()
        self.set_names = self._metadata.names
        self.started_warm = False
        """The last `open` mapped the index of a clean shutdown."""
        self._index_path = path + ".index"
        self._store: KeyValueStore = LmdbStore(path) if store is None else store
        self._disk: Disk = SystemDisk() if disk is None else disk
        self._size = size
        self._mutex = new_mutex()
        self._syncing = new_mutex()
        self._pending: dict[bytes, bytes | None] = {}
        self._writing: dict[bytes, bytes | None] = {}
        self._pending_bytes = 0
        self._stored_bytes = 0
        self._full = False
        self._flush_due: Callable[[], None] = _nobody_writes

    # Life

    def open(self) -> None:
        """Open the store and map the index of a clean shutdown, or make it anew from the store."""
        self._forget()
        self._store.open()
        self._stored_bytes = self._store.used_bytes()
        self._metadata.restore(unpack_table(self._store.get(NAMES_KEY) or b""))
        self.started_warm = self._warm()
        if not self.started_warm:
            self.index.clear()
            builder = IndexBuilder(self.index)
            entries = (
                digest + value[:META_SIZE] + BACK.pack(0, len(value) - META_SIZE, 0)
                for digest, value in self._store.items()
                if len(digest) == DIGEST_SIZE
            )
            builder.add(b"".join(entries))
            builder.finish()

    def close(self) -> None:
        """Write everything, and the index."""
        try:
            self.sync()
            if self._disk.exists(self._index_path):
                self._disk.remove(self._index_path)
            file = self._disk.open(self._index_path, create=True)
            try:
                save_index(file, self.index, self._identity(), b"")
            finally:
                file.close()
        finally:
            self._store.close()
            self.index.clear()
            self._forget()

    def backup(self, path: str) -> None:
        """Write a copy of everything synced, while the engine runs. Raises OSError."""
        self._store.copy(path)

    # One record

    def get(self, digest: bytes) -> Record | None:
        """The record, or None when absent or deleted. O(log n); a page not in memory is waited
        for."""
        value = self._pending.get(digest, b"")
        if value == b"":
            value = self._writing.get(digest, b"")
            if value == b"":
                value = self._store.get(digest)
        if value is None:
            return None
        generation, set_id, void_time, flags, updated = _meta(value)
        if flags & TOMBSTONE:
            return None
        return generation, void_time, updated, set_id, flags, value[META_SIZE:]

    def put(
        self,
        digest: bytes,
        generation: int,
        void_time: int,
        last_update_time: int,
        set_id: int,
        flags: int,
        payload: bytes,
    ) -> None:
        """Store or replace the whole record; written by the next `sync`.

        Raises OutOfSpace, struct.error for metadata out of range; nothing is changed then.
        """
        fields = (generation, set_id, void_time, flags, last_update_time)
        value = _pack_meta(*fields) + payload
        if self._full or (
            self._size is not None
            and self._stored_bytes + self._pending_bytes + len(value) + _OVERHEAD > self._size
        ):
            raise OutOfSpace("the key-value store is full")
        slot = self.index.find(digest)
        if slot:
            self.index.update(slot, *fields, 0, len(payload))
        else:
            self.index.insert(digest, *fields, 0, len(payload))
        self._set(digest, value)

    def remove(self, digest: bytes) -> bool:
        """Forget the record or tombstone; True if there was a record. O(1)."""
        entry = self.index.remove(digest)
        if entry is None:
            return False
        self._set(digest, None)
        return not entry.flags & TOMBSTONE

    def scan(self, partition: int, after: bytes | None = None) -> Iterator[tuple[bytes, Record]]:
        """Records of a partition (0..4095) in digest order, beginning behind `after`."""
        for digest in self.index.digests(partition, after):
            record = self.get(digest)
            if record is not None:
                yield digest, record

    # The whole store

    def records(self) -> Iterator[tuple[bytes, Record]]:
        """Every record, partition by partition; see `storage.engine.Engine`."""
        for partition in range(PARTITIONS):
            yield from self.scan(partition)

    def tomb_raid(self, until: int) -> IndexRaid:
        """Take away the tombstones last updated at or before `until`: no older copy is left."""
        return IndexRaid(self, until)

    def name_set(self, set_id: int, name: bytes) -> None:
        """Keep a name for a set id; written with the records of the next `sync`."""
        self._metadata.name_set(set_id, name)

    def set_meta(self, key: bytes, value: bytes | None) -> None:
        """Keep, or forget, a little of the caller's own; written with the next `sync`."""
        self._metadata.set(key, value)

    def meta(self) -> Mapping[bytes, bytes]:
        """What was kept with `set_meta`."""
        return self._metadata.entries

    def clear(self) -> None:
        """Forget all records. O(pages), about 0.1 s per 1,000,000 records. Raises OSError."""
        with self._syncing:
            self._metadata.dirty = False
            self._store.clear({NAMES_KEY: self._metadata.pack(1)})
            self._forget()
        self.index.clear()

    def sync(self) -> None:
        """Write what has gathered, in one transaction.

        Raises OSError when the medium fails or is full; what was to be written is kept, and puts
        raise OutOfSpace until a later `sync` succeeds.
        """
        with self._syncing:
            with self._mutex:
                if self._metadata.dirty:
                    self._metadata.dirty = False
                    self._pending[NAMES_KEY] = self._metadata.pack(1)
                self._writing, self._pending = self._pending, {}
                self._pending_bytes = 0
            try:
                if self._writing:
                    self._store.write(self._writing)
            except OSError:
                self._full = True
                with self._mutex:
                    self._pending = {**self._writing, **self._pending}
                    self._writing = {}
                raise
            self._full = False
            self._writing = {}
            self._stored_bytes = self._store.used_bytes()

    def on_flush_due(self, flush_due: Callable[[], None]) -> None:
        """Have it called while 8 MiB or more wait to be written."""
        self._flush_due = flush_due

    def write_behind(self) -> None:
        """As `sync`: a store that writes all or nothing has no half of it."""
        self.sync()

    def statistics(self) -> dict[str, int]:
        """Counters and sizes in bytes, under the names the server reports. O(4096)."""
        used = self._stored_bytes
        total = self._size or used
        used_pct = 100 * used // total if total else 0
        return {
            "objects": self.index.objects,
            "tombstones": self.index.tombstones,
            "index_used_bytes": len(self.index) * ENTRY_SIZE,
            "data_total_bytes": total,
            "data_used_bytes": used,
            "data_used_pct": used_pct,
            "data_avail_pct": 100 - used_pct if self._size else 100,
            "write_q": len(self._pending) + len(self._writing),
        }

    # Parts

    def _forget(self) -> None:
        self._pending = {}
        self._writing = {}
        self._pending_bytes = 0
        self._stored_bytes = 0
        self._full = False

    def _set(self, key: bytes, value: bytes | None) -> None:
        with self._mutex:
            self._pending[key] = value
            self._pending_bytes += len(value or b"") + _OVERHEAD
        if self._pending_bytes > DUE_BYTES:
            self._flush_due()
        if self._pending_bytes > MAX_PENDING_BYTES and not self._full:
            try:
                self.sync()
            except OSError as error:
                raise StorageError(str(error)) from error

    def _identity(self) -> bytes:
        return b"kv" + self._store.version().to_bytes(8, "little")

    def _warm(self) -> bool:
        if not self._disk.exists(self._index_path):
            return False
        file = self._disk.open(self._index_path, create=False)
        try:
            loaded = load_index(file, self._identity())
        finally:
            file.close()
        self._disk.remove(self._index_path)
        if loaded is not None:
            self.index.become(loaded[0])
        return loaded is not None

    def _check(self) -> None:
        """Assert every invariant. O(records)."""
        self.index._check()
        self._metadata._check()
        for slot in range(1, self.index.end):
            entry = self.index.entry(slot)
            if entry.generation:
                gathered = {**self._writing, **self._pending}
                value = gathered.get(entry.digest) or self._store.get(entry.digest)
                assert value is not None
                assert _meta(value) == entry[1:6]
                assert len(value) == META_SIZE + entry.size
