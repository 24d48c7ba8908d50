"""The shell's files and streams: an adapter."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def reading(path: str) -> Iterator[tuple[Callable[[int], bytes], int]]:
    """A file to read, and its size; `-` is standard input, of size 0. Raises OSError."""
    if path == "-":
        yield sys.stdin.buffer.read, 0
        return
    with open(path, "rb") as file:
        yield file.read, os.fstat(file.fileno()).st_size


@contextmanager
def writing(path: str) -> Iterator[Callable[[bytes], object]]:
    """A file to write; `-` is standard output. Raises OSError.

    The file gets its name when it is whole: until then it is called `NAME.part`.
    """
    if path == "-":
        yield sys.stdout.buffer.write
        sys.stdout.buffer.flush()
        return
    part = Path(path + ".part")
    file: BinaryIO
    with open(part, "wb") as file:
        yield file.write
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def secret(where: str | None) -> str | None:
    """What is in the file (`file:PATH`) or variable (`env:NAME`) named; else the text itself.
    Raises OSError."""
    kind, _, name = (where or "").partition(":")
    if kind == "file":
        return Path(name).read_text("utf-8").strip()
    if kind == "env":
        if name not in os.environ:
            raise OSError(f"there is no variable {name} in the environment")
        return os.environ[name]
    return where


def terminal() -> Callable[[str], None] | None:
    """Writes to the terminal that standard error is; None when it is none."""
    if not sys.stderr.isatty():
        return None

    def write(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()

    return write


def forget_output() -> None:
    """Let what is still to be printed go nowhere: whoever read it has gone (`... | head`)."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
