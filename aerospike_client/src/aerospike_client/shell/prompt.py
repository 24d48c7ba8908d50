"""Reading lines from a person: an adapter.

With prompt_toolkit (the extra `shell`) lines are edited, completed and remembered from one session
to the next; without it they are read as they come.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

HISTORY: Final = "~/.aerospike_client_history"

Complete = Callable[[str], list[str]]
"""The line up to the cursor -> what may stand in place of its last word."""


def lines(prompt: str, complete: Complete) -> Iterator[str]:
    """The lines that are typed, until the end of the input."""
    read = _reader(prompt, complete) if sys.stdin.isatty() else _plain("")
    while True:
        try:
            yield read()
        except EOFError:
            return
        except KeyboardInterrupt:
            continue


def _plain(prompt: str) -> Callable[[], str]:
    return lambda: input(prompt)


def _reader(prompt: str, complete: Complete) -> Callable[[], str]:
    try:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import CompleteEvent, Completer, Completion
        from prompt_toolkit.document import Document
        from prompt_toolkit.history import FileHistory
    except ImportError:
        return _plain(prompt)

    class Words(Completer):
        def get_completions(
            self, document: Document, complete_event: CompleteEvent
        ) -> Iterator[Completion]:
            before = document.text_before_cursor
            begun = before.split(" ")[-1]
            for word in complete(before):
                yield Completion(word, start_position=-len(begun))

    history = FileHistory(str(Path(HISTORY).expanduser()))
    session: PromptSession[str] = PromptSession(history=history, completer=Words())
    return lambda: session.prompt(prompt)
