"""A key-value store on a disk that may be faulty: as small as one can be that is safe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from struct import Struct
from typing import Final

from google_crc32c import value as crc_of

from storage.device import Device, Disk

_BATCH: Final = Struct("<IIQ")
"""crc of what follows, bytes of rows, number of the batch."""
_ROW: Final = Struct("<BIi")
"""1 = everything before is deleted, bytes of the key, bytes of the value or -1; both follow."""


class LoggedStore:
    """A `storage.kv.KeyValueStore` that writes its batches one behind the other, and never tidies
    up: LMDB opens its file by itself, so that crashes of `KvEngine` are simulated on this.

    A batch counts once all of it is there, and all batches before it.
    """

    def __init__(self, path: str, disk: Disk) -> None:
        self._path = path
        self._disk = disk
        self._device: Device
        self._held: dict[bytes, bytes] = {}
        self._end = 0
        self._number = 0

    def open(self) -> None:
        """Read all whole batches."""
        self._held, self._end, self._number = {}, 0, 0
        self._device = self._disk.open(self._path, create=True)
        data = self._device.pread(0, self._device.size())
        while self._end + _BATCH.size <= len(data):
            crc, size, number = _BATCH.unpack_from(data, self._end)
            rows = data[self._end + _BATCH.size : self._end + _BATCH.size + size]
            if number != self._number + 1 or crc != crc_of(number.to_bytes(8, "little") + rows):
                return
            self._apply(rows)
            self._end += _BATCH.size + size
            self._number = number

    def close(self) -> None:
        """Let go."""
        self._device.close()

    def get(self, key: bytes) -> bytes | None:
        """The value of the last `write`, or None."""
        return self._held.get(key)

    def write(self, batch: Mapping[bytes, bytes | None]) -> None:
        """Add a batch, on the medium on return. Raises OSError."""
        self._append(b"".join([_row(key, value) for key, value in batch.items()]))

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Everything there is."""
        return iter(list(self._held.items()))

    def clear(self, left: Mapping[bytes, bytes]) -> None:
        """Delete everything but set what is `left`, in one batch."""
        self._append(_ROW.pack(1, 0, -1) + b"".join([_row(*pair) for pair in left.items()]))

    def version(self) -> int:
        """The number of the last batch."""
        return self._number

    def used_bytes(self) -> int:
        """Bytes of the file."""
        return self._end

    def copy(self, path: str) -> None:
        """Write all batches once more, elsewhere."""
        device = self._disk.open(path, create=True)
        device.pwrite(0, self._device.pread(0, self._end))
        device.fdatasync()
        device.close()

    def _append(self, rows: bytes) -> None:
        number = self._number + 1
        crc = crc_of(number.to_bytes(8, "little") + rows)
        self._device.pwrite(self._end, _BATCH.pack(crc, len(rows), number) + rows)
        self._device.fdatasync()
        self._apply(rows)
        self._end += _BATCH.size + len(rows)
        self._number = number

    def _apply(self, rows: bytes) -> None:
        at = 0
        while at < len(rows):
            begins_anew, key_size, size = _ROW.unpack_from(rows, at)
            at += _ROW.size + key_size
            key = rows[at - key_size : at]
            if begins_anew:
                self._held.clear()
            elif size < 0:
                self._held.pop(key, None)
            else:
                self._held[key] = rows[at : at + size]
                at += size


def _row(key: bytes, value: bytes | None) -> bytes:
    size = -1 if value is None else len(value)
    return _ROW.pack(0, len(key), size) + key + (value or b"")
