"""How long nobody serves what a dead node served."""

from __future__ import annotations

from cluster.partitions.config import NamespaceConfig
from cluster.partitions.service import Partitions
from cluster.simulation.cluster import Shape, SimulatedCluster
from cluster.simulation.data import DataShape, DataWorld
from cluster.simulation.store import PARTITIONS

STEP_S = 0.005
LIMIT_S = 60.0


def takeover_s(seed: int, shape: Shape, deaths: int = 1, *, power: bool = True) -> float:
    """Let nodes die at once, at any moment; the seconds until the others serve every partition.

    `power` as in `SimulatedCluster.crash`. Raises Violation.
    """
    namespaces = (NamespaceConfig("ns0", partitions=PARTITIONS),)
    data = DataWorld(DataShape(namespaces))
    cluster = SimulatedCluster(seed, shape, services=data.services, watch=data.watch)
    data.cluster = cluster
    cluster.start_all()
    cluster.run_until(cluster.is_converged, LIMIT_S, "of one list")
    cluster.run_until(data.is_settled, LIMIT_S, "at rest")
    chance = cluster.world.chance
    cluster.run(chance.between(0, 10 * shape.interval_ms / 1000))
    dead = chance.shuffled(cluster.names)[:deaths]
    for name in dead:
        cluster.crash(name, power=power)
    began_s = cluster.world.now_s
    while not serves_alone(cluster):
        cluster.run(STEP_S)
        if cluster.world.now_s - began_s > LIMIT_S:
            break
    cluster.close()
    return cluster.world.now_s - began_s


def serves_alone(cluster: SimulatedCluster) -> bool:
    """Have the nodes that run one cluster of their own, and serve every partition in it?"""
    nodes = [cluster.node(name) for name in cluster.names if cluster.is_running(name)]
    living = sorted((node.identity.node for node in nodes), reverse=True)
    if len({node.view.cluster_key if node.view is not None else 0 for node in nodes}) > 1:
        return False
    for node in nodes:
        if node.view is None or list(node.view.nodes) != living:
            return False
        partitions = next(each for each in node.services if isinstance(each, Partitions))
        for space in partitions.spaces.values():
            if any(space.server(p) not in living for p in range(space.config.partitions)):
                return False
    return True
