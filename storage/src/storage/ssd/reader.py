"""Reading records back from devices: without blocking where it can be, and never unchecked."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import Final

from google_crc32c import extend

from storage.engine import DamagedRecord, NotResident
from storage.ssd.layout import (
    DIGEST_AT,
    DIGEST_END,
    HEAD,
    RECORD_HEADER,
    RECORD_MAGIC,
    UNITS_AT,
)
from storage.ssd.log import DeviceLog

log = logging.getLogger("storage.ssd")

_head = HEAD.unpack_from

MAX_LOADED: Final = 1024
"""Records loaded for callers that have not asked again yet."""


class Reader:
    """The reading side of one store. With `blocking` it reads inline what is not in memory."""

    def __init__(self, paths: Sequence[str], blocking: bool) -> None:
        self._paths = paths
        self.blocking = blocking
        self._loaded: dict[tuple[int, int], bytes] = {}
        self.damaged = 0
        """Places found that do not hold what they should."""

    def read(self, device: DeviceLog, number: int, at: int, digest: bytes, location: int) -> bytes:
        """The bytes of a record on the device, checked. Raises NotResident, DamagedRecord."""
        start = device.data_start + number * device.block_size + at
        place = location >> UNITS_AT << 4
        seed = device.seeds[number]  # with it, a location means one record for ever
        record = self._loaded.pop((location, seed), None) if self._loaded else None
        try:
            if record is None:
                record = device.read_nowait(start, place)
            if record is None:
                if not self.blocking:
                    load = partial(self._load, device, start, place, (location, seed))
                    raise NotResident(load)
                record = device.device.pread(start, place)
        except OSError as error:
            raise self.damage(device, number, at, str(error)) from error
        if record[DIGEST_AT:DIGEST_END] == digest:
            magic, crc, stored = _head(record)
            if magic == RECORD_MAGIC and extend(seed, record[8 : RECORD_HEADER + stored]) == crc:
                return record
        raise self.damage(device, number, at, "not the record that should be there")

    def damage(self, device: DeviceLog, number: int, at: int, what: str) -> DamagedRecord:
        """Count and report what is wrong with a place."""
        self.damaged += 1
        path = self._paths[device.header.number]
        message = f"{path}, block {number}, position {at}: {what}"
        log.error("%s", message)
        return DamagedRecord(message)

    def forget(self) -> None:
        """Nothing is loaded or found damaged."""
        self._loaded.clear()
        self.damaged = 0

    def _load(self, device: DeviceLog, start: int, place: int, key: tuple[int, int]) -> None:
        try:
            data = device.device.pread(start, place)
        except OSError:
            data = b""  # asked again, `read` finds that it is not the record, and says so
        if len(self._loaded) >= MAX_LOADED:
            self._loaded.clear()
        self._loaded[key] = data
