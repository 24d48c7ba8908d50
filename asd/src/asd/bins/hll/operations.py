"""HyperLogLog operations: the table of op codes, argument shapes and handlers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.bins import op_table
from asd.bins.hll import estimate
from asd.bins.hll import sketch as hll
from asd.bins.hll.packed_elements import PackedElements
from asd.bins.hll.sketch import Sketch
from asd.bins.op_table import NO_FAIL, Operation, Optional, Refusal, parameter_error

Result = int | float | bytes | list[int]
"""What a read gives: bytes are a sketch."""

Elements = list[Any] | PackedElements

ALLOW_FOLD: Final = 8
"""set_union's write flag: the result may be smaller than the bin, or lose its minhash."""

_UNSET: Final = -1
_CONTAINERS: Final = frozenset({list, dict})


def read(value: bytes, op_list: object) -> Result:
    """The result of one read operation on a sketch."""
    operation, arguments = op_table.resolve(READS, op_list)
    return operation.handler(_stored(value), *arguments)


def modify(value: bytes | None, op_list: object) -> tuple[bytes | None, int | None]:
    """The sketch after one modify operation, and the operation's result if it has one."""
    operation, arguments = op_table.resolve(MODIFIES, op_list)
    sketch = None if value is None else _stored(value)
    try:
        changed, result = operation.handler(sketch, *arguments)
    except Refusal:
        if operation.optional and arguments[-1] & NO_FAIL:
            return value, None
        raise
    return changed.to_bytes(), result


def _stored(value: bytes) -> Sketch:
    """The sketch in a bin, which was checked when it was written."""
    sketch = hll.parse(value)
    if sketch is None:
        raise OperationError(ResultCode.SERVER_ERROR, "corrupt sketch")
    return sketch


# ---------------------------------------------------------------------------- argument checks


def _sketch(value: Any) -> Sketch:
    data = value[1:].encode("utf-8", "surrogateescape") if isinstance(value, str) else b""
    sketch = hll.parse(data)
    if sketch is None:
        raise parameter_error("a sketch is wanted")
    return sketch


def _sketches(value: Any) -> list[Sketch]:
    """A list of sketches, or one alone."""
    if not isinstance(value, list):
        return [_sketch(value)]
    if not value:
        raise parameter_error("at least one sketch is wanted")
    return [_sketch(item) for item in value]


def _elements(value: Any) -> Elements:
    if type(value) is PackedElements:
        return value
    if not isinstance(value, list) or not value:
        raise parameter_error("a list of elements is wanted")
    if not _CONTAINERS.isdisjoint(map(type, value)):
        raise parameter_error("an element is a scalar")
    return value


def _index_bits(value: Any) -> int:
    bits = op_table.integer(value)
    if not hll.INDEX_BITS_MIN <= bits <= hll.INDEX_BITS_MAX:
        raise parameter_error(f"{bits} index bits")
    return bits


def _index_bits_or_unset(value: Any) -> int:
    return _UNSET if value == _UNSET else _index_bits(value)


def _minhash_bits_or_unset(value: Any) -> int:
    bits = op_table.integer(value)
    if bits not in (_UNSET, 0) and not hll.MINHASH_BITS_MIN <= bits <= hll.MINHASH_BITS_MAX:
        raise parameter_error(f"{bits} minhash bits")
    return bits


def _check_size(index_bits: int, minhash_bits: int, flags: int) -> None:
    """Both bits, where both are given: too many together are wrong whatever the bin holds."""
    if _UNSET in (index_bits, minhash_bits) or hll.is_valid_size(index_bits, minhash_bits):
        return
    raise parameter_error(f"{index_bits} index bits with {minhash_bits} minhash bits")


# ---------------------------------------------------------------------------- modify handlers


def _init(
    sketch: Sketch | None, index_bits: int, minhash_bits: int, flags: int
) -> tuple[Sketch, None]:
    op_table.check_existence(sketch is not None, flags)
    if sketch is None:
        return _created(index_bits, minhash_bits), None
    index_bits = sketch.index_bits if index_bits == _UNSET else index_bits
    minhash_bits = sketch.minhash_bits if minhash_bits == _UNSET else minhash_bits
    if not hll.is_valid_size(index_bits, minhash_bits):
        raise OperationError(
            ResultCode.OP_NOT_APPLICABLE, f"{index_bits} index with {minhash_bits} minhash bits"
        )
    return hll.empty(index_bits, minhash_bits), None


def _add(
    sketch: Sketch | None, elements: Elements, index_bits: int, minhash_bits: int, flags: int
) -> tuple[Sketch, int]:
    op_table.check_existence(sketch is not None, flags)
    return hll.add(sketch or _created(index_bits, minhash_bits), elements)


