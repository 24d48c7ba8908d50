"""A node as info sees it, on a clock that tests step, with real namespaces in memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from attrs import define, field

from asd.config import Config, Edition, NamespaceConfig
from asd.info import respond
from asd.measures.histogram import Histogram
from asd.measures.statistics import ServiceStatistics
from asd.measures.turns import Turns
from asd.membership.metadata import SystemMetadata
from asd.membership.state import Alone
from asd.process.logging import LogSinks
from asd.process.machine import Machine
from asd.process.transaction_threads import TransactionThreads
from asd.query import QueryManager
from asd.security.rights import UNRESTRICTED, Rights
from asd.space.engines import make_engine
from asd.space.index_metadata import IndexMetadata
from asd.space.masking import MODULE as MASKING
from asd.space.masking import MaskingMetadata
from asd.space.namespace import Namespace
from asd.space.survey import RecordSurvey
from asd.space.truncation import TruncationMetadata
from asd.udf import UdfModules
from citrusleaf.cf_clock import VirtualClock
from cluster.smd import MemoryStore, Smd


@define
class FakeConnection:
    user_agent: str | None = None
    local_host: str = "10.0.0.9"
    peer: str = "10.0.0.1:50000"
    rights: Rights = UNRESTRICTED


def make_namespace(config: NamespaceConfig, clock: VirtualClock, community: bool) -> Namespace:
    engine = make_engine(config)
    turns = Turns(clock.monotonic_ns, lambda end: None)
    return Namespace(config, engine, clock, TransactionThreads(1, 1), turns, community=community)


@define
class FakeAdminPort:
    port: int = 0
    addresses: list[str] | None = None
    connections: list[FakeConnection] = field(factory=list)
    opened: int = 0
    closed: int = 0

    def __len__(self) -> int:
        return len(self.connections)

    def __contains__(self, connection: object) -> bool:
        return connection in self.connections


@define
class FakeNode:
    config: Config
    clock: VirtualClock = field(factory=VirtualClock)
    statistics: ServiceStatistics = field(factory=ServiceStatistics)
    turns: Turns = field(factory=lambda: Turns(lambda: 0, lambda call: None))
    connections: list[FakeConnection] = field(factory=lambda: [FakeConnection()])
    addresses: list[str] | None = None
    port: int = 3000
    admin: FakeAdminPort = field(factory=FakeAdminPort)
    node_id: str = "BB9020011AC4202"
    started_ms: int = 0
    machine: Machine = field(factory=Machine)
    times_applied: int = 0
    metadata: SystemMetadata = field(init=False)
    cluster: Alone = field(init=False)
    udf: UdfModules = field(init=False)
    queries: QueryManager = field(init=False)
    indexes: IndexMetadata = field(init=False)
    truncations: TruncationMetadata = field(init=False)
    masking: MaskingMetadata = field(init=False)
    namespaces: dict[bytes, Namespace] = field(init=False)
    logs: LogSinks = field(init=False)
    surveys: dict[bytes, RecordSurvey] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.metadata = SystemMetadata(
            Smd(MemoryStore(), ["sindex", "truncate", "UDF", "roster", MASKING])
        )
        self.cluster = Alone(0)
        self.cluster.node_id = self.node_id
        self.udf = UdfModules(self.metadata, self.clock)
        self.logs = LogSinks(self.config.logging)
        self.namespaces = {
            spec.name.encode(): make_namespace(spec, self.clock, self.community)
            for spec in self.config.namespaces.values()
        }
        self.surveys = {
            name: RecordSurvey(namespace) for name, namespace in self.namespaces.items()
        }
        for namespace in self.namespaces.values():
            namespace.engine.open()
        self.queries = QueryManager(self.config, self.clock)
        self.indexes = IndexMetadata(self.metadata, self.namespaces, self.clock, lambda: None)
        self.indexes.start()
        self.truncations = TruncationMetadata(
            self.metadata, self.namespaces, self.clock, lambda: None
        )
        self.truncations.start()
        self.masking = MaskingMetadata(self.metadata, self.namespaces, self.clock, lambda: None)
        self.masking.start()

    @property
    def community(self) -> bool:
        return self.config.community

    def histograms(self) -> list[Histogram]:
        return [
            histogram
            for namespace in self.namespaces.values()
            for histogram in (namespace.read_latency, namespace.write_latency)
        ]

    def apply_configuration(self) -> None:
        self.times_applied += 1

    def put(self, number: int, set_name: bytes = b"s", namespace: bytes = b"test") -> bytes:
        """Store an empty record; its digest."""
        digest = number.to_bytes(20, "big")
        self.namespaces[namespace].store(digest, 1, 0, set_name, False, b"\0\0")
        return digest

    def ask(self, command: str, connection: FakeConnection | None = None) -> str:
        """The value that one command is answered with."""
        line = f"{command}\n".encode()
        reply = respond(self, connection or self.connections[0], line).decode()
        echo, tab, value = reply.partition("\t")
        assert (echo, tab, value[-1]) == (command, "\t", "\n")
        return value[:-1]


def make_node(edition: Edition) -> FakeNode:
    spaces = {name: NamespaceConfig(name, nsup_period=120) for name in ("test", "bar")}
    return FakeNode(Config(namespaces=spaces, edition=edition))


@pytest.fixture
def node() -> FakeNode:
    """A community node with the namespaces test and bar."""
    return make_node(Edition.COMMUNITY)


@pytest.fixture
def enterprise_node() -> FakeNode:
    """The same as enterprise edition."""
    return make_node(Edition.ENTERPRISE)


@pytest.fixture
def ask(node: FakeNode) -> Callable[[str], str]:
    """Ask the community node: command to value."""
    return node.ask
