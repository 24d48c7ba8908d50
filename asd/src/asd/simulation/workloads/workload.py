"""What a workload is: clients that do something, and what must be true of what they were told.

A run goes in *phases*. In each, clients act, with or without faults; then they pause, everything
comes to rest, `read` reads what there is, and `check` looks at the phase as a whole. A phase is
*firm* if all nodes were one and the same cluster all the time.

What is demanded, by the namespace's mode:

- Strong consistency: every phase is linearizable, object by object. `get` reads so that it must be
  (`latest`); reads that ask for less must be in an order of their own (`checkers.sessions`).
- Availability: a firm phase is. In others nodes may have served apart, and of two versions the
  conflict rule has kept one. Then the values must be ones that were written, no acknowledged
  generation may be higher than the one that is there, and whatever each workload says besides.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Hashable
from enum import Enum
from typing import Any, ClassVar, TypeVar

from attrs import define, frozen

from aerospike_client import (
    AsyncClient,
    BatchPolicy,
    ClientError,
    ClientPolicy,
    Key,
    ReadModeSC,
    ReadPolicy,
    RecordNotFound,
)
from asd.simulation.history import Clients, Operation, Status, outcome_of
from cluster.simulation import Chance, Violation

T = TypeVar("T")

Told = tuple[Any, int]
"""The result and the generation of an operation."""


class Mode(Enum):
    """What the namespace promises."""

    AVAILABLE = "available"
    CONSISTENT = "consistent"

    def __str__(self) -> str:
        return self.value


@define
class Stage:
    """Where a workload plays: what it needs of its world."""

    chance: Chance
    now_s: Callable[[], float]
    note: Callable[[str, str], None]
    namespace: str = "test"
    mode: Mode = Mode.AVAILABLE
    skew_s: Callable[[], float] = lambda: 0.0
    """By how much the nodes' wall clocks have differed at most."""
    verbose: bool = True
    """Does every operation get its line?"""


@frozen
class Phase:
    """What is known of a phase when it is over."""

    firm: bool
    """All nodes were one cluster, the same all the time, and at rest in the beginning."""
    refused: bool = False
    """A medium has failed meanwhile: writes may have been refused."""


class Workload(ABC):
    """One of the library. A world has an object of it for all its clients."""

    name: ClassVar[str]
    modes: ClassVar[frozenset[Mode]] = frozenset(Mode)
    """Where it can be run."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.clients = Clients()
        self.undecided = 0
        """Searches that were given up."""
        self._values = 0

    async def prepare(self, client: AsyncClient) -> None:
        """Make what is needed, before the first phase. Raises ClientError."""
        return

    @abstractmethod
    async def act(self, client: AsyncClient, who: str) -> None:
        """Do something as the client `who`. Errors that a client may see are not raised."""

    @abstractmethod
    async def read(self, client: AsyncClient) -> None:
        """Everything is at rest: read what there is. Raises ClientError."""

    @abstractmethod
    def check(self, phase: Phase) -> None:
        """The phase is over, and `read` has read. Raises Violation."""

    # --- for those who make them ---------------------------------------------------------------

    @property
    def chance(self) -> Chance:
        """What is left open is drawn from this."""
        return self.stage.chance

    def unique(self) -> int:
        """A value that this workload never had."""
        self._values += 1
        return self._values

    def key(self, name: str | int) -> Key:
        """A key in this workload's set."""
        return Key(self.stage.namespace, self.name, name)

    def demands_order(self, phase: Phase) -> bool:
        """Must the phase be linearizable?"""
        return phase.firm or self.stage.mode is Mode.CONSISTENT

    async def ask(
        self,
        who: str,
        place: Hashable,
        act: str,
        value: Any,
        asked: Awaitable[T],
        told: Callable[[T], Told] = lambda _: (None, 0),
    ) -> Operation:
        """Have something asked and note it. `told` takes result and generation from the answer."""
        stage = self.stage
        operation = self.clients.begin(who, place, act, value, stage.now_s())
        try:
            result, generation = told(await asked)
        except ClientError as error:
            status = outcome_of(error)
            self.clients.end(operation, status, stage.now_s(), error=f"{error}")
        else:
            self.clients.end(operation, Status.DONE, stage.now_s(), result, generation)
        if stage.verbose:
            stage.note(who, f"{self.name}: {operation}")
        return operation

    def fail(self, text: str) -> None:
        """Raise Violation."""
        raise Violation(f"{self.name}: {text}")


def policy_in(mode: Mode) -> ClientPolicy:
    """What clients ask for by default: the latest values, where there is such a thing."""
    if mode is Mode.AVAILABLE:
        return ClientPolicy()
    latest = ReadModeSC.LINEARIZE
    return ClientPolicy(
        read=ReadPolicy(read_mode_sc=latest),
        batch=BatchPolicy(read_mode_sc=latest),
        batch_write=BatchPolicy(read_mode_sc=latest, max_retries=0),
    )


async def get(client: AsyncClient, key: Key, policy: ReadPolicy | None = None) -> Told:
    """A record's bins and generation; None and 0 where there is none. Raises ClientError."""
    try:
        record = await client.get(key, policy)
    except RecordNotFound:
        return None, 0
    return record.bins, record.generation
