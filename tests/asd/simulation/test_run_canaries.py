"""Planted bugs, of a client or a node, one rule broken each: a run that misses one proves nothing.

Most strike every few times only (`every`), as bugs do.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

import pytest

from aerospike_client import AsyncClient, Record
from asd.node import Node
from asd.replication.store import Store
from asd.simulation.machine import Shape
from asd.simulation.plan import Plan
from asd.simulation.run import Run
from asd.sindex.indexes import SecondaryIndexes
from asd.space.namespace import Namespace
from cluster import PartitionMap

SEED = 1

Plant = Callable[[pytest.MonkeyPatch], None]


class Canary(NamedTuple):
    """A planted bug."""

    workload: str
    plant: Plant
    said: str
    """What must be said of it: a regular expression."""
    nodes: int = 1
    pause_s: float = 0.04
    phase_s: float = 3.0


def every(times: int) -> Callable[[], bool]:
    """True every so many times."""
    turns = count(1)
    return lambda: next(turns) % times == 0


def client(method: str, lie: Callable[..., Any], times: int = 5) -> Plant:
    """A client that lies now and then. `lie` is given the true method, then what it was given."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        true, now = getattr(AsyncClient, method), every(times)

        async def told(self: AsyncClient, *given: Any, **more: Any) -> Any:
            if now():
                return await lie(true, self, *given, **more)
            return await true(self, *given, **more)

        patch.setattr(AsyncClient, method, told)

    return plant


async def twice(true: Any, self: Any, *given: Any, **more: Any) -> Any:
    await true(self, *given, **more)
    return await true(self, *given, **more)


async def acknowledged(true: Any, self: Any, key: Any, *_: Any, **__: Any) -> Any:
    """Says that it is done, and does nothing."""
    return Record(key, {}, 0, 0)


async def half(true: Any, self: Any, key: Any, ops: Any, *given: Any) -> Any:
    return await true(self, key, ops[1:], *given)


async def any_generation(true: Any, self: Any, key: Any, ops: Any, policy: Any = None) -> Any:
    return await true(self, key, ops)


async def plainly_nothing(true: Any, self: Any, *_: Any) -> bool:
    return True


async def mixed_up(true: Any, self: Any, rows: Any) -> Any:
    return (await true(self, rows))[::-1]


