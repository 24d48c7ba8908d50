"""Expressions of HyperLogLog sketches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NoReturn

from aerospike_client.expressions.codes import ExpType, System
from aerospike_client.expressions.containers import List
from aerospike_client.expressions.expression import Expression, ExpressionError
from aerospike_client.expressions.receiver import Receiver
from aerospike_client.expressions.scalars import Float, Int
from aerospike_client.operations.codes import HllCode, HllWriteFlags
from aerospike_client.values import to_element
from aerospike_common import AsBytes
from aerospike_common.wire.codes import ParticleType

_NOT_GIVEN: Final = -1


class Hll(Expression):
    """A HyperLogLog sketch; as a literal, its bytes. Not comparable.

    `values` below are literals or a list expression; `sketches` are literal sketches (bytes), a
    list expression of them, or one sketch.
    """

    __slots__ = ()
    TYPE = ExpType.HLL

    def __init__(self, value: bytes) -> None:
        super().__init__(value)

    @classmethod
    def _literal(cls, value: Any) -> Any:
        if not isinstance(value, bytes | bytearray | memoryview):
            raise ExpressionError(f"Hll takes bytes, not {type(value).__name__}: {value!r}")
        return to_element(AsBytes(bytes(value), ParticleType.HLL))

    def _receiver(self) -> Receiver[Hll]:
        return Receiver(System.HLL, self)

    # -- reading

    def count(self) -> Int:
        """How many different values it has seen, about."""
        return self._receiver().read(Int, HllCode.GET_COUNT)

    def describe(self) -> List:
        """Its index bits and minhash bits."""
        return self._receiver().read(List, HllCode.DESCRIBE)

    def may_contain(self, values: Expression | Sequence[object]) -> Int:
        """1 when it may have seen all the values, 0 when certainly not."""
        return self._receiver().read(Int, HllCode.MAY_CONTAIN, List.of(values))

    def union(self, sketches: SketchesLike) -> Hll:
        """The sketch of all."""
        return self._receiver().read(Hll, HllCode.GET_UNION, _sketches(sketches))

    def union_count(self, sketches: SketchesLike) -> Int:
        """The count of all together."""
        return self._receiver().read(Int, HllCode.GET_UNION_COUNT, _sketches(sketches))

    def intersect_count(self, sketches: SketchesLike) -> Int:
        """The count of what all have seen."""
        return self._receiver().read(Int, HllCode.GET_INTERSECT_COUNT, _sketches(sketches))

    def similarity(self, sketches: SketchesLike) -> Float:
        """What all have seen as a part of what any has, 0 to 1."""
        return self._receiver().read(Float, HllCode.GET_SIMILARITY, _sketches(sketches))

    # -- the sketch, changed

    def init(
        self,
        index_bits: int | None = None,
        minhash_bits: int | None = None,
        flags: HllWriteFlags = HllWriteFlags.DEFAULT,
    ) -> Hll:
        """Empty. Bits that are not given stay as they are."""
        arguments = _bits(index_bits), _bits(minhash_bits), int(flags)
        return self._receiver().modify(HllCode.INIT, *arguments)

    def add(
        self,
        values: Expression | Sequence[object],
        index_bits: int | None = None,
        minhash_bits: int | None = None,
        flags: HllWriteFlags = HllWriteFlags.DEFAULT,
    ) -> Hll:
        """With values more; the bits are those of a sketch that is created."""
        arguments = _bits(index_bits), _bits(minhash_bits), int(flags)
        return self._receiver().modify(HllCode.ADD, List.of(values), *arguments)

    def __eq__(self, other: object) -> NoReturn:
        raise ExpressionError("sketches are not compared: compare their .count()")

    def __ne__(self, other: object) -> NoReturn:
        raise ExpressionError("sketches are not compared: compare their .count()")

    __hash__ = Expression.__hash__


SketchesLike = Hll | List | Sequence[bytes]


def _bits(bits: int | None) -> int:
    return _NOT_GIVEN if bits is None else bits


def _sketches(sketches: SketchesLike) -> Expression:
    if isinstance(sketches, Hll | List):
        return sketches
    if isinstance(sketches, Sequence) and not isinstance(sketches, bytes):
        return List([AsBytes(bytes(each), ParticleType.HLL) for each in sketches])
    return List.of(sketches)
