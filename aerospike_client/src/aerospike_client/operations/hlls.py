"""Operations on HyperLogLog sketches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aerospike_client.operations.codes import HllCode, HllWriteFlags
from aerospike_client.operations.operation import as_list, operation
from aerospike_client.values import BinValue
from aerospike_common import AsBytes
from aerospike_common.wire import Op, OpType, ParticleType

_READ: Final = OpType.HLL_READ
_MODIFY: Final = OpType.HLL_MODIFY
_NOT_GIVEN: Final = -1
_DEFAULT: Final = HllWriteFlags.DEFAULT

Sketch = AsBytes | bytes
"""A sketch as it was read, or its bytes."""


def init(
    bin: str,
    index_bits: int | None = None,
    minhash_bits: int | None = None,
    flags: HllWriteFlags = _DEFAULT,
) -> Op:
    """Make a sketch empty, or a new one. 4 to 16 index bits, 0 or 4 to 51 minhash bits; those of an
    existing sketch stay when they are not given."""
    bits = _bits(index_bits), _bits(minhash_bits)
    return operation(_MODIFY, bin, (), HllCode.INIT, *bits, int(flags))


def add(
    bin: str,
    values: Sequence[BinValue],
    index_bits: int | None = None,
    minhash_bits: int | None = None,
    flags: HllWriteFlags = _DEFAULT,
) -> Op:
    """Show values to the sketch; the bits are those of one that is created. Answers how many of its
    registers changed."""
    bits = _bits(index_bits), _bits(minhash_bits)
    return operation(_MODIFY, bin, (), HllCode.ADD, as_list(values), *bits, int(flags))


def set_union(bin: str, sketches: Sequence[Sketch], flags: HllWriteFlags = _DEFAULT) -> Op:
    """Unite the sketch with others."""
    return operation(_MODIFY, bin, (), HllCode.SET_UNION, _sketches(sketches), int(flags))


def refresh_count(bin: str) -> Op:
    """Compute the count and keep it. Answers it."""
    return operation(_MODIFY, bin, (), HllCode.REFRESH_COUNT)


def fold(bin: str, index_bits: int) -> Op:
    """Make the sketch coarser; only without minhash bits."""
    return operation(_MODIFY, bin, (), HllCode.FOLD, index_bits)


def get_count(bin: str) -> Op:
    """How many different values it has seen, about."""
    return operation(_READ, bin, (), HllCode.GET_COUNT)


def get_union(bin: str, sketches: Sequence[Sketch]) -> Op:
    """The sketch of it and others."""
    return operation(_READ, bin, (), HllCode.GET_UNION, _sketches(sketches))


def get_union_count(bin: str, sketches: Sequence[Sketch]) -> Op:
    """The count of it and others together."""
    return operation(_READ, bin, (), HllCode.GET_UNION_COUNT, _sketches(sketches))


def get_intersect_count(bin: str, sketches: Sequence[Sketch]) -> Op:
    """The count of what it and all others have seen."""
    return operation(_READ, bin, (), HllCode.GET_INTERSECT_COUNT, _sketches(sketches))


def get_similarity(bin: str, sketches: Sequence[Sketch]) -> Op:
    """What all have seen as a part of what any has, 0 to 1."""
    return operation(_READ, bin, (), HllCode.GET_SIMILARITY, _sketches(sketches))


def describe(bin: str) -> Op:
    """Its index bits and minhash bits."""
    return operation(_READ, bin, (), HllCode.DESCRIBE)


def may_contain(bin: str, values: Sequence[BinValue]) -> Op:
    """1 when it may have seen all the values, 0 when certainly not."""
    return operation(_READ, bin, (), HllCode.MAY_CONTAIN, as_list(values))


def _bits(bits: int | None) -> int:
    return _NOT_GIVEN if bits is None else bits


def _sketches(sketches: Sequence[Sketch]) -> list[BinValue]:
    return [
        sketch if isinstance(sketch, AsBytes) else AsBytes(bytes(sketch), ParticleType.HLL)
        for sketch in sketches
    ]
