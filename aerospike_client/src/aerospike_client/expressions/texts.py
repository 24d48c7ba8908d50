"""Expressions of text: comparisons, patterns, and the operations on strings.

All from `length` on needs servers from 8.1.3. Places and lengths count characters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from aerospike_client.expressions.blobs import Blob
from aerospike_client.expressions.codes import Code, ExpType, RegexFlags, System
from aerospike_client.expressions.containers import List
from aerospike_client.expressions.expression import Expression, ExpressionError, Untyped, build
from aerospike_client.expressions.list_calls import IntLike, ListCalls
from aerospike_client.expressions.receiver import Receiver
from aerospike_client.expressions.scalars import Bool, Float, Int, Ordered, wrong
from aerospike_client.expressions.selections import optional
from aerospike_client.operations.codes import (
    BitCode,
    ListCode,
    NumericType,
    StrCode,
    StrRegexFlags,
    StrWriteFlags,
)
from aerospike_common import as_msgpack

_DEFAULT: Final = StrWriteFlags.DEFAULT


class Str(Ordered[str]):
    """Text, compared by its bytes."""

    __slots__ = ()
    TYPE = ExpType.STR

    @classmethod
    def _literal(cls, value: Any) -> Any:
        if not isinstance(value, str):
            raise wrong(cls, "str", value)
        return as_msgpack.STRING + str.__str__(value)

    def matches(self, pattern: str, flags: RegexFlags = RegexFlags.DEFAULT) -> Bool:
        """Whether a POSIX regular expression matches somewhere. A faulty pattern never does."""
        if not isinstance(pattern, str):
            raise ExpressionError(f"a pattern is a str, not {type(pattern).__name__}: {pattern!r}")
        return build(Bool, Code.REGEX, int(flags), pattern, self)

    def _receiver(self) -> Receiver[Str]:
        return Receiver(System.STRING, self)

    # -- reading

    def length(self) -> Int:
        """How many characters it has."""
        return self._receiver().read(Int, StrCode.STRLEN)

    def byte_length(self) -> Int:
        """How many bytes it has."""
        return self._receiver().read(Int, StrCode.BYTE_LENGTH)

    def substr(self, start: IntLike, end: IntLike | None = None) -> Str:
        """The characters from `start` on and before `end`."""
        return self._receiver().read(Str, StrCode.SUBSTR, start, *optional(end))

    def char_at(self, index: IntLike) -> Str:
        """One character."""
        return self._receiver().read(Str, StrCode.CHAR_AT, index)

    def find(self, needle: StrLike, occurrence: IntLike = 1) -> Int:
        """Where `needle` stands for the `occurrence`-th time; -1 nowhere."""
        return self._receiver().read(Int, StrCode.FIND, Str.of(needle), occurrence)

    def contains(self, needle: StrLike) -> Bool:
        """Whether `needle` stands in it."""
        return self._receiver().read(Bool, StrCode.CONTAINS, Str.of(needle))

    def starts_with(self, prefix: StrLike) -> Bool:
        """Whether it begins with `prefix`."""
        return self._receiver().read(Bool, StrCode.STARTS_WITH, Str.of(prefix))

    def ends_with(self, suffix: StrLike) -> Bool:
        """Whether it ends with `suffix`."""
        return self._receiver().read(Bool, StrCode.ENDS_WITH, Str.of(suffix))

    def to_int(self) -> Int:
        """The integer that it is the text of."""
        return self._receiver().read(Int, StrCode.TO_INTEGER)

    def to_float(self) -> Float:
        """The double that it is the text of."""
        return self._receiver().read(Float, StrCode.TO_DOUBLE)

    def is_numeric(self, type_: NumericType = NumericType.ANY) -> Bool:
        """Whether it is the text of a number."""
        return self._receiver().read(Bool, StrCode.IS_NUMERIC, int(type_))

    def is_upper(self) -> Bool:
        """Whether its letters are capitals."""
        return self._receiver().read(Bool, StrCode.IS_UPPER)

    def is_lower(self) -> Bool:
        """Whether none of its letters is a capital."""
        return self._receiver().read(Bool, StrCode.IS_LOWER)

    def to_blob(self) -> Blob:
        """Its bytes."""
        return self._receiver().read(Blob, StrCode.TO_BLOB)

    def split(self, separator: str | None = None) -> List:
        """Its parts between separators; without one, its characters."""
        return self._receiver().read(List, StrCode.SPLIT, *optional(separator))

    def b64_decode(self) -> Blob:
        """The bytes that it is the base64 of."""
        return self._receiver().read(Blob, StrCode.B64_DECODE)

    def regex_matches(self, pattern: StrLike, flags: StrRegexFlags = StrRegexFlags.DEFAULT) -> Bool:
        """Whether a regular expression of Unicode (ICU) matches."""
        return self._receiver().read(Bool, StrCode.REGEX_COMPARE, Str.of(pattern), int(flags))

    # -- the text, changed

    def insert(self, index: IntLike, value: StrLike, flags: StrWriteFlags = _DEFAULT) -> Str:
        """With `value` before the character at `index`."""
        return self._receiver().modify(StrCode.INSERT, index, Str.of(value), int(flags))

    def overwrite(self, index: IntLike, value: StrLike, flags: StrWriteFlags = _DEFAULT) -> Str:
        """With `value` in place of what stands at `index`."""
        return self._receiver().modify(StrCode.OVERWRITE, index, Str.of(value), int(flags))

    def concat(self, values: Sequence[str], flags: StrWriteFlags = _DEFAULT) -> Str:
        """With several texts behind it."""
        return self._receiver().modify(StrCode.CONCAT, List.of(values), int(flags))

    def append(self, value: StrLike, flags: StrWriteFlags = _DEFAULT) -> Str:
        """With `value` behind it."""
        return self._receiver().modify(StrCode.APPEND, Str.of(value), int(flags))

    def prepend(self, value: StrLike, flags: StrWriteFlags = _DEFAULT) -> Str:
        """With `value` before it."""
        return self._receiver().modify(StrCode.PREPEND, Str.of(value), int(flags))

    def snip(
        self, start: IntLike, end: IntLike | None = None, flags: StrWriteFlags = _DEFAULT
    ) -> Str:
        """Without the characters from `start` on and before `end`."""
        rest = () if end is None else (end, int(flags))
        return self._receiver().modify(StrCode.SNIP, start, *rest)

    def replace(self, needle: str, value: str, flags: StrWriteFlags = _DEFAULT) -> Str:
        """With `value` where `needle` stands first."""
        return self._receiver().modify(StrCode.REPLACE, List([needle, value]), int(flags))

    def replace_all(self, needle: str, value: str, flags: StrWriteFlags = _DEFAULT) -> Str:
        """With `value` wherever `needle` stands."""
        return self._receiver().modify(StrCode.REPLACE_ALL, List([needle, value]), int(flags))

    def regex_replace(
        self,
        pattern: str,
        value: str,
        regex: StrRegexFlags = StrRegexFlags.DEFAULT,
        flags: StrWriteFlags = _DEFAULT,
    ) -> Str:
        """With `value` where a regular expression of Unicode matches."""
        numbers = int(regex), int(flags)
        return self._receiver().modify(StrCode.REGEX_REPLACE, List([pattern, value]), *numbers)

    def upper(self, flags: StrWriteFlags = _DEFAULT) -> Str:
        """In capitals."""
        return self._receiver().modify(StrCode.UPPER, int(flags))

    def lower(self, flags: StrWriteFlags = _DEFAULT) -> Str:
        """In small letters."""
        return self._receiver().modify(StrCode.LOWER, int(flags))

    def case_fold(self, flags: StrWriteFlags = _DEFAULT) -> Str:
        """As Unicode compares it without regard to case."""
        return self._receiver().modify(StrCode.CASE_FOLD, int(flags))

    def normalize_nfc(self, flags: StrWriteFlags = _DEFAULT) -> Str:
        """In Unicode's composed normal form."""
        return self._receiver().modify(StrCode.NORMALIZE_NFC, int(flags))

    def trim(self, flags: StrWriteFlags = _DEFAULT) -> Str:
        """Without white space around it."""
        return self._receiver().modify(StrCode.TRIM, int(flags))

    def trim_start(self, flags: StrWriteFlags = _DEFAULT) -> Str:
        """Without white space before it."""
        return self._receiver().modify(StrCode.TRIM_START, int(flags))

    def trim_end(self, flags: StrWriteFlags = _DEFAULT) -> Str:
        """Without white space behind it."""
        return self._receiver().modify(StrCode.TRIM_END, int(flags))

    def pad_start(self, length: IntLike, pad: StrLike, flags: StrWriteFlags = _DEFAULT) -> Str:
        """Filled up to `length` from the front."""
        return self._receiver().modify(StrCode.PAD_START, length, Str.of(pad), int(flags))

    def pad_end(self, length: IntLike, pad: StrLike, flags: StrWriteFlags = _DEFAULT) -> Str:
        """Filled up to `length` at the end."""
        return self._receiver().modify(StrCode.PAD_END, length, Str.of(pad), int(flags))

    def repeat(self, count: IntLike, flags: StrWriteFlags = _DEFAULT) -> Str:
        """`count` times."""
        return self._receiver().modify(StrCode.REPEAT, count, int(flags))


StrLike: TypeAlias = Str | Untyped | str


def to_str(value: Expression) -> Str:
    """A value as text. Servers from 8.1.3."""
    return build(Str, Code.TO_STRING, value)


def join(values: ListCalls[Any], separator: str | None = None) -> Str:
    """The strings of a list as one text. Servers from 8.1.3."""
    return values._receiver().read(Str, ListCode.JOIN, *optional(separator))


def b64_encode(blob: Blob) -> Str:
    """The base64 of bytes. Servers from 8.1.3."""
    return blob._receiver().read(Str, BitCode.B64_ENCODE)