def _created(index_bits: int, minhash_bits: int) -> Sketch:
    if index_bits == _UNSET:
        raise OperationError(
            ResultCode.OP_NOT_APPLICABLE, "index bits are needed to create a sketch"
        )
    return hll.empty(index_bits, max(0, minhash_bits))


def _set_union(sketch: Sketch | None, others: Sequence[Sketch], flags: int) -> tuple[Sketch, None]:
    op_table.check_existence(sketch is not None, flags)
    if sketch is None:
        return estimate.union(others), None
    sketches = [*others, sketch]
    if flags & ALLOW_FOLD:
        return estimate.union(sketches), None
    if sketch.index_bits > min(other.index_bits for other in others):
        raise OperationError(ResultCode.OP_NOT_APPLICABLE, "the union has fewer index bits")
    if sketch.minhash_bits and estimate.common_minhash_bits(sketches) == 0:
        raise OperationError(ResultCode.OP_NOT_APPLICABLE, "the union has other minhash bits")
    return hll.union(sketch.index_bits, sketch.minhash_bits, sketches), None


def _refresh_count(sketch: Sketch | None) -> tuple[Sketch, int]:
    sketch = _existing(sketch)
    count = estimate.count(sketch)
    return sketch._replace(cached_count=count), count


def _fold(sketch: Sketch | None, index_bits: int) -> tuple[Sketch, None]:
    sketch = _existing(sketch)
    if sketch.minhash_bits:
        raise Refusal(ResultCode.OP_NOT_APPLICABLE, "a sketch with minhash cannot be folded")
    if index_bits == _UNSET or index_bits > sketch.index_bits:
        raise Refusal(ResultCode.OP_NOT_APPLICABLE, "folding only takes index bits away")
    return hll.union(index_bits, 0, (sketch,)), None


def _existing(sketch: Sketch | None) -> Sketch:
    if sketch is None:
        raise Refusal(ResultCode.BIN_NOT_FOUND)
    return sketch


# ---------------------------------------------------------------------------- read handlers


def _get_union(sketch: Sketch, others: Sequence[Sketch]) -> bytes:
    return estimate.union([sketch, *others]).to_bytes()


def _get_union_count(sketch: Sketch, others: Sequence[Sketch]) -> int:
    return estimate.union_count([sketch, *others])


def _get_intersect_count(sketch: Sketch, others: Sequence[Sketch]) -> int:
    return estimate.intersect_count(_comparable(sketch, others))


def _get_similarity(sketch: Sketch, others: Sequence[Sketch]) -> float:
    return estimate.similarity(_comparable(sketch, others))


def _comparable(sketch: Sketch, others: Sequence[Sketch]) -> list[Sketch]:
    """All sketches; more than three must have minhash bits in common."""
    if len(others) > 2 and estimate.common_minhash_bits([sketch, *others]) == 0:
        if estimate.common_minhash_bits(others) == 0:
            raise parameter_error("more than two sketches need a common minhash")
        raise Refusal(ResultCode.OP_NOT_APPLICABLE, "the bin's minhash is another one")
    return [sketch, *others]


def _describe(sketch: Sketch) -> list[int]:
    return [sketch.index_bits, sketch.minhash_bits]


def _may_contain(sketch: Sketch, elements: Elements) -> int:
    return int(hll.may_contain(sketch, elements))


# ---------------------------------------------------------------------------- the tables

_SIZE: Final = (Optional(_index_bits_or_unset, _UNSET), Optional(_minhash_bits_or_unset, _UNSET))

Modify = Operation[Callable[..., tuple[Sketch, int | None]]]
Read = Operation[Callable[..., Result]]

MODIFIES: Final[Mapping[int, Modify]] = MappingProxyType(
    {
        0: Operation("init", _init, (), (*_SIZE, op_table.write_flags(1 | 2 | 4)), _check_size),
        1: Operation(
            "add",
            _add,
            (_elements,),
            (*_SIZE, op_table.write_flags(1 | 4)),
            lambda elements, *size: _check_size(*size),
        ),
        2: Operation(
            "set_union", _set_union, (_sketches,), (op_table.write_flags(1 | 2 | 4 | ALLOW_FOLD),)
        ),
        3: Operation("refresh_count", _refresh_count),
        4: Operation("fold", _fold, (_index_bits_or_unset,)),
    }
)

READS: Final[Mapping[int, Read]] = MappingProxyType(
    {
        50: Operation("get_count", estimate.count),
        51: Operation("get_union", _get_union, (_sketches,)),
        52: Operation("get_union_count", _get_union_count, (_sketches,)),
        53: Operation("get_intersect_count", _get_intersect_count, (_sketches,)),
        54: Operation("get_similarity", _get_similarity, (_sketches,)),
        55: Operation("describe", _describe),
        56: Operation("may_contain", _may_contain, (_elements,)),
    }
)
