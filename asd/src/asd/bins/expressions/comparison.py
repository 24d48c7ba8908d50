"""Comparisons of values, membership, regular expressions and regions.

Booleans, numbers and nil compare as themselves, strings and blobs by bytes then length, lists and
maps in the order of collections. A map without an order flag has no place in that order: a
comparison that reaches one with anything in it is unknown.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from aerospike_common import as_msgpack
from asd.bins import geo
from asd.bins.effort import HEAVY
from asd.bins.expressions import regex
from asd.bins.expressions.arithmetic import binary
from asd.bins.expressions.record import RecordView
from asd.bins.expressions.values import (
    UNKNOWN,
    Code,
    ExpType,
    Frame,
    Run,
    text_bytes,
    to_element,
)

if TYPE_CHECKING:
    from asd.bins.expressions.compiler import Compiler

Test = Callable[[Any, Any], bool]

_NESTED: Final = (list, dict)
_COLLECTIONS: Final = frozenset({ExpType.LIST, ExpType.MAP})


def _comparison(test: Test, nil_result: bool) -> Callable[[Code, Code], Run]:
    """The builder of one comparison: `test` on scalars, or on (order, 0) for collections."""

    def of_collections(left: Any, right: Any) -> Any:
        order = collection_order(left, right)
        return order if order is UNKNOWN else test(order, 0)

    build_collections = _with_a_look(binary(of_collections))
    build_nil = binary(lambda left, right: nil_result)
    build_scalars = binary(test)

    def build(left: Code, right: Code) -> Run:
        if left.type in _COLLECTIONS:
            return build_collections(left, right)
        if left.type is ExpType.NIL:
            return build_nil(left, right)
        return build_scalars(left, right)

    return build


def _with_a_look(build: Callable[[Code, Code], Run]) -> Callable[[Code, Code], Run]:
    """Before collections are compared, the record may say that its time is over."""

    def looking(left: Code, right: Code) -> Run:
        run = build(left, right)

        def compare(record: RecordView, frame: Frame) -> Any:
            record.look()
            return run(record, frame)

        return compare

    return looking


eq: Final = _comparison(operator.eq, True)
ne: Final = _comparison(operator.ne, False)
gt: Final = _comparison(operator.gt, False)
ge: Final = _comparison(operator.ge, True)
lt: Final = _comparison(operator.lt, False)
le: Final = _comparison(operator.le, True)


def collection_order(left: Any, right: Any) -> Any:
    """-1, 0, 1, or UNKNOWN when a map without order flag has to be compared. O(size)."""
    if type(left) is list and type(right) is list:
        return _list_order(_items(left), _items(right))
    if _is_unordered(left) or _is_unordered(right):
        return UNKNOWN
    if type(left) is dict and type(right) is dict:
        return _map_order(left, right)
    return as_msgpack.compare(left, right)


def _is_unordered(value: Any) -> bool:
    """Whether it is a map in no order; an empty one always is in order."""
    if type(value) is not dict or not value:
        return False
    return not as_msgpack.map_flags(value) & as_msgpack.ORDERED


def _items(elements: list[Any]) -> list[Any]:
    return elements[1:] if as_msgpack.list_flags(elements) else elements


def _list_order(left: list[Any], right: list[Any]) -> Any:
    kinds = {*map(type, left), *map(type, right)}
    if kinds.isdisjoint(_NESTED):
        if list(map(type, left)) == list(map(type, right)) and left == right:
            return 0
        if as_msgpack.is_uniform([*left, *right]):
            return (left > right) - (left < right)
    for a, b in zip(left, right, strict=False):
        order = collection_order(a, b)
        if order:
            return order
    return (len(left) > len(right)) - (len(left) < len(right))


def _map_order(left: dict[Any, Any], right: dict[Any, Any]) -> Any:
    items, others = as_msgpack.map_items(left), as_msgpack.map_items(right)
    if len(items) != len(others):
        return 1 if len(items) > len(others) else -1
    for (key, value), (other_key, other_value) in zip(items, others, strict=True):
        order = collection_order(key, other_key) or collection_order(value, other_value)
        if order:
            return order
    return 0


def in_list(value: Code, elements: Code) -> Run:
    """True when an element equals the value, in type as well. O(elements)."""
    type_ = value.type

    def contains(wanted: Any, items: list[Any]) -> Any:
        element = to_element(type_, wanted)
        if type(element) is str:
            # It may stand there with a bin header, if it is long enough to have kept one.
            return element in items or (len(element) > 7 and text_bytes(element) in items)
        if type_ in _COLLECTIONS:
            return any(as_msgpack.compare(element, item) == 0 for item in items)
        kind = type(element)
        if element not in items:  # the quickest way to see, and nearly always all there is to do
            return False
        return any(item == element and type(item) is kind for item in items)

    return _with_a_look(binary(contains))(value, elements)


def region_match(left: Code, right: Code) -> Run:
    """cmp_geo: true when one region is inside the other."""
    return binary(geo.regions_match)(left, right)


def compile_regex(compiler: Compiler, arguments: list[Any]) -> Code:
    """[options, pattern, subject]: whether the POSIX pattern occurs in the subject."""
    if len(arguments) != 3:
        raise compiler.error("regex takes options, a pattern and a string")
    options, pattern, tree = arguments
    if type(options) is not int or type(pattern) is not str:
        raise compiler.error("regex takes options, a pattern and a string")
    subject = compiler.compile(tree)
    if subject.type is not ExpType.STR:
        raise compiler.error("regex searches strings only")
    search = regex.compile_search(text_bytes(pattern), options)
    if search is None:
        raise compiler.error("not a regular expression")
    compiler.count_program(search.program)
    get, occurs = subject.run, search.run

    def run(record: RecordView, frame: Frame) -> Any:
        text = get(record, frame)
        if text is UNKNOWN:
            return UNKNOWN
        if len(text) > HEAVY:
            record.look()
        try:
            return occurs(text)
        except regex.TooMuchWork:
            return UNKNOWN

    return Code(ExpType.BOOL, run)
