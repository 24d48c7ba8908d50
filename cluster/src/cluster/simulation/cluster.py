"""A simulated cluster: real nodes on simulated machines, watched by the checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from attrs import define, field, frozen

from cluster.fabric import Delivered
from cluster.fabric.link import FabricConfig
from cluster.membership.heartbeat import Identity
from cluster.membership.paxos_events import PaxosConfig
from cluster.membership.peer import HeartbeatConfig
from cluster.messages import CLASSES, MemberRow, Parcel
from cluster.node import ClusterNode, NodeConfig, Parts, Service
from cluster.outputs import ClusterChanged, NodeArrived, NodeDeparted, Output
from cluster.runtime import Group, GroupProtocol, NodeRuntime
from cluster.simulation.checks import ClusterChecks, DeliveryChecks, Violation
from cluster.simulation.history import History
from cluster.simulation.loop import ProcessLoop, SimulatedClock, World
from cluster.simulation.network import Conditions, Network
from cluster.state_machine import Row
from cluster.wire import Codec, Message

HEARTBEAT_PORT = 3002
FABRIC_PORT = 3001
CHECK_EVERY = 8
"""Steps between two looks into the node whose turn it was; what nodes promise one another is
checked at every commit, delivery and drop."""
GROUP = ("239.1.99.222", 9918)

KNOWN_MESSAGES = 256
"""Bytes of messages that the codec of a simulation remembers."""

Services = Callable[["SimulatedMachine"], Sequence[Service]]
"""Makes the services of a node when its process starts; what must last stands in its `disk`."""


class SharedCodec(Codec):
    """The codec of all nodes of a simulation: what many are sent is decoded once.

    That changes nothing: bytes always mean the same message, and messages are frozen.
    """

    def __init__(self, classes: Iterable[type[Message]]) -> None:
        super().__init__(classes)
        self._known: dict[bytes, Message | None] = {}

    def decode(self, data: bytes) -> Message | None:
        """The message, as `Codec.decode`."""
        known = self._known
        message = known.get(data)
        if message is None:
            message = super().decode(data)
            if not isinstance(message, Parcel):  # each is for one node
                if len(known) >= KNOWN_MESSAGES:
                    known.clear()
                known[data] = message
        return message


@define(eq=False)
class SimulatedMachine:
    """A machine: its address and clock, and what its disk keeps when the process dies."""

    name: str
    node_id: int
    address: str
    clock: SimulatedClock
    rate: float = 1.0
    rack: int = 0
    disk: dict[str, Any] = field(factory=dict)
    asked: dict[tuple[str, int], bytes] = field(factory=dict)
    """What clients have asked the process that runs, and not heard of."""
    waiting: dict[int, list[Any]] = field(factory=dict)
    """What is to be done when a commitment of the process that runs is over."""
    loop: ProcessLoop | None = None
    runtime: NodeRuntime | None = None
    lives: int = 0


@frozen
class Shape:
    """What a simulated cluster is built from."""

    nodes: int = 5
    interval_ms: int = 150
    timeout_intervals: int = 10
    settling_intervals: int = 10
    multicast: bool = False
    seeds: int = 2
    """How many nodes, of the first, are in everyone's seed list."""
    conditions: Conditions = field(factory=Conditions)
    in_order: bool = False
    """Node n1 has the lowest id; else ids are drawn."""
    max_rate_drift: float = 0.0
    """Monotonic clocks run at rates between 1 - this and 1 + this."""
    max_wall_offset_s: float = 0.0


