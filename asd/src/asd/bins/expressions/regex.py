"""POSIX regular expressions as glibc's regcomp and regexec treat them, searched in linear time.

A pattern is translated (`posix_pattern`) to RE2's syntax, so that no pattern can take more than
time linear in the subject. What differs from glibc: patterns with back-references are refused, and
so are those that repeat more than 1000 times, nest deeper than 1000 groups or need more memory
than RE2 grants; the GNU word edges `\\<` and `\\>` are both read as `\\b`.

Linear time still is the size of the program times that of the subject where a pattern has too many
states to keep: `(a|b)*a(a|b){1000}c` over a megabyte takes seconds, and no look at the clock can
come between. So a subject may only be so long as the program is small (`WORK_MAX`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import re2  # type: ignore[import-untyped]

from asd.bins.expressions import posix_pattern

PATTERN_MAX: Final = 4096
"""Bytes; a longer pattern is refused."""

MEMORY_MAX: Final = 1 << 20
"""Bytes that RE2 may take for one pattern, its tables included."""

WORK_MAX: Final = 1 << 28
"""Instructions of a program times bytes of a subject: about a second at the worst."""


class TooMuchWork(Exception):
    """The subject is too long for this pattern."""


class Search(NamedTuple):
    """A compiled pattern: `run` says whether it occurs in a subject, or raises TooMuchWork;
    `program` is how many instructions it has."""

    run: Callable[[bytes], bool]
    program: int

    def __call__(self, subject: bytes) -> bool:
        """As `run`."""
        return self.run(subject)


def compile_search(pattern: bytes, options: int) -> Search | None:
    """A function that says whether `pattern` occurs in a subject; None for a bad pattern.

    `options` are glibc's bits: 1 extended, 2 ignore case, 4 newline; others mean nothing for a
    search. Pattern and subject end at their first NUL, as C strings do.
    """
    pattern = pattern.partition(b"\0")[0]
    try:
        if len(pattern) > PATTERN_MAX:
            raise posix_pattern.BadPattern
        compiled = re2.compile(posix_pattern.translate(pattern, options), _options())
    except (posix_pattern.BadPattern, re2.error):
        return None

    search, program = compiled.search, compiled.programsize
    longest = WORK_MAX // program

    def run(subject: bytes) -> bool:
        if len(subject) > longest:
            raise TooMuchWork
        if b"\0" in subject:
            subject = subject.partition(b"\0")[0]
        return search(subject) is not None

    return Search(run, program)


def _options() -> re2.Options:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    options.never_capture = True
    options.max_mem = MEMORY_MAX
    return options
