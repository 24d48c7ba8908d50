"""The official client, which says what the bytes of an expression should be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import aerospike
import pytest

from asd import Server


@pytest.fixture(scope="session")
def official_client(aerospike_session_server: Server) -> Iterator[Any]:
    """Connected, since it packs nothing before."""
    client = aerospike.client({"hosts": [aerospike_session_server.address]})
    yield client
    client.close()
