"""Takeover: how long nobody serves what a node served that is killed.

    python bench/cluster_takeover.py [--seeds N] [--kills N] [--quick]

Simulated: many seeds, nodes die at any moment of their intervals, in virtual time, until those
that are left serve every partition. Then three real processes of `asd` with the default heartbeat
(150 ms x 10): kill -9 of one, until the maps that the other two tell clients hold every
partition's master.
"""

from __future__ import annotations

import argparse
import base64
import time
from random import Random
from statistics import median

from harness import publish, table

from asd import Cluster
from cluster.simulation import Shape
from cluster.simulation.takeover import takeover_s

DEFAULT_HEARTBEAT = ("--heartbeat-interval", "150", "--heartbeat-timeout", "10")
SHAPES = ((3, 1), (5, 1), (5, 2), (9, 1), (9, 4))
"""Nodes, and how many of them die at once."""
PARTITIONS = 4096


def simulated(seeds: int) -> list[list[str]]:
    """A row for each shape."""
    return [
        row(
            f"simulated: {nodes} nodes, {deaths} die",
            [takeover_s(seed, Shape(nodes=nodes), deaths) for seed in range(seeds)],
        )
        for nodes, deaths in SHAPES
    ]


def real(kills: int, nodes: int = 3) -> list[float]:
    """Seconds from each kill -9 to a whole map."""
    took_s = []
    random = Random(1)
    with Cluster(nodes, arguments=DEFAULT_HEARTBEAT, controlled=False) as cluster:
        for turn in range(kills):
            victim = turn % nodes
            cluster.wait_stable()
            time.sleep(random.uniform(0, 0.3))
            cluster.kill(victim)
            began_s = time.monotonic()
            while not is_whole(cluster, [node for node in range(nodes) if node != victim]):
                time.sleep(0.005)
            took_s.append(time.monotonic() - began_s)
            cluster.start(victim)
    return took_s


def is_whole(cluster: Cluster, nodes: list[int]) -> bool:
    """Is some node the master of each partition, by what they say of themselves?"""
    masters = 0
    for node in nodes:
        shown = cluster.info(node, "replicas-master").partition(":")[2].rstrip(";")
        masters |= int.from_bytes(base64.b64decode(shown), "big")
    return masters.bit_count() == PARTITIONS


def row(name: str, took_s: list[float]) -> list[str]:
    """Of a table: median, worst, and of how many."""
    return [name, f"{median(took_s):.2f}", f"{max(took_s):.2f}", str(len(took_s))]


def main() -> None:
    """Measure, print, publish."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=200, help="simulated takeovers of each shape")
    parser.add_argument("--kills", type=int, default=12, help="real ones")
    parser.add_argument("--quick", action="store_true", help="only see whether it works")
    given = parser.parse_args()
    seeds, kills = (2, 1) if given.quick else (given.seeds, given.kills)
    rows = [*simulated(seeds), row("asd: 3 nodes, kill -9 of one", real(kills))]
    body = table(["seconds", "median", "worst", "of"], rows)
    publish("cluster_takeover", "Takeover", body, write=not given.quick)


if __name__ == "__main__":
    main()
