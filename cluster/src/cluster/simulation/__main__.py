"""`python -m cluster.simulation`: run one seed and read its account, or sweep over many.

    python -m cluster.simulation --seed 7 --nodes 5 --minutes 10
    python -m cluster.simulation --sweep --seeds 5000 --jobs 2 --record sweep.jsonl

With `--record` a sweep can be done in pieces: each seed's result is a line of the file, seeds that
are in it are not run again, and the account is of the whole file. SIGINT and SIGTERM end a sweep
when the seeds that run are done; the file is good whenever and however it ends.

Exits with 1 on a violation, with 2 when a sweep was asked to end. A seed replays exactly.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any

from citrusleaf import Clock, SystemClock
from cluster.simulation.account import Result, account, result_of, results_of
from cluster.simulation.run import simulate

PROGRESS_MS = 30_000
"""Between two lines that say how far a sweep is."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the arguments, run, print; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m cluster.simulation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, default=1, help="the seed to run")
    parser.add_argument("--nodes", type=int, help="nodes of the cluster (default: drawn, 3 to 9)")
    parser.add_argument("--minutes", type=float, default=5, help="simulated minutes of a seed")
    parser.add_argument("--lines", type=int, default=60, help="lines of history to print")
    parser.add_argument("--sweep", action="store_true", help="run many seeds, print what they show")
    parser.add_argument("--first", type=int, default=1, help="the first seed, for --sweep")
    parser.add_argument("--seeds", type=int, default=200, help="how many, for --sweep")
    parser.add_argument("--jobs", type=int, default=1, help="processes, for --sweep")
    parser.add_argument("--record", type=Path, help="file of results to go on with, for --sweep")
    options = parser.parse_args(arguments)
    if options.sweep:
        seeds = range(options.first, options.first + options.seeds)
        return sweep(seeds, options.minutes, options.jobs, options.record, SystemClock())
    return one(options.seed, options.nodes, options.minutes, options.lines)


def one(seed: int, nodes: int | None, minutes: float, lines: int) -> int:
    """Run a seed and print its account."""
    outcome = simulate(seed, nodes, minutes)
    print(outcome.plan)
    print(*outcome.lines[-lines:], sep="\n")
    print(account([result_of(outcome)]))
    print(f"history {outcome.digest}")
    print(outcome.violation or "no violation")
    return 1 if outcome.violation else 0


def sweep(seeds: range, minutes: float, jobs: int, record: Path | None, clock: Clock) -> int:
    """Run many seeds and print what they come to; failing ones as they are found.

    ValueError when the file holds something else. Raises OSError.
    """
    known = _recorded(record)
    done = {result.seed for result in known if result.minutes >= minutes}
    todo = [seed for seed in seeds if seed not in done]
    if known:
        print(f"{len(known)} seeds recorded, {len(todo)} to run", flush=True)
    fresh: list[Result] = []
    progress = _Progress(len(todo), clock)
    with _Stop() as stop:
        for result in _results(todo, minutes, jobs, stop.is_set):
            fresh.append(result)
            if record is not None:
                with record.open("a", encoding="utf-8") as file:
                    file.write(result.line())
            if result.violation:
                print(f"VIOLATION {result.plan}\n    {result.violation}", flush=True)
            progress.note(len(fresh))
    print(account([*known, *fresh]))
    print(progress.rate(fresh, jobs))
    if any(result.violation for result in [*known, *fresh]):
        return 1
    return 2 if stop.is_set() else 0


def _recorded(record: Path | None) -> list[Result]:
    """The results in a file, from which a line that was cut short is taken away."""
    if record is None or not record.exists():
        return []
    text = record.read_text("utf-8")
    if not text.endswith("\n"):
        text = text[: text.rfind("\n") + 1]
        record.write_text(text, "utf-8")
    return results_of(text)


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

    def rate(self, results: Iterable[Result], jobs: int) -> str:
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
    seeds: Sequence[int], minutes: float, jobs: int, is_stopped: Callable[[], bool]
) -> Iterator[Result]:
    """Results as they come, of all seeds or of those that were begun before the stop."""
    if jobs == 1:
        for seed in seeds:
            if is_stopped():
                return
            yield _run(seed, minutes)
        return
    todo = iter(seeds)
    running: set[Future[Result]] = set()
    with ProcessPoolExecutor(jobs, initializer=_leave_signals) as pool:
        while True:
            # One more than are run, so that no process waits for its next.
            for seed in islice(todo, 0 if is_stopped() else jobs + 1 - len(running)):
                running.add(pool.submit(_run, seed, minutes))
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


def _run(seed: int, minutes: float) -> Result:
    return result_of(simulate(seed, minutes=minutes))


if __name__ == "__main__":
    sys.exit(main())
