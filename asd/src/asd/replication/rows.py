"""Records as they travel between nodes (`cluster.records`), and as they stand in an engine.

Flags of an engine's record are seven bits of ours and the tombstone's; in a row they stand above
the three bits that `cluster` knows, so that every node chooses alike between versions that differ
in nothing else. Names of sets travel as text in which each byte is a character: they are bytes
here, of whatever encoding. Numbers of sets do not travel: each node has its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cluster import REMOVAL
from cluster import TOMBSTONE as DELETED
from cluster.messages import RecordRow, SummaryRow
from storage.engine import TOMBSTONE, Record
from storage.index import Entry

_OURS: Final = 3
"""How far our flags are shifted in a row."""


def row_flags(flags: int) -> int:
    """An engine's flags in a row."""
    if flags & TOMBSTONE:
        return (flags & ~TOMBSTONE) << _OURS | DELETED
    return flags << _OURS


def record_flags(flags: int) -> int:
    """A row's flags in an engine."""
    return (flags >> _OURS) & 0x7F | (TOMBSTONE if flags & DELETED else 0)


def set_text(name: bytes) -> str:
    """A set's name in a row."""
    return name.decode("latin-1")


def set_bytes(text: str) -> bytes:
    """The name that a row has. ValueError for one that no node writes."""
    return text.encode("latin-1")


def row_of(digest: bytes, record: Record, set_name: str) -> RecordRow:
    """A version of a record, tombstones too."""
    generation, void_time, updated_ms, _, flags, payload = record
    return digest, generation, updated_ms, void_time, set_name, row_flags(flags), payload


def removal(digest: bytes, updated_ms: int) -> RecordRow:
    """A plain delete. The lane's order, not its generation, says what it takes away."""
    return digest, 1, updated_ms, 0, "", REMOVAL, b""


def record_of(row: RecordRow, set_id: Callable[[bytes], int]) -> Record:
    """The record that a row, which is no removal, stands for. Raises what `set_id` raises."""
    _, generation, updated_ms, void_time, set_name, flags, payload = row
    number = set_id(set_bytes(set_name))
    return generation, void_time, updated_ms, number, record_flags(flags), payload


def summary_of(entry: Entry) -> SummaryRow:
    """What is told of a record before it is sent. The mark is its size on the medium: two engines
    of different kinds may differ in it, and then send a record that is the same."""
    flags = row_flags(entry.flags)
    return (
        *(entry.digest, entry.generation, entry.last_update_time, entry.void_time),
        *(flags, entry.size),
    )
