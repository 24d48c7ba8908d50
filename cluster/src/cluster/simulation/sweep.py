"""Many seeds in one go, in pieces if that is wanted, over several processes: a sweep.

An adapter: it spreads runs over processes and listens to signals. What a run is, and what is kept
of it, is its caller's affair.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any, Generic, Self, TypeVar

from attrs import asdict, field, frozen

from citrusleaf import Clock

PROGRESS_MS = 30_000
"""Between two lines that say how far a sweep is."""


@frozen
class Kept:
    """What is kept of a run; what was run adds its own figures."""

    seed: int
    minutes: float
    """Simulated ones that were asked for."""
    simulated_s: float = 0.0
    """Simulated seconds that it took."""
    violation: str = ""
    """What was wrong; '' when nothing was."""
    plan: str = ""
    """What it did, in a line."""
    digest: str = ""
    faults: dict[str, int] = field(factory=dict)

    def line(self) -> str:
        """All of it, as one line of JSON."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def all_in(cls, text: str) -> list[Self]:
        """What lines of JSON keep. The last line may be cut short: its run never was finished.

        ValueError when another line is no result.
        """
        lines = text.split("\n")[:-1]  # what is behind the last newline is no whole line
        try:
            return [cls(**json.loads(line)) for line in lines if line]
        except TypeError as error:
            raise ValueError(f"not a result: {error}") from error


R = TypeVar("R", bound=Kept)


@frozen
class Sweep(Generic[R]):
    """What is swept over."""

    run: Callable[[int, float], R]
    """Runs a seed for so many minutes. It goes to other processes: a function of a module."""
    kept: type[R]
    """What is kept of each run."""
    account: Callable[[Iterable[R]], str]
    """What results come to, in lines to read."""


def sweep(
    what: Sweep[R], seeds: range, minutes: float, jobs: int, record: Path | None, clock: Clock
) -> int:
    """Run many seeds and print what they come to; failing ones as they are found. The status for
    the shell: 1 when there were some, 2 when it was asked to end.

    ValueError when the file holds something else. Raises OSError.
    """
    known = _recorded(what, record)
    done = {result.seed for result in known if result.minutes >= minutes}
    todo = [seed for seed in seeds if seed not in done]
    if known:
        print(f"{len(known)} seeds recorded, {len(todo)} to run", flush=True)
    fresh: list[R] = []
    progress = _Progress(len(todo), clock)
    with _Stop() as stop:
        for result in _results(what, todo, minutes, jobs, stop.is_set):
            fresh.append(result)
            if record is not None:
                with record.open("a", encoding="utf-8") as file:
                    file.write(result.line())
            if result.violation:
                print(f"VIOLATION {result.plan}\n    {result.violation}", flush=True)
            progress.note(len(fresh))
    print(what.account([*known, *fresh]))
    print(progress.rate(fresh, jobs))
    if any(result.violation for result in [*known, *fresh]):
        return 1
    return 2 if stop.is_set() else 0


def _recorded(what: Sweep[R], record: Path | None) -> list[R]:
    """The results in a file, from which a line that was cut short is taken away."""
    if record is None or not record.exists():
        return []
    text = record.read_text("utf-8")
    if not text.endswith("\n"):
        text = text[: text.rfind("\n") + 1]
        record.write_text(text, "utf-8")
    return what.kept.all_in(text)


class _Progress:
    """Says from time to time how far a sweep is."""

    def __init__(self, total: int, clock: Clock) -> None:
        self._total = total
        self._clock = clock
        self._began_ms = self._told_ms = clock.monotonic_ms()

    def note(self, done: int) -> None:
        """So many seeds are done."""
        now_ms = self._clock.monotonic_ms()
        if now_ms - self._told_ms >= PROGRESS_MS:
            self._told_ms = now_ms
            each_s = (now_ms - self._began_ms) / 1000 / done
            left = _duration((self._total - done) * each_s)
            print(f"{done} of {self._total} seeds, {each_s:.2f} s each, {left} left", flush=True)

    def rate(self, results: Iterable[Kept], jobs: int) -> str:
        """How fast it was."""
        seconds = max(1, self._clock.monotonic_ms() - self._began_ms) / 1000
        simulated_s = sum(result.simulated_s for result in results)
        return (
            f"in {_duration(seconds)}, {simulated_s / seconds:.0f} times faster than real time,"
            f" {jobs} jobs"
        )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes}:{rest:02}"


class _Stop:
    """Notes SIGINT and SIGTERM while it is entered."""

    def __init__(self) -> None:
        self._asked = False
        self._before: list[tuple[signal.Signals, Any]] = []

    def is_set(self) -> bool:
        """Was the process asked to end?"""
        return self._asked

    def __enter__(self) -> _Stop:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before.append((number, signal.signal(number, self._ask)))
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before:
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        print("ends after the seeds that run", file=sys.stderr, flush=True)


def _results(
    what: Sweep[R],
    seeds: Sequence[int],
    minutes: float,
    jobs: int,
    is_stopped: Callable[[], bool],
) -> Iterator[R]:
    """Results as they come, of all seeds or of those that were begun before the stop."""
    if jobs == 1:
        for seed in seeds:
            if is_stopped():
                return
            yield what.run(seed, minutes)
        return
    todo = iter(seeds)
    running: set[Future[R]] = set()
    with ProcessPoolExecutor(jobs, initializer=_leave_signals) as pool:
        while True:
            # One more than are run, so that no process waits for its next.
            for seed in islice(todo, 0 if is_stopped() else jobs + 1 - len(running)):
                running.add(pool.submit(what.run, seed, minutes))
            if not running:
                return
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                if is_stopped() and isinstance(future.exception(), BrokenProcessPool):
                    return  # the workers were asked to end too
                yield future.result()


def _leave_signals() -> None:
    """A terminal's Ctrl-C reaches the workers too: what to do about it is the parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
