"""What goes into the tend's state machine and what comes out."""

from __future__ import annotations

import attrs

from aerospike_client.core.addresses import Address
from aerospike_client.core.nodes import Node


@attrs.frozen
class TendOptions:
    """What of a client's policy the tend looks at."""

    cluster_name: str | None = None
    alternate: bool = False
    tls: bool = False
    ip_map: dict[str, str] = attrs.field(factory=dict)
    racks: bool = False
    error_rate_window: int = 1
    app_id: str = "not-set"


@attrs.frozen
class Ask:
    """Send these info commands to an address and report the answer under `number`."""

    number: int
    address: Address
    tls_name: str
    commands: tuple[str, ...]
    #: The node, when one is known at the address.
    node: Node | None


@attrs.frozen
class NodeAdded:
    """A node has been found."""

    node: Node


@attrs.frozen
class NodeRemoved:
    """A node has left the cluster, or does not answer any more."""

    node: Node


@attrs.frozen
class PartitionsChanged:
    """Partitions of a namespace have other owners than before."""

    namespace: str


@attrs.frozen
class RoundOver:
    """The round is over. `failures`: what did not work, in words."""

    failures: tuple[str, ...]


Output = Ask | NodeAdded | NodeRemoved | PartitionsChanged | RoundOver


@attrs.frozen
class Answered:
    """A node has answered: command -> value."""

    number: int
    answers: dict[str, str]


@attrs.frozen
class Failed:
    """A node has not answered: why, in words."""

    number: int
    reason: str
