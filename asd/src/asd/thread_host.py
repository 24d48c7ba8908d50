"""A node on a thread of this process: for tests that hand it a clock or a disk of their own, or
look into it.

An adapter: it hosts the node's loop in a thread.
"""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar

from asd.config import Config
from asd.control.commands import Control
from asd.node import Node
from asd.process.loops import new_event_loop
from asd.process.workers import WorkerProcesses
from asd.transactions.worker import Worker
from citrusleaf.cf_clock import VirtualClock
from storage.device import Disk

_T = TypeVar("_T")


class ThreadHost:
    """A node and its thread: started, asked, ended."""

    def __init__(self, config: Config, clock: VirtualClock, disk: Disk | None) -> None:
        self.clock = clock
        self._config = config
        self._disk = disk
        self.node: Node
        self._loop: asyncio.AbstractEventLoop
        self._stopping: asyncio.Event
        self._control: Control
        self._thread: threading.Thread

    def start(self) -> None:
        """Start the thread, and wait until the node serves. Raises OSError."""
        started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, args=(started,), name="asd", daemon=True)
        self._thread.start()
        try:
            started.result()
        except BaseException:
            self._thread.join()
            raise

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to give to a client."""
        addresses = self.node.addresses
        return (addresses[0] if addresses else "127.0.0.1", self.node.port)

    def call(self, command: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Have a command carried out; its answer. Raises as `asd.control.Control.call`."""
        asked = self._control.call(command, arguments)
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result()

    def run(self, function: Callable[[], _T]) -> _T:
        """Run something on the node's thread and wait for it."""
        done: Future[_T] = Future()

        def run() -> None:
            try:
                done.set_result(function())
            except BaseException as error:
                done.set_exception(error)

        self._loop.call_soon_threadsafe(run)
        return done.result()

    def stop(self) -> None:
        """Stop the node, and wait until its thread has ended."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join()

    # ------------------------------------------------------------- the thread

    def _run(self, started: Future[None]) -> None:
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            runner.run(self._serve(started))

    async def _serve(self, started: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        try:
            self.node = Node(
                self._config,
                self.clock,
                machine_id=uuid.getnode(),
                disk=self._disk,
                heavy=WorkerProcesses(Worker),
            )
            self._control = Control(self.node, self.clock, self._stopping.set)
            await self.node.start()
        except BaseException as error:
            started.set_exception(error)
            return
        started.set_result(None)
        await self._stopping.wait()
        await self.node.stop()
