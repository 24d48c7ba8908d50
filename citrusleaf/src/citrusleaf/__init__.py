"""Citrusleaf's primitives: queues, hash tables, the record digest, clocks, buffers.

Each stands in a module of its own, named `cf_*`; the classes and the names most used are here.
Modules of plain functions (`cf_b64`, `cf_bits`, `cf_crypto`) are meant to be imported whole:

>>> from citrusleaf import CfQueue, cf_b64
>>> cf_b64.encode(b"abc")
'YWJj'
"""

from citrusleaf import cf_b64, cf_bits, cf_crypto
from citrusleaf.cf_alloc import CfArena, CfRc, rc_buffer
from citrusleaf.cf_bits import CfBits
from citrusleaf.cf_clock import CITRUSLEAF_EPOCH_S, Clock, SystemClock, VirtualClock
from citrusleaf.cf_digest import (
    DIGEST_SIZE,
    PARTITIONS,
    KeyType,
    digest,
    key_digest,
    partition_id,
    ripemd160,
)
from citrusleaf.cf_hooks import CheckedMutex, DeadlockError, Mutex, MutexFactory
from citrusleaf.cf_ll import CfLl, CfLlElement
from citrusleaf.cf_queue import FOREVER, NOWAIT, CfQueue, CfQueueClosed, CfQueueEmpty
from citrusleaf.cf_queue_priority import CfQueuePriority, Choice, Priority
from citrusleaf.cf_random import CfRandom
from citrusleaf.cf_rchash import CfRchash
from citrusleaf.cf_reduce import Verdict
from citrusleaf.cf_shash import CfShash, LockedEntry
from citrusleaf.cf_vector import CfVector

__all__ = [
    # queues
    "CfQueue",
    "CfQueuePriority",
    "CfQueueClosed",
    "CfQueueEmpty",
    "FOREVER",
    "NOWAIT",
    "Choice",
    "Priority",
    # hash tables
    "CfShash",
    "CfRchash",
    "LockedEntry",
    # sequences and bits
    "CfVector",
    "CfLl",
    "CfLlElement",
    "CfBits",
    # what reduce callbacks answer
    "Verdict",
    # digests
    "DIGEST_SIZE",
    "PARTITIONS",
    "KeyType",
    "digest",
    "key_digest",
    "partition_id",
    "ripemd160",
    # time and chance
    "CITRUSLEAF_EPOCH_S",
    "Clock",
    "SystemClock",
    "VirtualClock",
    "CfRandom",
    # memory
    "CfArena",
    "CfRc",
    "rc_buffer",
    # locks
    "CheckedMutex",
    "DeadlockError",
    "Mutex",
    "MutexFactory",
    # modules of functions
    "cf_b64",
    "cf_bits",
    "cf_crypto",
]
