"""Worker processes: each job done by one of them, and whatever becomes of it costs no other job."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from asd.process.heavy_work import Died, Failed, Overloaded, Overrun
from asd.process.loops import new_event_loop
from asd.process.workers import MOST_WAITING, MOST_WAITING_BYTES, WorkerProcesses

EVALUATE: Any = partial({"do": eval}.get, "do")
"""Makes workers whose jobs are Python expressions."""

PID = "__import__('os').getpid()"
LIMIT_S = 30.0


def run(
    play: Callable[[WorkerProcesses], Awaitable[Any]], *, plain_loop: bool = False, **more: Any
) -> Any:
    async def main() -> Any:
        workers = WorkerProcesses(EVALUATE, **more)
        try:
            return await play(workers)
        finally:
            await workers.stop()
            assert workers.busy == workers.queued == workers.queued_bytes == 0

    with asyncio.Runner(loop_factory=None if plain_loop else new_event_loop) as runner:
        return runner.run(main())


async def ended(pid: int) -> None:
    """Return when there is no such process."""
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("plain_loop", [True, False])
def test_jobs_are_done_elsewhere_and_answers_may_be_big(plain_loop: bool) -> None:
    async def play(workers: WorkerProcesses) -> None:
        assert workers.busy == 0
        assert await workers.run(PID, 1, LIMIT_S) != os.getpid()
        assert await workers.run("bytes(3_000_000)", 1, LIMIT_S) == bytes(3_000_000)
        job = f"len({'x' * 2_000_000!r})"
        assert await workers.run(job, 1, LIMIT_S) == 2_000_000

    run(play, plain_loop=plain_loop)


def test_no_more_workers_than_allowed_and_each_is_used_again() -> None:
    async def play(workers: WorkerProcesses) -> list[int]:
        return await asyncio.gather(*(workers.run(PID, 1, LIMIT_S) for _ in range(20)))

    assert 1 <= len(set(run(play, most=2))) <= 2


def test_jobs_that_wait_are_done_in_order() -> None:
    async def play(workers: WorkerProcesses) -> list[str]:
        done: list[str] = []

        async def one(name: str) -> None:
            done.append(await workers.run(repr(name), 1, LIMIT_S))

        await asyncio.gather(*(one(f"{number}") for number in range(10)))
        return done

    assert run(play, most=1) == [f"{number}" for number in range(10)]


def test_a_worker_that_dies_costs_its_job_alone() -> None:
    async def play(workers: WorkerProcesses) -> None:
        dies = asyncio.ensure_future(workers.run("__import__('os')._exit(3)", 1, LIMIT_S))
        others = [asyncio.ensure_future(workers.run("7", 1, LIMIT_S)) for _ in range(5)]
        with pytest.raises(Died):
            await dies
        assert await asyncio.gather(*others) == [7] * 5

    run(play, most=1)


def test_a_worker_that_is_killed_while_idle_is_replaced() -> None:
    async def play(workers: WorkerProcesses) -> None:
        first = await workers.run(PID, 1, LIMIT_S)
        os.kill(first, 9)
        await asyncio.sleep(0.05)
        assert await workers.run(PID, 1, LIMIT_S) != first

    run(play, most=1)


def test_a_job_that_takes_too_long_is_ended_with_its_worker() -> None:
    async def play(workers: WorkerProcesses) -> None:
        first = await workers.run(PID, 1, LIMIT_S)
        with pytest.raises(Overrun):
            await workers.run("__import__('time').sleep(100)", 1, 0.01)
        assert await workers.run(PID, 1, LIMIT_S) != first
        await ended(first)

    run(play, most=1)


def test_a_job_that_fails_is_told_and_its_worker_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    async def play(workers: WorkerProcesses) -> None:
        first = await workers.run(PID, 1, LIMIT_S)
        with pytest.raises(Failed):
            await workers.run("1 / 0", 1, LIMIT_S)
        assert await workers.run(PID, 1, LIMIT_S) == first

    run(play)
    assert "ZeroDivisionError" in caplog.text


def test_too_much_waiting_work_is_refused_at_once() -> None:
    async def play(workers: WorkerProcesses) -> None:
        with pytest.raises(Overloaded):
            await workers.run("1", MOST_WAITING_BYTES + 1, LIMIT_S)
        waiting = [asyncio.ensure_future(workers.run("1", 1, LIMIT_S)) for _ in range(20)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert workers.queued == workers.queued_bytes == 19
        with pytest.raises(Overloaded):
            await workers.run("1", MOST_WAITING_BYTES - 18, LIMIT_S)
        assert await asyncio.gather(*waiting) == [1] * 20
        assert MOST_WAITING > 20

    run(play, most=1)


def test_a_client_that_goes_away_leaves_its_job_to_end() -> None:
    async def play(workers: WorkerProcesses) -> None:
        first = await workers.run(PID, 1, LIMIT_S)
        gone = asyncio.ensure_future(workers.run("__import__('time').sleep(0.05)", 1, LIMIT_S))
        await asyncio.sleep(0.01)
        gone.cancel()
        assert await workers.run(PID, 1, LIMIT_S) == first

    run(play, most=1)


def test_a_worker_without_work_ends() -> None:
    async def play(workers: WorkerProcesses) -> None:
        first = await workers.run(PID, 1, LIMIT_S)
        await ended(first)
        assert await workers.run("5", 1, LIMIT_S) == 5

    run(play, idle_s=0.02)


def test_stopping_ends_a_job_under_way() -> None:
    async def play(workers: WorkerProcesses) -> Any:
        await workers.run("1", 1, LIMIT_S)
        waiting = asyncio.ensure_future(workers.run("__import__('time').sleep(100)", 1, LIMIT_S))
        await asyncio.sleep(0.01)
        await workers.stop()
        return (await asyncio.gather(waiting, return_exceptions=True))[0]

    assert isinstance(run(play), asyncio.CancelledError)
