"""What a request costs that is sent to a node which does not serve its record.

    python bench/cluster_proxy.py [--rounds N] [--seconds S] [--quick]

Two nodes, one copy, 1,000 keys. Each round offers the same load twice: every request to the node
that is the master of its record, and every request to the other one, which passes it on. Shown is
the processor time of both nodes together, in the program and in the kernel, so that the figures
hold on a busy machine too; and the median time of a request, which does not.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from cluster_load import targets
from harness import load, publish, table

from asd import Cluster

KEYS = 1000
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """Of one request, in microseconds: processor time of both nodes, time until its answer."""

    processor_us: float
    p50_us: float


SHAPES = (("get", 1, 1), ("get", 16, 1), ("get", 4, 16), ("put", 1, 1), ("put", 16, 1))


def processor_s(pids: list[int]) -> float:
    """What these processes have used, in all."""
    used = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
        used += int(fields[11]) + int(fields[12])
    return used * TICK_S


def cost(where: str, pids: list[int], shape: tuple[str, int, int], seconds: float) -> Cost:
    """Offer one load."""
    mode, connections, in_flight = shape
    before_s = processor_s(pids)
    done = load(where, connections, in_flight, seconds, mode, KEYS)
    used_s = processor_s(pids) - before_s
    return Cost(used_s / done.operations * 1e6, done.p50_us)


def crossed(where: str, folder: Path) -> str:
    """The same nodes, with each partition given to the other one."""
    ports, _, path = where.partition("@")
    other = folder / "crossed"
    other.write_bytes(bytes(1 - node for node in Path(path).read_bytes()))
    return f"{ports}@{other}"


def measure(rounds: int, seconds: float) -> list[list[str]]:
    """Rows of the table."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Cluster(2, replication_factor=1, controlled=False) as cluster,
    ):
        direct = targets(cluster, Path(folder), "direct")
        proxied = crossed(direct, Path(folder))
        pids = [each.process.pid for each in cluster._processes.running if each.process]
        for where in (direct, proxied):
            load(where, 2, 64, 10, "fill", KEYS)
            load(where, 8, 1, min(seconds, 0.5), "mixed", KEYS)
        rows = []
        for shape in SHAPES:
            pairs = [
                (cost(direct, pids, shape, seconds), cost(proxied, pids, shape, seconds))
                for _ in range(rounds)
            ]
            rows.append(row(shape, pairs))
    return rows


def row(shape: tuple[str, int, int], pairs: list[tuple[Cost, Cost]]) -> list[str]:
    """Medians of the rounds, and of the ratios within each."""
    mode, connections, in_flight = shape
    flight = f" x {in_flight} in flight" if in_flight > 1 else ""
    here, there = zip(*pairs, strict=True)
    return [
        f"{mode}s, {connections} connections{flight}",
        f"{median(each.processor_us for each in here):.1f}",
        f"{median(each.processor_us for each in there):.1f}",
        f"{median(far.processor_us / near.processor_us for near, far in pairs):.1f}",
        f"{median(each.p50_us for each in here):.0f}",
        f"{median(each.p50_us for each in there):.0f}",
        f"{median(far.p50_us / near.p50_us for near, far in pairs):.1f}",
    ]


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--quick", action="store_true", help="only see whether it works")
    given = parser.parse_args()
    rounds, seconds = (1, 0.3) if given.quick else (given.rounds, given.seconds)
    os.environ["ASD_COMPILED"] = "0"
    header = ["", "processor us, direct", "passed on", "ratio", "p50 us, direct", "on", "ratio"]
    body = table(header, measure(rounds, seconds))
    publish("cluster_proxy", "What passing a request on costs", body, write=not given.quick)


if __name__ == "__main__":
    main()
