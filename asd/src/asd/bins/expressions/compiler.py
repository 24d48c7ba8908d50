"""From msgpack to a typed, callable expression.

The wire form is decoded once into plain Python values; a list in it is an operation
`[op code, argument, ...]`, everything else a literal. Types are checked on the way up, and every
operation becomes a function of (record, frame) that calls its operands' functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import MessageError, OperationError
from asd.bins import geo
from asd.bins.expressions import table
from asd.bins.expressions.values import (
    TYPE_OF_PREFIX,
    UNKNOWN,
    Code,
    ExpType,
    literal,
    text_bytes,
)

SIZE_MAX: Final = 1 << 20
"""Bytes; the wire form stays below it."""

DEPTH_MAX: Final = 100
"""Operations within operations, those of path expressions included. Each level takes up to three
frames of the interpreter's stack when the expression is evaluated, and up to six while it is
built."""

PROGRAM_MAX: Final = 20_000
"""Instructions of the regular expressions in one expression. To compile so many takes some tens of
milliseconds, and some megabytes to keep them."""

_INSTRUCTIONS_A_PASS: Final = 8
"""Of a regular expression that goes through a text as slowly as it can."""

_PLAIN_TYPES: Final[Mapping[type, ExpType]] = MappingProxyType(
    {
        type(None): ExpType.NIL,
        bool: ExpType.BOOL,
        int: ExpType.INT,
        float: ExpType.FLOAT,
    }
)


class Compiler:
    """One build of one expression: where it stands, what is in scope, what it was seen to use.

    With `metadata_only`, whatever needs bins or the key compiles to unknown. `in_path` makes room
    for the loop variables of a path expression. `depth` is how deep the expression itself stands.
    """

    def __init__(
        self, *, metadata_only: bool = False, in_path: bool = False, depth: int = 0
    ) -> None:
        self.metadata_only = metadata_only
        self.variables: dict[str, tuple[int, ExpType] | None] = {}
        self.uses_bins = False
        self.uses_metadata = False
        self.depth = depth
        self._in_path = in_path
        self.program = 0
        """Instructions of all its regular expressions."""
        self.regexes = 0
        self.passes = 0
        """How often, at most, something goes through the values of the bins in `sized`."""
        self.modifies = 0
        """Calls that make a new value of an old one."""
        self.sized: set[bytes] = set()
        """The bins it reads whose values may be big."""
        self.size_slot: int | None = None
        """The variable in which those of `let` count their sizes, if there are any."""
        self.slots = table.LOOP_SLOTS if in_path else 0

    def compile_all(self, trees: Sequence[Any]) -> list[Code]:
        """The codes of several operands."""
        codes = []
        for tree in trees:
            codes.append(self.compile(tree))  # noqa: PERF401 - comprehensions nest a frame
        return codes

    def compile(self, tree: Any) -> Code:
        """The code of a literal or operation."""
        kind = type(tree)
        if kind is list:
            operation = table.OPERATIONS.get(tree[0]) if tree and type(tree[0]) is int else None
            if operation is None:
                raise self.error("no such operation")
            self._enter(operation.reads)
            self.passes += 1
            code = operation.compile(self, list(map(as_msgpack.text, tree[1:])))
            self.depth -= 1
            if self.metadata_only and operation.reads is table.Reads.RECORD:
                return literal(code.type, UNKNOWN)
            return code
        if kind is str or kind is bytes:
            return self._text(as_msgpack.text(tree))
        if kind is dict:
            return literal(ExpType.MAP, self.storable(tree))
        type_ = _PLAIN_TYPES.get(kind)
        if type_ is None:
            raise self.error("not a literal")
        return literal(type_, tree)

    def _enter(self, reads: table.Reads) -> None:
        if self.depth >= DEPTH_MAX:
            raise self.error("the expression is nested too deeply")
        self.depth += 1
        self.uses_bins |= reads is table.Reads.RECORD
        self.uses_metadata |= reads is table.Reads.METADATA

    def _text(self, text: str) -> Code:
        type_ = TYPE_OF_PREFIX.get(text[:1])
        if type_ is None:
            raise self.error("not a typed string")
        value = text_bytes(text[1:])
        if type_ is ExpType.GEOJSON and not geo.is_valid(value):
            raise self.error("not GeoJSON")
        return literal(type_, value)

    def storable(self, value: Any) -> Any:
        """A literal collection as a record would hold it."""
        try:
            return as_msgpack.normalise_for_storage(value)
        except MessageError as error:
            raise self.error(str(error)) from None

    def wire_type(self, number: Any) -> ExpType:
        """The type an operation names by its number."""
        if type(number) is not int or not ExpType.NIL <= number <= ExpType.HLL:
            raise self.error("no such type")
        return ExpType(number)

    def count_program(self, instructions: int) -> None:
        """One more regular expression: all of them together have a limit."""
        self.regexes += 1
        self.program += instructions
        self.passes += instructions // _INSTRUCTIONS_A_PASS
        if self.program > PROGRAM_MAX:
            raise self.error("the regular expressions are too large")

    def new_slot(self) -> int:
        """The index of one more variable in the frame."""
        self.slots += 1
        return self.slots - 1

    def loop_variable(self, type_: ExpType, slot: int) -> Code:
        """Key, value or index of the element at hand; unknown outside of path expressions."""
        if not self._in_path:
            return literal(type_, UNKNOWN)
        return Code(type_, table.element_reader(type_, slot))

    def error(self, message: str) -> OperationError:
        """What a malformed or ill-typed expression is refused with."""
        return OperationError(ResultCode.PARAMETER, message)


def decode(wire: bytes) -> Any:
    """The tree of a wire form; `OperationError` when it is not one bounded msgpack value."""
    if len(wire) >= SIZE_MAX:
        raise OperationError(ResultCode.PARAMETER, "the expression is too large")
    try:
        # A map with bad keys is no literal; in the op list of a call it is the operation's failure.
        return as_msgpack.unpack(wire, keep_bins=True, bad_maps=True)
    except MessageError as error:
        raise OperationError(ResultCode.PARAMETER, str(error)) from None
