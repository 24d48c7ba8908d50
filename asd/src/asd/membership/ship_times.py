"""How far change shipping has come, told to the other nodes: each tells of the partitions it serves
(`asd.shipping`), so that whoever takes one over knows where to go on.

Nothing is answered and nothing is told twice: what is lost is told again a second later.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, TypeAlias

from attrs import frozen

from cluster import Channel, ClusterChanged, Delivered, Message, Output, Service
from cluster.outputs import Send

Heard: TypeAlias = Callable[[str, str, bytes], None]
"""Data center, namespace, times (`asd.shipping.ship_times`)."""


@frozen
class ShipTimesAre(Message):
    """So far the sender's partitions of a namespace are shipped."""

    TYPE: ClassVar[int] = 125
    dc: str = ""
    namespace: str = ""
    times: bytes = b""


class ShipTimes(Service):
    """Tells, and hears."""

    MESSAGES: ClassVar[tuple[type[Message], ...]] = (ShipTimesAre,)

    def __init__(self, me: int) -> None:
        self._me = me
        self._others: tuple[int, ...] = ()
        self.heard: Heard = lambda dc, namespace, times: None

    def cluster_changed(self, view: ClusterChanged, now: int) -> list[Output]:
        """Know whom to tell."""
        self._others = tuple(node for node in view.nodes if node != self._me)
        return []

    def spread(self, dc: str, namespace: str, times: bytes) -> list[Output]:
        """Tell all others."""
        message = ShipTimesAre(dc, namespace, times)
        return [Send(node, message, Channel.META) for node in self._others]

    def receive(self, came: Delivered, now: int) -> list[Output]:
        """Another node tells."""
        if isinstance(came.message, ShipTimesAre):
            self.heard(came.message.dc, came.message.namespace, came.message.times)
        return []
