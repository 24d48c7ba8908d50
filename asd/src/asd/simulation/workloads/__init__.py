"""What clients do, a file each, and what must be true of it."""

from collections.abc import Mapping
from types import MappingProxyType

from asd.simulation.workloads.background_queries import BackgroundQueries
from asd.simulation.workloads.bank import Bank
from asd.simulation.workloads.batches import Batches
from asd.simulation.workloads.compare_and_set import CompareAndSet
from asd.simulation.workloads.counters import Counters
from asd.simulation.workloads.durable_deletes import DurableDeletes
from asd.simulation.workloads.expiring import Expiring
from asd.simulation.workloads.functions import Functions
from asd.simulation.workloads.grow_only_set import GrowOnlySet
from asd.simulation.workloads.index_against_scan import IndexAgainstScan
from asd.simulation.workloads.large_records import LargeRecords
from asd.simulation.workloads.list_append import ListAppend
from asd.simulation.workloads.register import Registers
from asd.simulation.workloads.scans import Scans
from asd.simulation.workloads.truncation import Truncation
from asd.simulation.workloads.unique_ids import UniqueIds
from asd.simulation.workloads.workload import Mode, Phase, Stage, Workload

_ALL = (Registers, CompareAndSet, Counters, ListAppend, GrowOnlySet, UniqueIds, Bank)
_MORE = (LargeRecords, Expiring, IndexAgainstScan, Truncation, Functions, Batches)
_REST = (BackgroundQueries, DurableDeletes, Scans)

WORKLOADS: Mapping[str, type[Workload]] = MappingProxyType(
    {each.name: each for each in (*_ALL, *_MORE, *_REST)}
)
"""Every workload, by its name."""

__all__ = ["WORKLOADS", "Workload", "Stage", "Phase", "Mode"]
