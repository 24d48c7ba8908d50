"""The pipelines to a destination: which of them takes a partition's records."""

from __future__ import annotations

import asyncio
from typing import Any

from aerospike_client.core.addresses import Address
from asd.shipping.destination import MOST_UNDER_WAY, Pipelines, has_room
from citrusleaf.cf_clock import VirtualClock


class FullPipeline:
    """Has as much under way as it may."""

    open, writable, load = True, True, MOST_UNDER_WAY

    def begin(self, *_: object) -> None:
        """Who is told does not matter."""

    def close(self) -> None:
        self.open = False


class Pools:
    async def dial(self, *_: object) -> Any:
        return FullPipeline()


def test_what_is_full_is_not_gone() -> None:
    """Records that were read when it became full were counted as failed, and waited."""
    asyncio.run(fill_up())


async def fill_up() -> None:
    pools: Any = Pools()
    pipelines = Pipelines(pools, VirtualClock(), lambda *_: None, lambda *_: None)
    place = "node", 0, Address("127.0.0.1", 1), "node"
    while pipelines.get(*place) is None:
        await asyncio.sleep(0)
    pipeline: Any = pipelines.get(*place)
    assert not has_room(pipeline)
    pipeline.load -= 1
    assert has_room(pipeline)
    pipeline.close()
    assert pipelines.get(*place) is not pipeline
    await pipelines.stop()
