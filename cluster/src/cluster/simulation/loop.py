"""Virtual time: a world that runs the callbacks of many processes in one thread, in seeded order.

Each simulated process has a `ProcessLoop`, an asyncio event loop whose time is the world's. Between
two callbacks no time passes; the world jumps from one to the next. Two runs from one seed are the
same, callback by callback.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import weakref
from asyncio import AbstractEventLoop
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from citrusleaf import CfRandom, Clock

if TYPE_CHECKING:
    from cluster.simulation.network import Network

T = TypeVar("T")
START_S = 1000.0
"""Virtual seconds at which every world begins."""
MOST_WAITS = 100
"""How often a coroutine that is ended may begin to wait for something again."""
DRAWN_BYTES = 4096
"""Random bytes are taken from the source so many at a time."""


class Chance:
    """Draws from a seed what the world leaves open.

    The numbers are those of `CfRandom`, without taking its lock for each: a run draws one for every
    message on the network.
    """

    def __init__(self, seed: int) -> None:
        self._random = CfRandom(seed)
        self._buffer = b""
        self._at = 0

    def _number(self, size: int) -> int:
        """A number of `size` random bytes."""
        at = self._at
        if at + size > len(self._buffer):
            self._buffer = self._buffer[at:] + self._random.get_bytes(DRAWN_BYTES)
            at = 0
        self._at = end = at + size
        return int.from_bytes(self._buffer[at:end], "little")

    def below(self, limit: int) -> int:
        """A whole number from 0 up to but not including `limit`. `limit` is at least 1."""
        bits = (limit - 1).bit_length()
        size = (bits + 7) // 8
        while True:  # a draw is too high less than half the time
            number = self._number(size) >> (size * 8 - bits)
            if number < limit:
                return number

    def unit(self) -> float:
        """A number from 0 up to but not including 1."""
        at = self._at
        if at + 4 > len(self._buffer):
            return self._number(4) / 4294967296.0
        self._at = end = at + 4
        return int.from_bytes(self._buffer[at:end], "little") / 4294967296.0

    def between(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * self.unit()

    def happens(self, probability: float) -> bool:
        """True with this probability."""
        return probability > 0 and self.unit() < probability

    def choose(self, items: list[T] | tuple[T, ...]) -> T:
        """One of the items."""
        return items[self.below(len(items))]

    def shuffled(self, items: list[T]) -> list[T]:
        """The items in another order."""
        left, order = list(items), []
        while left:
            order.append(left.pop(self.below(len(left))))
        return order

    def some(self, items: list[T]) -> list[T]:
        """At least one of the items, in another order, and not all if there are two."""
        return self.shuffled(items)[: 1 + self.below(max(1, len(items) - 1))]


class Handle:
    """A callback to come, as asyncio hands it out: it can be cancelled."""

    __slots__ = ("_cancelled", "_when_s")

    def __init__(self, when_s: float) -> None:
        self._when_s = when_s
        self._cancelled = False

    def cancel(self) -> None:
        """Do not call it."""
        self._cancelled = True

    def cancelled(self) -> bool:
        """Was it cancelled?"""
        return self._cancelled

    def when(self) -> float:
        """World seconds at which it is called."""
        return self._when_s


class SimulatedTask(asyncio.Task[T]):
    """A task that sets keep in an order of the run's, not by where it lies in memory."""

    def __init__(self, serial: int, coro: Coroutine[Any, Any, T], **given: Any) -> None:
        self._serial = serial  # asyncio puts it into a set while it makes it
        super().__init__(coro, **given)

    def __hash__(self) -> int:
        return self._serial


Entry = tuple[float, int, "ProcessLoop | None", Callable[..., Any], tuple[Any, ...], Handle | None]
"""When, in which order among those of one time, in which process, what, and how to cancel it."""


