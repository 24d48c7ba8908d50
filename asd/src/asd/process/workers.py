"""Worker processes: where work leaves the loop that would hold it, and that no thread could do.

Sorting a list or searching a text keeps the interpreter's lock, so a thread that does it holds the
loop as well. What is done here are pure functions on values: another process can have them.

    submit    a job waits until a worker is free; too many waiting jobs, or bytes of them, are
              refused at once (`Overloaded`)
    start     a worker is started when all are busy and there may be one more; it takes a tenth of a
              second, in which nobody but its job waits
    answer    comes back to the loop over a pair of sockets
    overrun   a job that takes longer than it may is ended with its worker (`Overrun`)
    idle      a worker without work ends after a while: a node at rest has none

What must hold: a worker does one job at a time, a job is done by one worker, and whatever becomes
of a worker costs the job that it had and no other. A client that goes away leaves its job to end.

Rejected: `multiprocessing` and `concurrent.futures` (threads of their own that feed and reap, a
pool that is broken for good when one process dies, jobs that cannot be ended), shared memory (to
hand a megabyte over a socket and back costs the loop a millisecond or two: `bench/workers.py`), and
forks of the node (its whole memory, and whatever locks its threads hold).

An adapter: it starts and ends processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pickle
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from asd.process.heavy_work import Died, Failed, Overloaded, Overrun
from asd.process.worker import HEADER, framed
from citrusleaf.cf_clock import Clock

log = logging.getLogger("asd.workers")

MOST_WAITING: Final = 1024
"""Jobs that wait for a worker."""

MOST_WAITING_BYTES: Final = 64 << 20
"""Bytes of records and arguments that they hold."""

IDLE_S: Final = 30.0
"""How long a worker may be without work."""

GRACE_S: Final = 0.5
"""What a job may take over its time, in which it should end by itself, before it is ended."""

START_S: Final = 30.0
"""How long a worker may take to start on a machine that has other things to do."""


def usual_count() -> int:
    """Workers of a node: one for each processor that it may use, but for its own; 1 to 4."""
    return max(1, min(4, len(os.sched_getaffinity(0)) - 1))


class WorkerProcesses:
    """The workers of one node. Belongs to the loop's thread."""

    def __init__(
        self,
        make: Callable[[Clock], Callable[[Any], Any]],
        most: int | None = None,
        idle_s: float = IDLE_S,
    ) -> None:
        """`make` makes, in the worker, what does the jobs; it is pickled, as jobs and answers are.
        `most` workers at a time."""
        self._make = make
        self._most = usual_count() if most is None else most
        self._idle_s = idle_s
        self._workers: set[_Worker] = set()
        self._idle: list[_Worker] = []
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._waiting_bytes = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def busy(self) -> int:
        """Workers that have a job."""
        return len(self._workers) - len(self._idle)

    @property
    def queued(self) -> int:
        """Jobs that wait for a worker."""
        return len(self._waiting)

    @property
    def queued_bytes(self) -> int:
        """Bytes of them."""
        return self._waiting_bytes

    async def run(self, job: Any, size: int, limit_s: float) -> Any:
        """Have a job of so many bytes done; what came of it. Raises Failed."""
        if self.queued >= MOST_WAITING or self._waiting_bytes + size > MOST_WAITING_BYTES:
            raise Overloaded
        # A task of its own, so that the worker has its answer read if nobody waits any longer.
        task = asyncio.get_running_loop().create_task(self._do(job, size, limit_s))
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited has it; nobody may have

    async def _do(self, job: Any, size: int, limit_s: float) -> Any:
        worker = await self._free_worker(size)
        try:
            return await worker.ask(job, limit_s)
        finally:
            if worker.usable:
                self._idle.append(worker)
                worker.rest(self._idle_s, self._dismiss)
            else:
                self._workers.discard(worker)
                worker.end()
            self._next()

    async def _free_worker(self, size: int) -> _Worker:
        """A worker that has no job; it is the caller's."""
        while True:
            while self._idle:
                worker = self._idle.pop()
                worker.wake()
                if worker.usable:
                    return worker
                self._workers.discard(worker)
                worker.end()
            if len(self._workers) < self._most:
                return await self._start()
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            self._waiting_bytes += size
            try:
                await turn
            finally:
                self._waiting_bytes -= size

    async def _start(self) -> _Worker:
        worker = _Worker()
        self._workers.add(worker)
        try:
            await worker.start(self._make)
        except BaseException as error:
            self._workers.discard(worker)
            worker.end()
            self._next()
            if isinstance(error, OSError):
                log.error("no worker can be started: %s", error)
                raise Died from error
            raise
        return worker

    def _next(self) -> None:
        """Let the job go on that has waited longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                break

    def _dismiss(self, worker: _Worker) -> None:
        self._idle.remove(worker)
        self._workers.discard(worker)
        worker.end()

    async def stop(self) -> None:
        """End all workers; jobs that wait are given up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for worker in self._workers:
            worker.end()
        for worker in self._workers:
            worker.wait()
        self._workers.clear()
        self._idle.clear()


