"""A server inside your process: for tests, notebooks and anything that wants one for a while.

An adapter: it puts a node on a thread of its own, so that blocking clients in the same process
work.
"""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from types import TracebackType
from typing import Self, TypeVar

from aerospike_common.as_password import hash_password
from asd.config import (
    Config,
    Edition,
    NamespaceConfig,
    NetworkConfig,
    NetworkServiceConfig,
    SecurityConfig,
)
from asd.node import Node
from asd.process.loops import new_event_loop
from citrusleaf.cf_clock import VirtualClock
from storage.device import Disk

_T = TypeVar("_T")

NSUP_PERIOD_S = 120


class Server:
    """An `asd` on a thread, as a context manager.

    `namespaces`  their names; they are in memory and keep one copy of each record
    `address`     where to listen, without the port
    `port`        0 = any free one; see the property `address`
    `edition`     `enterprise`, or `community` to be refused what the community server refuses
    `security`    True: nobody gets in without a password. The first user is admin, password admin;
                  `create_user` makes others
    `config`      all of the above and the rest of a configuration (see `asd.config.read_config`);
                  the other arguments, but for clock and disk, are then not looked at
    `clock`       what the server takes for the time: it runs like the system's until you freeze or
                  advance it
    `disk`        where the files of a configuration are: the system's by default, or one that fails
                  when you tell it to (`storage.testing.FaultyDisk`)

    A client in this process that keeps the interpreter's lock while it waits (see
    `docs/testing-with-asd.md`) waits in vain: the server cannot run meanwhile.

    Any number of servers may run in a process; they share nothing. A server that has been stopped
    may be started again: it is empty then, and unless a port was given it has another one.

    >>> with Server(namespaces=["test"]) as server:
    ...     host, port = server.address
    >>> host
    '127.0.0.1'
    """

    def __init__(
        self,
        *,
        namespaces: Iterable[str] = ("test",),
        config: Config | None = None,
        address: str = "127.0.0.1",
        port: int = 0,
        edition: str = "enterprise",
        security: bool = False,
        clock: VirtualClock | None = None,
        disk: Disk | None = None,
    ) -> None:
        if isinstance(namespaces, str):
            raise TypeError(f"namespaces is a list of names: [{namespaces!r}]")
        self.clock = clock or VirtualClock.running()
        self._config = config or Config(
            network=NetworkConfig(service=NetworkServiceConfig(address=(address,), port=port)),
            namespaces={name: _in_memory(name) for name in namespaces},
            edition=Edition(edition),
            security=SecurityConfig() if security else None,
        )
        self._disk = disk
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop
        self._node: Node

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to give to a client. RuntimeError when the server is not running."""
        addresses = self._running().addresses
        return (addresses[0] if addresses else "127.0.0.1", self._node.port)

    def start(self) -> Self:
        """Start and wait until it serves: a few milliseconds.

        Raises OSError when the port cannot be had, RuntimeError when the server is running.
        """
        if self._thread is not None:
            raise RuntimeError("the server is running")
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(started,), name="asd", daemon=True)
        self._thread.start()
        try:
            started.result()
        except BaseException:
            self._thread.join()
            self._thread = None
            raise
        return self

    def stop(self) -> None:
        """Stop and wait until it has. Does nothing when it is not running."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()
            self._thread = None

    def reset(self) -> None:
        """Empty all namespaces, in milliseconds; clients stay connected.

        Records, sets, secondary indexes and counters go. Registered functions, and what clients
        have configured with `set-config`, stay.
        """
        self._running()
        self._call(self._node.reset)

    def create_user(self, name: str, password: str, *roles: str) -> None:
        """Make a user who has these roles, instead of one of the same name. About 50 ms.

        Raises RuntimeError when the server has no access control, and
        `aerospike_common.wire.errors.OperationError` for a name or role that there cannot be.
        """
        security = self._running().security
        if security is None:
            raise RuntimeError("the server has no access control: Server(security=True)")
        given, salt = hash_password(password).encode(), security.new_salt()

        def create() -> None:
            if name in security.accounts.users:
                security.accounts.drop_user(name)
            security.accounts.create_user(name, given, roles, salt)

        self._call(create)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # ------------------------------------------------------------- the thread

    def _running(self) -> Node:
        if self._thread is None:
            raise RuntimeError("the server is not running")
        return self._node

    def _call(self, function: Callable[[], _T]) -> _T:
        """Run something on the node's thread and wait for it."""
        done: Future[_T] = Future()

        def run() -> None:
            try:
                done.set_result(function())
            except BaseException as error:
                done.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return done.result()

    def _run(self, started: Future[None]) -> None:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(self._serve(started))

    async def _serve(self, started: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        try:
            self._node = Node(self._config, self.clock, machine_id=uuid.getnode(), disk=self._disk)
            await self._node.start()
        except BaseException as error:
            started.set_exception(error)
            return
        started.set_result(None)
        await self._stopping.wait()
        await self._node.stop()


def _in_memory(name: str) -> NamespaceConfig:
    return NamespaceConfig(name, nsup_period=NSUP_PERIOD_S, replication_factor=1)
