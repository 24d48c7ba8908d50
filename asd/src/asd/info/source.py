"""What info needs to know of a node and of the connection that asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from asd.bins.expressions import ExpressionCache
from asd.config import Config
from asd.measures.histogram import Histogram
from asd.measures.statistics import ServiceStatistics
from asd.measures.turns import Turns
from asd.membership.metadata import SystemMetadata
from asd.membership.state import Membership
from asd.process.heavy_work import HeavyWork
from asd.process.logging import LogSinks
from asd.process.machine import Machine
from asd.query import QueryManager
from asd.security.rights import Rights
from asd.shipping.shipping import Shipping
from asd.space.index_metadata import IndexMetadata
from asd.space.masking import MaskingMetadata
from asd.space.namespace import Namespace
from asd.space.survey import RecordSurvey
from asd.space.truncation import TruncationMetadata
from asd.udf import UdfModules
from citrusleaf.cf_clock import Clock


class InfoConnection(Protocol):
    """A client connection as info sees it."""

    peer: str
    """Host and port of the client, for the log."""
    rights: Rights
    """What may be done on the connection."""
    user_agent: str | None
    """What the client said of itself, in base64; None while it said nothing."""

    @property
    def local_host(self) -> str:
        """The node's own address at which the client reached it."""


class InfoClient(InfoConnection, Protocol):
    """A connection of the service port."""

    @property
    def partial_bytes(self) -> int:
        """Bytes of a frame that has not come whole."""

    @property
    def unread_bytes(self) -> int:
        """Bytes of replies that the client has not read."""


class InfoConnections(Protocol):
    """The open client connections."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[InfoClient]: ...


class InfoAdminPort(Protocol):
    """The port for tools, and its connections."""

    @property
    def port(self) -> int:
        """The port listened on; 0 = none."""

    @property
    def addresses(self) -> Sequence[str] | None:
        """The hosts listened on; None = all of the machine's."""

    @property
    def opened(self) -> int:
        """Connections there have been."""

    @property
    def closed(self) -> int:
        """Connections that have ended."""

    def __len__(self) -> int: ...

    def __contains__(self, connection: object) -> bool: ...


class InfoNode(Protocol):
    """A node as info sees it. The attributes are read at each request, never kept."""

    @property
    def node_id(self) -> str:
        """At most 16 upper-case hexadecimal digits, no leading zero."""

    @property
    def cluster(self) -> Membership:
        """The cluster it is in."""

    @property
    def metadata(self) -> SystemMetadata:
        """What all nodes of the cluster know."""

    @property
    def config(self) -> Config:
        """The configuration in effect."""

    @property
    def community(self) -> bool:
        """True for the community edition."""

    @property
    def clock(self) -> Clock:
        """The node's clock."""

    @property
    def machine(self) -> Machine:
        """The machine the node runs on."""

    @property
    def logs(self) -> LogSinks:
        """Where log lines go, and from which level on."""

    @property
    def started_ms(self) -> int:
        """When the node started, on the clock's monotonic scale."""

    @property
    def namespaces(self) -> Mapping[bytes, Namespace]:
        """The namespaces by name, in the order of the configuration."""

    @property
    def surveys(self) -> Mapping[bytes, RecordSurvey]:
        """By namespace, what passes over its records have found."""

    @property
    def statistics(self) -> ServiceStatistics:
        """The node's own counters."""

    @property
    def turns(self) -> Turns:
        """How long the loop was held."""

    @property
    def heavy(self) -> HeavyWork | None:
        """Who does heavy work off the loop; None: nobody."""

    @property
    def expressions(self) -> ExpressionCache:
        """Expressions compiled lately."""

    @property
    def udf(self) -> UdfModules:
        """The registered modules of users' functions."""

    @property
    def queries(self) -> QueryManager:
        """The queries, running and done."""

    @property
    def masking(self) -> MaskingMetadata:
        """By which masking rules are put and removed."""

    @property
    def indexes(self) -> IndexMetadata:
        """By which secondary indexes are created and dropped."""

    @property
    def shipping(self) -> Shipping:
        """What goes to other data centers."""

    @property
    def truncations(self) -> TruncationMetadata:
        """By which records are truncated."""

    @property
    def connections(self) -> InfoConnections:
        """The client connections that are open."""

    @property
    def addresses(self) -> Sequence[str] | None:
        """The hosts listened on; None = all of the machine's."""

    @property
    def port(self) -> int:
        """The port that clients reach: in the clear, or by TLS where that is the only one."""

    @property
    def admin(self) -> InfoAdminPort:
        """The port for tools."""

    def histograms(self) -> Sequence[Histogram]:
        """All latency histograms."""

    def apply_configuration(self) -> None:
        """Take up a configuration that has changed."""
