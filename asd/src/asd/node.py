"""A node: the parts of the server, assembled. It owns everything and starts and stops it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from itertools import chain
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from asd.bins.expressions import ExpressionCache
from asd.config import Config, NamespaceConfig
from asd.fastpath.cache import FastPaths
from asd.faults import Faults
from asd.http import HttpPort
from asd.info.ticker import Ticker
from asd.measures.histogram import NS_PER_MS, NS_PER_US, Histogram
from asd.measures.statistics import ServiceStatistics
from asd.measures.turns import Turns
from asd.membership import rosters
from asd.membership.metadata import SystemMetadata
from asd.membership.state import Membership
from asd.process.heavy_work import HeavyWork
from asd.process.logging import LogSinks
from asd.process.machine import Machine
from asd.process.transaction_threads import TransactionThreads
from asd.query import QueryManager
from asd.replication.place import Place, PlaceAlone, find_place
from asd.security.accounts import DEFAULT_ADMIN_HASH, MODULE
from asd.service.admin_port import AdminPort
from asd.service.connection import Connection
from asd.service.connections import Connections
from asd.service.listening import listen, listening_addresses
from asd.shipping.shipping import MODULE as SHIPPING_FILTERS
from asd.shipping.shipping import Shipping
from asd.space.engines import OpenStore, apply_storage, make_engine
from asd.space.index_builder import IndexBuilder
from asd.space.index_metadata import IndexMetadata
from asd.space.index_settler import IndexSettler
from asd.space.masking import MODULE as MASKING
from asd.space.masking import MaskingMetadata
from asd.space.namespace import Namespace
from asd.space.nsup import Nsup
from asd.space.survey import RecordSurvey
from asd.space.truncation import TruncationMetadata, Truncator
from asd.space.upkeep import close, flush, needs_upkeep, raid_tombs, write_behind
from asd.state import Carries
from asd.tls.keeper import Keeper
from asd.udf import UdfModules
from citrusleaf.cf_clock import Clock
from citrusleaf.cf_random import CfRandom
from cluster.smd import MemoryStore, Smd, latest
from storage.device import Disk
from storage.engine import Engine

if TYPE_CHECKING:
    from asd.security.security import Security

log = logging.getLogger("asd.node")

EXPRESSIONS_KEPT = 1024
SMD_MODULES = ("sindex", "truncate", "UDF", rosters.MODULE, MODULE, MASKING, SHIPPING_FILTERS)
SMD_RULES = MappingProxyType({"truncate": latest})
"""Of two truncations the later one holds, whatever their generations."""
STOP_GRACE_S = 0.5
"""How long replies already made may take to leave before connections are cut."""


def _call_soon(call: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_soon(call)


def _tell_of_failure(task: asyncio.Task[None]) -> None:
    """Say that what kept the node in order has failed: nobody else looks at how it ended."""
    if not task.cancelled() and task.exception() is not None:
        log.critical(
            "a task failed, and what it looked after stands still until a restart",
            exc_info=task.exception(),
        )


class Node:
    """One server. Lives on one event loop; nothing outside it is shared with other nodes.

    `machine_id` tells machines apart (a MAC address, say); with the port it makes the node id.
    `machine` is what the node may say of the machine it runs on; nothing by default.
    `smd` keeps the system metadata (`SMD_MODULES`), by default as long as the node lives.
    `logs` are the sinks whose levels `log-set` changes; by default those of the configuration,
    which nothing is written to until they are attached.
    `disk` has the files of the namespaces, by default the system.
    `admin_hash` is the hash of the password that the user `admin` begins with, by default `admin`.
    `random` is where secrets come from, by default the system.
    `threads` runs work that blocks, by default on as many threads as are configured.
    `heavy` does heavy work off the loop; by default it is done where it stands.
    """

    def __init__(
        self,
        config: Config,
        clock: Clock,
        *,
        machine_id: int,
        machine: Machine | None = None,
        smd: Smd | None = None,
        logs: LogSinks | None = None,
        disk: Disk | None = None,
        admin_hash: str = DEFAULT_ADMIN_HASH,
        random: CfRandom | None = None,
        threads: TransactionThreads | None = None,
        heavy: HeavyWork | None = None,
        store_at: OpenStore | None = None,
    ) -> None:
        self.config = config
        self.clock = clock
        self.machine = machine or Machine()
        self.logs = logs or LogSinks(config.logging)
        self.community = config.community
        self.statistics = ServiceStatistics()
        self.expressions = ExpressionCache(EXPRESSIONS_KEPT)
        self.transaction_threads = threads or TransactionThreads(
            config.service.transaction_queues, config.service.transaction_threads_per_queue
        )
        self.heavy = heavy
        self.turns = Turns(clock.monotonic_ns, _call_soon)
        self.namespaces: dict[bytes, Namespace] = {
            spec.name.encode(): self._namespace(spec, make_engine(spec, clock, disk, store_at))
            for spec in config.namespaces.values()
        }
        for space in self.namespaces.values():
            space.leaves = heavy is not None
        self.surveys = {name: RecordSurvey(space) for name, space in self.namespaces.items()}
        self.batch_index_latency = Histogram("batch-index")
        self.paths = FastPaths(self)
        self.faults = Faults(self._bar_paths)
        self.metadata = SystemMetadata(smd or Smd(MemoryStore(), SMD_MODULES, SMD_RULES))
        self.random = random or CfRandom()
        self.security = self._security(admin_hash, self.random)
        self.udf = UdfModules(self.metadata, clock)
        self.shipping = Shipping(self, self.paths.clear)
        self.queries = QueryManager(config, clock)
        self.connections = Connections(self)
        known = self.metadata, self.namespaces, clock, self.paths.clear
        self.indexes = IndexMetadata(*known).start()
        self.masking = MaskingMetadata(*known).start()
        self.truncations = TruncationMetadata(*known)
        self.started_ms = clock.monotonic_ms()
        self.place: Place = PlaceAlone(self)
        self.addresses = listening_addresses(config.network.service.address)
        service = config.network.service
        self.port = service.port if service.clear else service.tls_port
        self._machine_id = machine_id
        self.tls = Keeper(config, clock)
        self.http = HttpPort(self)
        self.admin = AdminPort(self)
        self._servers: list[asyncio.Server] = []
        self._tasks: list[asyncio.Task[None]] = []

    def _namespace(self, config: NamespaceConfig, engine: Engine) -> Namespace:
        return Namespace(
            config,
            engine,
            self.clock,
            self.transaction_threads,
            self.turns,
            community=self.community,
        )

    def _security(self, admin_hash: str, random: CfRandom) -> Security | None:
        if self.config.security is None:
            return None
        # imported here, as TLS is: what is behind it costs a start what only those need who ask
        from asd.security.security import Security

        forget = self.paths.forget
        return Security(self.config, self.metadata, self.clock, random, admin_hash, forget)

    def _nsup(self, namespace: Namespace) -> Nsup:
        return Nsup(namespace, self.machine, self.paths.clear)

    @property
    def cluster(self) -> Membership:
        """The cluster it is in; one of its own for a node that looks for no others."""
        return self.place.cluster

    @property
    def carrier(self) -> Carries | None:
        """Where transactions go that cannot be done here at once; None on a node alone."""
        return self.place.carrier

    async def served(self) -> None:
        """Return when the node serves: at once on a node alone, else with its first cluster."""
        await self.place.served()

    @property
    def node_id(self) -> str:
        """Upper-case hex: the configured id, or port and machine."""
        return self.config.service.node_id or f"{self.port:X}{self._machine_id:012X}"

    # --------------------------------------------------------------- life

    async def start(self) -> None:
        """Open the namespaces, then the ports. Raises OSError when a port cannot be had."""
        for namespace in self.namespaces.values():
            namespace.open()
        self.place = find_place(self)
        self.truncations.start()  # not before the records and their sets are known
        if self.config.network.service.clear:
            server = await listen(self._connection, self.addresses, self.port)
            self._servers.append(server)
            self.port = server.sockets[0].getsockname()[1]
        self.apply_configuration()
        spaces = self.namespaces.values()
        for space in spaces:
            self._keep_running(self._nsup(space).run())
            if self.heavy is not None:
                settler = IndexSettler(space, self.transaction_threads, self.heavy)
                self._keep_running(settler.run())
            self._keep_running(IndexBuilder(space, self.transaction_threads).run())
            self._keep_running(Truncator(space).run())
            self._keep_running(raid_tombs(space, self.transaction_threads))
        for space in filter(needs_upkeep, spaces):
            self._keep_running(flush(space))
            self._keep_running(write_behind(space, self.transaction_threads))
        for survey in self.surveys.values():
            self._keep_running(survey.run())
        self._keep_running(Ticker(self).run())
        self._keep_running(self.connections.reap())
        self._keep_running(self.tls.run())
        log.info("node %s serves port %d of %s", self.node_id, self.port, self.addresses or "all")
        try:
            await self._start_tls()
            self._start_asking_directory()
            await self.place.start()
            self._keep_running(self.shipping.run())
            await self.http.start()
            await self.admin.start()
        except BaseException:
            await self.stop()
            raise

    def _keep_running(self, work: Coroutine[Any, Any, None]) -> None:
        """Let this go on until the node stops."""
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(_tell_of_failure)
        self._tasks.append(task)

    def _connection(self, certificate_user: str) -> asyncio.Protocol:
        return cast(asyncio.Protocol, Connection(self, certificate_user))

    async def _start_tls(self) -> None:
        """Listen for clients that speak TLS, if the configuration says so. Raises OSError."""
        service = self.config.network.service
        certificates = self.tls.of_port(service, "service")
        if certificates is None:
            return
        server = await listen(
            self._connection,
            listening_addresses(service.tls_address or service.address),
            service.tls_port,
            certificates,
            self.connections,
        )
        self._servers.append(server)
        log.info("clients that speak TLS are served on port %d", service.tls_port)

    def _start_asking_directory(self) -> None:
        """Know the users of a directory, if the configuration says so. Raises OSError."""
        if self.security is None or self.security.config.ldap is None:
            return
        from asd.security.external import External
        from asd.security.ldap import LdapDirectory

        config = self.security.config.ldap
        self.security.external = External(
            self.security,
            config,
            LdapDirectory(config),
            TransactionThreads(1, config.login_threads),
            lambda: self.cluster.principal == self.node_id,
        )
        self._keep_running(self.security.external.run())

    async def leave(self) -> None:
        """Let other nodes of the cluster serve what is served here."""
        await self.place.leave()

    async def stop(self) -> None:
        """Answer what has come, close the port and the namespaces."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.shipping.stop()
        await self.queries.stop()
        await self.http.stop()
        await self.admin.stop()
        for server in self._servers:
            server.close()
        await self.connections.close(STOP_GRACE_S)
        await self.place.stop()
        if self.heavy is not None:
            await self.heavy.stop()
        self.transaction_threads.stop()
        if self.security is not None and self.security.external is not None:
            self.security.external.stop()
        for namespace in self.namespaces.values():
            close(namespace)

    def _bar_paths(self, faulty: bool) -> None:
        """From now on there are faults to be looked for, or none any more."""
        for namespace in self.namespaces.values():
            namespace.faulty = faulty
        self.paths.clear()

    def reset(self) -> None:
        """Empty all namespaces, count from zero again, and take faults back."""
        self.faults.clear()
        for namespace in self.namespaces.values():
            namespace.reset()
        self.paths.clear()

    # ------------------------------------------------------- configuration

    def apply_configuration(self) -> None:
        """Take up a configuration that has changed."""
        unit = NS_PER_US if self.config.service.microsecond_histograms else NS_PER_MS
        for histogram in self.histograms():
            if histogram.unit_ns != unit:
                histogram.unit_ns = unit
        for namespace in self.namespaces.values():
            indexed = {name for name, own in namespace.config.sets.items() if own.enable_index}
            namespace.indexes.keep_set_indexes(indexed)
            apply_storage(namespace.engine, namespace.config)
            namespace.transaction_max_ms = self.config.service.transaction_max_ms
        self.place.apply_configuration()
        self.shipping.apply_configuration()
        self.paths.clear()

    # ---------------------------------------------------------- histograms

    def histograms(self) -> list[Histogram]:
        """All latency histograms, in the order that `latencies:` lists them."""
        of_namespaces = (namespace.histograms() for namespace in self.namespaces.values())
        return [self.batch_index_latency, *chain.from_iterable(of_namespaces)]
