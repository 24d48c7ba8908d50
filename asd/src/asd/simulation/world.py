"""The world: whole nodes, and applications that use them, on one virtual time line.

A node here is the one that `asd` runs (`asd.node.Node`), its configuration and code unchanged. What
is handed to it is simulated: the loop and with it all timers and connections, the clock, the disk,
the threads, randomness. An application is a coroutine on a loop, and a host, of its own; it uses
`aerospike_client.AsyncClient` over the simulated network.

One seed is one run, callback by callback: `World.digest` says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

from aerospike_client import AsyncClient, ClientPolicy
from asd.simulation.machine import SERVICE_PORT, Machine, Shape
from asd.simulation.operators import Command, after, ask_all, set_rosters
from asd.simulation.record import Record
from citrusleaf.cf_random import CfRandom
from cluster.simulation import (
    Chance,
    Conditions,
    Network,
    ProcessLoop,
    SimulatedClock,
    Violation,
)
from cluster.simulation import World as Timeline
from storage.engine import StorageError

T = TypeVar("T")

STEP_S = 0.01
"""How often it is looked whether what is waited for is there."""
READY_S = 60.0
"""Nodes that are started have so long to serve."""
REPAIRED_S = 2.0
"""So long after disks work again nodes that have lost theirs are started anew."""


class World:
    """Nodes n1, n2, ... and the network between them, from a seed. Enter it to start the nodes.

    `shape` says what the nodes are, `conditions` what the network does of itself. Faults are
    methods. Time passes in `run` and `wait` only.
    """

    def __init__(
        self,
        seed: int,
        shape: Shape | None = None,
        conditions: Conditions | None = None,
        *,
        nodes: int | None = None,
        sites: int = 1,
    ) -> None:
        """`nodes`: how many, instead of what `shape` says; `sites`: clusters, of so many each."""
        self.seed = seed
        self.shape = shape or Shape()
        self.timeline = Timeline(seed)
        self.network = Network(self.timeline, conditions)
        self.record = Record(self.timeline)
        self.machines = {m.name: m for m in self._build(nodes or self.shape.nodes, sites)}
        self.names = list(self.machines)
        self.drawn = CfRandom(seed)
        """Where clients draw their ids from."""
        self.worst_skew_s = 0.0
        """By how much the nodes' wall clocks have differed at most."""
        self._note_skew()
        self._applications: list[ProcessLoop] = []
        self._operators: list[asyncio.Task[None]] = []
        """Those that are at work."""
        self._owed: dict[str, tuple[Command, ...]] = {}
        """What operators have to take back, by what they did."""
        self._stress = 0
        """Counts how often everything was healed."""

    def _build(self, nodes: int, sites: int) -> Iterable[Machine]:
        chance, shape = self.chance, self.shape
        for number in range(1, nodes * sites + 1):
            address = f"10.0.0.{number}"
            self.network.add_host(address)
            offset_s = chance.between(-shape.max_wall_offset_s, shape.max_wall_offset_s)
            rate = 1 + chance.between(-shape.max_rate_drift, shape.max_rate_drift)
            clock = SimulatedClock(self.timeline, offset_s, rate)
            yield Machine(
                f"n{number}", number, address, clock, rate, offset_s, (number - 1) // nodes
            )

    @property
    def strong(self) -> list[str]:
        """The namespaces with strong consistency."""
        return [each.name for each in self.shape.namespaces if each.strong_consistency]

    @property
    def chance(self) -> Chance:
        """What is left open is drawn from this."""
        return self.timeline.chance

    @property
    def now_s(self) -> float:
        """Virtual seconds since some time before the world began."""
        return self.timeline.now_s

    @property
    def digest(self) -> str:
        """The same for two runs that went the same way, callback by callback."""
        return self.record.digest

    def note(self, who: str, what: str) -> None:
        """Write a line of the world's log."""
        self.record.note(who, what)

    # --- life ----------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.record.begin()
        try:
            for name in self.names:
                self.start(name)
            self.wait_until(self._has_begun, READY_S, "serving")
            if self.strong:
                self.run(set_rosters(self), READY_S, name="operator")
                self.wait_until(self.is_serving, READY_S, "served by its roster")
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every process; nothing more happens in this world."""
        processes = [m.loop for m in self.machines.values() if m.loop is not None]
        for loop in [*processes, *self._applications]:
            if loop.alive:
                loop.kill()
        self.record.end()

    # --- time ----------------------------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Let time pass. What a node or an application raises, and nobody takes, is raised."""
        self.timeline.run_until(self.now_s + seconds)

    def wait_until(self, condition: Callable[[], bool], limit_s: float, what: str) -> float:
        """Let time pass until a condition holds; the seconds it took. Raises Violation when that is
        more than `limit_s`; `what` it was to be is then in its text."""
        began_s = self.now_s
        while not condition():
            if self.now_s - began_s > limit_s:
                raise Violation(f"not {what} within {limit_s:g} s")
            self.wait(STEP_S)
        return self.now_s - began_s

    def run(
        self,
        application: Coroutine[Any, Any, T],
        limit_s: float = 3600.0,
        *,
        name: str = "app",
    ) -> T:
        """Run an application to its end, on a host of its own; what it returns, or raises.

        Raises Violation when that takes more than `limit_s` virtual seconds.
        """
        task = self.start_application(application, name)
        self.wait_until(task.done, limit_s, f"at the end of {name}")
        return task.result()

    def start_application(self, application: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Start an application, and go on: its task."""
        address = f"10.0.1.{len(self._applications) + 1}"
        self.network.add_host(address)
        loop = ProcessLoop(  # type: ignore[abstract] # what is not simulated raises by itself
            self.timeline, self.network, address
        )
        self._applications.append(loop)
        self.record.name(loop, name)
        return loop.create_task(application)

    # --- for applications ----------------------------------------------------------------------

    @property
    def seeds(self) -> list[tuple[str, int]]:
        """Where the nodes of the first cluster listen for clients."""
        return [(machine.address, SERVICE_PORT) for machine in self.of_site(0)]

    def of_site(self, site: int) -> list[Machine]:
        """The machines of a cluster."""
        return [machine for machine in self.machines.values() if machine.site == site]

    @property
    def sites(self) -> list[list[Machine]]:
        """The machines, by cluster."""
        last = max(machine.site for machine in self.machines.values())
        return [self.of_site(site) for site in range(last + 1)]

    @property
    def clock(self) -> SimulatedClock:
        """A clock that is right."""
        return SimulatedClock(self.timeline)

    def client(self, policy: ClientPolicy | None = None, site: int = 0) -> AsyncClient:
        """A client that knows all nodes of a cluster, for an application of this world."""
        seeds = [(machine.address, SERVICE_PORT) for machine in self.of_site(site)]
        return AsyncClient(seeds, policy, clock=self.clock, random=CfRandom(self.drawn.u32()))

    # --- nodes ---------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        """Start a node's process."""
        machine = self.machines[name]
        assert not machine.alive
        loop = ProcessLoop(  # type: ignore[abstract] # what is not simulated raises by itself
            self.timeline, self.network, machine.address, machine.rate
        )
        machine.loop = loop
        machine.lives += 1
        machine.serves = machine.ending = machine.restarts = False
        self.record.name(loop, name)
        self.note(name, f"starts, life {machine.lives}")
        loop.create_task(self._live(machine))

    async def _live(self, machine: Machine) -> None:
        addresses = [[each.address for each in site] for site in self.sites]
        node = machine.node = machine.new_node(self.shape, addresses, self.chance)
        try:
            await node.start()
        except (OSError, StorageError) as error:  # `asd` says so, and ends
            self.note(machine.name, f"cannot start: {error}")
            self.timeline.post(self.now_s, None, self.crash, machine.name)
            return
        await node.served()
        machine.serves = True

    def _has_begun(self) -> bool:
        # A disk that has failed holds up writes, and what is read of them, until the node is anew.
        begun = all(m.running and m.serves and not m.has_failed for m in self.machines.values())
        return begun and self.is_settled()

    def is_serving(self) -> bool:
        """Do all nodes serve everything, in clusters that are at rest?"""
        return self._has_begun() and not self.unavailable()

    def unavailable(self) -> int:
        """Partitions with strong consistency that nobody may serve, as the nodes that run see it:
        what the worst of them says."""
        nodes = [m.node for m in self.machines.values() if m.running and m.node is not None]
        regimes = [node.cluster.regime(name) for node in nodes for name in self.strong]
        return max(
            [each.unavailable + each.dead for each in regimes if each is not None], default=0
        )

    def is_settled(self) -> bool:
        """Are the nodes of each site that run one cluster, and every partition where it is to
        be?"""
        return all(_is_settled(machines) for machines in self.sites)

    def node_id(self, name: str) -> str:
        """The id of a node that runs or has run."""
        node = self.machines[name].node
        assert node is not None
        return node.node_id

    def is_running(self, name: str) -> bool:
        """Is the node's process there, and not paused?"""
        return self.machines[name].running

    # --- what can happen to nodes --------------------------------------------------------------

    def crash(self, name: str, power: bool = True) -> None:
        """The process is gone at once; without `power` its machine is, and the disk loses, tears
        and reorders what was not synced."""
        machine = self.machines[name]
        if not machine.alive or machine.loop is None:
            return
        self.network.stop_host(machine.address, power)
        machine.loop.kill()
        machine.serves = False
        if power:
            machine.disk.end_process()
        else:
            machine.disk.lose_power(self.chance.unit)
        self.note(name, "is killed" if power else "loses power")

    def restart(self, name: str) -> None:
        """Start a node's process again, unless there is one."""
        machine = self.machines[name]
        if not machine.alive:
            self.network.start_host(machine.address)
            self.start(name)

    def stop(self, name: str) -> None:
        """Ask a node to end, as a service manager does: it hands over what it serves first."""
        machine = self.machines[name]
        if machine.running and machine.serves and machine.loop is not None:
            self.note(name, "is asked to end")
            machine.ending, machine.serves = True, False
            machine.loop.create_task(self._end(machine, machine.loop))

    async def _end(self, machine: Machine, loop: ProcessLoop) -> None:
        node = machine.node
        assert node is not None
        await node.leave()
        await node.stop()
        self.note(machine.name, "has ended")
        loop.call_soon(self._gone, machine, loop)

    def _gone(self, machine: Machine, loop: ProcessLoop) -> None:
        if machine.loop is loop:
            loop.kill()
            self.network.stop_host(machine.address, True)
            if machine.restarts:
                self.restart(machine.name)

    def pause(self, name: str) -> None:
        """Stop a process from running; its machine goes on, and its sockets take what comes."""
        machine = self.machines[name]
        if machine.running and machine.loop is not None:
            machine.loop.pause()
            self.note(name, "is stopped")

    def resume(self, name: str) -> None:
        """Let it go on."""
        machine = self.machines[name]
        if machine.alive and not machine.running and machine.loop is not None:
            machine.loop.resume()
            self.note(name, "goes on")

    def jump_clock(self, name: str, jump_s: float) -> None:
        """Set a machine's wall clock forth or back."""
        self.machines[name].clock.wall_offset_s += jump_s
        self._note_skew()

    def _note_skew(self) -> None:
        offsets = [machine.clock.wall_offset_s for machine in self.machines.values()]
        self.worst_skew_s = max(self.worst_skew_s, max(offsets) - min(offsets))

    # --- what can happen to the network --------------------------------------------------------

    def cut_for(self, lasts_s: float, ways: Sequence[tuple[str, str]]) -> None:
        """Cut ways between named nodes, each in one direction, for some time. Cuts add up."""
        addresses = self._addresses(ways)
        for way in addresses:
            self.network.cut(*way)

        def mend() -> None:
            for way in addresses:
                self.network.mend(*way)

        self.later(lasts_s, mend)

    def clog_for(self, lasts_s: float, ways: Sequence[tuple[str, str]], delay_s: float) -> None:
        """Slow ways down for some time."""
        addresses = self._addresses(ways)
        self.network.clogs.update(dict.fromkeys(addresses, delay_s))

        def free() -> None:
            for way in addresses:
                self.network.clogs.pop(way, None)

        self.later(lasts_s, free)

    def _addresses(self, ways: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        return [(self.machines[a].address, self.machines[b].address) for a, b in ways]

    def reset(self, one: str, other: str) -> None:
        """Break every connection between two nodes; what was on its way is lost."""
        self.network.reset(self.machines[one].address, self.machines[other].address)

    def reset_clients(self, name: str) -> None:
        """Break every connection of applications to a node."""
        for loop in self._applications:
            self.network.reset(loop.address, self.machines[name].address)

    # --- what operators do ---------------------------------------------------------------------

    def ask(self, *commands: Command) -> None:
        """Have an operator ask nodes, one command after the other (`asd.simulation.operators`)."""
        self._have_asked(ask_all(self, commands))

    def _have_asked(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.start_application(work, "operator")
        self._operators = [each for each in self._operators if not each.done()] + [task]

    @property
    def is_operated(self) -> bool:
        """Is an operator at work?"""
        return any(not each.done() for each in self._operators)

    def owes(self, what: str, *commands: Command) -> None:
        """These commands take back what was done."""
        self._owed[what] = commands

    def take_back(self, what: str) -> None:
        """Have it taken back, unless it was, by an operator who waits for those at work: what is
        not done yet cannot be taken back."""
        commands = self._owed.pop(what, None)
        if commands is not None:
            self._have_asked(after(list(self._operators), ask_all(self, commands)))

    # --- faults that end -----------------------------------------------------------------------

    def later(self, delay_s: float, act: Callable[[], None]) -> None:
        """Do something after a delay, unless everything was healed before."""
        self.timeline.call_at(self.now_s + delay_s, None, self._unless_healed, self._stress, act)

    def _unless_healed(self, stress: int, act: Callable[[], None]) -> None:
        if stress == self._stress:
            act()

    def heal(self) -> None:
        """Everything works again: ways are free, processes run, disks do as they are told. Where
        strong consistency refuses writes because clocks differ they are set right.

        A node does not trust a disk again that has failed. An operator starts it anew, soon.
        """
        self._stress += 1
        self.network.heal()
        for name, machine in self.machines.items():
            machine.disk.heal()
            if machine.threads is not None:
                machine.threads.slowest_s = self.shape.slowest_io_s
            self.resume(name)
            self.restart(name)
            machine.restarts = machine.ending
            if self.strong:
                machine.clock.wall_offset_s = machine.offset_s
        self.note("", "all faults are over")
        for what in list(self._owed):
            self.take_back(what)
        self.later(REPAIRED_S, self._start_failed)

    def _start_failed(self) -> None:
        for name, machine in self.machines.items():
            if machine.running and machine.has_failed:
                self.note("operator", f"starts {name} anew: its disk had failed")
                self.crash(name)
                self.restart(name)


def _is_settled(machines: Sequence[Machine]) -> bool:
    nodes = [m.node for m in machines if m.running and m.serves]
    living = sum(m.running for m in machines)
    if len({node.cluster.key for node in nodes if node is not None}) > 1:
        return False
    return all(
        node is not None
        and len(node.cluster.nodes) == living
        and node.cluster.integrity
        and node.cluster.is_settled()
        for node in nodes
    )
