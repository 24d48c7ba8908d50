"""A simulated machine with an `asd` on it: its address, clock and disk, and the lives of its node.

What stands in `disk` and `metadata` outlives the process; everything else begins anew.
"""

from __future__ import annotations

from copy import deepcopy

from attrs import define, evolve, field, frozen

from asd.config import (
    Config,
    Edition,
    Endpoint,
    FabricConfig,
    HeartbeatConfig,
    NamespaceConfig,
    NetworkConfig,
    NetworkServiceConfig,
    ServiceConfig,
)
from asd.config.xdr import ShipConfig, XdrConfig
from asd.node import SMD_MODULES, SMD_RULES, Node
from asd.process.machine import Machine as Described
from asd.simulation.threads import SimulatedThreads, SimulatedWorkers
from citrusleaf.cf_random import CfRandom
from cluster.simulation import Chance, ProcessLoop, SimulatedClock
from cluster.smd import MemoryStore, Smd
from storage.testing import LastingDisk
from storage.testing.kv_store import LoggedStore

SERVICE_PORT = 3000
FABRIC_PORT = 3001
HEARTBEAT_PORT = 3002


def in_memory(name: str = "test", replication_factor: int = 2) -> NamespaceConfig:
    """A namespace in memory that removes what has expired every second."""
    return NamespaceConfig(name, replication_factor=replication_factor, nsup_period=1)


@frozen
class Shape:
    """What the nodes of a world are configured to, all alike."""

    nodes: int = 3
    namespaces: tuple[NamespaceConfig, ...] = field(factory=lambda: (in_memory(),))
    interval_ms: int = 150
    timeout_intervals: int = 10
    edition: Edition = Edition.ENTERPRISE
    service: ServiceConfig = field(factory=lambda: ServiceConfig(ticker_interval=0))
    slowest_io_s: float = 0.002
    """What work on the transaction threads takes, at most, without a fault."""
    max_rate_drift: float = 0.0
    """Monotonic clocks run at rates between 1 - this and 1 + this."""
    max_wall_offset_s: float = 0.0
    ships: tuple[tuple[int, int], ...] = ()
    """Clusters (their numbers, from 0) of which the first ships all that it has to the second."""
    converges: bool = False
    """Do clusters that ship to each other all take writes, and come to the same?"""
    forwards: bool = False
    """Do they ship on what was shipped to them?"""

    @property
    def timeout_s(self) -> float:
        """So long a silent node is taken for alive."""
        return self.interval_ms * self.timeout_intervals / 1000


class _Described(Described):
    """What a node may know of its machine."""

    def __init__(self, address: str) -> None:
        self._address = address

    def address(self) -> str:
        """Where others reach it."""
        return self._address


@define(eq=False)
class Machine:
    """One machine, and the `asd` that runs, or last ran, on it."""

    name: str
    number: int
    address: str
    clock: SimulatedClock
    rate: float = 1.0
    offset_s: float = 0.0
    """By how much its wall clock is wrong without a fault."""
    site: int = 0
    """The number of the cluster that it is of."""
    disk: LastingDisk = field(factory=LastingDisk)
    metadata: MemoryStore = field(factory=MemoryStore)
    lives: int = 0
    loop: ProcessLoop | None = None
    node: Node | None = None
    threads: SimulatedThreads | None = None
    serves: bool = False
    """Has the process that runs said that it is ready, and was it not asked to end since?"""
    ending: bool = False
    """Was it asked to end?"""
    restarts: bool = False
    """Is it to be started again once it has ended?"""

    @property
    def alive(self) -> bool:
        """Is there a process, stopped or not?"""
        return self.loop is not None and self.loop.alive

    @property
    def running(self) -> bool:
        """Is there a process that is not stopped?"""
        return self.loop is not None and self.loop.alive and not self.loop.paused

    @property
    def has_failed(self) -> bool:
        """Has a disk failed, so that the node takes no writes any more?"""
        spaces = self.node.namespaces.values() if self.node is not None else ()
        return any(space.failure is not None for space in spaces)

    @property
    def disk_works(self) -> bool:
        """Is the disk as it should be, and does the node think so?"""
        disk = self.disk
        spoilt = disk.dead or disk.short_writes or disk.capacity_bytes is not None
        return not spoilt and not self.has_failed

    def new_node(self, shape: Shape, sites: list[list[str]], chance: Chance) -> Node:
        """The node of a new life. `sites`: the addresses of all machines, by cluster."""
        self.threads = SimulatedThreads(chance, shape.slowest_io_s)
        return Node(
            self._config(shape, sites),
            self.clock,
            machine_id=self.number,
            machine=_Described(self.address),
            smd=Smd(self.metadata, SMD_MODULES, SMD_RULES),
            disk=self.disk,
            random=CfRandom(chance.below(1 << 62)),
            threads=self.threads,
            heavy=SimulatedWorkers(self.clock, chance, shape.slowest_io_s),
            store_at=lambda path: LoggedStore(path, self.disk),
        )

    def _config(self, shape: Shape, sites: list[list[str]]) -> Config:
        here = (self.address,)
        seeds = [address for address in sites[self.site] if address != self.address]
        meshed = tuple(Endpoint(seed, HEARTBEAT_PORT) for seed in seeds)
        return Config(
            service=evolve(deepcopy(shape.service), cluster_name="simulated"),
            network=NetworkConfig(
                service=NetworkServiceConfig(port=SERVICE_PORT, address=here),
                heartbeat=HeartbeatConfig(
                    address=here,
                    port=HEARTBEAT_PORT,
                    mesh_seed_address_port=meshed,
                    interval=shape.interval_ms,
                    timeout=shape.timeout_intervals,
                ),
                fabric=FabricConfig(address=here, port=FABRIC_PORT),
            ),
            namespaces={own.name: deepcopy(own) for own in shape.namespaces},
            edition=shape.edition,
            xdr=self._shipping(shape, sites),
        )

    def _shipping(self, shape: Shape, sites: list[list[str]]) -> XdrConfig:
        """All namespaces go to the clusters that its own ships to."""
        config = XdrConfig(src_id=self.site + 1 if shape.converges else 0)
        for site, to in shape.ships:
            if site == self.site:
                dc = config.create(f"site{to}")
                for address in sites[to]:
                    dc.add_node(f"{address}:{SERVICE_PORT}")
                for own in shape.namespaces:
                    _attach(dc.namespace(own.name), shape)
        return config


def _attach(way: ShipConfig, shape: Shape) -> None:
    if shape.converges:
        way.set("bin-policy", "only-changed")
        way.set("ship-bin-luts", "true")
    if shape.forwards:
        way.set("forward", "true")
    way.attach(enabled=True)
