"""Calls: operations on collections, blobs and sketches inside an expression.

    [127, type, system, op list, value]

The op list is the one of the operate command, except that an argument which is a list is itself an
expression. An operation that fails makes the call unknown, and so does a result of another type
than the one asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aerospike_common import as_msgpack
from aerospike_common.wire.errors import OperationError
from asd.bins import bits, cdt, hll
from asd.bins.effort import HEAVY, OutOfTime
from asd.bins.expressions.paths import PATH_DEPTH, PathMemory, RecordPaths
from asd.bins.expressions.record import RecordView
from asd.bins.expressions.values import (
    COMPUTED,
    UNKNOWN,
    Code,
    ExpType,
    Frame,
    Run,
    from_element,
    literal,
    to_element,
)

if TYPE_CHECKING:
    from asd.bins.expressions.compiler import Compiler

MODIFY_LOCAL: Final = 0x40
"""The call gives the value as the operation leaves it; the record keeps its own."""

CONTEXT: Final = 0xFF
"""[CONTEXT, context, op list]: the operation works inside the value."""

QUOTE: Final = 126
"""[QUOTE, list]: an argument that is a list, not an expression."""

PATH: Final = 0xFE
"""[PATH, context, flags, expression]: the operation works on every element the context selects."""

PATH_PASSES: Final = 16
"""An expression evaluated for each element costs as much as so many passes by one operation."""

Evaluate = Callable[[Any, list[Any], bool, cdt.Paths], Any]
"""(value, op list, whether it modifies, paths) -> result, or the value as modified.

