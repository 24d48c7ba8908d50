"""A node's part in its cluster, as the library tells of it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from asd.config import Edition, read_config
from asd.membership.cluster import Clustered
from asd.membership.metadata import SystemMetadata
from asd.membership.settings import settings
from citrusleaf.cf_clock import VirtualClock
from cluster import Balanced, Output, Partitions, Service, SmdReady
from cluster.smd import MemoryStore, Smd

CONFIG = """
service {
    cluster-name c
}
network {
    service {
        port 3000
    }
    heartbeat {
        mode mesh
        port 3002
    }
    fabric {
        port 3001
    }
}
namespace test {
    storage-engine memory
}
"""


class Planned(Service):
    """Partitions of one namespace, without a plan so far."""

    def __init__(self) -> None:
        self.spaces = {"test": SimpleNamespace(is_ready=False)}


def clustered(planned: Planned) -> Clustered:
    chosen = settings(read_config(CONFIG, "x.conf", Edition.ENTERPRISE), 1, 1, "127.0.0.1")
    metadata = SystemMetadata(Smd(MemoryStore(), ["sindex"]))
    return Clustered(
        chosen, VirtualClock(), metadata, cast(Partitions, planned), cast(Any, Service()), {}
    )


EVENTS: list[Output] = [Balanced("test", 7), SmdReady(7)]


@pytest.mark.parametrize("events", [EVENTS, EVENTS[::-1]], ids=["plan first", "metadata first"])
def test_a_node_serves_when_it_has_its_plans_and_all_metadata(events: list[Output]) -> None:
    """With its plans alone it was said to be ready, and had no indexes yet."""
    planned = Planned()
    cluster = clustered(planned)

    async def watch() -> list[bool]:
        serves = asyncio.ensure_future(cluster.served())
        seen = []
        for event in events:
            if isinstance(event, Balanced):
                planned.spaces["test"].is_ready = True
            cluster._hear(event)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            seen.append(serves.done())
        return seen

    assert asyncio.run(watch()) == [False, True]
