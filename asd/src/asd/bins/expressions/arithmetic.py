"""Arithmetic and bit operations as the server computes them: 64-bit wrap, C floats, x86 shifts.

Every builder takes compiled operands and returns a function of (record, frame). An unknown operand
makes the result unknown.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any, Final

from asd.bins.expressions.record import RecordView
from asd.bins.expressions.values import UNKNOWN, Code, ExpType, Frame, Run

INT_MIN: Final = -(1 << 63)
INT_MAX: Final = (1 << 63) - 1
MASK: Final = (1 << 64) - 1
NEGATIVE_NAN: Final[float] = struct.unpack(">d", bytes.fromhex("fff8000000000000"))[0]
"""What x86 floating point and its C library give for an invalid operation."""


def wrap(value: int) -> int:
    """`value` as a signed 64-bit integer."""
    if INT_MIN <= value <= INT_MAX:
        return value
    return ((value + (1 << 63)) & MASK) - (1 << 63)


def unary(function: Callable[[Any], Any]) -> Callable[[Code], Run]:
    """A builder that applies `function` to one known operand."""

    def build(operand: Code) -> Run:
        get = operand.run

        def run(record: RecordView, frame: Frame) -> Any:
            value = get(record, frame)
            return value if value is UNKNOWN else function(value)

        return run

    return build


def binary(function: Callable[[Any, Any], Any]) -> Callable[[Code, Code], Run]:
    """A builder that applies `function` to two known operands."""

    def build(left: Code, right: Code) -> Run:
        if right.is_known:
            return _with_constant(function, left.run, right.constant)
        get_left, get_right = left.run, right.run

        def run(record: RecordView, frame: Frame) -> Any:
            a = get_left(record, frame)
            if a is UNKNOWN:
                return a
            b = get_right(record, frame)
            return b if b is UNKNOWN else function(a, b)

        return run

    return build


def _with_constant(function: Callable[[Any, Any], Any], get: Run, constant: Any) -> Run:
    """The common case: something of the record and a literal."""

    def run(record: RecordView, frame: Frame) -> Any:
        value = get(record, frame)
        return value if value is UNKNOWN else function(value, constant)

    return run


def reduced(
    function: Callable[[Sequence[Any]], Any], pair: Callable[[Any, Any], Any] | None = None
) -> Callable[..., Run]:
    """A builder that applies `function` to the sequence of all known operands; `pair`, if given,
    does the same for two."""
    build_pair = binary(pair or (lambda left, right: function((left, right))))

    def build(*operands: Code) -> Run:
        if len(operands) == 2:
            return build_pair(*operands)
        getters = [operand.run for operand in operands]

        def run(record: RecordView, frame: Frame) -> Any:
            values = []
            for get in getters:
                value = get(record, frame)
                if value is UNKNOWN:
                    return value
                values.append(value)
            return function(values)

        return run

    return build


def by_type(
    integers: Callable[[Sequence[Any]], Any],
    floats: Callable[[Sequence[Any]], Any],
    pair: Callable[[Any, Any], Any] | None = None,
) -> Callable[..., Run]:
    """A builder for operands that are all integers or all floats; `pair` is for two integers."""
    build_integers, build_floats = reduced(integers, pair), reduced(floats)

    def build(*operands: Code) -> Run:
        chosen = build_integers if operands[0].type is ExpType.INT else build_floats
        return chosen(*operands)

    return build


# -- numbers ------------------------------------------------------------------------------------


def _add_two(left: int, right: int) -> int:
    total = left + right
    return total if INT_MIN <= total <= INT_MAX else wrap(total)


def _add_floats(values: Sequence[float]) -> float:
    total = values[0]
    for value in values[1:]:
        total += value
    return total


def _sub_integers(values: Sequence[int]) -> int:
    if len(values) == 1:
        return wrap(-values[0])
    return wrap(2 * values[0] - sum(values))


def _sub_floats(values: Sequence[float]) -> float:
    first, *rest = values if len(values) > 1 else [0.0, values[0]]
    for value in rest:
        first -= value
    return first


def _mul_integers(values: Sequence[int]) -> int:
    product = 1
    for value in values:
        product = wrap(product * value)
    return product


def _mul_floats(values: Sequence[float]) -> float:
    product = values[0]
    for value in values[1:]:
        product *= value
    return product


def _div_integers(values: Sequence[int]) -> Any:
    dividend, *divisors = values if len(values) > 1 else [1, values[0]]
    divisor = _mul_integers(divisors)
    if divisor == 0:
        return UNKNOWN
    quotient = abs(dividend) // abs(divisor)
    return wrap(quotient if (dividend < 0) == (divisor < 0) else -quotient)


def divide_floats(dividend: float, divisor: float) -> float:
    """IEEE division: by zero gives an infinity, or not-a-number."""
    if divisor:
        return dividend / divisor
    if dividend == 0 or dividend != dividend:
        return NEGATIVE_NAN if dividend == 0 else dividend
    return math.copysign(math.inf, dividend) * math.copysign(1.0, divisor)


def _div_floats(values: Sequence[float]) -> float:
    dividend, *divisors = values if len(values) > 1 else [1.0, values[0]]
    return divide_floats(dividend, _mul_floats(divisors))


def _mod(dividend: int, divisor: int) -> Any:
    if divisor == 0:
        return UNKNOWN
    remainder = abs(dividend) % abs(divisor)
    return -remainder if dividend < 0 else remainder


def _pow(base: float, exponent: float) -> float:
    try:
        return math.pow(base, exponent)
    except OverflowError:
        odd = math.fmod(exponent, 2.0) in (1.0, -1.0)
        return -math.inf if base < 0 and odd else math.inf
    except ValueError:
        if base == 0:  # zero to a negative power
            odd = math.fmod(exponent, 2.0) == -1.0
            return math.copysign(math.inf, base) if odd else math.inf
        return NEGATIVE_NAN


def _ln(value: float) -> float:
    if value > 0 or value != value:
        return math.log(value)
    return -math.inf if value == 0 else NEGATIVE_NAN


def _log(value: float, base: float) -> float:
    return divide_floats(_ln(value), _ln(base))


def _floor(value: float) -> float:
    if not math.isfinite(value):
        return value
    return math.copysign(math.floor(value), value)


def _ceil(value: float) -> float:
    if not math.isfinite(value):
        return value
    return math.copysign(math.ceil(value), value)


def _to_int(value: float) -> int:
    if -9223372036854775808.0 <= value < 9223372036854775808.0:
        return int(value)
    return INT_MIN  # out of range, infinite, not a number: the x86 conversion's answer


def _min_floats(values: Sequence[float]) -> float:
    least = values[0]
    for value in values[1:]:
        if value < least:
            least = value
    return least


def _max_floats(values: Sequence[float]) -> float:
    greatest = values[0]
    for value in values[1:]:
        if value > greatest:
            greatest = value
    return greatest


add = by_type(lambda values: wrap(sum(values)), _add_floats, _add_two)
sub = by_type(_sub_integers, _sub_floats)
mul = by_type(_mul_integers, _mul_floats)
div = by_type(_div_integers, _div_floats)
minimum = by_type(min, _min_floats)
maximum = by_type(max, _max_floats)
power = binary(_pow)
logarithm = binary(_log)
modulo = binary(_mod)
floor = unary(_floor)
ceil = unary(_ceil)
to_int = unary(_to_int)
to_float = unary(float)
absolute = unary(lambda value: wrap(abs(value)) if type(value) is int else abs(value))


# -- bits ---------------------------------------------------------------------------------------


def _and_all(values: Sequence[int]) -> int:
    result = -1
    for value in values:
        result &= value
    return result


def _or_all(values: Sequence[int]) -> int:
    result = 0
    for value in values:
        result |= value
    return result


def _xor_all(values: Sequence[int]) -> int:
    result = 0
    for value in values:
        result ^= value
    return result


def _lscan(value: int, wanted: bool) -> int:
    """Position of the first bit equal to `wanted` counted from the most significant, -1 none."""
    bits = value & MASK if wanted else ~value & MASK
    return 64 - bits.bit_length() if bits else -1


def _rscan(value: int, wanted: bool) -> int:
    """Position (0 = most significant) of the last bit equal to `wanted`, -1 none."""
    bits = value & MASK if wanted else ~value & MASK
    return 64 - (bits & -bits).bit_length() if bits else -1


bit_and = reduced(_and_all)
bit_or = reduced(_or_all)
bit_xor = reduced(_xor_all)
bit_not = unary(lambda value: ~value)
bit_count = unary(lambda value: (value & MASK).bit_count())
# The processor takes shift counts modulo 64.
shift_left = binary(lambda value, count: wrap(value << (count & 63)))
shift_right = binary(lambda value, count: wrap((value & MASK) >> (count & 63)))
shift_right_signed = binary(lambda value, count: value >> (count & 63))
left_scan = binary(_lscan)
right_scan = binary(_rscan)
