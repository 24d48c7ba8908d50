"""One port on all addresses."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from asd.process.loops import new_event_loop
from asd.service.listening import AT_ONCE, listen

TWO = ["127.0.0.1", "127.0.0.2"]


def addresses_bound(server: asyncio.Server) -> list[tuple[str, int]]:
    return [bound.getsockname()[:2] for bound in server.sockets]


Play = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=[asyncio.new_event_loop, new_event_loop], ids=["asyncio", "usual"])
def play(request: pytest.FixtureRequest) -> Iterator[Play]:
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner.run


async def serving(addresses: list[str] | None, port: int) -> list[tuple[str, int]]:
    server = await listen(asyncio.Protocol, addresses, port)
    bound = addresses_bound(server)
    server.close()
    return bound


@pytest.mark.parametrize("addresses", [TWO, None], ids=["two", "all"])
def test_any_port_is_the_same_on_all_addresses(addresses: list[str] | None, play: Play) -> None:
    for _ in range(10):
        bound = play(serving(addresses, 0))
        assert len({port for _, port in bound}) == 1
        if addresses:
            assert sorted(address for address, _ in bound) == addresses


def test_a_port_that_is_taken_is_said(play: Play) -> None:
    with socket.create_server(("127.0.0.2", 0)) as other, pytest.raises(OSError, match="in use"):
        play(serving(TWO, other.getsockname()[1]))


class Crowded:
    """A loop on which the second port that is asked for is taken."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._create_server = loop.create_server
        self.asked: list[int] = []

    async def create_server(self, factory: Any, addresses: Any, port: int, **more: Any) -> Any:
        self.asked.append(port)
        if len(self.asked) == 2:
            raise OSError("address already in use")
        return await self._create_server(factory, addresses, port, **more)


def test_a_port_somebody_has_on_another_address_is_passed_over(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script() -> None:
        crowded = Crowded(asyncio.get_running_loop())
        monkeypatch.setattr(asyncio, "get_running_loop", lambda: crowded)
        server = await listen(asyncio.Protocol, TWO, 0)
        monkeypatch.undo()
        assert len({port for _, port in addresses_bound(server)}) == 1
        first, taken, again, *_ = crowded.asked
        assert (first, again) == (0, 0)
        assert taken
        server.close()

    play(script())


def test_of_many_that_come_at_once_some_are_taken_in_each_turn(play: Play) -> None:
    """And none is asked to try again: the system keeps the others ready."""
    turns: list[int] = []

    class Counted(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            turns.append(turn)

    async def main() -> None:
        nonlocal turn
        server = await listen(lambda _: Counted(), ["127.0.0.1"], 0)
        address = server.sockets[0].getsockname()
        clients = [socket.create_connection(address) for _ in range(8 * AT_ONCE)]
        while len(turns) < len(clients):
            await asyncio.sleep(0)
            turn += 1
        for client in clients:
            client.close()
        server.close()

    turn = 0
    play(main())
    assert max(Counter(turns).values()) <= AT_ONCE
