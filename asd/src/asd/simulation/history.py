"""What clients did to records and were told: operations with a beginning and an end.

Beginnings and ends are numbered in the order in which they happened; one operation was over before
another began if its end has the lower number. An operation whose outcome nobody knows has no end:
it may have taken effect at any moment since it began, may do so later, or never.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from enum import Enum
from typing import Any, Final

from attrs import define

from aerospike_client import ClientError

NEVER: Final = 1 << 62


class Status(Enum):
    """What a client knows of its operation."""

    RUNS = "runs"
    DONE = "done"
    REFUSED = "refused"
    """It had no effect."""
    IN_DOUBT = "in doubt"


@define(eq=False)
class Operation:
    """One operation on one object."""

    client: str
    place: Hashable
    """The object: what operations on one and the same must be in some order."""
    act: str
    value: Any
    begun: int
    begun_s: float
    ended: int = NEVER
    ended_s: float = 0.0
    status: Status = Status.RUNS
    result: Any = None
    generation: int = 0
    """The record's, that it was told; 0: none."""
    error: str = ""

    @property
    def done(self) -> bool:
        """Was it acknowledged?"""
        return self.status is Status.DONE

    @property
    def may_have_effect(self) -> bool:
        """Was it acknowledged, or is it in doubt?"""
        return self.status is not Status.REFUSED

    def before(self, other: Operation) -> bool:
        """Was it over when the other began?"""
        return self.ended < other.begun

    def __str__(self) -> str:
        asked = "" if self.value is None else f" {self.value!r}"
        told = f" -> {self.result!r}" if self.result is not None else ""
        generation = f" generation {self.generation}" if self.generation else ""
        error = f" ({self.error})" if self.error else ""
        span = f"{self.begun_s:.4f}-{self.ended_s:.4f}" if self.ended_s else f"{self.begun_s:.4f}-"
        return (
            f"{span} {self.client} {self.act}{asked} on {self.place}: {self.status.value}"
            f"{told}{generation}{error}"
        )


class Clients:
    """Collects the operations of all clients of a workload."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self._ticks = 0

    def begin(self, client: str, place: Hashable, act: str, value: Any, now_s: float) -> Operation:
        """A client is about to ask."""
        self._ticks += 1
        operation = Operation(client, place, act, value, self._ticks, now_s)
        self.operations.append(operation)
        return operation

    def end(
        self,
        operation: Operation,
        status: Status,
        now_s: float,
        result: Any = None,
        generation: int = 0,
        error: str = "",
    ) -> Operation:
        """A client was told, or has given up."""
        self._ticks += 1
        if status is not Status.IN_DOUBT:
            operation.ended = self._ticks
        operation.status, operation.ended_s = status, now_s
        operation.result, operation.generation, operation.error = result, generation, error
        return operation

    def by_place(self) -> dict[Hashable, list[Operation]]:
        """The operations on each object, as they began."""
        found: dict[Hashable, list[Operation]] = defaultdict(list)
        for operation in self.operations:
            found[operation.place].append(operation)
        return dict(found)

    def forget(self) -> None:
        """Begin anew: what has happened is checked."""
        self.operations.clear()


def outcome_of(error: ClientError) -> Status:
    """What an error says of the operation."""
    return Status.IN_DOUBT if error.in_doubt else Status.REFUSED
