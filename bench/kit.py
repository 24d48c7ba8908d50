"""What tests wait for: servers in processes of their own and on threads, and what is done to them.

python bench/kit.py

A start is from the call to an address that answers, with bytecode cached as an installation has it.
Snapshots are of records of two bins; between two of them 20 records are overwritten.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from statistics import median
from time import perf_counter

from harness import BUILD, table

from aerospike_client import Client, Key
from asd import Server

STARTS = 10
CALLS = 200
SIZES = (100, 1_000, 10_000)
BACKS = 20


def timed_ms(call: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    began = perf_counter()
    call()
    return (perf_counter() - began) * 1e3


def starts(*, in_thread: bool) -> tuple[list[float], list[float]]:
    """Milliseconds of starts and stops."""
    begun, ended = [], []
    for _ in range(STARTS):
        server = Server(in_thread=in_thread)
        begun.append(timed_ms(server.start))
        ended.append(timed_ms(server.stop))
    return begun, ended


def calls(server: Server) -> dict[str, list[float]]:
    """Milliseconds of each kind of call."""
    fault = server.inject(code="TIMEOUT")
    kinds: dict[str, Callable[[], object]] = {
        "reset": server.reset,
        "clock.advance": lambda: server.clock.advance(1),
        "inject": lambda: server.inject(code="TIMEOUT", times=0),
    }
    fault.remove()
    return {name: [timed_ms(call) for _ in range(CALLS)] for name, call in kinds.items()}


def backs(server: Server, size: int) -> tuple[list[float], list[float]]:
    """Milliseconds of keeping the state of a server with so many records, and of going back."""
    server.reset()
    rows = [{"set": "s", "key": n, "bins": {"n": n, "name": "x" * 20}} for n in range(size)]
    server.load(rows)
    kept, restored = [], []
    with Client([server.address]) as client:
        for _ in range(BACKS):
            began = perf_counter()
            snapshot = server.snapshot()
            kept.append((perf_counter() - began) * 1e3)
            for number in range(20):
                client.put(Key("test", "s", number), {"n": -1})
            restored.append(timed_ms(snapshot.restore))
            snapshot.forget()
    return kept, restored


def row(what: str, process: list[float], thread: list[float]) -> list[str]:
    """A line of the table."""
    shown = [f"{figure:.2f}" for figure in (median(process), max(process), median(thread))]
    return [what, *shown]


def main() -> None:
    """Measure and print."""
    os.environ["PYTHONPYCACHEPREFIX"] = str(BUILD / "cache")
    os.environ["PYTHONDONTWRITEBYTECODE"] = ""
    for in_thread in (False, True):  # the bytecode comes into its cache, the modules are loaded
        Server(in_thread=in_thread).start().stop()
    process, thread = starts(in_thread=False), starts(in_thread=True)
    lines = [row("start", process[0], thread[0]), row("stop", process[1], thread[1])]
    with Server() as apart, Server(in_thread=True) as here:
        for (name, one), other in zip(calls(apart).items(), calls(here).values(), strict=True):
            lines.append(row(name, one, other))
        for size in SIZES:
            one_kept, one_back = backs(apart, size)
            other_kept, other_back = backs(here, size)
            lines.append(row(f"snapshot of {size}", one_kept, other_kept))
            lines.append(row(f"restore of {size}", one_back, other_back))
    heads = ["", "process: median ms", "worst ms", "thread: median ms"]
    print(table(heads, lines))


if __name__ == "__main__":
    main()
