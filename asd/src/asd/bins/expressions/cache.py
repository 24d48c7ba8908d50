"""The expressions in use, kept compiled: one cache to a node."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Generic, NamedTuple, TypeVar

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.bins.expressions.compiler import decode
from asd.bins.expressions.expression import Expression, compile_expression
from asd.bins.expressions.payload import split_payload
from asd.bins.expressions.values import ExpType

T = TypeVar("T")


class Lru(Generic[T]):
    """What `build` makes of byte strings, kept for the `capacity` ones used last.

    What is built grows with its bytes, so these are bounded as well: the kept strings together
    have at most KEY_SIZE bytes for each place. What it holds besides, by `weight` in bytes, has
    WEIGHT_MAX in all.
    """

    KEY_SIZE: Final = 256
    WEIGHT_MAX: Final = 64 << 20

    def __init__(
        self, capacity: int, build: Callable[[bytes], T], weight: Callable[[T], int]
    ) -> None:
        self._capacity = capacity
        self._build = build
        self._weight = weight
        self._kept: OrderedDict[bytes, T] = OrderedDict()
        self._kept_size = 0
        self._kept_weight = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def kept_bytes(self) -> int:
        """Bytes of keys, and of what is built besides."""
        return self._kept_size + self._kept_weight

    def get(self, key: bytes) -> T:
        """What was built of `key`, now or before. O(1) when it was before."""
        kept = self._kept
        found = kept.get(key)
        if found is not None:
            kept.move_to_end(key)
            return found
        found = self._build(key)
        kept[key] = found
        self._kept_size += len(key)
        self._kept_weight += self._weight(found)
        while kept and self._is_over():
            oldest, dropped = kept.popitem(last=False)
            self._kept_size -= len(oldest)
            self._kept_weight -= self._weight(dropped)
        return found

    def _is_over(self) -> bool:
        if len(self._kept) > self._capacity or self._kept_weight > self.WEIGHT_MAX:
            return True
        return self._kept_size > self._capacity * self.KEY_SIZE


class Operands(NamedTuple):
    """What the value of an expression op holds."""

    expression: Expression
    flags: int


class ExpressionCache:
    """Expressions by their bytes, the `capacity` used last of each kind.

    All three methods raise `OperationError` PARAMETER for what is not a well-formed, well-typed
    expression of bounded size and depth; failures are not kept.
    """

    def __init__(self, capacity: int = 1024) -> None:
        self._filters: Lru[Expression] = Lru(capacity, _build_filter, _weight)
        self._paths: Lru[Expression] = Lru(capacity, _build_path, _weight)
        self._operands: Lru[Operands] = Lru(
            capacity, _build_operands, lambda operands: operands.expression.weight
        )

    def __len__(self) -> int:
        return len(self._filters) + len(self._paths) + len(self._operands)

    @property
    def kept_bytes(self) -> int:
        """Bytes that are counted against its limits."""
        return self._filters.kept_bytes + self._paths.kept_bytes + self._operands.kept_bytes

    def filter(self, wire: bytes) -> Expression:
        """The filter of a filter field; its result must be a bool."""
        return self._filters.get(wire)

    def path(self, wire: bytes) -> Expression:
        """The expression over elements of a path operation, for `paths.RecordPaths`."""
        return self._paths.get(wire)

    def operands(self, payload: bytes) -> Operands:
        """Expression and flags of an expression op."""
        return self._operands.get(payload)


def _weight(expression: Expression) -> int:
    return expression.weight


def _build_filter(wire: bytes) -> Expression:
    expression = compile_expression(wire)
    if expression.result_type is not ExpType.BOOL:
        raise OperationError(ResultCode.PARAMETER, "a filter is a bool")
    return expression


def _build_path(wire: bytes) -> Expression:
    return Expression(decode(wire), in_path=True)


def _build_operands(payload: bytes) -> Operands:
    wire, flags = split_payload(payload)
    return Operands(compile_expression(wire), flags)
