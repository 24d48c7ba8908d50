"""`make attack`: hostile bytes against a real node, for as many minutes as are given.

    python -m attack --minutes N [--seed S]

Rounds of attackers in turn, each for some seconds: mutated and random frames on the service port,
hostile info and HTTP, clients that send slowly or never read, many connections, malformed
configurations, processes without file descriptors, memory, disk or somebody who reads their logs;
and a cluster of two whose ports for other nodes are told lies. After each attacker a witness reads
one record, and the node's memory and longest hold are noted. At the end: an account. It fails
when a node died, a traceback was logged, or the witness got a wrong answer.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from attack.attackers import ATTACKERS, Attacker, Target
from attack.peers import PEERS, ClusterTarget
from attack.starved import STARVED

ROUND_S = 5.0


def _attack(
    make: Callable[[Path], Target],
    attackers: Sequence[Attacker],
    chance: random.Random,
    limit_s: float,
) -> list[str]:
    """Rounds of attackers against a target; what went wrong."""
    ends = time.monotonic() + limit_s
    failures: list[str] = []
    with tempfile.TemporaryDirectory() as folder, make(Path(folder)) as target:
        while time.monotonic() < ends and not failures:
            for attacker in attackers:
                left_s = ends - time.monotonic()
                if left_s <= 0:
                    break
                done = attacker(target, chance, min(ROUND_S, left_s))
                failures += target.look()
                print(f"{target.account()} | {attacker.__name__}: {done:,}", flush=True)
                if failures:
                    break
        failures += target.tracebacks()
        target.show_curve()
    return failures


def attack(minutes: float, seed: int) -> int:
    """Attack; the exit status."""
    chance = random.Random(seed)
    print(f"seed {seed}, {minutes:g} minutes")
    failures = _attack(Target, ATTACKERS, chance, minutes * 45)
    failures += _attack(ClusterTarget, PEERS, chance, minutes * 15)
    for starve in STARVED if minutes >= 1 else STARVED[:1]:
        said = starve()
        print(f"{starve.__name__}: {said or 'held'}", flush=True)
        failures += [said] if said else []
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return bool(failures)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    return attack(given.minutes, given.seed)


if __name__ == "__main__":
    sys.exit(main())
