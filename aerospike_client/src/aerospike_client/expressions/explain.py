"""The text of an expression: what a recorded filter, an index or a log line means.

The text is Python in the terms of this package as far as that goes; calls are written with the
names of the operations and their arguments in the order of the wire.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from types import MappingProxyType
from typing import Any, Final

from aerospike_client.errors import InvalidParameter
from aerospike_client.expressions.codes import (
    MODIFY_LOCAL,
    Code,
    ExpType,
    LoopVariable,
    System,
)
from aerospike_client.operations import context as contexts
from aerospike_client.operations.codes import (
    IN_CONTEXT,
    INVERTED,
    ON_PATH,
    PATH_NO_FAIL,
    BitCode,
    HllCode,
    ListCode,
    MapCode,
    MapReturnType,
    SelectMode,
    StrCode,
)
from aerospike_common import as_msgpack
from aerospike_common.wire.codes import ParticleType
from aerospike_common.wire.errors import MessageError

_INFIX: Final[Mapping[int, str]] = MappingProxyType(
    {
        Code.EQ: "==",
        Code.NE: "!=",
        Code.GT: ">",
        Code.GE: ">=",
        Code.LT: "<",
        Code.LE: "<=",
        Code.AND: "&",
        Code.OR: "|",
        Code.ADD: "+",
        Code.SUB: "-",
        Code.MUL: "*",
        Code.DIV: "/",
        Code.MOD: "%",
        Code.POW: "**",
        Code.INT_AND: "&",
        Code.INT_OR: "|",
        Code.INT_XOR: "^",
        Code.LSHIFT: "<<",
        Code.ARSHIFT: ">>",
    }
)

_PREFIX: Final[Mapping[int, str]] = MappingProxyType(
    {Code.NOT: "~", Code.INT_NOT: "~", Code.SUB: "-"}
)

_METHODS: Final[Mapping[int, str]] = MappingProxyType(
    {
        Code.IN_LIST: "is_in",
        Code.CMP_GEO: "within",
        Code.LOG: "log",
        Code.FLOOR: "floor",
        Code.CEIL: "ceil",
        Code.TO_INT: "to_int",
        Code.TO_FLOAT: "to_float",
        Code.RSHIFT: "logical_rshift",
        Code.BIT_COUNT: "bit_count",
        Code.LSCAN: "lscan",
        Code.RSCAN: "rscan",
        Code.MAP_KEYS: "keys",
        Code.MAP_VALUES: "values",
    }
)

_FUNCTIONS: Final[Mapping[int, str]] = MappingProxyType(
    {
        Code.ABS: "abs",
        Code.MIN: "minimum",
        Code.MAX: "maximum",
        Code.REMOVE_RESULT: "remove_element",
        Code.TO_STRING: "to_str",
    }
)

_STEPS: Final[Mapping[int, str]] = MappingProxyType(
    {
        contexts.LIST | 0x00: "list_index",
        contexts.LIST | 0x01: "list_rank",
        contexts.LIST | 0x03: "list_value",
        contexts.MAP | 0x00: "map_index",
        contexts.MAP | 0x01: "map_rank",
        contexts.MAP | 0x02: "map_key",
        contexts.MAP | 0x03: "map_value",
        contexts.MAP | 0x0A: "map_keys_in",
        0x04: "all_children",
        0x204: "and_filter",
    }
)
_CREATES: Final = 0x1C0
_NO_CODE: Final = -1


def explain(data: bytes | str) -> str:
    """The text of an expression's wire form, given as bytes or in base64.

    Whatever msgpack comes is described. InvalidParameter when the bytes are none.

    >>> explain("kwOTUQKjYWdlFQ==")
    "Bin('age').int() > 21"
    """
    if isinstance(data, str):
        try:
            data = base64.b64decode(data, validate=True)
        except binascii.Error as error:
            raise InvalidParameter(f"not base64: {error}") from None
    try:
        return describe(as_msgpack.unpack(data))
    except MessageError as error:
        raise InvalidParameter(f"not an expression: {error}") from None


def describe(tree: Any) -> str:
    """The text of an expression's tree."""
    if type(tree) is not list:
        return value_text(tree)
    code = _code(tree)
    arguments = tree[1:]
    special = _SPECIAL.get(code)
    if special is not None:
        text = special(arguments)
        if text is not None:
            return text
    if code in _PREFIX and len(arguments) == 1:
        return _PREFIX[code] + _operand(arguments[0])
    if code in _INFIX and len(arguments) > 1:
        return f" {_INFIX[code]} ".join(map(_operand, arguments))
    if code in _METHODS and arguments:
        return f"{_operand(arguments[0])}.{_METHODS[code]}({_texts(arguments[1:])})"
    return f"{_name(code)}({_texts(arguments)})"