class World:
    """The time line all processes share."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.chance = Chance(seed)
        self.now_s = START_S
        self.steps = 0
        self.after_step: Callable[[ProcessLoop], None] | None = None
        """Called after every `check_every` steps, with the process that made the last of them."""
        self.check_every = 1
        self._serial = 0
        self._heap: list[Entry] = []

    def post(
        self, when_s: float, process: ProcessLoop | None, callback: Callable[..., Any], *args: Any
    ) -> None:
        """Call back at a time, in a process (or in none: the world itself). O(log pending)."""
        self._serial = serial = self._serial + 1
        when_s = when_s if when_s > self.now_s else self.now_s
        heapq.heappush(self._heap, (when_s, serial, process, callback, args, None))

    def call_at(
        self, when_s: float, process: ProcessLoop | None, callback: Callable[..., Any], *args: Any
    ) -> Handle:
        """As `post`, but it can be cancelled."""
        handle = Handle(when_s)
        self._serial = serial = self._serial + 1
        when_s = when_s if when_s > self.now_s else self.now_s
        heapq.heappush(self._heap, (when_s, serial, process, callback, args, handle))
        return handle

    def call_again(self, entry: Entry) -> None:
        """Call, now, what could not be called when its time came."""
        self._serial += 1
        heapq.heappush(self._heap, (self.now_s, self._serial, *entry[2:]))

    def run_until(self, when_s: float) -> None:
        """Call everything that comes up to a time, then stand there. What it raises is raised."""
        heap = self._heap
        running: ProcessLoop | None = None
        try:
            while heap and heap[0][0] <= when_s:
                entry = heapq.heappop(heap)
                self.now_s, _, process, callback, args, handle = entry
                if handle is not None and handle._cancelled:
                    continue
                if process is not None:
                    if not process.alive:
                        continue
                    if process.paused:
                        process.held.append(entry)
                        continue
                if process is not running:
                    asyncio._set_running_loop(process)
                    running = process
                callback(*args)
                if process is None:
                    continue
                if process.failure is not None:
                    raise process.failure
                self.steps += 1
                if self.after_step is not None and not self.steps % self.check_every:
                    self.after_step(process)
        finally:
            asyncio._set_running_loop(None)
        self.now_s = max(self.now_s, when_s)

    def run_while(self, condition: Callable[[], bool]) -> None:
        """Call what comes while a condition holds and there is something to call."""
        while self._heap and condition():
            self.run_until(self._heap[0][0])


class ProcessLoop(AbstractEventLoop):
    """The event loop of one simulated process: virtual time at its own rate, simulated network.

    A process that is not `alive` runs nothing more. One that is paused runs what came meanwhile
    when it is continued, in order, as a stopped process finds its sockets full and its timers due.
    """

    def __init__(self, world: World, network: Network, address: str, rate: float = 1.0) -> None:
        self.world = world
        self.network = network
        self.address = address
        self.alive = True
        self.paused = False
        self.held: list[Entry] = []
        self.failure: BaseException | None = None
        self._rate = rate
        self._made = 0
        self._tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self._ended: set[asyncio.Task[Any]] = set()
        """Those that were closed when the process ended."""

    # --- the process ---------------------------------------------------------------------------

    def pause(self) -> None:
        """Stop running callbacks; the machine it runs on goes on."""
        self.paused = True

    def resume(self) -> None:
        """Run what came meanwhile, then go on."""
        self.paused = False
        held, self.held = self.held, []
        for entry in held:
            self.world.call_again(entry)

    def kill(self) -> None:
        """End it: nothing of it runs any more."""
        self.alive = False
        running = asyncio._get_running_loop()
        asyncio._set_running_loop(self)  # for what coroutines do on their way out
        try:
            while left := [task for task in self._tasks if task not in self._ended]:
                for task in left:
                    self._ended.add(task)
                    _close(task.get_coro())
        finally:
            asyncio._set_running_loop(running)

    def tasks(self) -> int:
        """How many tasks of it are not done."""
        return sum(not task.done() for task in self._tasks)

    # --- asyncio -------------------------------------------------------------------------------

    def time(self) -> float:
        """Monotonic seconds of this process: the world's at the process's rate."""
        return self.world.now_s * self._rate

    def call_soon(  # type: ignore[override] # a handle of the world stands for asyncio's
        self,
        callback: Callable[..., Any],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        """Call back before time passes."""
        if context is not None:
            return self.world.call_at(self.world.now_s, self, context.run, callback, *args)
        return self.world.call_at(self.world.now_s, self, callback, *args)

    call_soon_threadsafe = call_soon  # type: ignore[assignment] # there is one thread only

    def call_later(  # type: ignore[override] # a handle of the world stands for asyncio's
        self,
        delay: float,
        callback: Callable[..., Any],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        """Call back after a delay of this process's seconds."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override] # a handle of the world stands for asyncio's
        self,
        when: float,
        callback: Callable[..., Any],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Handle:
        """Call back at a time of this process."""
        if context is not None:
            return self.world.call_at(when / self._rate, self, context.run, callback, *args)
        return self.world.call_at(when / self._rate, self, callback, *args)

    def create_future(self) -> asyncio.Future[Any]:
        """A future of this loop."""
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override] # factories are not needed here
        self,
        coro: Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[T]:
        """A task of this loop."""
        self._made += 1
        task = SimulatedTask(self._made, coro, loop=self, name=name, context=context)
        self._tasks.add(task)
        return task

    def run_until_complete(self, future: Any) -> Any:
        """Run the whole world until this process's future is done; its result."""
        if asyncio.iscoroutine(future):
            future = self.create_task(future)
        self.world.run_while(lambda: not future.done())
        return future.result()

    def is_running(self) -> bool:
        """Is this process alive?"""
        return self.alive

    def is_closed(self) -> bool:
        """Has this process ended?"""
        return not self.alive

    def get_debug(self) -> bool:
        """No."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """An exception nobody took ends the world's run."""
        error = context.get("exception")
        if self.alive and isinstance(error, BaseException):
            self.failure = error

    async def create_connection(  # type: ignore[override] # by host and port only
        self, protocol_factory: Callable[[], Any], host: str, port: int, **_: Any
    ) -> tuple[asyncio.Transport, Any]:
        """A simulated TCP connection; what else is asked of it has no meaning here. Raises
        OSError."""
        return await self.network.connect(self, protocol_factory, host, port)

    async def create_server(  # type: ignore[override] # by host and port only
        self, protocol_factory: Callable[[], Any], host: Any, port: int, **_: Any
    ) -> asyncio.AbstractServer:
        """A simulated TCP listener. A process has one address: whichever hosts are given, it is
        that. Port 0 is any that is free. Raises OSError when the port is taken."""
        return self.network.listen(self, protocol_factory, self.address, port)

    async def create_datagram_endpoint(  # type: ignore[override] # a group, nothing else
        self, protocol_factory: Callable[[], Any], local_addr: tuple[str, int]
    ) -> tuple[asyncio.DatagramTransport, Any]:
        """A simulated member of the UDP multicast group at an address."""
        return self.network.join(self, protocol_factory, local_addr)


def _close(coroutine: Any) -> None:
    """Close a coroutine, whatever it still wants to wait for, or fails with, on its way out: it
    has no world any more."""
    for _ in range(MOST_WAITS):
        try:
            coroutine.close()
        except Exception:
            continue
        return


class SimulatedClock(Clock):
    """The clocks of one simulated machine: wall time may be off, and may jump."""

    def __init__(self, world: World, wall_offset_s: float = 0, rate: float = 1.0) -> None:
        self._world = world
        self._rate = rate
        self.wall_offset_s = wall_offset_s

    def monotonic_ns(self) -> int:
        """Nanoseconds of the world, at the rate of this machine."""
        return int(self._world.now_s * self._rate * 1e9)

    def wall_ms(self) -> int:
        """Unix milliseconds this machine believes in."""
        now_ns = int((self._world.now_s + self.wall_offset_s) * 1e9)
        return (1_577_836_800_000_000_000 + now_ns) // 1_000_000

    def wall_ns(self) -> int:
        """Unix nanoseconds this machine believes in."""
        return 1_577_836_800_000_000_000 + int((self._world.now_s + self.wall_offset_s) * 1e9)
