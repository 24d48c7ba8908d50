"""CheckedMutex: excludes like a lock, and refuses what a lock would hang or go wrong on."""

import threading
import time

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from citrusleaf.cf_hooks import CheckedMutex, DeadlockError, new_mutex


class CheckedMutexMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.mutex = CheckedMutex()
        self.held = False
        self.acquired = 0

    @rule()
    def enter(self) -> None:
        if self.held:
            with pytest.raises(DeadlockError):
                self.mutex.__enter__()
        else:
            self.mutex.__enter__()
            self.held = True
            self.acquired += 1

    @rule()
    def leave(self) -> None:
        if self.held:
            self.mutex.__exit__(None, None, None)
            self.held = False
        else:
            with pytest.raises(RuntimeError):
                self.mutex.__exit__(None, None, None)

    @invariant()
    def agrees(self) -> None:
        assert self.mutex.held == self.held
        assert (self.mutex.acquired, self.mutex.contended) == (self.acquired, 0)
        if self.held:
            self.mutex._check()


TestCheckedMutexMachine = CheckedMutexMachine.TestCase
TestCheckedMutexMachine.settings = settings(max_examples=20, stateful_step_count=20)


@pytest.mark.parametrize("factory", [CheckedMutex, new_mutex])
def test_mutexes_exclude(factory: type[CheckedMutex]) -> None:
    mutex = factory()
    inside = 0
    most = 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with mutex:
                inside += 1
                most = max(most, inside)
                time.sleep(0)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (inside, most) == (0, 1)


def test_waiting_is_counted_and_only_the_owner_may_leave() -> None:
    mutex = CheckedMutex()
    errors: list[type[Exception]] = []
    released_by_stranger = threading.Event()

    def stranger() -> None:
        assert not mutex.held
        try:
            mutex.__exit__(None, None, None)
        except RuntimeError as error:
            errors.append(type(error))
        released_by_stranger.set()
        with mutex:
            pass

    with mutex:
        thread = threading.Thread(target=stranger)
        thread.start()
        assert released_by_stranger.wait(10)
        time.sleep(0.05)  # the stranger comes to wait
    thread.join()
    assert errors == [RuntimeError]
    assert (mutex.acquired, mutex.contended) == (2, 1)
