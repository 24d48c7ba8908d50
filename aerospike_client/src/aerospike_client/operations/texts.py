"""Operations on text. Servers from 8.1.3. Places and lengths count characters.

`context` leads to text inside of the bin's value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aerospike_client.commands.single import bin_name
from aerospike_client.operations.codes import NumericType, StrCode, StrRegexFlags, StrWriteFlags
from aerospike_client.operations.context import Context
from aerospike_client.operations.operation import as_list, operation, optional
from aerospike_client.values import BinValue
from aerospike_common.wire import Op, OpType, ParticleType

_DEFAULT: Final = StrWriteFlags.DEFAULT
_NO_REGEX: Final = StrRegexFlags.DEFAULT


def _read(bin: str, context: Context, code: StrCode, *arguments: BinValue) -> Op:
    op = operation(OpType.STRING_READ, bin, context, code, *arguments)
    return op._replace(particle_type=int(ParticleType.STRING))


def _modify(bin: str, context: Context, code: StrCode, *arguments: BinValue) -> Op:
    op = operation(OpType.STRING_MODIFY, bin, context, code, *arguments)
    return op._replace(particle_type=int(ParticleType.STRING))


def to_string(bin: str) -> Op:
    """The bin's value, of whatever type, as text."""
    return Op(int(OpType.TO_STRING), 0, bin_name(bin), b"")


def strlen(bin: str, *, context: Context = ()) -> Op:
    """How many characters the text has."""
    return _read(bin, context, StrCode.STRLEN)


def byte_length(bin: str, *, context: Context = ()) -> Op:
    """How many bytes the text has."""
    return _read(bin, context, StrCode.BYTE_LENGTH)


def substr(bin: str, start: int, end: int | None = None, *, context: Context = ()) -> Op:
    """The characters from `start` on and before `end`."""
    return _read(bin, context, StrCode.SUBSTR, start, *optional(end))


def char_at(bin: str, index: int, *, context: Context = ()) -> Op:
    """One character."""
    return _read(bin, context, StrCode.CHAR_AT, index)


def find(bin: str, needle: str, occurrence: int = 1, *, context: Context = ()) -> Op:
    """Where `needle` stands for the `occurrence`-th time; -1 nowhere."""
    return _read(bin, context, StrCode.FIND, needle, occurrence)


def contains(bin: str, needle: str, *, context: Context = ()) -> Op:
    """Whether `needle` stands in the text."""
    return _read(bin, context, StrCode.CONTAINS, needle)


def starts_with(bin: str, prefix: str, *, context: Context = ()) -> Op:
    """Whether the text begins with `prefix`."""
    return _read(bin, context, StrCode.STARTS_WITH, prefix)


def ends_with(bin: str, suffix: str, *, context: Context = ()) -> Op:
    """Whether the text ends with `suffix`."""
    return _read(bin, context, StrCode.ENDS_WITH, suffix)


def to_integer(bin: str, *, context: Context = ()) -> Op:
    """The integer that it is the text of."""
    return _read(bin, context, StrCode.TO_INTEGER)


def to_double(bin: str, *, context: Context = ()) -> Op:
    """The double that it is the text of."""
    return _read(bin, context, StrCode.TO_DOUBLE)


def is_numeric(bin: str, type_: NumericType = NumericType.ANY, *, context: Context = ()) -> Op:
    """Whether it is the text of a number."""
    return _read(bin, context, StrCode.IS_NUMERIC, int(type_))


def is_upper(bin: str, *, context: Context = ()) -> Op:
    """Whether its letters are capitals."""
    return _read(bin, context, StrCode.IS_UPPER)


def is_lower(bin: str, *, context: Context = ()) -> Op:
    """Whether none of its letters is a capital."""
    return _read(bin, context, StrCode.IS_LOWER)


def to_blob(bin: str, *, context: Context = ()) -> Op:
    """Its bytes."""
    return _read(bin, context, StrCode.TO_BLOB)


def split(bin: str, separator: str | None = None, *, context: Context = ()) -> Op:
    """Its parts between separators; without one, its characters."""
    return _read(bin, context, StrCode.SPLIT, *optional(separator))


def b64_decode(bin: str, *, context: Context = ()) -> Op:
    """The bytes that it is the base64 of."""
    return _read(bin, context, StrCode.B64_DECODE)


def regex_compare(
    bin: str, pattern: str, regex: StrRegexFlags = _NO_REGEX, *, context: Context = ()
) -> Op:
    """Whether a regular expression of Unicode (ICU) matches."""
    return _read(bin, context, StrCode.REGEX_COMPARE, pattern, int(regex))


def insert(
    bin: str, index: int, value: str, flags: StrWriteFlags = _DEFAULT, *, context: Context = ()
) -> Op:
    """Insert `value` before the character at `index`."""
    return _modify(bin, context, StrCode.INSERT, index, value, int(flags))


