"""CfQueuePriority against three lists, and under threads."""

import threading

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from citrusleaf.cf_hooks import CheckedMutex
from citrusleaf.cf_queue import NOWAIT, CfQueueClosed, CfQueueEmpty
from citrusleaf.cf_queue_priority import CfQueuePriority, Choice, Priority

ITEMS = st.integers(0, 9)
PRIORITIES = st.sampled_from(list(Priority))
ORDER = sorted(Priority, reverse=True)


class PriorityMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.queue = CfQueuePriority[int](mutex=CheckedMutex)
        self.model: dict[Priority, list[int]] = {priority: [] for priority in ORDER}

    def flat(self) -> list[int]:
        return [item for priority in ORDER for item in self.model[priority]]

    def remove(self, position: int) -> int:
        for priority in ORDER:
            if position < len(self.model[priority]):
                return self.model[priority].pop(position)
            position -= len(self.model[priority])
        raise AssertionError

    @rule(item=ITEMS, priority=PRIORITIES)
    def push(self, item: int, priority: Priority) -> None:
        self.queue.push(item, priority)
        self.model[priority].append(item)

    @rule(item=ITEMS)
    def push_default(self, item: int) -> None:
        self.queue.push(item)
        self.model[Priority.MEDIUM].append(item)

    @rule()
    def pop(self) -> None:
        if self.flat():
            assert self.queue.pop() == self.remove(0)
        else:
            with pytest.raises(CfQueueEmpty):
                self.queue.pop(NOWAIT)

    @rule(script=st.dictionaries(ITEMS, st.sampled_from([None, *Choice])))
    def reduce_pop(self, script: dict[int, Choice | None]) -> None:
        chosen = None
        for position, item in enumerate(self.flat()):
            if script.get(item) in (Choice.TAKE, Choice.CANDIDATE):
                chosen = position
            if script.get(item) is Choice.TAKE:
                break
        if chosen is None:
            with pytest.raises(CfQueueEmpty):
                self.queue.reduce_pop(script.get, NOWAIT)
        else:
            assert self.queue.reduce_pop(script.get) == self.remove(chosen)

    @rule(moving=st.sets(ITEMS), priority=PRIORITIES)
    def change_priority(self, moving: set[int], priority: Priority) -> None:
        moved = []
        for level in ORDER:
            if level is not priority:
                moved += [item for item in self.model[level] if item in moving]
                self.model[level] = [item for item in self.model[level] if item not in moving]
        self.model[priority] += moved
        assert self.queue.change_priority(moving.__contains__, priority) == len(moved)

    @invariant()
    def agrees(self) -> None:
        self.queue._check()
        assert list(self.queue) == self.flat()
        assert self.queue.size() == len(self.queue) == len(self.flat())


TestPriorityMachine = PriorityMachine.TestCase
TestPriorityMachine.settings = settings(max_examples=50, stateful_step_count=40)


def test_nothing_moves_when_a_match_raises() -> None:
    queue = CfQueuePriority[int]()
    for item in (1, 2, 0):
        queue.push(item)
    with pytest.raises(ZeroDivisionError):
        queue.change_priority(lambda item: bool(1 / item), Priority.HIGH)
    assert list(queue) == [1, 2, 0]


def test_close() -> None:
    with CfQueuePriority[int]() as queue:
        queue.push(1)
    with pytest.raises(CfQueueClosed):
        queue.push(2)
    assert queue.reduce_pop(lambda item: Choice.TAKE) == 1
    with pytest.raises(CfQueueClosed):
        queue.reduce_pop(lambda item: Choice.TAKE)


def test_a_chooser_that_finds_nothing_leaves_the_item_to_another_waiter() -> None:
    queue = CfQueuePriority[int]()
    outcome: list[object] = []

    def choosy() -> None:
        try:
            queue.reduce_pop(lambda item: None)
        except CfQueueEmpty as error:
            outcome.append(type(error))

    threads = [
        threading.Thread(target=choosy, daemon=True),
        threading.Thread(target=lambda: outcome.append(queue.pop()), daemon=True),
    ]
    for count, thread in enumerate(threads, 1):
        thread.start()
        while len(queue._waiters) < count:
            thread.join(0.001)
    queue.push(1)  # wakes the choosy one, who came first
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert outcome == [CfQueueEmpty, 1]


def test_threads_lose_nothing_while_priorities_change() -> None:
    queue = CfQueuePriority[int]()
    got: list[list[int]] = [[], []]

    def produce(first: int) -> None:
        for number in range(first, first + 1000):
            queue.push(number, Priority(1 + number % 3))
            if number % 100 == 0:
                queue.change_priority(lambda item: item % 5 == 0, Priority.HIGH)

    producers = [threading.Thread(target=produce, args=(first,)) for first in (0, 1000)]
    consumers = [
        threading.Thread(target=lambda mine=mine: mine.extend(queue.consume())) for mine in got
    ]
    for thread in producers + consumers:
        thread.start()
    for thread in producers:
        thread.join()
    queue.close()
    for thread in consumers:
        thread.join()
    assert sorted(got[0] + got[1]) == list(range(2000))
