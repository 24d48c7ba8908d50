"""A server, and a client of each face."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asd import Server

sys.path.insert(0, str(Path(__file__).parent))

from faces import Face


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One server for all tests; each begins with it empty."""
    with Server(namespaces=["test", "bar"]) as running:
        yield running


@pytest.fixture(params=["blocking", "asyncio"])
def face(request: pytest.FixtureRequest) -> Iterator[Face]:
    """Opens clients, blocking ones or asyncio's."""
    opened = Face(request.param)
    yield opened
    opened.close()


@pytest.fixture
def client(server: Server, face: Face) -> Any:
    """A client of either face, connected to an empty server."""
    server.reset()
    return face([server.address])
