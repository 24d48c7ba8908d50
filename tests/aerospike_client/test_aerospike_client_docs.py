"""The examples in the pages of `docs/` about the client's expressions, backups and shell."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from aerospike_client.shell.arguments import COMMANDS

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", ["expressions.md", "backup-files.md"])
def test_examples(page: str) -> None:
    text = (DOCS / page).read_text("utf-8")
    # A blank line of Markdown ends an example; a table or heading never follows directly.
    examples = doctest.DocTestParser().get_doctest(text, {}, page, page, 0)
    failures: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.IGNORE_EXCEPTION_DETAIL).run(
        examples, out=failures.append
    )

    assert examples.examples
    assert not failures, "".join(failures)


def test_the_shell_s_page_has_every_command() -> None:
    table = (DOCS / "client-shell.md").read_text("utf-8")
    named = set(re.findall(r"[`\s]([a-z]+)[ `]", table))

    assert set(COMMANDS) <= named
