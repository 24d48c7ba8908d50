"""The grammar of `aerospike.conf`: lines of words, blocks in braces, comments behind `#`.

    service {
        proto-fd-max 15000          # a name and its value
    }
    namespace test { replication-factor 1 }
    logging { file "/var/log/a file.log" { context any info } }

A directive is the words of one line; `{` behind them opens its block, `}` closes it. Double quotes
make one word of what holds blanks, `#` or braces; there is no escape within them. A `${name}` is
part of its word, as patterns for directories have it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from attrs import define, field

from asd.config.errors import Problem

MAX_DEPTH: Final = 16

_TOKEN: Final = re.compile(
    r'(?P<comment>#.*)|(?P<brace>[{}])|"(?P<quoted>[^"]*)"|(?P<word>(?:\$\{[^\s{}#"]*\}|[^\s{}#"])+)|(?P<stray>")'
)


@define
class Directive:
    """A name, the words behind it, and the directives of its block if it opens one."""

    name: str
    values: tuple[str, ...]
    line: int
    block: list[Directive] | None = field(default=None)


@define
class Parser:
    """Text to directives; what is wrong on the way is collected in `problems`."""

    file: str
    problems: list[Problem] = field(factory=list)

    def parse(self, text: str) -> list[Directive]:
        """The top-level directives of the text. O(n)."""
        root: list[Directive] = []
        blocks = [root]
        openings: list[Directive] = []
        for line, words in enumerate(text.splitlines(), 1):
            pending: list[str] = []
            for brace, word in self._tokens(words, line):
                if not brace:
                    pending.append(word)
                elif word == "{":
                    directive = self._opening(pending, line)
                    blocks[-1].append(directive)
                    openings.append(directive)
                    blocks.append(directive.block if directive.block is not None else [])
                else:
                    self._end(pending, line, blocks[-1])
                    self._close(line, blocks, openings)
                if brace:
                    pending = []
            self._end(pending, line, blocks[-1])
            if len(blocks) > MAX_DEPTH:
                self._say(line, f"blocks are nested more than {MAX_DEPTH} deep")
                return root
        for directive in openings:
            head = " ".join((directive.name, *directive.values))
            self._say(directive.line, f"the block '{head} {{' is never closed")
        return root

    def _tokens(self, line_text: str, line: int) -> Iterator[tuple[bool, str]]:
        """(is it a brace, text) of each token of a line."""
        for match in _TOKEN.finditer(line_text):
            match match.lastgroup:
                case "brace":
                    yield True, match["brace"]
                case "word" | "quoted":
                    yield False, match[match.lastgroup]
                case "stray":
                    self._say(line, "a double quote is opened and not closed on its line")

    def _opening(self, words: list[str], line: int) -> Directive:
        if not words:
            self._say(line, "'{' without a name before it on the line")
            words = ["{"]
        return Directive(words[0], tuple(words[1:]), line, [])

    def _close(self, line: int, blocks: list[list[Directive]], openings: list[Directive]) -> None:
        if not openings:
            self._say(line, "'}' closes a block that was never opened")
            return
        openings.pop()
        blocks.pop()

    def _end(self, words: list[str], line: int, block: list[Directive]) -> None:
        if words:
            block.append(Directive(words[0], tuple(words[1:]), line))

    def _say(self, line: int, message: str) -> None:
        self.problems.append(Problem(self.file, line, message))
