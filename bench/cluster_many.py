"""Many nodes: what a new cluster, and a second of rest, costs each of them.

Run as `python bench/cluster_many.py [NODES...]`. Simulated nodes, one namespace of 4096 partitions
without records, in one thread: the processor's time is shared out evenly, and what simulating the
network costs is in it. One node is killed, and what follows is measured until the others serve
every partition and again for a second, in which partitions come to rest.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

from harness import table

from cluster.partitions.config import NamespaceConfig
from cluster.simulation import DataShape, DataWorld, Shape, SimulatedCluster
from cluster.simulation.takeover import serves_alone


def measure(nodes: int) -> list[list[str]]:
    """Rows: what, simulated seconds, milliseconds of processor and segments for each node."""
    data = DataWorld(DataShape((NamespaceConfig("ns0"),)))
    cluster = SimulatedCluster(1, Shape(nodes=nodes), services=data.services, watch=data.watch)
    data.cluster = cluster
    cluster.world.check_every = 1 << 60
    rows = []

    def step(what: str, act: Callable[[], None]) -> None:
        began_s, before = cluster.world.now_s, cluster.network.segments
        spent_s = time.process_time()
        act()
        spent_ms = 1000 * (time.process_time() - spent_s)
        took_s, sent = cluster.world.now_s - began_s, cluster.network.segments - before
        figures = f"{took_s:.2f}", f"{spent_ms / nodes:.1f}", f"{sent / nodes:.0f}"
        rows.append([f"{nodes} nodes: {what}", *figures])

    def take_over() -> None:
        cluster.crash(cluster.names[-1])
        while not serves_alone(cluster):
            cluster.run(0.05)

    cluster.start_all()
    step("the first cluster", lambda: _until(cluster, cluster.is_converged))
    cluster.run(2)
    step("a second of rest", lambda: cluster.run(1))
    step("from a death to the others' serving", take_over)
    step("the second after it", lambda: cluster.run(1))
    cluster.close()
    return rows


def _until(cluster: SimulatedCluster, condition: Callable[[], bool]) -> None:
    cluster.run_until(condition, 60, "of one list")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nodes", nargs="*", type=int, default=[3, 10, 30, 100], metavar="NODES")
    given = parser.parse_args()
    rows = [row for nodes in given.nodes for row in measure(nodes)]
    print(table(["a node", "simulated s", "processor ms", "segments"], rows))


if __name__ == "__main__":
    main()