def overwrite(
    bin: str, index: int, value: str, flags: StrWriteFlags = _DEFAULT, *, context: Context = ()
) -> Op:
    """Write `value` over what stands at `index`."""
    return _modify(bin, context, StrCode.OVERWRITE, index, value, int(flags))


def concat(
    bin: str, values: Sequence[str], flags: StrWriteFlags = _DEFAULT, *, context: Context = ()
) -> Op:
    """Put several texts behind it."""
    return _modify(bin, context, StrCode.CONCAT, as_list(values), int(flags))


def append(bin: str, value: str, flags: StrWriteFlags = _DEFAULT, *, context: Context = ()) -> Op:
    """Put `value` behind it."""
    return _modify(bin, context, StrCode.APPEND, value, int(flags))


def prepend(bin: str, value: str, flags: StrWriteFlags = _DEFAULT, *, context: Context = ()) -> Op:
    """Put `value` before it."""
    return _modify(bin, context, StrCode.PREPEND, value, int(flags))


def replace(
    bin: str, needle: str, value: str, flags: StrWriteFlags = _DEFAULT, *, context: Context = ()
) -> Op:
    """Put `value` where `needle` stands first."""
    return _modify(bin, context, StrCode.REPLACE, [needle, value], int(flags))


def replace_all(
    bin: str, needle: str, value: str, flags: StrWriteFlags = _DEFAULT, *, context: Context = ()
) -> Op:
    """Put `value` wherever `needle` stands."""
    return _modify(bin, context, StrCode.REPLACE_ALL, [needle, value], int(flags))


def regex_replace(
    bin: str,
    pattern: str,
    value: str,
    regex: StrRegexFlags = _NO_REGEX,
    flags: StrWriteFlags = _DEFAULT,
    *,
    context: Context = (),
) -> Op:
    """Put `value` where a regular expression of Unicode matches."""
    return _modify(bin, context, StrCode.REGEX_REPLACE, [pattern, value], int(regex), int(flags))


def upper(bin: str, flags: StrWriteFlags = _DEFAULT, *, context: Context = ()) -> Op:
    """Make it capitals."""
    return _modify(bin, context, StrCode.UPPER, int(flags))


def lower(bin: str, flags: StrWriteFlags = _DEFAULT, *, context: Context = ()) -> Op:
    """Make it small letters."""
    return _modify(bin, context, StrCode.LOWER, int(flags))


def case_fold(bin: str, flags: StrWriteFlags = _DEFAULT, *, context: Context = ()) -> Op:
    """Make it what Unicode compares without regard to case."""
    return _modify(bin, context, StrCode.CASE_FOLD, int(flags))


def normalize_nfc(bin: str, flags: StrWriteFlags = _DEFAULT, *, context: Context = ()) -> Op:
    """Bring it into Unicode's composed normal form."""
    return _modify(bin, context, StrCode.NORMALIZE_NFC, int(flags))


def trim(bin: str, flags: StrWriteFlags = _DEFAULT, *, context: Context = ()) -> Op:
    """Remove the white space around it."""
    return _modify(bin, context, StrCode.TRIM, int(flags))


def trim_start(bin: str, flags: StrWriteFlags = _DEFAULT, *, context: Context = ()) -> Op:
    """Remove the white space before it."""
    return _modify(bin, context, StrCode.TRIM_START, int(flags))


def trim_end(bin: str, flags: StrWriteFlags = _DEFAULT, *, context: Context = ()) -> Op:
    """Remove the white space behind it."""
    return _modify(bin, context, StrCode.TRIM_END, int(flags))


def pad_start(
    bin: str, length: int, pad: str, flags: StrWriteFlags = _DEFAULT, *, context: Context = ()
) -> Op:
    """Fill it up to `length` from the front."""
    return _modify(bin, context, StrCode.PAD_START, length, pad, int(flags))


def pad_end(
    bin: str, length: int, pad: str, flags: StrWriteFlags = _DEFAULT, *, context: Context = ()
) -> Op:
    """Fill it up to `length` at the end."""
    return _modify(bin, context, StrCode.PAD_END, length, pad, int(flags))


def repeat(bin: str, count: int, flags: StrWriteFlags = _DEFAULT, *, context: Context = ()) -> Op:
    """Repeat it `count` times."""
    return _modify(bin, context, StrCode.REPEAT, count, int(flags))


def snip(
    bin: str,
    start: int,
    end: int | None = None,
    flags: StrWriteFlags = _DEFAULT,
    *,
    context: Context = (),
) -> Op:
    """Remove the characters from `start` on and before `end`; without `end` there are no flags."""
    rest = () if end is None else (end, int(flags))
    return _modify(bin, context, StrCode.SNIP, start, *rest)
