"""What a simulated store does for partitions that are tested without a world around them."""

from __future__ import annotations

from typing import Any

from cluster.outputs import Applied, Apply, Drop, SetVersions, StoreAnswer, VersionsSet
from cluster.simulation.store import SimulatedStore


def carry_out(store: SimulatedStore, asked: Any) -> StoreAnswer | None:
    """Do what the library asks, at once; its answer, where there is one."""
    match asked:
        case Drop(_, partition):
            store.drop(partition)
            return None
        case Apply(_, token, rows, resolve):
            store.apply(rows, resolve)
            return Applied(token)
        case SetVersions(_, token, versions):
            store.set_versions(versions)
            return VersionsSet(token)
        case _:
            return store.answer(asked)
