"""A cluster in virtual time: real nodes on a seeded loop, simulated networks, faults and checks.

>>> outcome = simulate(seed=1, nodes=3, minutes=0.05)
>>> outcome.violation
''
"""

from cluster.simulation.canaries import CANARIES, Canary
from cluster.simulation.checks import ClusterChecks, DeliveryChecks, Violation
from cluster.simulation.cluster import Shape, SimulatedCluster, SimulatedMachine
from cluster.simulation.data import DataParts, DataShape, DataWorld
from cluster.simulation.faults import GENERAL, KINDS, Fault, Ground, swarm
from cluster.simulation.history import History
from cluster.simulation.ledger import Ledger
from cluster.simulation.loop import Chance, ProcessLoop, SimulatedClock, World
from cluster.simulation.network import Conditions, Network
from cluster.simulation.run import CONVERGENCE_INTERVALS, Outcome, Plan, Run, draw_plan, simulate
from cluster.simulation.store import SimulatedStore

__all__ = [
    # a run
    "simulate",
    "draw_plan",
    "Plan",
    "Run",
    "Outcome",
    "CONVERGENCE_INTERVALS",
    # the world
    "World",
    "ProcessLoop",
    "SimulatedClock",
    "Chance",
    "Network",
    "Conditions",
    # clusters in it
    "SimulatedCluster",
    "Shape",
    "SimulatedMachine",
    "DataWorld",
    "DataParts",
    "DataShape",
    "Ledger",
    "SimulatedStore",
    "History",
    # what goes wrong, and what must not
    "KINDS",
    "GENERAL",
    "Fault",
    "Ground",
    "swarm",
    "ClusterChecks",
    "DeliveryChecks",
    "Violation",
    "CANARIES",
    "Canary",
]
