"""CfQueue: a deque as its model, then threads, then event loops."""

import asyncio
import threading
import time
from collections import Counter, deque
from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from citrusleaf.cf_hooks import CheckedMutex, DeadlockError
from citrusleaf.cf_queue import FOREVER, NOWAIT, CfQueue, CfQueueClosed, CfQueueEmpty
from citrusleaf.cf_reduce import Verdict

ITEMS = st.integers(0, 9)
VERDICTS = st.sampled_from([None, *Verdict])


class Visitor:
    """Answers each item by a script, and remembers what it was shown."""

    def __init__(self, script: dict[int, Verdict | None]) -> None:
        self.script = script
        self.seen: list[int] = []

    def __call__(self, item: int) -> Verdict | None:
        self.seen.append(item)
        return self.script.get(item)


def naive_reduce(items: list[int], visitor: Visitor) -> list[int]:
    """What is left of `items`."""
    left: list[int] = []
    for index, item in enumerate(items):
        verdict = visitor(item)
        if verdict not in (Verdict.DELETE, Verdict.DELETE_AND_STOP):
            left.append(item)
        if verdict in (Verdict.STOP, Verdict.DELETE_AND_STOP):
            return left + items[index + 1 :]
    return left


class QueueMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.queue = CfQueue[int](mutex=CheckedMutex)
        self.model: deque[int] = deque()
        self.closed = False

    def pushed(self, push: Callable[[], object], expected: object, model: deque[int]) -> None:
        if self.closed:
            with pytest.raises(CfQueueClosed):
                push()
        else:
            assert push() == expected
            self.model = model

    @rule(item=ITEMS)
    def push(self, item: int) -> None:
        self.pushed(lambda: self.queue.push(item), None, deque([*self.model, item]))

    @rule(item=ITEMS)
    def push_head(self, item: int) -> None:
        self.pushed(lambda: self.queue.push_head(item), None, deque([item, *self.model]))

    @rule(item=ITEMS)
    def push_unique(self, item: int) -> None:
        new = item not in self.model
        model = deque([*self.model, item]) if new else self.model
        self.pushed(lambda: self.queue.push_unique(item), new, model)

    @rule(item=ITEMS, limit=st.integers(0, 8))
    def push_limit(self, item: int, limit: int) -> None:
        fits = len(self.model) < limit
        model = deque([*self.model, item]) if fits else self.model
        self.pushed(lambda: self.queue.push_limit(item, limit), fits, model)

    @rule(timeout_ms=st.sampled_from([NOWAIT, 1, FOREVER]))
    def pop(self, timeout_ms: int) -> None:
        if self.model:
            assert self.queue.pop(timeout_ms) == self.model.popleft()
        elif self.closed:
            with pytest.raises(CfQueueClosed):
                self.queue.pop(timeout_ms)
        elif timeout_ms != FOREVER:
            with pytest.raises(CfQueueEmpty):
                self.queue.pop(timeout_ms)

    @rule(script=st.dictionaries(ITEMS, VERDICTS))
    def reduce(self, script: dict[int, Verdict | None]) -> None:
        visitor, model_visitor = Visitor(script), Visitor(script)
        left = naive_reduce(list(self.model), model_visitor)
        assert self.queue.reduce(visitor) == len(self.model) - len(left)
        assert visitor.seen == model_visitor.seen
        self.model = deque(left)

    @rule(script=st.dictionaries(ITEMS, VERDICTS))
    def reduce_reverse(self, script: dict[int, Verdict | None]) -> None:
        visitor, model_visitor = Visitor(script), Visitor(script)
        left = naive_reduce(list(self.model)[::-1], model_visitor)
        assert self.queue.reduce_reverse(visitor) == len(self.model) - len(left)
        assert visitor.seen == model_visitor.seen
        self.model = deque(left[::-1])

    @rule(unwanted=st.sets(ITEMS), only_one=st.booleans())
    def delete(self, unwanted: set[int], only_one: bool) -> None:
        matches = [item for item in self.model if item in unwanted]
        if only_one:
            matches = matches[:1]
        assert self.queue.delete(unwanted.__contains__, only_one=only_one) == len(matches)
        for item in matches:
            self.model.remove(item)

    @rule(chance=st.integers(0, 9))
    def close(self, chance: int) -> None:
        if chance == 0:
            self.queue.close()
            self.closed = True

    @rule()
    def wake_without_waiters(self) -> None:
        self.queue.wake()

    @invariant()
    def agrees(self) -> None:
        self.queue._check()
        assert list(self.queue) == list(self.model)
        assert len(self.queue) == self.queue.size() == len(self.model)
        assert self.queue.closed == self.closed


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(max_examples=50, stateful_step_count=40)


