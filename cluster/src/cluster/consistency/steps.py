"""The steps of all namespaces of a node: what a step keeps, messages about steps, and what follows
the last (`cluster.consistency.agreement` says which steps there are)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from cluster.consistency.partitions import StrongPartitions
from cluster.messages import RegimeStep, StateRow
from cluster.outputs import Output, SetVersions, StoreAnswer, Token
from cluster.partitions.namespace import NamespacePartitions, Versions

Heard = Callable[[StoreAnswer, int], list[Output]]
"""What is done with an answer of the daemon."""


class Serves(Protocol):
    """The service of partitions, as the steps need it."""

    spaces: Mapping[str, NamespacePartitions]

    @property
    def cluster_key(self) -> int:
        """The key that everything sent belongs to."""

    def once(self, act: Heard) -> Token:
        """A token whose answer is heard once."""

    def set_versions(
        self, space: NamespacePartitions, token: Token, versions: Versions
    ) -> SetVersions:
        """Set versions, and all that wait to be set."""

    def take_part(self, space: NamespacePartitions, now: int) -> list[Output]:
        """A namespace is served by its plans from now on."""


class Steps:
    """Takes the steps of namespaces with strong consistency."""

    def __init__(self, service: Serves) -> None:
        self._service = service

    def spaces(self) -> Iterator[StrongPartitions]:
        """The namespaces that take steps."""
        each = self._service.spaces.values()
        return (space for space in each if isinstance(space, StrongPartitions))

    def states(self) -> tuple[StateRow, ...]:
        """What the exchange tells of them besides versions."""
        return tuple([space.state_row() for space in self.spaces()])

    def hear(self, node: int, told: RegimeStep, now: int) -> list[Output]:
        """Another node has taken a step; whoever is not so far yet will be asked again."""
        space = self._service.spaces.get(told.namespace)
        current = told.cluster_key == self._service.cluster_key
        if not isinstance(space, StrongPartitions) or not current or space.agreement is None:
            return []
        return space.agreement.hear(node, told) + self.take(space, now)

    def repeat(self) -> list[Output]:
        """Some have not answered in time."""
        waiting = [space.agreement for space in self.spaces() if space.agreement is not None]
        return [output for each in waiting for output in each.repeat()]

    def take(self, space: StrongPartitions, now: int) -> list[Output]:
        """Take the steps that may be taken; serve when all have taken all."""
        agreement, service = space.agreement, self._service
        assert agreement is not None
        step = agreement.begin_next()
        if step:
            token = service.once(lambda answer, now: agreement.took() + self.take(space, now))
            state, versions = space.for_step(step, token), space.versions_of(step)
            # With nothing to set it is answered all the same.
            return [state or service.set_versions(space, token, versions)]
        if not agreement.is_over or space.is_ready:
            return []
        token = service.once(lambda answer, now: [])
        return space.agreed(token) + service.take_part(space, now)