Raises OperationError; does not change the value."""

Cast = Callable[[ExpType, Any], Any]
"""A result as a value of the type asked for, UNKNOWN when it is of another."""


class System(NamedTuple):
    """One family of operations, by the number a call names it with."""

    name: str
    takes: frozenset[ExpType]
    evaluate: Evaluate
    cast: Cast


def _on_collection(value: Any, op_list: list[Any], modify: bool, paths: cdt.Paths) -> Any:
    after, result = cdt.evaluate(value, op_list, modify=modify, paths=paths)
    return after if modify else result


def _on_blob(value: Any, op_list: list[Any], modify: bool, paths: cdt.Paths) -> Any:
    return bits.evaluate(value, op_list, modify)


def _on_sketch(value: Any, op_list: list[Any], modify: bool, paths: cdt.Paths) -> Any:
    return hll.evaluate(value, op_list, modify)


def _from_bytes(bytes_type: ExpType) -> Cast:
    """Results that are plain values; `bytes` among them are of `bytes_type`."""

    def cast(type_: ExpType, result: Any) -> Any:
        if type(result) is bytes:
            return result if type_ is bytes_type else UNKNOWN
        return from_element(type_, result)

    return cast


def compile_quote(compiler: Compiler, arguments: list[Any]) -> Code:
    """[list]: a literal list, of values that could be stored."""
    if len(arguments) != 1 or type(arguments[0]) is not list:
        raise compiler.error("quote takes a list")
    return literal(ExpType.LIST, compiler.storable(arguments[0]))


def compile_call(compiler: Compiler, arguments: list[Any]) -> Code:
    """[type, system, op list, value], see the module."""
    if len(arguments) != 4:
        raise compiler.error("call takes a type, a system, an op list and a value")
    wanted, number, op_list, tree = arguments
    type_ = compiler.wire_type(wanted)
    if type(number) is not int or type(op_list) is not list or not op_list:
        raise compiler.error("call takes a type, a system, an op list and a value")
    system = SYSTEMS.get(number & ~MODIFY_LOCAL)
    if system is None:
        raise compiler.error("no such system")
    if system is not SYSTEMS[0]:
        op_list = as_msgpack.without_bins(op_list)
    operands = _compile_op_list(compiler, op_list)
    value = compiler.compile(tree)
    if value.type not in system.takes:
        raise compiler.error(f"{system.name} operations do not work on this type")
    modify = bool(number & MODIFY_LOCAL)
    compiler.modifies += modify
    if op_list[0] == PATH:
        compiler.passes += PATH_PASSES
    paths = PathMemory(compiler.depth + PATH_DEPTH)
    return Code(type_, _call(system, type_, modify, operands, value.run, paths))


def _compile_op_list(compiler: Compiler, op_list: list[Any]) -> Run:
    """Gives the op list with its expressions evaluated, or UNKNOWN."""
    if op_list[0] == PATH:
        return _constant(op_list)  # its expressions are evaluated element by element
    if op_list[0] == CONTEXT and len(op_list) == 3 and type(op_list[2]) is list:
        inner = _compile_arguments(compiler, op_list[2])
        if inner.constant is not COMPUTED:
            return _constant([*op_list[:2], inner.constant])
        return _in_context(op_list[:2], inner.run)
    return _compile_arguments(compiler, op_list).run


def _constant(op_list: list[Any]) -> Run:
    return lambda record, frame: op_list


def _in_context(prefix: list[Any], get: Run) -> Run:
    def run(record: RecordView, frame: Frame) -> Any:
        inner = get(record, frame)
        return inner if inner is UNKNOWN else [*prefix, inner]

    return run


def _compile_arguments(compiler: Compiler, op_list: list[Any]) -> Code:
    """The code that gives the op list with every expression in it replaced by its value."""
    codes = {
        position: _compile_argument(compiler, argument)
        for position, argument in enumerate(op_list)
        if type(argument) is list
    }
    filled = list(op_list)
    computed = []
    for position, code in codes.items():
        if code.constant is COMPUTED or code.constant is UNKNOWN:
            computed.append((position, code.type, code.run))
        else:
            filled[position] = to_element(code.type, code.constant)
    if not computed:
        return literal(ExpType.LIST, filled)

    def run(record: RecordView, frame: Frame) -> Any:
        result = list(filled)
        for position, type_, get in computed:
            value = get(record, frame)
            if value is UNKNOWN:
                return UNKNOWN
            result[position] = to_element(type_, value)
        return result

    return Code(ExpType.LIST, run)


def _compile_argument(compiler: Compiler, tree: list[Any]) -> Code:
    if len(tree) == 2 and tree[0] == QUOTE and type(tree[1]) is list:
        # What is only compared with may hold wildcards; the operation refuses to store them.
        return literal(ExpType.LIST, tree[1])
    code = compiler.compile(tree)
    if code.type is ExpType.REMOVAL:
        raise compiler.error("nothing can be removed here")
    return code


def _call(
    system: System, type_: ExpType, modify: bool, op_list: Run, value: Run, paths: PathMemory
) -> Run:
    evaluate, cast, build = system.evaluate, system.cast, paths.build

    def run(record: RecordView, frame: Frame) -> Any:
        subject = value(record, frame)
        if subject is UNKNOWN:
            return UNKNOWN
        operation = op_list(record, frame)
        if operation is UNKNOWN:
            return UNKNOWN
        if subject is not None and len(subject) > HEAVY:
            record.look()
        try:
            result = evaluate(subject, operation, modify, partial(RecordPaths, record, build))
        except OutOfTime:
            raise
        except OperationError:
            return UNKNOWN
        return cast(type_, result)

    return run


SYSTEMS: Final[Mapping[int, System]] = MappingProxyType(
    {
        0: System(
            "collection",
            frozenset({ExpType.LIST, ExpType.MAP, ExpType.NIL}),
            _on_collection,
            from_element,
        ),
        1: System(
            "bit",
            frozenset({ExpType.BLOB, ExpType.NIL}),
            _on_blob,
            _from_bytes(ExpType.BLOB),
        ),
        2: System(
            "HyperLogLog",
            frozenset({ExpType.HLL, ExpType.NIL}),
            _on_sketch,
            _from_bytes(ExpType.HLL),
        ),
    }
)