class _Worker(asyncio.BufferedProtocol):
    """One process, and the socket between. A big answer is received where it is read from."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._answer: asyncio.Future[bytearray] | None = None
        self._buffer = bytearray(HEADER)
        self._received = 0
        self._in_header = True
        self.usable = False
        """It has answered all that it was asked, and lives."""

    # ------------------------------------------------------ asyncio.BufferedProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is watched."""

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where what comes next belongs."""
        return memoryview(self._buffer)[self._received :]

    def buffer_updated(self, count: int) -> None:
        """So much has come."""
        self._received += count
        if self._received < len(self._buffer):
            return
        whole, self._received = self._buffer, 0
        if self._in_header and any(whole):
            self._buffer = bytearray(int.from_bytes(whole, "big"))
            self._in_header = False
            return
        self._buffer, self._in_header = bytearray(HEADER), True
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(whole)

    def eof_received(self) -> None:
        """The process has ended: the transport closes."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The process has ended."""
        self.usable = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(Died())

    def pause_writing(self) -> None:
        """A job is big: it goes as it is read."""

    def resume_writing(self) -> None:
        """See `pause_writing`."""

    # ------------------------------------------------------------------- jobs

    async def start(self, make: Callable[[Clock], Callable[[Any], Any]]) -> None:
        """Start the process, and wait until it has loaded all it needs. Raises OSError, Failed."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            try:
                self._process = await asyncio.to_thread(_popen, theirs.fileno())
            except BaseException:
                ours.close()
                raise
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(lambda: self, sock=ours)
        self._transport = transport
        await self._exchange(pickle.dumps(make), START_S)

    async def ask(self, job: Any, limit_s: float) -> Any:
        """The answer to a job. Raises Failed; it is not usable then, unless the job alone was."""
        data = await self._exchange(framed(job), limit_s + GRACE_S)
        answer, complaint = pickle.loads(data)
        if complaint:
            log.error("a job failed in its worker: %s", complaint)
            raise Failed
        return answer

    async def _exchange(self, data: bytes, limit_s: float) -> bytearray:
        assert self._transport is not None
        self.usable = False
        self._answer = asyncio.get_running_loop().create_future()
        if self._transport.is_closing():
            raise Died
        self._transport.write(data)
        try:
            async with asyncio.timeout(limit_s):
                whole = await self._answer
        except TimeoutError:
            raise Overrun from None
        self.usable = True
        return whole

    def rest(self, idle_s: float, dismiss: Callable[[_Worker], None]) -> None:
        """It has no job: it ends when that stays so."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(idle_s, dismiss, self)

    def wake(self) -> None:
        """It has a job again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def end(self) -> None:
        """End the process, whatever it does; a thread sees it off, which may take a moment."""
        self.wake()
        if self._transport is not None:
            self._transport.abort()
        if self._process is not None:
            with contextlib.suppress(OSError):
                self._process.kill()
            asyncio.get_running_loop().run_in_executor(None, self._process.wait)

    def wait(self) -> None:
        """Return when the process has ended, which it was told to."""
        if self._process is not None:
            self._process.wait()


def _popen(number: int) -> subprocess.Popen[bytes]:
    """Start a worker on a socket. It has what this process can import, and nothing else of it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "asd.process.worker", str(number)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(number,),
        env=environment,
    )
