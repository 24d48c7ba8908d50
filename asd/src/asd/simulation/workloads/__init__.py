"""What clients do, a file each, and what must be true of it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from asd.simulation.workloads.register import Registers
from asd.simulation.workloads.workload import Mode, Phase, Stage, Workload

WORKLOADS: Mapping[str, Callable[[Stage], Workload]] = MappingProxyType(
    {each.name: each for each in (Registers,)}
)
"""Every workload, by its name."""

__all__ = ["WORKLOADS", "Workload", "Stage", "Phase", "Mode"]
