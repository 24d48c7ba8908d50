"""The pool's rules, against a naive model."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from aerospike_client.core.pool import Pool

MAX_IDLE_US = 100


class PoolMachine(RuleBasedStateMachine):
    """Connections are numbers; the model is a list of those in use and of those idle."""

    def __init__(self) -> None:
        super().__init__()
        self.pool: Pool[int] = Pool(2, 5, MAX_IDLE_US)
        self.now = 0
        self.made = 0
        self.used: list[int] = []
        self.idle: list[tuple[int, int]] = []

    @rule(step=st.integers(0, 60))
    def wait(self, step: int) -> None:
        self.now += step

    @rule()
    def take(self) -> None:
        taken = self.pool.take()
        assert taken == (self.idle.pop() if self.idle else None)
        if taken is not None:
            self.used.append(taken[0])
        elif self.pool.reserve():
            self.made += 1
            self.used.append(self.made)
        else:
            assert len(self.used) == 5

    @rule()
    @precondition(lambda self: self.used)
    def put_back(self) -> None:
        connection = self.used.pop()
        self.pool.put_back(connection, self.now)
        self.idle.append((connection, self.now))

    @rule()
    @precondition(lambda self: self.used)
    def forget(self) -> None:
        self.used.pop()
        self.pool.forget()

    @rule()
    def trim(self) -> None:
        for closed in self.pool.trim(self.now):
            connection, since = self.idle.pop(0)
            assert (connection, self.now - since >= MAX_IDLE_US) == (closed, True)
        old = [since for _, since in self.idle if self.now - since >= MAX_IDLE_US]
        assert not old or self.pool.open <= 2

    @rule()
    def drain(self) -> None:
        assert self.pool.drain() == [connection for connection, _ in self.idle]
        self.idle = []

    @invariant()
    def agrees(self) -> None:
        self.pool._check()
        assert self.pool.open == len(self.used) + len(self.idle)
        assert self.pool.idle == len(self.idle)
        assert self.pool.missing == max(0, 2 - self.pool.open)


TestPool = PoolMachine.TestCase
TestPool.settings = settings(max_examples=50, deadline=None)
