"""What an engine keeps beside its records: the names of sets, and small data of its caller's.

Both are a few thousand rows that seldom change. They are kept as one table, written anew as a whole
when something in it has changed; whoever writes records to a medium writes the table first.
Layout: docs/formats/ssd.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct
from types import MappingProxyType
from typing import Final, NamedTuple

from google_crc32c import value as crc_of

from storage.engine import MAX_META_ENTRIES, MAX_META_KEY, MAX_META_VALUE, OutOfSpace

TABLE_MAGIC: Final = b"CLNM"
TABLE: Final = Struct("<4sIQI4x")
"""magic, crc of update and rows, update, bytes of rows."""
NAME_ROW: Final = Struct("<HB")
"""set id, bytes of the name; with set id 0 what follows is a key, VALUE_SIZE and a value."""
VALUE_SIZE: Final = Struct("<H")


class Table(NamedTuple):
    """A table that was read; of two, the one with the higher `update` is the newer."""

    update: int
    names: dict[int, bytes]
    entries: dict[bytes, bytes]


class Metadata:
    """The names of sets, and entries of the caller's.

    `room`  bytes that the table may take; None = as many as there are

    The owner changes it; `pack` may run on another thread.

    >>> metadata = Metadata()
    >>> metadata.set(b"version", b"7")
    >>> unpack_table(metadata.pack(1))
    Table(update=1, names={}, entries={b'version': b'7'})
    """

    __slots__ = ("_entries", "_size", "dirty", "names", "room")

    def __init__(self, room: int | None = None) -> None:
        self.room = room
        self.names: dict[int, bytes] = {}
        """By set id."""
        self._entries: dict[bytes, bytes] = {}
        self._size = TABLE.size
        self.dirty = False
        """It has changed since the table was last written; cleared before it is packed for that."""

    @property
    def entries(self) -> Mapping[bytes, bytes]:
        """The caller's entries, to be read."""
        return MappingProxyType(self._entries)

    def name_set(self, set_id: int, name: bytes) -> None:
        """See `storage.engine.Engine.name_set`. Raises OutOfSpace. O(1)."""
        old = self.names.get(set_id)
        row = _name_row(set_id, name)
        self._resize(len(row) - (0 if old is None else len(_name_row(set_id, old))))
        self.names[set_id] = name
        self.dirty = True

    def set(self, key: bytes, value: bytes | None) -> None:
        """See `storage.engine.Engine.set_meta`. Raises OutOfSpace, ValueError. O(1)."""
        check_meta(self._entries, key, value)
        old = self._entries.get(key)
        if old == value:
            return
        before = 0 if old is None else len(_entry_row(key, old))
        after = 0 if value is None else len(_entry_row(key, value))
        self._resize(after - before)
        if value is None:
            del self._entries[key]
        else:
            self._entries[key] = bytes(value)
        self.dirty = True

    def pack(self, update: int) -> bytes:
        """The table. O(rows)."""
        # Copied, each in one step: the owner may change them meanwhile.
        names, entries = self.names.copy(), self._entries.copy()
        rows = b"".join([_name_row(*row) for row in names.items()])
        rows += b"".join([_entry_row(*row) for row in entries.items()])
        crc = crc_of(update.to_bytes(8, "little") + rows)
        return TABLE.pack(TABLE_MAGIC, crc, update, len(rows)) + rows

    def restore(self, table: Table) -> None:
        """Hold what a table that was read holds."""
        self.forget()
        self.names.update(table.names)
        self._entries.update(table.entries)
        self._size = len(self.pack(0))

    def forget(self) -> None:
        """Hold nothing."""
        self.names.clear()
        self._entries.clear()
        self._size = TABLE.size
        self.dirty = False

    def _resize(self, more: int) -> None:
        if more > 0 and self.room is not None and self._size + more > self.room:
            raise OutOfSpace("the table of set names and metadata is full")
        self._size += more

    def _check(self) -> None:
        """Assert every invariant. O(rows)."""
        packed = self.pack(1)
        assert len(packed) == self._size
        assert self.room is None or self._size <= self.room
        assert unpack_table(packed) == (1, self.names, self._entries)
        assert len(self._entries) <= MAX_META_ENTRIES


def check_meta(entries: Mapping[bytes, bytes], key: bytes, value: bytes | None) -> None:
    """Raise what `storage.engine.Engine.set_meta` says of keys, values and their number."""
    if not 0 < len(key) <= MAX_META_KEY:
        raise ValueError(f"a key of metadata has 1 to {MAX_META_KEY} bytes, not {len(key)}")
    if value is not None and len(value) > MAX_META_VALUE:
        raise ValueError(f"a value of metadata has at most {MAX_META_VALUE} bytes")
    if value is not None and key not in entries and len(entries) >= MAX_META_ENTRIES:
        raise OutOfSpace(f"there are {MAX_META_ENTRIES} entries of metadata")


def unpack_table(data: bytes) -> Table:
    """The table in `data`, or behind which more follows; an empty one for what is not whole."""
    if len(data) < TABLE.size:
        return Table(0, {}, {})
    magic, crc, update, size = TABLE.unpack_from(data)
    rows = data[TABLE.size : TABLE.size + size]
    if magic != TABLE_MAGIC or crc_of(update.to_bytes(8, "little") + rows) != crc:
        return Table(0, {}, {})
    table = Table(update, {}, {})
    at = 0
    while at < size:
        set_id, length = NAME_ROW.unpack_from(rows, at)
        at += NAME_ROW.size + length
        name = rows[at - length : at]
        if set_id:
            table.names[set_id] = name
        else:
            (length,) = VALUE_SIZE.unpack_from(rows, at)
            at += VALUE_SIZE.size + length
            table.entries[name] = rows[at - length : at]
    return table


def _name_row(set_id: int, name: bytes) -> bytes:
    return NAME_ROW.pack(set_id, len(name)) + name


def _entry_row(key: bytes, value: bytes) -> bytes:
    return _name_row(0, key) + VALUE_SIZE.pack(len(value)) + value