def _name(code: int) -> str:
    if code in _FUNCTIONS:
        return _FUNCTIONS[code]
    return Code(code).name.lower() if code in Code._value2member_map_ else f"operation_{code}"


def _texts(trees: Sequence[Any]) -> str:
    return ", ".join(map(describe, trees))


def _code(tree: list[Any]) -> int:
    return tree[0] if tree and type(tree[0]) is int else _NO_CODE


def _operand(tree: Any) -> str:
    text = describe(tree)
    infix = type(tree) is list and _code(tree) in _INFIX and len(tree) > 2
    if infix and _code(tree) == Code.NE and _not_equal(tree[1:]):
        return text
    return f"({text})" if infix else text


# -- values ---------------------------------------------------------------------------------------


def value_text(value: Any) -> str:
    """The text of a literal, or of a value inside one, in the decoded form of `as_msgpack`."""
    match value:
        case str():
            return _typed_text(value)
        case list():
            return f"[{', '.join(map(value_text, as_msgpack.list_items(value)))}]"
        case dict():
            pairs = ", ".join(
                f"{value_text(key)}: {value_text(each)}"
                for key, each in as_msgpack.map_items(value)
            )
            ordered = "ordered " if as_msgpack.map_flags(value) & as_msgpack.ORDERED else ""
            return f"{ordered}{{{pairs}}}"
        case None | bool() | int() | float():
            return repr(value)
    if value is as_msgpack.WILDCARD:
        return "WILDCARD"
    return "INFINITY" if value is as_msgpack.INF else repr(value)


def _typed_text(text: str) -> str:
    mark, body = text[:1], text[1:]
    if mark == as_msgpack.STRING:
        return repr(body)
    if mark == as_msgpack.GEOJSON:
        return f"Geo({body!r})"
    data = body.encode("utf-8", "surrogateescape")
    if mark == as_msgpack.BLOB:
        return repr(data)
    if mark == chr(ParticleType.HLL):
        return f"Hll({data!r})"
    return repr(text)


# -- forms of their own: each gives None where the arguments are not what it takes --------------


def _type_name(number: Any) -> str:
    known = type(number) is int and number in ExpType._value2member_map_
    return ExpType(number).name.capitalize() if known else f"type {number}"


def _bin(arguments: list[Any]) -> str | None:
    if len(arguments) != 2:
        return None
    return f"Bin({arguments[1]!r}).{_type_name(arguments[0]).lower()}()"


def _bin_type(arguments: list[Any]) -> str | None:
    return f"Bin({arguments[0]!r}).type()" if len(arguments) == 1 else None


def _not_equal(arguments: list[Any]) -> str | None:
    match arguments:
        case [[Code.BIN_TYPE, name], 0]:
            return f"Bin({name!r}).exists()"
        case _:
            return None


def _key(arguments: list[Any]) -> str | None:
    return f"key({_type_name(arguments[0])})" if len(arguments) == 1 else None


def _regex(arguments: list[Any]) -> str | None:
    if len(arguments) != 3 or type(arguments[0]) is not int:
        return None
    options, pattern, subject = arguments
    flags = f", RegexFlags({options})" if options else ""
    return f"{_operand(subject)}.matches({pattern!r}{flags})"


def _quote(arguments: list[Any]) -> str | None:
    match arguments:
        case [list(values)]:
            return value_text(values)
        case _:
            return None


def _cond(arguments: list[Any]) -> str | None:
    if len(arguments) < 3 or not len(arguments) % 2:
        return None
    pairs = zip(arguments[:-1:2], arguments[1:-1:2], strict=True)
    cases = ", ".join(f"({describe(c)}, {describe(v)})" for c, v in pairs)
    return f"cond({cases}, otherwise={describe(arguments[-1])})"


def _let(arguments: list[Any]) -> str | None:
    if len(arguments) < 3 or not len(arguments) % 2:
        return None
    pairs = zip(arguments[:-1:2], arguments[1:-1:2], strict=True)
    variables = ", ".join(f"{name!r}: {describe(value)}" for name, value in pairs)
    return f"let({{{variables}}}, {describe(arguments[-1])})"


def _var(arguments: list[Any]) -> str | None:
    return f"var({arguments[0]!r})" if len(arguments) == 1 else None


