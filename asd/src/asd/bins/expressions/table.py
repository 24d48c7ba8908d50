"""Every operation of an expression: op code, name, arguments, result type, what it reads, builder.

An `Operation` takes compiled operands of the types its `arguments` say; a `Form` has a syntax of
its own and compiles its arguments itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from asd.bins.expressions import arithmetic, calls, comparison, logic, maps, records
from asd.bins.expressions.record import RecordView
from asd.bins.expressions.values import (
    REMOVE,
    UNKNOWN_BOOL,
    Code,
    ExpType,
    Run,
    from_element,
    literal,
)

if TYPE_CHECKING:
    from asd.bins.expressions.compiler import Compiler

BOOL, INT, STR, LIST = ExpType.BOOL, ExpType.INT, ExpType.STR, ExpType.LIST
FLOAT, GEOJSON = ExpType.FLOAT, ExpType.GEOJSON

ANY: Final = frozenset(ExpType) - {ExpType.REMOVAL}
NUMBER: Final = frozenset({INT, FLOAT})
COMPARABLE: Final = ANY - {GEOJSON, ExpType.HLL}

LOOP_SLOTS: Final = logic.LOOP_SLOTS


class Reads(Enum):
    """What of the record an operation itself looks at."""

    NOTHING = "nothing"
    METADATA = "metadata"  # known without the record's bytes
    RECORD = "record"  # the key or bins


# -- arguments ------------------------------------------------------------------------------------

Types: TypeAlias = Sequence[ExpType]
Arguments: TypeAlias = Callable[[Types], bool]
"""Whether operands of these types, in this number, are what the operation takes."""


def exactly(*wanted: ExpType | frozenset[ExpType]) -> Arguments:
    """One operand of each type or set of types."""
    sets = [each if isinstance(each, frozenset) else frozenset({each}) for each in wanted]

    def accept(types: Types) -> bool:
        pairs = zip(types, sets, strict=False)
        return len(types) == len(sets) and all(type_ in allowed for type_, allowed in pairs)

    return accept


def alike(allowed: frozenset[ExpType], least: int = 1, most: int | None = None) -> Arguments:
    """Operands that all have the same type, one of `allowed`."""

    def accept(types: Types) -> bool:
        if len(types) < least or (most is not None and len(types) > most):
            return False
        return len(set(types)) == 1 and types[0] in allowed

    return accept


def many(wanted: ExpType, least: int = 1) -> Arguments:
    """At least so many operands of one type."""
    return alike(frozenset({wanted}), least)


# -- rows -----------------------------------------------------------------------------------------


class Operation(NamedTuple):
    """An operation on operands; `result` None means the type of the first operand."""

    name: str
    arguments: Arguments
    result: ExpType | None
    build: Callable[..., Run]
    reads: Reads = Reads.NOTHING

    def compile(self, compiler: Compiler, trees: list[Any]) -> Code:
        """The operation's code over these operands."""
        codes = compiler.compile_all(trees)
        if not self.arguments([code.type for code in codes]):
            raise compiler.error(f"{self.name} does not take these arguments")
        return Code(codes[0].type if self.result is None else self.result, self.build(*codes))


class Form(NamedTuple):
    """An operation with a syntax of its own; `syntax` and `result` are there to be read."""

    name: str
    syntax: str
    result: str
    compile: Callable[[Compiler, list[Any]], Code]
    reads: Reads = Reads.NOTHING


def _metadata(name: str, result: ExpType, get: Callable[[RecordView], Any]) -> Operation:
    return Operation(name, exactly(), result, records.metadata(get), Reads.METADATA)


def _constant(code: Code) -> Callable[[Compiler, list[Any]], Code]:
    def compile_constant(compiler: Compiler, arguments: list[Any]) -> Code:
        if arguments:
            raise compiler.error("no arguments are taken")
        return code

    return compile_constant


def element_reader(type_: ExpType, slot: int) -> Run:
    """Reads a loop variable, an element of the decoded model, as a value of `type_`."""
    return lambda record, frame: from_element(type_, frame[slot])


_PAIR: Final = alike(COMPARABLE, 2, 2)
_NUMBERS: Final = alike(NUMBER)
_INTS: Final = many(INT)
_FLOATS: Final = exactly(FLOAT, FLOAT)
_SHIFT: Final = exactly(INT, INT)
_REMOVAL: Final = literal(ExpType.REMOVAL, REMOVE)

