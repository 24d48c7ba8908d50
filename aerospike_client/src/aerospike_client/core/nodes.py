"""`Node`: what the client knows of a node of the cluster."""

from __future__ import annotations

from typing import Final

import attrs

from aerospike_client.core.addresses import Address
from aerospike_client.core.metrics import NodeMetrics

UNKNOWN_GENERATION: Final = -1
"""Differs from every generation that a node answers."""


@attrs.define(eq=False)
class Node:
    """One node. Faces keep connections to it, the tend keeps it up to date."""

    #: Its id: upper-case hexadecimal.
    name: str
    address: Address
    tls_name: str = ""
    #: All addresses it is known by.
    aliases: set[Address] = attrs.field(factory=set)
    #: Version of the server, as four numbers.
    build: tuple[int, ...] = ()
    #: False once it has left the cluster or does not answer; commands then look elsewhere.
    active: bool = True
    #: Namespace -> rack.
    racks: dict[str, int] = attrs.field(factory=dict)

    peers_generation: int = UNKNOWN_GENERATION
    partition_generation: int = UNKNOWN_GENERATION
    rebalance_generation: int = UNKNOWN_GENERATION
    #: Rounds of tending in a row that it has not answered.
    failures: int = 0
    #: How many other nodes named it in this round.
    friends: int = 0
    #: Failed attempts within the window of the circuit breaker.
    errors: int = 0
    metrics: NodeMetrics = attrs.field(factory=NodeMetrics)

    def is_broken(self, max_error_rate: int) -> bool:
        """Whether it failed so often within the window that it is to be left alone."""
        return 0 < max_error_rate <= self.errors

    def __str__(self) -> str:
        return f"{self.name} {self.address}"
