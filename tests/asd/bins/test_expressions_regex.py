"""POSIX patterns: against glibc itself where there is one, and by known answers everywhere."""

from __future__ import annotations

import ctypes
import locale
import platform
import time
from collections.abc import Iterator

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from asd.bins.expressions.regex import PATTERN_MAX, compile_search

BASIC, EXTENDED, IGNORE_CASE, NEWLINE = 0, 1, 2, 4
NO_SUBEXPRESSIONS = 8

LIBC = ctypes.CDLL(None) if platform.libc_ver()[0] == "glibc" else None


def search(pattern: bytes, options: int, subject: bytes) -> bool | None:
    """Whether the pattern occurs, None when it is refused."""
    found = compile_search(pattern, options)
    return None if found is None else found(subject)


@pytest.mark.parametrize(
    ("pattern", "options", "subject", "expected"),
    [
        (b"h.*o", BASIC, b"say hello", True),
        (b"HELLO", BASIC, b"hello", False),
        (b"HELLO", IGNORE_CASE, b"hello", True),
        (b"l{2}", BASIC, b"hello", False),
        (b"l{2}", EXTENDED, b"hello", True),
        (rb"l\{2\}", BASIC, b"hello", True),
        (b"a|b", BASIC, b"b", False),
        (b"a|b", EXTENDED, b"b", True),
        (rb"a\|b", BASIC, b"b", True),
        (b"[[:alpha:]]+ W", EXTENDED, b"Hello World", True),
        (b"[0-9]+", EXTENDED, b"abc", False),
        (b"^$", EXTENDED, b"", True),
        (b"^$", EXTENDED, b"a\n\nb", False),
        (b"^$", EXTENDED | NEWLINE, b"a\n\nb", True),
        (b"a.b", EXTENDED, b"a\nb", True),
        (b"a.b", EXTENDED | NEWLINE, b"a\nb", False),
        (b"[^x]", EXTENDED | NEWLINE, b"\n", False),
        (b"(", BASIC, b"(", True),
        (b")", EXTENDED, b")", True),
        (b"*a", BASIC, b"*a", True),
        (b"[]a]", BASIC, b"]", True),
        (rb"[\]", BASIC, b"\\", True),
        (rb"\(ab\)*c", BASIC, b"ababc", True),
        (b"", EXTENDED, b"anything", True),
        (rb"\bfoo\b", EXTENDED, b"a foo b", True),
        (b"a\0b", BASIC, b"a", True),
        (b"b", BASIC, b"a\0b", False),
        (b"^.$", EXTENDED, b"\xff", True),
        (b"\xc9", IGNORE_CASE, b"\xe9", False),
    ],
)
def test_known_answers(pattern: bytes, options: int, subject: bytes, expected: bool) -> None:
    assert search(pattern, options, subject) is expected


@pytest.mark.parametrize(
    ("pattern", "options"),
    [
        (b"(", EXTENDED),
        (b"*a", EXTENDED),
        (b"a{2,1}", EXTENDED),
        (b"a{", EXTENDED),
        (b"[a", BASIC),
        (b"[z-a]", BASIC),
        (b"[[:nothing:]]", BASIC),
        (b"[[:alpha:]-z]", BASIC),
        (b"a\\", BASIC),
        (rb"\(a", BASIC),
        (rb"\)", BASIC),
        (b"a{32768}", EXTENDED),
        (rb"\(a\)\1", BASIC),
        (b"x" * (PATTERN_MAX + 1), BASIC),
    ],
)
def test_refused(pattern: bytes, options: int) -> None:
    assert compile_search(pattern, options) is None


@pytest.mark.parametrize("pattern", [b"(a*)*b", b"(a|aa)+$", b"(.*)(.*)(.*)(.*)[^a]", b"(a+)+c"])
def test_no_pattern_takes_long(pattern: bytes) -> None:
    found = compile_search(pattern, EXTENDED)
    assert found is not None
    start = time.perf_counter()
    found(b"a" * 20_000 + b"!")
    assert time.perf_counter() - start < 1.0


@pytest.fixture(autouse=True, scope="module")
def c_locale() -> Iterator[None]:
    """glibc takes characters from the locale; the server never sets one."""
    before = locale.setlocale(locale.LC_CTYPE)
    locale.setlocale(locale.LC_CTYPE, "C")
    yield
    locale.setlocale(locale.LC_CTYPE, before)


class RegexT(ctypes.Structure):
    _fields_ = [("opaque", ctypes.c_char * 256)]


def glibc_search(pattern: bytes, options: int, subject: bytes) -> bool | None:
    assert LIBC is not None
    compiled = RegexT()
    if LIBC.regcomp(ctypes.byref(compiled), pattern, options | NO_SUBEXPRESSIONS):
        return None
    found = LIBC.regexec(ctypes.byref(compiled), subject, 0, None, 0) == 0
    LIBC.regfree(ctypes.byref(compiled))
    return bool(found)


TOKENS = r"""
    a b A Z - * + ? { } 1 2 , ( ) | . [ ] _ z :
    \( \) \{ \} \| \w \W \s \S \b \B \+ \? \` \' \a \.
    [[:alpha:]] [[:upper:]] [^a] [a-c] [=a=] [.-.] {1,2} {2} \{1,2\} {,2} {1,} é
"""
PIECES = [b"\n", *(token.encode("latin-1") for token in TOKENS.split())]
ANCHORED = st.builds(
    lambda caret, pieces, dollar: b"^" * caret + b"".join(pieces) + b"$" * dollar,
    st.booleans(),
    st.lists(st.sampled_from(PIECES), max_size=6),
    st.booleans(),
)
SUBJECTS = st.lists(
    st.sampled_from([bytes([byte]) for byte in b"abABzZ-_1*+|(){}$^ .\n"] + [b"\xe9", b"\xc9"]),
    max_size=5,
).map(b"".join)


@pytest.mark.skipif(LIBC is None, reason="needs glibc's regcomp")
@settings(max_examples=100)
@given(ANCHORED, st.integers(0, 7), st.lists(SUBJECTS, min_size=5, max_size=5))
def test_agrees_with_glibc(pattern: bytes, options: int, subjects: list[bytes]) -> None:
    for subject in subjects:
        # In glibc a caret behind a matched newline, and a dollar before one, match without NEWLINE.
        assume(options & NEWLINE or b"\n" not in subject or not set(b"^$") & set(pattern))
        assert search(pattern, options, subject) == glibc_search(pattern, options, subject)


@given(st.binary(max_size=20), st.integers(-(1 << 63), (1 << 63) - 1), st.binary(max_size=10))
def test_any_pattern_is_taken_or_refused(pattern: bytes, options: int, subject: bytes) -> None:
    assert search(pattern, options, subject) in (True, False, None)