def test_deletions_stand_when_a_visitor_raises() -> None:
    queue = CfQueue([1, 2, 3, 4])

    def visit(item: int) -> Verdict:
        if item == 3:
            raise LookupError
        return Verdict.DELETE

    with pytest.raises(LookupError):
        queue.reduce(visit)
    assert list(queue) == [3, 4]


def test_a_callback_that_calls_the_queue_is_caught() -> None:
    queue = CfQueue([1], mutex=CheckedMutex)
    with pytest.raises(DeadlockError):
        queue.delete(queue.push_unique)
    assert list(queue) == [1]


# Threads


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def joined(*threads: threading.Thread) -> None:
    for thread in threads:
        thread.join(timeout=20)
        assert not thread.is_alive(), "a thread hangs"


def wait_for_waiters(queue: CfQueue[int], count: int) -> None:
    """Until `count` waiters sleep in pop."""
    for _ in range(2000):
        if len(queue._waiters) == count:
            return
        time.sleep(0.001)
    raise AssertionError("nobody came to wait")


def test_many_producers_and_consumers_lose_and_repeat_nothing() -> None:
    queue = CfQueue[tuple[int, int]]()
    got: list[list[tuple[int, int]]] = [[] for _ in range(3)]

    def produce(who: int) -> None:
        for number in range(2000):
            queue.push((who, number))

    producers = [in_thread(lambda who=who: produce(who)) for who in range(3)]
    consumers = [in_thread(lambda mine=mine: mine.extend(queue.consume())) for mine in got]
    joined(*producers)
    queue.close()
    joined(*consumers)
    everything = Counter(item for mine in got for item in mine)
    assert everything == Counter((who, number) for who in range(3) for number in range(2000))
    for mine in got:  # each consumer sees each producer's items in order
        for who in range(3):
            numbers = [number for producer, number in mine if producer == who]
            assert numbers == sorted(numbers)
    queue._check()


def test_timed_pops_among_pushes_lose_nothing() -> None:
    """Timeouts that fire just as a push wakes the waiter must not swallow the wake."""
    queue = CfQueue[int]()
    got: list[int] = []
    done = threading.Event()

    def consume() -> None:
        while not (done.is_set() and not queue.size()):
            try:
                got.append(queue.pop(timeout_ms=1))
            except CfQueueEmpty:
                continue

    consumers = [in_thread(consume) for _ in range(3)]
    for number in range(200):
        queue.push(number)
        if number % 2:
            time.sleep(0.001)
    done.set()
    joined(*consumers)
    assert sorted(got) == list(range(200))


def test_pop_waits_as_long_as_told() -> None:
    queue = CfQueue[int]()
    start = time.monotonic()
    with pytest.raises(CfQueueEmpty):
        queue.pop(timeout_ms=30)
    assert 0.03 <= time.monotonic() - start < 5
    assert not queue._waiters


def test_push_wakes_exactly_one() -> None:
    queue = CfQueue[int]()
    got: list[int] = []
    threads = [in_thread(lambda: got.append(queue.pop())) for _ in range(2)]
    wait_for_waiters(queue, 2)
    queue.push(1)
    wait_for_waiters(queue, 1)
    queue.push(2)
    joined(*threads)
    assert sorted(got) == [1, 2]