def changed(bins: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[..., Any]:
    """An answer with other bins."""

    async def lie(true: Any, self: Any, *given: Any) -> Any:
        record = await true(self, *given)
        return record._replace(bins=bins(record.bins))

    return lie


def remembering() -> Callable[..., Any]:
    """Answers with what it was told first of a key."""
    known: dict[Any, Any] = {}

    async def lie(true: Any, self: Any, key: Any, *given: Any) -> Any:
        if key not in known:
            known[key] = await true(self, key, *given)
        return known[key]

    return lie


def query_of(change: Callable[[list[Any]], list[Any]], times: int = 2) -> Plant:
    """Queries whose records are changed."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        true, now = AsyncClient.query, every(times)

        def query(self: AsyncClient, *given: Any, **more: Any) -> Any:
            stream = true(self, *given, **more)
            if not now():
                return stream

            async def all_records() -> Any:
                for record in change([each async for each in stream]):
                    yield record

            return all_records()

        patch.setattr(AsyncClient, "query", query)

    return plant


def skips(where: Any, method: str, result: Any = None, times: int = 4) -> Plant:
    """A method that does nothing now and then."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        true, now = getattr(where, method), every(times)

        def skipped(self: Any, *given: Any, **more: Any) -> Any:
            return result if now() else true(self, *given, **more)

        patch.setattr(where, method, skipped)

    return plant


def replicas_keep_less(patch: pytest.MonkeyPatch) -> None:
    true, now = Store.apply, every(2)

    def apply(self: Store, rows: Any, resolve: bool, migrates: bool) -> int:
        if now():
            return len(rows)
        return true(self, rows, resolve, migrates)

    patch.setattr(Store, "apply", apply)


def forever(start: Callable[[Node], Any]) -> Plant:
    """A node that does something when it has served for two seconds."""

    def plant(patch: pytest.MonkeyPatch) -> None:
        true = Node.served

        async def served(self: Node) -> None:
            await true(self)
            asyncio.get_running_loop().call_later(2, start, self)

        patch.setattr(Node, "served", served)

    return plant


def leaks_a_task(node: Node) -> None:
    task = asyncio.get_running_loop().create_task(asyncio.Event().wait())
    node.queries._tasks.add(task)  # or it would be collected as garbage


def leaks_work(node: Node) -> None:
    node.transaction_threads._waiting.append((print, asyncio.get_running_loop().create_future()))


def counts_wrong(node: Node) -> None:
    node.statistics.client_connections_opened += 1


def fails(node: Node) -> None:
    raise KeyError("a bug of a node")


def everybody_is_master(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        "asd.membership.cluster.Clustered.partition_map",
        lambda self, namespace: PartitionMap(2, (b"\xff" * 512, b"\0" * 512)),
    )


CANARIES = {
    # what clients are told of objects
    "an old value is read": Canary(
        "register", client("get", remembering()), "goes back|not linearizable"
    ),
    "a write is acknowledged, and lost": Canary(
        "register", client("operate", acknowledged), "not linearizable"
    ),
    "a value that nobody wrote": Canary(
        "register", client("get", changed(lambda bins: {"value": 10**6})), "nobody wrote"
    ),
    "a write that does not look at the generation": Canary(
        "cas", client("operate", any_generation, 1), "not linearizable", pause_s=0.001
    ),
    "an addition is done twice": Canary("counter", client("operate", twice), "counter"),
    "an addition is lost": Canary("counter", client("operate", acknowledged), "'value'"),
    "elements change places": Canary(
        "list-append",
        client("get", changed(lambda bins: {"value": bins["value"][::-1]}), 3),
        "not linearizable",
    ),
    "an element is appended twice": Canary("list-append", client("operate", twice), "there twice"),
    "a large record is torn": Canary(
        "large",
        client("get", changed(lambda bins: {"value": bins["value"][:-8] + b"torn off"})),
        "nobody wrote",
    ),
    "half a transfer": Canary("bank", client("operate", half), "together"),
    "ids are given out again": Canary("ids", client("operate", remembering(), 2), "is not new"),
    "a function is run twice": Canary("udf", client("apply", twice), "udf"),
    "rows of a batch are mixed up": Canary("batch", client("batch", mixed_up), "batch|linear|back"),
    # what they are told of sets
    "an inserted element is lost": Canary("set", client("put", acknowledged), "lost"),
    "a query finds a record twice": Canary(
        "set", query_of(lambda all_: all_ + all_[:1], 1), "times"
    ),
    "a query misses a record": Canary(
        "scan", query_of(lambda all_: all_[1:]), "just once", pause_s=0.2
    ),
    "an expired record is read": Canary(
        "expiring", client("get", remembering(), 1), "expired", pause_s=0.4, phase_s=12.0
    ),
    "a durable delete is not done": Canary("durable", client("remove", plainly_nothing), "there"),
    "a truncation is not done": Canary(
        "truncation", client("truncate", plainly_nothing, 1), "there"
    ),
    "a background job misses records": Canary(
        "background", skips(Namespace, "is_live", False), "background"
    ),
    # what nodes have
    "an index forgets": Canary("index", skips(SecondaryIndexes, "changed"), "index"),
    "a replica forgets": Canary("register", replicas_keep_less, "differs from", 2),
    "two masters": Canary("register", everybody_is_master, "is held by", 2),
    "a task is left over": Canary("register", forever(leaks_a_task), "'tasks': 1"),
    "work is left over": Canary("register", forever(leaks_work), "'work on threads': 1"),
    "a structure is wrong": Canary("register", forever(counts_wrong), "AssertionError"),
    "a node fails": Canary("register", forever(fails), "a bug of a node"),
}


@pytest.mark.parametrize("name", CANARIES)
def test_canaries_are_caught(name, monkeypatch):
    canary = CANARIES[name]
    canary.plant(monkeypatch)
    shape = Shape(nodes=canary.nodes)
    names = (canary.workload,)
    phase_s = (canary.phase_s, canary.phase_s)
    pause_s = canary.pause_s
    plan = Plan(SEED, 0.05, shape, workloads=names, clients=2, pause_s=pause_s, phase_s=phase_s)
    outcome = Run(plan).go()
    assert re.search(canary.said, outcome.violation), outcome.violation
    print(f"{name}: seed {SEED}: {outcome.violation}")
