"""Servers that ship to each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from asd import Server
from shipping_sites import Site


@pytest.fixture
def sites() -> Iterator[Callable[[], Site]]:
    """Makes servers; all of them end with the test."""
    with ExitStack() as stack:
        yield lambda: Site(stack.enter_context(Server(in_thread=True)))