def _loop_variable(arguments: list[Any]) -> str | None:
    if len(arguments) != 2 or arguments[1] not in tuple(LoopVariable):
        return None
    type_, which = arguments
    if which == LoopVariable.INDEX:
        return "element_index()"
    return f"element_{LoopVariable(which).name.lower()}({_type_name(type_)})"


# -- calls ----------------------------------------------------------------------------------------


def _call(arguments: list[Any]) -> str | None:
    match arguments:
        case [int(result), int(system), list(op_list), subject] if op_list:
            text = _operand(subject)
            type_ = f", {_type_name(result)}"
            return f"{text}{_op_list(system & ~MODIFY_LOCAL, op_list, type_)}"
        case _:
            return None


def _op_list(system: int, op_list: list[Any], type_: str) -> str:
    match op_list:
        case [code, list(steps), int(flags), *rest] if code == ON_PATH:
            no_fail = ", no_fail=True" if flags & PATH_NO_FAIL else ""
            mode = flags & ~PATH_NO_FAIL
            known = mode in SelectMode._value2member_map_
            name = SelectMode(mode).name.lower() if known else f"mode {mode}"
            return f".path({_context(steps)}{no_fail}).{name}({_texts(rest)})"
        case [code, list(steps), list(inner)] if code == IN_CONTEXT and inner:
            return f".at({_context(steps)}){_op_list(system, inner, type_)}"
    code = _code(op_list)
    text = operation_text(system, code, op_list[1:], describe)
    # Only where an operation gives an element itself is it not plain what it gives.
    return (
        f".{text[:-1]}{type_})" if system == System.COLLECTION and code in _ELEMENT else f".{text}"
    )


def _context(steps: list[Any]) -> str:
    return ", ".join(
        step_text(kind, argument) for kind, argument in zip(steps[::2], steps[1::2], strict=False)
    )


def step_text(kind: Any, argument: Any) -> str:
    """The text of one step of a context."""
    if type(kind) is not int:
        return f"step {kind!r}({value_text(argument)})"
    creates = kind & _CREATES
    name = _STEPS.get(kind & ~_CREATES, f"step {kind:#x}")
    if kind in (0x04, 0x204):
        return f"{name}({'' if argument is True else describe(argument)})"
    return f"{name}{'_create' if creates else ''}({value_text(argument)})"


_ELEMENT: Final = frozenset(
    {ListCode.GET_BY_INDEX, ListCode.GET_BY_RANK, ListCode.GET_BY_FIRST_VALUE}
    | {MapCode.GET_BY_KEY, MapCode.GET_BY_INDEX, MapCode.GET_BY_RANK, MapCode.GET_BY_FIRST_VALUE}
)

_RETURNING: Final = frozenset({code for code in (*ListCode, *MapCode) if "_BY_" in code.name})


def operation_text(
    system: int, code: Any, arguments: list[Any], argument_text: Callable[[Any], str]
) -> str:
    """The text of an operation on a collection, blob or sketch: its name and its arguments."""
    enums: dict[int, tuple[type[IntEnum], ...]] = {
        System.COLLECTION: (ListCode, MapCode),
        System.BITS: (BitCode,),
        System.HLL: (HllCode,),
        System.STRING: (StrCode,),
    }
    name = f"operation_{code}"
    for codes in enums.get(system, ()):
        if type(code) is int and code in codes._value2member_map_:
            name = codes(code).name.lower()
    texts = list(map(argument_text, arguments))
    if system == System.COLLECTION and code in _RETURNING and arguments:
        texts[0] = _return_type(arguments[0])
    return f"{name}({', '.join(texts)})"


def _return_type(number: Any) -> str:
    if type(number) is not int:
        return describe(number)
    plain = number & ~INVERTED
    known = plain in MapReturnType._value2member_map_
    name = MapReturnType(plain).name if known else str(plain)
    return f"{name} INVERTED" if number & INVERTED else name


_SPECIAL: Final[Mapping[int, Callable[[list[Any]], str | None]]] = MappingProxyType(
    {
        Code.NE: _not_equal,
        Code.REGEX: _regex,
        Code.KEY: _key,
        Code.BIN: _bin,
        Code.BIN_TYPE: _bin_type,
        Code.LOOP_VARIABLE: _loop_variable,
        Code.COND: _cond,
        Code.VAR: _var,
        Code.LET: _let,
        Code.QUOTE: _quote,
        Code.CALL: _call,
    }
)
