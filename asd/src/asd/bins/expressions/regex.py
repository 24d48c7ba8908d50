"""POSIX regular expressions as glibc's regcomp and regexec treat them, searched in linear time.

A pattern is translated (`posix_pattern`) to RE2's syntax, so that no pattern can take more than
time linear in the subject. What differs from glibc: patterns with back-references are refused, and
so are those that repeat more than 1000 times, nest deeper than 1000 groups or need more memory
than RE2 grants; the GNU word edges `\\<` and `\\>` are both read as `\\b`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import re2  # type: ignore[import-untyped]

from asd.bins.expressions import posix_pattern

PATTERN_MAX: Final = 4096
"""Bytes; a longer pattern is refused."""

Search = Callable[[bytes], bool]


def compile_search(pattern: bytes, options: int) -> Search | None:
    """A function that says whether `pattern` occurs in a subject; None for a bad pattern.

    `options` are glibc's bits: 1 extended, 2 ignore case, 4 newline; others mean nothing for a
    search. Pattern and subject end at their first NUL, as C strings do.
    """
    pattern = pattern.partition(b"\0")[0]
    try:
        if len(pattern) > PATTERN_MAX:
            raise posix_pattern.BadPattern
        search = re2.compile(posix_pattern.translate(pattern, options), _options()).search
    except (posix_pattern.BadPattern, re2.error):
        return None

    def run(subject: bytes) -> bool:
        if b"\0" in subject:
            subject = subject.partition(b"\0")[0]
        return search(subject) is not None

    return run


def _options() -> re2.Options:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    options.never_capture = True
    return options
