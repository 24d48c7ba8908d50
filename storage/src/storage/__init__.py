"""Record storage engines behind one interface, with a packed 64-byte primary index.

>>> import storage
>>> engine = storage.MemoryEngine()
>>> engine.put(bytes(20), 1, 0, 500, 7, 0, b"payload")
>>> engine.get(bytes(20))
(1, 0, 500, 7, 0, b'payload')

The engines that outlive the process are in modules of their own, so that nobody loads a library he
does not use: `storage.ssd.SsdEngine`, `storage.kv.KvEngine`, `storage.cold.ColdEngine`,
`storage.mapped.MappedMemoryEngine`.
"""

from storage.engine import (
    TOMBSTONE,
    DamagedRecord,
    DeviceOverload,
    Engine,
    NotResident,
    OutOfSpace,
    Record,
    StorageError,
)
from storage.index import Entry, PrimaryIndex, SetUsage
from storage.memory import MemoryEngine

__all__ = [
    "Engine",
    "Record",
    "TOMBSTONE",
    "NotResident",
    "OutOfSpace",
    "DeviceOverload",
    "StorageError",
    "DamagedRecord",
    "MemoryEngine",
    "PrimaryIndex",
    "Entry",
    "SetUsage",
]
