"""Is this node still the one that serves a partition? Its replicas are asked: one that has gone on
to another cluster says no, and no cluster serves the partition next without one of them.

Asked when a record has been read, the answer says that nobody had written it since: what is read
was the latest when it was read.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from cluster.fabric import Delivered
from cluster.messages import RegimeCheck, RegimeIs
from cluster.node import Service
from cluster.outputs import Channel, Confirmed, Output, Request, Respond
from cluster.partitions.service import Partitions
from cluster.wire import Message

TIMEOUT_MS = 1000
"""A replica that says nothing for so long counts as one that says no."""


class Confirmation:
    """One question to all replicas of a partition."""

    def __init__(self, number: int, place: tuple[int, str, int], replicas: Iterable[int]) -> None:
        """`place`: cluster key, namespace, partition."""
        self.number = number
        self.place = place
        self._left = set(replicas)

    def ask(self) -> list[Output]:
        """The questions; where there is no replica the answer."""
        check = RegimeCheck(*self.place)
        ways = Channel.REPLICATION, TIMEOUT_MS
        asked: list[Output] = [
            Request(node, check, *ways, (self, node)) for node in sorted(self._left)
        ]
        return asked or [Confirmed(self.number, True)]

    def answered(self, node: int, reply: Message | None, holds: bool) -> list[Output]:
        """A replica's answer. `holds`: is our own plan still that of the question?"""
        if not self._left:
            return []  # it is over
        self._left.discard(node)
        if not (holds and isinstance(reply, RegimeIs) and reply.current):
            self._left.clear()
            return [Confirmed(self.number, False)]
        return [] if self._left else [Confirmed(self.number, True)]


class Confirmations(Service):
    """The questions of one node, and its answers to those of others."""

    MESSAGES: ClassVar[tuple[type[Message], ...]] = (RegimeCheck,)

    def __init__(self, me: int, partitions: Partitions) -> None:
        self._me = me
        self._partitions = partitions
        self._last = 0

    def confirm(self, namespace: str, partition: int) -> tuple[int, list[Output]]:
        """Does this node still serve the partition? A number that `Confirmed` will carry."""
        self._last += 1
        space = self._partitions.spaces[namespace]
        if space.server(partition) != self._me:
            return self._last, [Confirmed(self._last, False)]
        place = self._partitions.cluster_key, namespace, partition
        return self._last, Confirmation(self._last, place, space.targets[partition]).ask()

    def receive(self, came: Delivered, now: int) -> list[Output]:
        """Another node asks."""
        asked = came.message
        assert isinstance(asked, RegimeCheck)
        space = self._partitions.spaces.get(asked.namespace)
        current = asked.cluster_key == self._partitions.cluster_key
        yes = current and space is not None and space.confirms(asked.partition)
        return [Respond(came.node, came.transaction, RegimeIs(yes), came.channel)]

    def answered(self, tag: object, reply: Message | None, now: int) -> list[Output]:
        """A replica has answered, or has not in time."""
        assert isinstance(tag, tuple)
        asked, node = tag
        assert isinstance(asked, Confirmation)
        key, namespace, partition = asked.place
        serves = self._partitions.spaces[namespace].server(partition) == self._me
        return asked.answered(node, reply, serves and key == self._partitions.cluster_key)
