"""A node as a whole: what runs beside the requests."""

from __future__ import annotations

import asyncio

import pytest

from asd.config import Config, NamespaceConfig
from asd.config.network import NetworkConfig, NetworkServiceConfig
from asd.node import Node
from asd.space.index_builder import IndexBuilder
from citrusleaf.cf_clock import VirtualClock


def test_what_fails_in_the_background_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Else indexes stay unbuilt for ever, and no log says why."""

    async def fail(builder: IndexBuilder) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(IndexBuilder, "run", fail)
    config = Config(
        network=NetworkConfig(service=NetworkServiceConfig(address=("127.0.0.1",), port=0)),
        namespaces={"test": NamespaceConfig("test", nsup_period=120)},
    )

    async def run() -> None:
        node = Node(config, VirtualClock(), machine_id=1)
        await node.start()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await node.stop()

    asyncio.run(run())
    told = [record for record in caplog.records if record.levelname == "CRITICAL"]
    assert len(told) == 1
    assert "stands still" in told[0].getMessage()
    assert told[0].exc_info is not None
    assert told[0].exc_info[0] is ZeroDivisionError