class SimulatedCluster:
    """Nodes n1, n2, ... in one world. Faults are methods; `Violation` is raised out of `run`."""

    def __init__(
        self,
        seed: int,
        shape: Shape | None = None,
        *,
        services: Services | None = None,
        watch: Callable[[SimulatedMachine, Output], None] | None = None,
        parts: Parts | None = None,
    ) -> None:
        self.shape = shape if shape is not None else Shape()
        self.world = World(seed)
        self.network = Network(self.world, self.shape.conditions)
        self.history = History()
        self.commits = ClusterChecks()
        self.deliveries = DeliveryChecks()
        self.rows: Counter[Row] = Counter()
        self.faults: Counter[str] = Counter()
        self._services = services
        self._watch = watch
        self._parts = parts
        self._stress = 0
        self._codes = SharedCodec(CLASSES)
        self.machines = {machine.name: machine for machine in self._build()}
        self.names = list(self.machines)
        self._by_loop: dict[ProcessLoop, SimulatedMachine] = {}
        self.world.after_step = self._after_step
        self.world.check_every = CHECK_EVERY

    def _build(self) -> Iterable[SimulatedMachine]:
        chance, shape = self.world.chance, self.shape
        ids = list(range(1, shape.nodes + 1))
        ids = ids if shape.in_order else chance.shuffled(ids)
        for number, node_id in enumerate(ids, 1):
            address = f"10.0.0.{number}"
            self.network.add_host(address)
            offset_s = chance.between(-shape.max_wall_offset_s, shape.max_wall_offset_s)
            rate = 1 + chance.between(-shape.max_rate_drift, shape.max_rate_drift)
            clock = SimulatedClock(self.world, offset_s)
            yield SimulatedMachine(f"n{number}", node_id, address, clock, rate)

    # --- processes -----------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """Start a node's process."""
        machine = self.machines[name]
        loop = ProcessLoop(  # type: ignore[abstract] # what is not simulated raises by itself
            self.world, self.network, machine.address, machine.rate
        )
        machine.loop = loop
        machine.lives += 1
        machine.asked.clear()
        machine.waiting.clear()
        self._by_loop[loop] = machine
        node = self._new_node(machine)
        group = partial(_open_group, loop) if self.shape.multicast else None
        machine.runtime = NodeRuntime(node, loop, group, clock=machine.clock)
        loop.create_task(machine.runtime.start())
        self.note(name, f"starts, life {machine.lives}")

    def _new_node(self, machine: SimulatedMachine) -> ClusterNode:
        shape = self.shape
        identity = Identity(
            node=machine.node_id,
            incarnation=machine.clock.wall_ms(),
            cluster_name="simulated",
            heartbeat=(machine.address, HEARTBEAT_PORT),
            fabric=(machine.address, FABRIC_PORT),
        )
        seeds = [(self.machines[name].address, HEARTBEAT_PORT) for name in self.names]
        config = NodeConfig(
            HeartbeatConfig(
                interval_ms=shape.interval_ms,
                timeout_intervals=shape.timeout_intervals,
                seeds=() if shape.multicast else tuple(seeds[: shape.seeds]),
                multicast=shape.multicast,
            ),
            PaxosConfig(interval_ms=shape.interval_ms, settling_intervals=shape.settling_intervals),
            FabricConfig(connections=(1, 1, 1, 1, 1)),
        )
        services = self._services(machine) if self._services is not None else ()
        node = ClusterNode(
            identity,
            config,
            machine.clock,
            services,
            parts=self._parts,
            observer=self.count_row,
            codes=self._codes,
        )
        node.paxos.rack = machine.rack
        node.listen(partial(self._event, machine, (identity.node, identity.incarnation)))
        return node

    def count_row(self, row: Row) -> None:
        """A machine of some node has taken a row of its table."""
        self.rows[row] += 1

    def start_all(self) -> None:
        """Start every node."""
        for name in self.names:
            self.start(name)

    def is_running(self, name: str) -> bool:
        """Is the node's process there, and not paused?"""
        loop = self.machines[name].loop
        return loop is not None and loop.alive and not loop.paused

    def crash(self, name: str, power: bool = True) -> None:
        """The process is gone at once; without `power` so is its machine."""
        machine = self.machines[name]
        if machine.loop is not None and machine.loop.alive:
            machine.loop.kill()
            del self._by_loop[machine.loop]
            self.network.stop_host(machine.address, power)
            self.note(name, "is killed" if power else "loses power")

    def close(self) -> None:
        """End every process; nothing more happens in this world."""
        for machine in self.machines.values():
            if machine.loop is not None and machine.loop.alive:
                machine.loop.kill()

    def restart(self, name: str) -> None:
        """Start the process again, unless it runs."""
        machine = self.machines[name]
        if machine.loop is None or not machine.loop.alive:
            self.network.start_host(machine.address)
            self.start(name)

    def pause(self, name: str) -> None:
        """Stop the process from running."""
        loop = self.machines[name].loop
        if loop is not None and loop.alive:
            loop.pause()
            self.note(name, "is stopped")

    def resume(self, name: str) -> None:
        """Let it go on."""
        loop = self.machines[name].loop
        if loop is not None and loop.alive and loop.paused:
            loop.resume()
            self.note(name, "goes on")

    def recluster(self) -> None:
        """Every principal that runs agrees with its nodes and balances anew."""
        for name in self.names:
            if self.is_running(name):
                runtime = self.runtime_of(self.machines[name])
                view = runtime.node.view
                if view is not None and view.principal == runtime.node.identity.node:
                    runtime.carry_out(runtime.node.recluster(runtime.now()))

    # --- the network and the clocks ------------------------------------------------------------

    def later(self, delay_s: float, act: Callable[[], None]) -> None:
        """Do something after a delay, unless everything was healed before."""
        self.world.call_at(self.world.now_s + delay_s, None, self._unless_healed, self._stress, act)

    def _unless_healed(self, stress: int, act: Callable[[], None]) -> None:
        if stress == self._stress:
            act()

    def cut_for(self, lasts_s: float, ways: Sequence[tuple[str, str]]) -> None:
        """Cut ways between named nodes for some time."""
        addresses = [(self.machines[a].address, self.machines[b].address) for a, b in ways]
        for way in addresses:
            self.network.cut(*way)

        def mend() -> None:
            for way in addresses:
                self.network.mend(*way)

        self.later(lasts_s, mend)

    def reset(self, one: str, other: str) -> None:
        """Break every connection between two nodes."""
        self.network.reset(self.machines[one].address, self.machines[other].address)

    def clog_for(self, lasts_s: float, ways: Sequence[tuple[str, str]], delay_s: float) -> None:
        """Slow ways down for some time."""
        addresses = [(self.machines[a].address, self.machines[b].address) for a, b in ways]
        for way in addresses:
            self.network.clogs[way] = delay_s

        def free() -> None:
            for way in addresses:
                self.network.clogs.pop(way, None)

        self.later(lasts_s, free)

    def jump_clock(self, name: str, jump_s: float) -> None:
        """Set a machine's wall clock forth or back."""
        self.machines[name].clock.wall_offset_s += jump_s

    def heal(self) -> None:
        """Everything works again: ways are free, processes run."""
        self._stress += 1
        self.network.heal()
        for name in self.names:
            self.resume(name)
            self.restart(name)
        self.note("", "all faults are over")

    # --- watching ------------------------------------------------------------------------------

    def note(self, name: str, what: str) -> None:
        """Write a line of history."""
        self.history.add(self.world.now_s, name, what)

    def node(self, name: str) -> ClusterNode:
        """The node that runs, or last ran, on a machine."""
        runtime = self.machines[name].runtime
        assert runtime is not None
        return runtime.node

    def runtime_of(self, machine: SimulatedMachine) -> NodeRuntime:
        """What runs, or last ran, a machine's node."""
        assert machine.runtime is not None
        return machine.runtime

    def _event(self, machine: SimulatedMachine, life: tuple[int, int], event: Output) -> None:
        if self._watch is not None:
            self._watch(machine, event)
        match event:
            case Delivered(node):
                sender = (node, self.runtime_of(machine).node.fabric.life(node))
                self.deliveries.delivered(life, sender, event)
            case ClusterChanged():
                self.commits.committed(life, event)
                names = " ".join(self.name_of(row) for row in event.members)
                self.note(machine.name, f"commits {event.cluster_key:016x}: {names}")
            case NodeArrived(node):
                self.note(machine.name, f"sees node {node} arrive")
            case NodeDeparted(node):
                self.note(machine.name, f"sees node {node} depart")

    def name_of(self, row: MemberRow) -> str:
        """The machine's name of a member of a list."""
        return next(m.name for m in self.machines.values() if m.node_id == row[0])

    def _after_step(self, loop: ProcessLoop) -> None:
        machine = self._by_loop.get(loop)
        if machine is not None and machine.runtime is not None:
            machine.runtime.node._check()

    def is_converged(self) -> bool:
        """Do all nodes that run hear one another, and agree on one cluster of all of them?"""
        nodes = [self.node(name) for name in self.names if self.is_running(name)]
        lives = sorted(((n.identity.node, n.identity.incarnation) for n in nodes), reverse=True)
        keys = {node.view.cluster_key if node.view is not None else None for node in nodes}
        view = nodes[0].view
        return (
            len(keys) == 1
            and view is not None
            and [row[:2] for row in view.members] == lives
            and all(len(node.heartbeat.adjacent) == len(nodes) - 1 for node in nodes)
        )

    def run(self, seconds: float) -> None:
        """Let time pass. Raises Violation."""
        self.world.run_until(self.world.now_s + seconds)

    def run_until(self, condition: Callable[[], bool], limit_s: float, what: str) -> float:
        """Let time pass until a condition holds; the seconds it took. Raises Violation."""
        began_s = self.world.now_s
        step_s = self.shape.interval_ms / 1000
        while not condition():
            if self.world.now_s - began_s > limit_s:
                raise Violation(f"not {what} within {limit_s:.2f} s")
            self.run(step_s)
        return self.world.now_s - began_s


async def _open_group(loop: ProcessLoop, receive: Callable[[bytes], None]) -> Group:
    transport, _ = await loop.create_datagram_endpoint(
        partial(GroupProtocol, receive), local_addr=GROUP
    )
    return transport, GROUP
