"""What a node is, for the rooms that need to know it.

`asd.node.Node` is the assembly: it makes all the parts, and starts and stops them. No room imports
it. What a request needs of its node is named here; a room that needs a part of its own besides
(a batch its rows' fast paths, a query the list of running queries) extends the protocol there. So
arrows between the rooms run one way, and a test can hand a room less than a whole node.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeAlias

from aerospike_common.wire.message import Message
from asd.bins.expressions import ExpressionCache
from asd.config import Config
from asd.faults import Faults
from asd.measures.histogram import Histogram
from asd.measures.statistics import ServiceStatistics
from asd.measures.turns import Turns
from asd.process.heavy_work import HeavyWork
from asd.process.transaction_threads import TransactionThreads
from asd.security.rights import Rights
from asd.space.namespace import Namespace
from asd.udf import UdfModules
from citrusleaf.cf_clock import Clock

Carried: TypeAlias = tuple[int, int, int, int, int, bytes]
"""The node that did it (0: none), then result code, generation, void-time, number of ops, ops."""


class Carries(Protocol):
    """Has transactions carried out that this node cannot answer by itself."""

    def carry(
        self,
        namespace: Namespace,
        digest: bytes,
        message: Message,
        *,
        in_batch: bool = False,
        access: int = 0,
    ) -> Awaitable[Carried]:
        """Find the node that serves the record, or resolve its duplicates, and have it done.

        `access`: what of masked bins the client may not see or change (`asd.transactions.masked`).
        """

    def pass_on(
        self,
        namespace: Namespace,
        digest: bytes,
        frame: bytes,
        timeout_ms: int,
        heard: Callable[[bytes, bool], None],
        *,
        once: bool,
    ) -> bool:
        """Have a client's request, as it came, done by the node that serves its record; False: it
        must be carried.

        `heard` is called, later, with the framed reply and whether what became of it is in doubt;
        without a reply that is not, nothing was done, and it must be carried. `once`: it writes.
        """


class NodeState(Protocol):
    """A node as its transactions see it. All of it is owned by the loop's thread."""

    config: Config
    """The configuration in effect."""
    clock: Clock
    """The node's clock, which may be one that is stepped."""
    community: bool
    """Refuse what the community edition refuses."""
    statistics: ServiceStatistics
    """The counters that belong to no namespace."""
    expressions: ExpressionCache
    """Filters and expressions compiled lately."""
    transaction_threads: TransactionThreads
    """Where work that blocks leaves the loop."""
    turns: Turns
    """How long transactions take, by turns of the loop."""
    batch_index_latency: Histogram
    """How long whole batches take."""
    faults: Faults
    """What tests have the node do to requests instead of answering them."""
    udf: UdfModules
    """The registered modules of users' functions."""

    @property
    def heavy(self) -> HeavyWork | None:
        """Where heavy work leaves the loop; None: it is done where it stands."""

    @property
    def carrier(self) -> Carries | None:
        """Where transactions go that cannot be done here at once; None on a node alone."""

    @property
    def namespaces(self) -> Mapping[bytes, Namespace]:
        """The namespaces by name, in the order of the configuration."""


class Client(Protocol):
    """The connection a request came from, as those who answer it see it."""

    peer: str
    """Host and port, for the log."""
    last_used_ns: int
    """When it last sent something, on the clock's monotonic scale."""

    rights: Rights
    """What may be done on it."""

    async def send(self, data: bytes) -> None:
        """Write part of a stream, waiting while the client is behind."""

    def abort(self) -> None:
        """Close now."""
