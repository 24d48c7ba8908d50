"""`storage.direct`: fields and bytes of an area, where they stand."""

from __future__ import annotations

from storage import area, direct
from storage.index import ENTRY, ENTRY_SIZE, META_AT

DIGEST = bytes(range(20))
FIELDS = (65535, 65534, 1 << 31, 0x81, 1 << 40, 1 << 44, 1 << 23)


def test_the_fields_of_an_entry_are_read_where_they_stand() -> None:
    entries = area.allocate(4 * ENTRY_SIZE)
    ENTRY.pack_into(entries, ENTRY_SIZE, DIGEST, *FIELDS)
    assert direct.fields_at(entries, ENTRY_SIZE) == FIELDS


def test_new_metadata_leaves_digest_and_place() -> None:
    entries = area.allocate(4 * ENTRY_SIZE)
    ENTRY.pack_into(entries, ENTRY_SIZE, DIGEST, *FIELDS)
    direct.put_meta(entries, ENTRY_SIZE + META_AT, 1, 2, 3, 4, 5)
    assert ENTRY.unpack_from(entries, ENTRY_SIZE) == (DIGEST, 1, 2, 3, 4, 5, *FIELDS[5:])


def test_bytes_are_written_compared_and_read() -> None:
    data = area.allocate(100)
    direct.put_bytes(data, 10, b"payload")
    assert direct.bytes_at(data, 9, 9) == b"\0payload\0"
    assert direct.same_at(data, 10, b"pay")
    assert not direct.same_at(data, 10, b"paz")
    assert direct.same_at(data, 100, b"")