class InterruptingMutex:
    """Lets others in first: does what `before` holds once its owner is about to take the mutex."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.before: list[Callable[[], object]] = []
        self.owner: int | None = None

    def __enter__(self) -> None:
        if self.before and threading.get_ident() == self.owner:
            self.before.pop(0)()
        self.lock.acquire()

    def __exit__(self, *exc_info: object) -> None:
        self.lock.release()


def test_a_push_that_comes_with_the_timeout_is_taken() -> None:
    mutex = InterruptingMutex()
    mutex.owner = threading.get_ident()
    queue = CfQueue[int](mutex=lambda: mutex)
    # First to find the queue empty and wait; then, timed out, to leave the waiters: too late.
    mutex.before = [lambda: None, lambda: queue.push(1)]
    assert queue.pop(timeout_ms=1) == 1
    assert not mutex.before
    assert not queue._waiters


def test_who_is_woken_but_finds_the_item_stolen_waits_on() -> None:
    mutex = InterruptingMutex()
    queue = CfQueue[int](mutex=lambda: mutex)
    stolen: list[int] = []
    got: list[int] = []

    def wait() -> None:
        mutex.owner = threading.get_ident()
        mutex.before = [lambda: None, lambda: stolen.append(queue.pop(NOWAIT))]
        got.append(queue.pop())

    thread = in_thread(wait)
    wait_for_waiters(queue, 1)
    queue.push(1)
    while not stolen:
        thread.join(0.001)
    wait_for_waiters(queue, 1)
    queue.push(2)
    joined(thread)
    assert (stolen, got) == ([1], [2])


@pytest.mark.parametrize(("end", "expected"), [("wake", CfQueueEmpty), ("close", CfQueueClosed)])
def test_wake_and_close_end_every_wait(end: str, expected: type[Exception]) -> None:
    queue = CfQueue[int]()
    ends: list[type[Exception]] = []

    def wait() -> None:
        try:
            queue.pop()
        except Exception as error:
            ends.append(type(error))

    threads = [in_thread(wait) for _ in range(3)]
    wait_for_waiters(queue, 3)
    getattr(queue, end)()
    joined(*threads)
    assert ends == [expected] * 3
    queue._check()


def test_consume_outlives_a_wake() -> None:
    queue = CfQueue[int]()
    got: list[int] = []
    thread = in_thread(lambda: got.extend(queue.consume()))
    wait_for_waiters(queue, 1)
    queue.wake()
    wait_for_waiters(queue, 1)
    with queue:
        queue.push(7)
    joined(thread)
    assert got == [7]


# Event loops


def test_a_loop_waits_for_threads() -> None:
    queue = CfQueue[int]()

    async def main() -> list[int]:
        in_thread(lambda: [queue.push(number) for number in range(500)])
        return [await queue.pop_async() for _ in range(500)]

    assert asyncio.run(main()) == list(range(500))


def test_the_loop_goes_on_while_a_pop_waits() -> None:
    queue = CfQueue[str]()

    async def main() -> str:
        waiting = asyncio.ensure_future(queue.pop_async())
        await asyncio.sleep(0)
        assert len(queue._waiters) == 1
        queue.push("from the same loop")
        return await waiting

    assert asyncio.run(main()) == "from the same loop"


def test_async_timeouts() -> None:
    queue = CfQueue[int]()

    async def main() -> None:
        for timeout_ms in (NOWAIT, 10):
            with pytest.raises(CfQueueEmpty):
                await queue.pop_async(timeout_ms)
        queue.push(1)
        assert await queue.pop_async(NOWAIT) == 1
        assert not queue._waiters

    asyncio.run(main())


@pytest.mark.parametrize(("end", "expected"), [("wake", CfQueueEmpty), ("close", CfQueueClosed)])
def test_wake_and_close_end_an_async_wait(end: str, expected: type[Exception]) -> None:
    queue = CfQueue[int]()

    async def main() -> None:
        waiting = asyncio.ensure_future(queue.pop_async())
        await asyncio.sleep(0)
        in_thread(getattr(queue, end))
        with pytest.raises(expected):
            await waiting

    asyncio.run(main())


def test_cancelling_a_woken_pop_passes_the_wake_on() -> None:
    queue = CfQueue[int]()

    async def main() -> int:
        first = asyncio.ensure_future(queue.pop_async())
        second = asyncio.ensure_future(queue.pop_async())
        await asyncio.sleep(0)
        queue.push(1)  # wakes the first, which is cancelled before it can look
        await asyncio.sleep(0)
        first.cancel()
        async with asyncio.timeout(5):
            got = await second
        with pytest.raises(asyncio.CancelledError):
            await first
        return got

    assert asyncio.run(main()) == 1


def test_a_waiter_whose_loop_is_gone_does_not_swallow_a_wake() -> None:
    queue = CfQueue[int]()
    loop = asyncio.new_event_loop()
    abandoned = loop.create_task(queue.pop_async())
    loop.run_until_complete(asyncio.sleep(0))
    assert len(queue._waiters) == 1
    got: list[int] = []
    thread = in_thread(lambda: got.append(queue.pop()))
    wait_for_waiters(queue, 2)
    loop.close()
    queue.push(1)
    joined(thread)
    assert got == [1]
    # The loop can no longer end its task: end it by hand, without the complaint.
    abandoned._log_destroy_pending = False  # type: ignore[attr-defined]  # asyncio's own switch
    abandoned.get_coro().close()  # type: ignore[union-attr]  # a task of a coroutine has one


def test_threads_and_loops_share_a_queue() -> None:
    queue = CfQueue[int]()
    by_thread: list[int] = []
    by_loop: list[int] = []

    async def drain() -> None:
        while True:
            try:
                by_loop.append(await queue.pop_async(timeout_ms=1000))
            except CfQueueClosed:
                return

    consumer = in_thread(lambda: by_thread.extend(queue.consume()))
    loop_thread = in_thread(lambda: asyncio.run(drain()))
    for number in range(1000):
        queue.push(number)
    queue.close()
    joined(consumer, loop_thread)
    assert sorted(by_thread + by_loop) == list(range(1000))
