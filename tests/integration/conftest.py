"""The official client and ours on one server, behind a tap."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aerospike_client import Client, ClientPolicy
from asd import Server

sys.path.insert(0, str(Path(__file__).parent))

from tap import Tap


@pytest.fixture(scope="module")
def tap() -> Iterator[Tap]:
    """A server with records, behind a tap."""
    with Server() as server:
        tapped = Tap(server.address)
        yield tapped
        tapped.close()


@pytest.fixture(scope="module")
def official(tap: Tap) -> Iterator[Any]:
    """The official client."""
    aerospike = pytest.importorskip("aerospike", reason="the official client is not installed")
    client = aerospike.client({"hosts": [tap.address]}).connect()
    yield client
    client.close()


@pytest.fixture(scope="module")
def ours(tap: Tap) -> Iterator[Client]:
    """Our client."""
    with Client([tap.address], ClientPolicy(connect_timeout=20_000)) as client:
        yield client
