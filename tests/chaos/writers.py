"""The writers of one process: `python -m chaos.writers SPECIFICATION`, until the input ends.

SPECIFICATION is JSON, see `Specification`. All operations are noted in its file.
"""

from __future__ import annotations

import json
import logging
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Final, NamedTuple

from aerospike_client import AsyncClient, Client
from chaos.hands import Address, Hand, Official, Own, Raw, TlsFiles, Waiting, own_policy
from chaos.workloads import Lane

THINK_S: Final = 0.03
"""How long a lane waits between two steps, on the average. Few operations are lost for it, and the
nodes are not starved."""
QUERY_EVERY_S: Final = 1.5
READY_S: Final = 120.0
KINDS: Final = {"official": 2, "own": 2, "asyncio": 2, "raw": 2}
"""The lanes of each kind."""
TESTS: Final = Path(__file__).parents[1]


class Specification(NamedTuple):
    """What a process of writers is to do."""

    kinds: tuple[str, ...]
    addresses: tuple[Address, ...]
    namespaces: tuple[str, ...]
    lap: int
    seed: int
    path: str
    """The file for the history."""
    tls: TlsFiles | None = None


class Writers:
    """A process of writers, seen from outside."""

    def __init__(self, specification: Specification) -> None:
        self.path = Path(specification.path)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "chaos.writers", json.dumps(specification)],
            stdin=subprocess.PIPE,
            cwd=TESTS,
        )

    @property
    def is_running(self) -> bool:
        """It has not ended by itself."""
        return self._process.poll() is None

    def wait_ready(self) -> None:
        """Return when the first operation is noted. Raises TimeoutError."""
        until = time.monotonic() + READY_S
        while not (self.path.exists() and self.path.stat().st_size):
            if time.monotonic() > until or not self.is_running:
                raise TimeoutError("the writers have not begun")
            time.sleep(0.05)

    def stop(self) -> None:
        """Let all end their operation. Raises RuntimeError when the writers failed themselves."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        if self._process.wait():
            raise RuntimeError(f"writers ended with status {self._process.returncode}")


def hand_of(kind: str, addresses: Sequence[Address], tls: TlsFiles | None) -> Callable[[int], Hand]:
    """Gives each lane its hand: the clients are shared, sockets are not."""
    if kind == "raw":
        return lambda number: Raw([*addresses[number:], *addresses[:number]], tls)
    shared: Hand
    if kind == "official":
        shared = Official(addresses, tls)
    elif kind == "own":
        shared = Own(Client(addresses, own_policy(tls)))
    else:
        shared = Own(Waiting(AsyncClient(addresses, own_policy(tls))))
    return lambda number: shared


def main(specification: Specification, until: IO[str]) -> int:
    """Run all lanes until `until` ends; how many failed themselves."""
    stop = threading.Event()
    failures: list[Exception] = []
    numbers = {"official": 0, "own": 100, "raw": 200, "asyncio": 300}
    with open(specification.path, "a", encoding="utf-8", buffering=1) as file:
        threads = []
        hands = []
        for kind in specification.kinds:
            give = hand_of(kind, specification.addresses, specification.tls)
            lanes = KINDS[kind] + (kind != "raw")
            for number in range(lanes):
                name = f"{kind}-{number}" if number < KINDS[kind] else f"{kind}-q"
                rng = random.Random(f"{specification.seed} {specification.lap} {name}")
                hands.append(give(number))
                lane = Lane(
                    *(name, numbers[kind] + number, specification.lap, hands[-1]),
                    *(specification.namespaces, rng, file.write),
                )
                threads.append(
                    threading.Thread(target=_run, args=(lane, name, rng, stop, failures))
                )
        for thread in threads:
            thread.start()
        until.read()
        stop.set()
        for thread in threads:
            thread.join()
        for hand in dict.fromkeys(hands):  # some are shared
            hand.close()
    return len(failures)


def _run(
    lane: Lane, name: str, rng: random.Random, stop: threading.Event, failures: list[Exception]
) -> None:
    asks = name.endswith("-q")
    act, pause_s = (lane.ask_for_all, QUERY_EVERY_S) if asks else (lane.step, THINK_S)
    try:
        while not stop.wait(rng.uniform(0, 2 * pause_s)):
            act()
    except Exception as error:
        failures.append(error)
        raise


def _specification(text: str) -> Specification:
    kinds, addresses, namespaces, lap, seed, path, tls = json.loads(text)
    where = tuple(tuple(address) for address in addresses)
    files = None if tls is None else TlsFiles(*tls)
    return Specification(tuple(kinds), where, tuple(namespaces), lap, seed, path, files)


if __name__ == "__main__":
    logging.getLogger("aerospike_client").addHandler(logging.NullHandler())
    sys.exit(min(1, main(_specification(sys.argv[1]), sys.stdin)))
