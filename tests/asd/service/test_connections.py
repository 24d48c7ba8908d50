"""The client connections of a node: what the log says of those that are turned away."""

import asyncio
import logging
from typing import Any, cast

import pytest

from asd.config import Config, NamespaceConfig, SecurityConfig
from asd.node import Node
from asd.service.connection import Connection
from asd.tls.door import Door
from citrusleaf.cf_clock import VirtualClock


def test_connections_turned_away_do_not_flood_the_log(caplog) -> None:
    caplog.set_level(logging.INFO, "asd")
    namespaces = {"test": NamespaceConfig("test", nsup_period=120)}
    node = Node(Config(namespaces=namespaces), VirtualClock(), machine_id=1)
    node.config.service.set("proto-fd-max", "1")
    kept, *refused = [Connection(node) for _ in range(50)]
    assert node.connections.add(kept)
    assert not any(node.connections.add(connection) for connection in refused)
    assert caplog.messages == ["? turned away: proto-fd-max 1 reached"]

    async def until_reaped() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("asd.service.connections.REAP_INTERVAL_S", 0.001)
            task = asyncio.create_task(node.connections.reap())
            while len(caplog.messages) == 1:
                await asyncio.sleep(0.001)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(asyncio.wait_for(until_reaped(), 5))
    assert caplog.messages[1:] == ["48 more turned away"]


def test_connections_on_which_nobody_logs_in_are_closed(kit: Any) -> None:
    clock = VirtualClock()
    node = kit.make_node(clock, security=SecurityConfig())
    wires = [kit.Wire(node), kit.Wire(kit.make_node(clock))]
    clock.advance(14)
    wires.append(kit.Wire(node))

    async def reap() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("asd.service.connections.REAP_INTERVAL_S", 0.001)
            tasks = [asyncio.create_task(wire.node.connections.reap()) for wire in wires[:2]]
            await asyncio.sleep(0.05)
            assert not any(wire.transport.closed for wire in wires)
            clock.advance(2)
            while not wires[0].transport.closed:
                await asyncio.sleep(0.001)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(asyncio.wait_for(reap(), 5))
    assert [wire.transport.closed for wire in wires] == [True, False, False]


def test_handshakes_under_way_count(kit: Any, caplog: pytest.LogCaptureFixture) -> None:
    node = kit.make_node()
    node.config.service.set("proto-fd-max", "2")
    hall, certificates = node.connections, cast(Any, None)
    first, second = (Door(certificates, node._connection, hall) for _ in range(2))
    assert hall.enter(first, "a:1")
    kept = Connection(node)
    assert hall.add(kept)
    turned_away = kit.FakeTransport()
    second.connection_made(turned_away)
    assert turned_away.closed
    assert caplog.messages == ["127.0.0.1:4000 turned away: proto-fd-max 2 reached"]
    assert not hall.add(Connection(node))
    first.connection_lost(None)
    assert hall.enter(second, "a:2")
    hall._check()
