"""Record storage engines behind one interface, with a packed 64-byte primary index.

>>> import storage
>>> engine = storage.MemoryEngine()
>>> engine.put(bytes(20), 1, 0, 500, 7, 0, b"payload")
>>> engine.get(bytes(20))
(1, 0, 500, 7, 0, b'payload')
"""

from storage.engine import TOMBSTONE, Engine, NotResident, OutOfSpace, Record
from storage.index import Entry, PrimaryIndex, SetUsage
from storage.memory import MemoryEngine

__all__ = [
    "Engine",
    "Record",
    "TOMBSTONE",
    "NotResident",
    "OutOfSpace",
    "MemoryEngine",
    "PrimaryIndex",
    "Entry",
    "SetUsage",
]
