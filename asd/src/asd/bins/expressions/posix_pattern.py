"""Translation of POSIX patterns, basic and extended, GNU extensions included, to RE2's syntax.

One pass over the bytes: a token either adds an atom, repeats the last one, or opens and closes
groups. The C locale is meant: a byte is a character, letters are ASCII.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

EXTENDED: Final = 1
IGNORE_CASE: Final = 2
NEWLINE: Final = 4

REPEAT_MAX: Final = 32767


class BadPattern(Exception):
    """The pattern has no meaning, or none that RE2 can express."""


_BYTES: Final = frozenset(range(1, 256))
_UPPER: Final = frozenset(range(ord("A"), ord("Z") + 1))
_LOWER: Final = frozenset(range(ord("a"), ord("z") + 1))
_DIGIT: Final = frozenset(range(ord("0"), ord("9") + 1))
_ALNUM: Final = _UPPER | _LOWER | _DIGIT
_PRINT: Final = frozenset(range(0x20, 0x7F))
_SPACE: Final = frozenset(b"\t\n\v\f\r ")
_WORD: Final = _ALNUM | {ord("_")}

CLASSES: Final[Mapping[bytes, frozenset[int]]] = MappingProxyType(
    {
        b"alnum": _ALNUM,
        b"alpha": _UPPER | _LOWER,
        b"blank": frozenset(b"\t "),
        b"cntrl": frozenset(range(1, 0x20)) | {0x7F},
        b"digit": _DIGIT,
        b"graph": _PRINT - {0x20},
        b"lower": _LOWER,
        b"print": _PRINT,
        b"punct": _PRINT - _ALNUM - {0x20},
        b"space": _SPACE,
        b"upper": _UPPER,
        b"xdigit": frozenset(b"0123456789abcdefABCDEF"),
    }
)

_ESCAPED_SETS: Final[Mapping[int, frozenset[int]]] = MappingProxyType(
    {ord("w"): _WORD, ord("W"): _BYTES - _WORD, ord("s"): _SPACE, ord("S"): _BYTES - _SPACE}
)
_ESCAPED_ANCHORS: Final[Mapping[int, str]] = MappingProxyType(
    {
        ord("`"): r"\A",
        ord("'"): r"\z",
        ord("b"): r"\b",
        ord("B"): r"\B",
        ord("<"): r"\b",
        ord(">"): r"\b",
    }
)


def translate(pattern: bytes, options: int) -> bytes:
    """`pattern` in RE2's syntax; `BadPattern` where regcomp would refuse, and for back-references.

    `options` is a sum of EXTENDED, IGNORE_CASE and NEWLINE. O(len(pattern)) but for repetitions
    of one another, whose cost is quadratic.
    """
    return _Translator(pattern, options).translate().encode("ascii")


def set_text(members: frozenset[int]) -> str:
    """A character class of exactly these bytes."""
    if not members:
        return r"[^\x00-\xff]"
    ranges = []
    ordered = sorted(members)
    first = last = ordered[0]
    for byte in ordered[1:]:
        if byte != last + 1:
            ranges.append((first, last))
            first = byte
        last = byte
    ranges.append((first, last))
    return "[" + "".join(rf"\x{low:02x}-\x{high:02x}" for low, high in ranges) + "]"


def both_cases(members: frozenset[int]) -> frozenset[int]:
    """The bytes and, for letters among them, the same letters in the other case."""
    return members | {byte ^ 0x20 for byte in members if byte in _UPPER or byte in _LOWER}


class _Translator:
    """One pass over a pattern. `_atom` is the index in `_out` of what a repetition applies to."""

    def __init__(self, pattern: bytes, options: int) -> None:
        self._pattern = pattern
        self._extended = bool(options & EXTENDED)
        self._ignore_case = bool(options & IGNORE_CASE)
        self._newline = bool(options & NEWLINE)
        self._at = 0
        self._out: list[str] = []
        self._groups: list[int] = []
        self._atom: int | None = None
        self._repeated = False
        # Basic syntax: whether a caret here is an anchor (at the start of an alternative).
        self._caret_anchors = True

    def translate(self) -> str:
        while self._at < len(self._pattern):
            caret_anchors, self._caret_anchors = self._caret_anchors, False
            byte = self._pattern[self._at]
            self._at += 1
            if byte == 0x5C:
                self._escape()
            elif byte == 0x5B:
                self._add_set(self._bracket())
            elif byte == 0x2E:
                self._add_set(_BYTES - {0x0A} if self._newline else _BYTES)
            elif byte == 0x2A:
                self._repeat("*", byte)
            elif byte == 0x5E and (self._extended or caret_anchors):
                self._anchor("(?m:^)" if self._newline else r"\A")
            elif byte == 0x24 and self._dollar_anchors():
                self._anchor("(?m:$)" if self._newline else r"\z")
            elif self._extended and byte in b"()|+?{":
                self._operator(byte)
            else:
                self._add_byte(byte)
        if self._groups:
            raise BadPattern
        return "".join(self._out)

    # -- atoms

    def _add(self, text: str) -> None:
        self._atom = len(self._out)
        self._repeated = False
        self._out.append(text)

    def _add_byte(self, byte: int) -> None:
        self._add_set(frozenset((byte,)))

    def _add_set(self, members: frozenset[int]) -> None:
        self._add(set_text(both_cases(members) if self._ignore_case else members))

    def _anchor(self, text: str) -> None:
        self._out.append(text)
        self._atom = None

    def _dollar_anchors(self) -> bool:
        rest = self._pattern[self._at : self._at + 2]
        return self._extended or rest in (b"", rb"\)", rb"\|")

    def _escape(self) -> None:
        if self._at == len(self._pattern):
            raise BadPattern
        byte = self._pattern[self._at]
        self._at += 1
        if byte in b"123456789":
            raise BadPattern  # a back-reference
        if byte in _ESCAPED_SETS:
            self._add(set_text(_ESCAPED_SETS[byte]))
        elif byte in _ESCAPED_ANCHORS:
            self._anchor(_ESCAPED_ANCHORS[byte])
        elif not self._extended and byte in b"()|+?{":
            self._operator(byte)
        elif self._ignore_case and byte in _LOWER:
            # Case is ignored by comparing capitals, and an escaped letter is not made one.
            self._add_set(frozenset())
        else:
            self._add_byte(byte)

    # -- operators: bare in extended syntax, escaped in basic syntax

    def _operator(self, byte: int) -> None:
        if byte == 0x28:
            self._groups.append(len(self._out))
            self._out.append("(?:")
            self._start_alternative()
        elif byte == 0x29:
            self._close(byte)
        elif byte == 0x7C:
            self._out.append("|")
            self._start_alternative()
        elif byte == 0x7B:
            self._interval()
        else:
            self._repeat(chr(byte), byte)

    def _start_alternative(self) -> None:
        self._atom = None
        self._caret_anchors = True

    def _close(self, byte: int) -> None:
        if self._groups:
            self._out.append(")")
            self._atom = self._groups.pop()
            self._repeated = False
        elif self._extended:
            self._add_byte(byte)
        else:
            raise BadPattern

    def _repeat(self, operator: str, byte: int) -> None:
        if self._atom is None:
            if self._extended:
                raise BadPattern
            self._add_byte(byte)  # nothing to repeat: basic syntax takes it for itself
            return
        if self._repeated and not self._extended and operator == "*":
            raise BadPattern
        self._wrap(operator)

    def _wrap(self, operator: str) -> None:
        assert self._atom is not None
        self._out.insert(self._atom, "(?:")
        self._out.append(")" + operator)
        self._repeated = True

    def _interval(self) -> None:
        """{n}, {n,}, {,m} or {n,m}, closed by a brace that basic syntax escapes."""
        if self._atom is None or (self._repeated and not self._extended):
            raise BadPattern
        closing = b"}" if self._extended else rb"\}"
        end = self._pattern.find(closing, self._at)
        low, comma, high = self._pattern[self._at : end].partition(b",")
        if end < 0 or not (low or comma):
            raise BadPattern
        least = _count(low, 0)
        most = _count(high, -1) if comma else least
        if most >= 0 and least > most:
            raise BadPattern
        self._at = end + len(closing)
        self._wrap(f"{{{least},{most if most >= 0 else ''}}}")

    # -- bracket expressions

    def _bracket(self) -> frozenset[int]:
        """The bytes of `[...]`, from behind the opening bracket."""
        negated = self._next_is(b"^")
        self._at += negated
        members: set[int] = set()
        first = True
        while first or not self._next_is(b"]"):
            members |= self._bracket_item(first)
            first = False
        self._at += 1
        found = both_cases(frozenset(members)) if self._ignore_case else frozenset(members)
        if negated:
            found = _BYTES - found
            return found - {0x0A} if self._newline else found
        return found

    def _next_is(self, text: bytes) -> bool:
        return self._pattern.startswith(text, self._at)

    def _bracket_item(self, first: bool) -> frozenset[int]:
        if not first and self._next_is(b"-") and not self._next_is(b"-]"):
            raise BadPattern
        is_class, low = self._bracket_element()
        if not self._next_is(b"-") or self._next_is(b"-]"):
            return low
        self._at += 1
        ends_in_class, high = self._bracket_element()
        if is_class or ends_in_class:
            raise BadPattern
        (start,), (end,) = self._folded(low), self._folded(high)
        if start > end:
            raise BadPattern
        return frozenset(range(start, end + 1))

    def _folded(self, single: frozenset[int]) -> frozenset[int]:
        """Ranges are taken between capitals when case does not count."""
        if not self._ignore_case:
            return single
        return frozenset(byte - 0x20 if byte in _LOWER else byte for byte in single)

    def _bracket_element(self) -> tuple[bool, frozenset[int]]:
        """(whether it is a class, its bytes): a byte, [:class:], [=x=] or [.x.]."""
        if self._at >= len(self._pattern):
            raise BadPattern
        for mark in (b":", b"=", b"."):
            if self._next_is(b"[" + mark):
                return self._bracket_symbol(mark)
        self._at += 1
        return False, frozenset(self._pattern[self._at - 1 : self._at])

    def _bracket_symbol(self, mark: bytes) -> tuple[bool, frozenset[int]]:
        start = self._at + 2
        end = self._pattern.find(mark + b"]", start)
        if end < 0:
            raise BadPattern
        name = self._pattern[start:end]
        self._at = end + 2
        if mark != b":":
            if len(name) != 1:
                raise BadPattern
            return mark == b"=", frozenset(name)
        if self._ignore_case and name in (b"upper", b"lower"):
            name = b"alpha"
        if name not in CLASSES:
            raise BadPattern
        return True, CLASSES[name]


def _count(digits: bytes, default: int) -> int:
    if not digits:
        return default
    if not digits.isdigit() or len(digits) > len(str(REPEAT_MAX)) or int(digits) > REPEAT_MAX:
        raise BadPattern
    return int(digits)
