"""What a backup file holds: records, secondary indexes, files of functions."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, TypeAlias

from aerospike_client.key import UserKey


class Header(NamedTuple):
    """The first lines: whose records follow, and whether indexes and functions are here."""

    namespace: str
    first_file: bool


class IndexKind(Enum):
    """What an index has of a bin, by its letter."""

    BIN = "N"
    LIST = "L"
    MAP_KEYS = "K"
    MAP_VALUES = "V"


class IndexType(Enum):
    """Which values an index has, by their letter."""

    NUMERIC = "N"
    STRING = "S"
    GEO = "G"
    BLOB = "B"
    INVALID = "I"


class SecondaryIndex(NamedTuple):
    """A secondary index. `bin` is empty when it is built on an expression."""

    namespace: str
    #: Empty: all records of the namespace.
    set_name: str
    name: str
    kind: IndexKind
    bin: str
    type: IndexType
    #: Where in the bin's value; in base64, as info commands have it. Empty: the value itself.
    context: str = ""
    #: In base64.
    expression: str = ""


class UdfFile(NamedTuple):
    """A registered file of functions in Lua."""

    name: str
    content: bytes


class BackupBin(NamedTuple):
    """A bin as the protocol has it: `particle_type` is a `ParticleType`, `data` its wire form."""

    name: str
    particle_type: int
    data: bytes


class BackupRecord(NamedTuple):
    """A record."""

    namespace: str
    #: Empty: none.
    set_name: str
    digest: bytes
    #: None when the record was stored without.
    user_key: UserKey | None
    generation: int
    #: Seconds since 2010-01-01 UTC; 0 never expires.
    void_time: int
    bins: tuple[BackupBin, ...]


Entry: TypeAlias = SecondaryIndex | UdfFile | BackupRecord
"""What follows the header."""