OPERATIONS: Final[Mapping[int, Operation | Form]] = MappingProxyType(
    {
        0: Form("unknown", "", "bool", _constant(UNKNOWN_BOOL)),
        1: Operation("eq", _PAIR, BOOL, comparison.eq),
        2: Operation("ne", _PAIR, BOOL, comparison.ne),
        3: Operation("gt", _PAIR, BOOL, comparison.gt),
        4: Operation("ge", _PAIR, BOOL, comparison.ge),
        5: Operation("lt", _PAIR, BOOL, comparison.lt),
        6: Operation("le", _PAIR, BOOL, comparison.le),
        7: Form("regex", "options, raw pattern, str", "bool", comparison.compile_regex),
        8: Operation("cmp_geo", exactly(GEOJSON, GEOJSON), BOOL, comparison.region_match),
        9: Operation("in_list", exactly(ANY, LIST), BOOL, comparison.in_list),
        16: Operation("and", many(BOOL, 2), BOOL, logic.conjunction),
        17: Operation("or", many(BOOL, 2), BOOL, logic.disjunction),
        18: Operation("not", exactly(BOOL), BOOL, logic.negation),
        19: Operation("exclusive", many(BOOL, 2), BOOL, logic.exclusive),
        20: Operation("add", _NUMBERS, None, arithmetic.add),
        21: Operation("sub", _NUMBERS, None, arithmetic.sub),
        22: Operation("mul", _NUMBERS, None, arithmetic.mul),
        23: Operation("div", _NUMBERS, None, arithmetic.div),
        24: Operation("pow", _FLOATS, FLOAT, arithmetic.power),
        25: Operation("log", _FLOATS, FLOAT, arithmetic.logarithm),
        26: Operation("mod", exactly(INT, INT), INT, arithmetic.modulo),
        27: Operation("abs", exactly(NUMBER), None, arithmetic.absolute),
        28: Operation("floor", exactly(FLOAT), FLOAT, arithmetic.floor),
        29: Operation("ceil", exactly(FLOAT), FLOAT, arithmetic.ceil),
        30: Operation("to_int", exactly(FLOAT), INT, arithmetic.to_int),
        31: Operation("to_float", exactly(INT), FLOAT, arithmetic.to_float),
        32: Operation("int_and", _INTS, INT, arithmetic.bit_and),
        33: Operation("int_or", _INTS, INT, arithmetic.bit_or),
        34: Operation("int_xor", _INTS, INT, arithmetic.bit_xor),
        35: Operation("int_not", exactly(INT), INT, arithmetic.bit_not),
        36: Operation("lshift", _SHIFT, INT, arithmetic.shift_left),
        37: Operation("rshift", _SHIFT, INT, arithmetic.shift_right),
        38: Operation("arshift", _SHIFT, INT, arithmetic.shift_right_signed),
        39: Operation("bit_count", exactly(INT), INT, arithmetic.bit_count),
        40: Operation("lscan", exactly(INT, BOOL), INT, arithmetic.left_scan),
        41: Operation("rscan", exactly(INT, BOOL), INT, arithmetic.right_scan),
        50: Operation("min", _NUMBERS, None, arithmetic.minimum),
        51: Operation("max", _NUMBERS, None, arithmetic.maximum),
        64: Form("digest_modulo", "constant", "int", records.compile_digest_modulo, Reads.METADATA),
        65: _metadata("device_size", INT, records.device_size),
        66: _metadata("last_update", INT, records.last_update),
        67: _metadata("since_update", INT, records.since_update),
        68: _metadata("void_time", INT, records.void_time),
        69: _metadata("ttl", INT, records.ttl),
        70: _metadata("set_name", STR, lambda record: record.set_name),
        71: _metadata("key_exists", BOOL, lambda record: record.has_key),
        72: _metadata("is_tombstone", BOOL, lambda record: record.is_tombstone),
        73: _metadata("memory_size", INT, records.memory_size),
        74: _metadata("record_size", INT, lambda record: record.record_size()),
        80: Form("key", "type", "the type", records.compile_key, Reads.RECORD),
        81: Form("bin", "type, raw name", "the type", records.compile_bin, Reads.RECORD),
        82: Form("bin_type", "raw name", "int", records.compile_bin_type, Reads.RECORD),
        100: Form("remove_result", "", "none: the element goes", _constant(_REMOVAL)),
        101: Operation("map_keys", exactly(ANY), LIST, arithmetic.unary(maps.map_keys)),
        102: Operation("map_values", exactly(ANY), LIST, arithmetic.unary(maps.map_values)),
        122: Form("loop_variable", "type, number", "the type", logic.compile_loop_variable),
        123: Form("cond", "bool, T, ..., T", "T", logic.compile_cond),
        124: Form("var", "raw name", "of the binding", logic.compile_var),
        125: Form("let", "raw name, value, ..., body", "of the body", logic.compile_let),
        126: Form("quote", "list", "list", calls.compile_quote),
        127: Form("call", "type, system, op list, value", "the type", calls.compile_call),
    }
)
