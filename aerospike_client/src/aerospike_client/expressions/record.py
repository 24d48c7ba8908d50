"""What an expression reads of the record besides its bins: the key and metadata.

Metadata is known without reading the record from its device: a filter that it decides costs no
read.
"""

from __future__ import annotations

from aerospike_client.expressions.codes import Code, ExpType
from aerospike_client.expressions.expression import E, ExpressionError, build
from aerospike_client.expressions.scalars import Bool, Int
from aerospike_client.expressions.texts import Str


def key(type_: type[E]) -> E:
    """The user key, as `Int`, `Str` or `Blob`; unknown when it is not stored or of another type."""
    if type_.TYPE not in (ExpType.INT, ExpType.STR, ExpType.BLOB):
        raise ExpressionError(f"a key is Int, Str or Blob, never {type_.__name__}")
    return build(type_, Code.KEY, int(type_.TYPE))


def key_exists() -> Bool:
    """Whether the user key is stored with the record."""
    return build(Bool, Code.KEY_EXISTS)


def set_name() -> Str:
    """The name of the record's set; empty when it is in none."""
    return build(Str, Code.SET_NAME)


def ttl() -> Int:
    """Seconds until the record expires; -1 never."""
    return build(Int, Code.TTL)


def void_time() -> Int:
    """When the record expires, in nanoseconds since 1970; -1 never."""
    return build(Int, Code.VOID_TIME)


def last_update() -> Int:
    """When the record was last written, in nanoseconds since 1970."""
    return build(Int, Code.LAST_UPDATE)


def since_update() -> Int:
    """Milliseconds since the record was last written."""
    return build(Int, Code.SINCE_UPDATE)


def record_size() -> Int:
    """Bytes that the record takes in storage. Servers from 7.0."""
    return build(Int, Code.RECORD_SIZE)


def device_size() -> Int:
    """As `record_size`, by its name on older servers."""
    return build(Int, Code.DEVICE_SIZE)


def memory_size() -> Int:
    """As `record_size`, by its name for namespaces in memory on older servers."""
    return build(Int, Code.MEMORY_SIZE)


def is_tombstone() -> Bool:
    """Whether the record is deleted; only filters of change shipping see such."""
    return build(Bool, Code.IS_TOMBSTONE)


def digest_modulo(modulus: int) -> Int:
    """The record's digest modulo `modulus`: a fair share of all records."""
    if isinstance(modulus, bool) or not isinstance(modulus, int) or not 0 < modulus < 1 << 31:
        raise ExpressionError(f"the modulus is an int from 1 to 2^31-1, not {modulus!r}")
    return build(Int, Code.DIGEST_MODULO, modulus)
