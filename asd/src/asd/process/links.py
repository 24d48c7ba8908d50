"""Shipping between clusters of tests, over a link that can be slow, bad or cut: `asd.link`.

An adapter: it listens, connects, and has a thread. The link stands between the source's nodes and
those of the destination: a port for each of these, and the source is told that their addresses are
those ports (`routes` of the control port). So each source may have a link of its own.

A link does what a network does to TCP: it delays, a lost packet is a pause (it is sent again), and
while it is cut nothing passes and nobody is told.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections.abc import Coroutine, Mapping
from types import TracebackType
from typing import Any, Final, Protocol, Self, TypeVar

from asd.config.kinds import host_port

HOST: Final = "127.0.0.1"
SENT_AGAIN_S: Final = 0.2
"""How long a lost packet holds up what is behind it."""
_CHUNK: Final = 1 << 16
T = TypeVar("T")


class Controlled(Protocol):
    """A node whose control port can be asked."""

    def control(self, command: str, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """See `asd.control.injectable.Injectable`."""


class Linked(Protocol):
    """A cluster, as `asd.Cluster` is one."""

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of every node, running or not."""

    def is_running(self, node: int) -> bool:
        """Does a node run?"""

    def info(self, node: int, command: str) -> str:
        """The answer to an info command."""

    def node(self, node: int) -> Controlled:
        """A node."""


class Link:
    """The shipping of a namespace from one cluster to another. `asd.link` makes one.

    `delay_ms` and `loss` (0.0 to 1.0, of pieces of data) may be changed at any time, and hold for
    either direction.
    """

    def __init__(
        self, source: Linked, destination: Linked, *, delay_ms: float, loss: float, cut: bool
    ) -> None:
        self.delay_ms = delay_ms
        self.loss = loss
        self._source = source
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="link", daemon=True)
        self._thread.start()
        self._passes = self._run(self._make_event(not cut))
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.routes: dict[str, str] = {}
        """The destination's addresses, and those of the link that stand for them."""
        for host, port in destination.addresses:
            self.routes[host_port(host, port)] = self._run(self._listen(host, port))

    # ------------------------------------------------------------------------ tests

    def cut(self) -> None:
        """From now on nothing passes."""
        self._loop.call_soon_threadsafe(self._passes.clear)

    def mend(self) -> None:
        """End what `cut` has begun. Connections from before are gone, and what was on its way."""
        self.break_connections()
        self._loop.call_soon_threadsafe(self._passes.set)

    def break_connections(self) -> None:
        """Close all connections; others may be made."""

        def cancel() -> None:
            for task in self._tasks:
                task.cancel()

        self._loop.call_soon_threadsafe(cancel)

    def tell(self, node: int) -> None:
        """Have a node of the source go by the link, as after its start."""
        self._source.node(node).control("routes", {"routes": self.routes})

    def close(self) -> None:
        """Take the link down."""
        if self._thread.is_alive():
            self._run(self._end())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # ----------------------------------------------------------------------- within

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _make_event(self, is_set: bool) -> asyncio.Event:
        event = asyncio.Event()
        if is_set:
            event.set()
        return event

    async def _listen(self, host: str, port: int) -> str:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            try:
                await self._connect(reader, writer, host, port)
            finally:
                self._tasks.discard(task)
                writer.transport.abort()

        server = await asyncio.start_server(serve, HOST, 0)
        self._servers.append(server)
        return host_port(HOST, server.sockets[0].getsockname()[1])

    async def _connect(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, port: int
    ) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await self._passes.wait()
            there_reader, there_writer = await asyncio.open_connection(host, port)
            try:
                ways = (
                    asyncio.ensure_future(self._pass_on(reader, there_writer)),
                    asyncio.ensure_future(self._pass_on(there_reader, writer)),
                )
                try:
                    await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for way in ways:
                        way.cancel()
                    await asyncio.gather(*ways, return_exceptions=True)
            finally:
                there_writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            lost = self.loss > 0 and random.random() < self.loss
            await asyncio.sleep(self.delay_ms / 1000 + (SENT_AGAIN_S if lost else 0))
            await self._passes.wait()
            writer.write(data)
            await writer.drain()

    async def _end(self) -> None:
        for server in self._servers:
            server.close()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def link(
    source: Linked,
    destination: Linked,
    *,
    delay_ms: float = 0.0,
    loss: float = 0.0,
    cut: bool = False,
    namespace: str = "test",
    name: str = "there",
    **parameters: object,
) -> Link:
    """Ship a namespace of one cluster to another, over a link of its own.

    `parameters` are the namespace's, with `_` for `-`: `forward=True`. The data center is called
    `name`. A node of the source that is started again has forgotten it: `Link.tell` and
    `configure`. RuntimeError when a node refuses.
    """
    made = Link(source, destination, delay_ms=delay_ms, loss=loss, cut=cut)
    try:
        for node in range(len(source.addresses)):
            if source.is_running(node):
                configure(made, node, namespace, name, **parameters)
    except BaseException:
        made.close()
        raise
    return made


def configure(made: Link, node: int, namespace: str, name: str, **parameters: object) -> None:
    """Tell one node of the source what `link` tells all. RuntimeError when it refuses."""
    made.tell(node)
    of_namespace = f"dc={name};namespace={namespace}"
    changes = [
        f"dc={name};action=create",
        *(f"dc={name};node-address-port={a};action=add" for a in made.routes.values()),
        *(f"{of_namespace};{key.replace('_', '-')}={_shown(v)}" for key, v in parameters.items()),
        f"{of_namespace};action=add",
    ]
    for change in changes:
        answer = made._source.info(node, f"set-config:context=xdr;{change}")
        if answer != "ok":
            raise RuntimeError(f"node {node}: {change}: {answer}")


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
