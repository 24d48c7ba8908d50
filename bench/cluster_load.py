"""What copies cost: routed load on clusters of `asd`, beside a single node in the same run.

    python bench/cluster_load.py [--rounds N] [--seconds S] [--quick]

Puts of one integer bin, or half gets and half puts, 1000 keys, namespace in memory, everything on
this machine: load generator and two or three nodes share its cores. All servers are plain, whether
there are compiled modules or not. Each request goes to the node
that is the master of its record, as clients send it. All servers run all the time; every round
loads each of them once in turn. Shown are medians of the rounds; a ratio is the median of the
ratios within each round.
"""

from __future__ import annotations

import argparse
import base64
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from harness import Load, asd_command, load, publish, running, table

from asd import Cluster

KEYS = 1000
ALONE = "one node"


@dataclass(frozen=True)
class Shape:
    """How the load is offered."""

    mode: str
    connections: int
    in_flight: int

    def __str__(self) -> str:
        what = {"put": "puts", "mixed": "half puts"}[self.mode]
        flight = f" x {self.in_flight} in flight" if self.in_flight > 1 else ""
        return f"{what}, {self.connections} connections{flight}"


SHAPES = (
    Shape("put", 16, 1),
    Shape("mixed", 16, 1),
    Shape("mixed", 4, 16),
    Shape("put", 1, 1),
)

Results = dict[tuple[str, Shape], list[Load]]


def targets(cluster: Cluster, folder: Path, name: str) -> str:
    """The nodes' ports and the map of masters, as the load generator wants them."""
    masters = bytearray(4096)
    for node in range(len(cluster.addresses)):
        shown = cluster.info(node, "replicas-master").partition(":")[2]
        for partition, byte in enumerate(_bits(base64.b64decode(shown))):
            if byte:
                masters[partition] = node
    path = folder / name
    path.write_bytes(masters)
    ports = ",".join(str(port) for _, port in cluster.addresses)
    return f"{ports}@{path}"


def _bits(bitmap: bytes) -> Iterator[int]:
    for byte in bitmap:
        yield from (byte >> shift & 1 for shift in range(7, -1, -1))


def measure(servers: dict[str, str], rounds: int, seconds: float) -> Results:
    """Load every server in every shape, round by round."""
    results: Results = {}
    for where in servers.values():
        load(where, 2, 64, 10, "fill", KEYS)
        load(where, 8, 1, min(seconds, 0.5), "mixed", KEYS)  # warm
    for _ in range(rounds):
        for shape in SHAPES:
            for name, where in servers.items():
                result = load(where, shape.connections, shape.in_flight, seconds, shape.mode, KEYS)
                results.setdefault((name, shape), []).append(result)
    return results


def report(results: Results) -> str:
    """All tables."""
    header = ["", "ops/s", "of one node", "p50 us", "of one node", "p99 us"]
    parts = []
    for shape in SHAPES:
        alone = results[ALONE, shape]
        rows = []
        for (name, of_shape), loads in results.items():
            if of_shape != shape:
                continue
            pairs = list(zip(loads, alone, strict=True))
            rows.append(
                [
                    name,
                    f"{median(one.per_second for one in loads):,.0f}",
                    f"{median(one.per_second / base.per_second for one, base in pairs):.2f}",
                    f"{median(one.p50_us for one in loads):.0f}",
                    f"{median(one.p50_us / base.p50_us for one, base in pairs):.2f}",
                    f"{median(one.p99_us for one in loads):.0f}",
                ]
            )
        parts.append(f"## {str(shape).capitalize()}\n\n{table(header, rows)}")
    return "\n\n".join(parts)


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--quick", action="store_true", help="only see whether it works")
    given = parser.parse_args()
    rounds, seconds = (1, 0.3) if given.quick else (given.rounds, given.seconds)
    os.environ["ASD_COMPILED"] = "0"  # `running` sees to the single node
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = {ALONE: str(stack.enter_context(running(asd_command())).port)}
        for nodes, factor in ((2, 2), (2, 1), (3, 2)):
            cluster = stack.enter_context(
                Cluster(nodes, replication_factor=factor, controlled=False)
            )
            name = f"{nodes} nodes, {factor} {'copy' if factor == 1 else 'copies'}"
            servers[name] = targets(cluster, folder, f"{nodes}-{factor}")
        results = measure(servers, rounds, seconds)
    publish("cluster_load", "What copies cost", report(results), write=not given.quick)


if __name__ == "__main__":
    main()
