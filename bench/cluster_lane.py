"""What a replicated write costs the processor, stage by stage, without the kernel.

    python bench/cluster_lane.py [--repeats N] [--quick]

Two nodes in this process form a cluster over the loopback; then their connections are taken away
and bytes are handed from one to the other by hand: requests to the master, the end of its turn, the
group to the replica, the acknowledgement back to the master, which releases the replies. A stage's
time is the median; all are divided by that of a loop of plain Python which is timed beside each, so
that figures taken on a busy machine can be compared.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import struct
from collections.abc import Callable, Iterator
from hashlib import sha1
from itertools import pairwise
from statistics import median
from time import perf_counter_ns
from typing import Any

from harness import publish, table

from asd.node import SMD_MODULES, SMD_RULES, Node
from asd.process.cli import build_config, parse_arguments
from asd.process.logging import LogSinks
from asd.process.loops import new_event_loop
from asd.process.machine import RealMachine
from asd.process.node_processes import free_ports
from asd.service.connection import Connection
from asd.space.ownership import REPLICATED
from citrusleaf import partition_id
from citrusleaf.cf_clock import SystemClock
from cluster import Channel, NodeRuntime
from cluster.smd import MemoryStore, Smd

GROUPS = (1, 4, 16)
STAGES = ("requests", "end of the turn", "replica", "acknowledgement")
PLAIN_NS = 5000
"""The loop beside takes about so long on an idle machine of this kind."""


class Wire:
    """A transport that keeps what is written."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Keep it."""
        self.written.append(bytes(data))

    def taken(self) -> bytes:
        """What was written since it was last taken."""
        data = b"".join(self.written)
        self.written.clear()
        return data

    def get_extra_info(self, name: str) -> tuple[str, int]:
        """Some address."""
        return "127.0.0.1", 1


def request(digest: bytes, value: int) -> bytes:
    """A put of one integer bin."""

    def field(kind: int, data: bytes) -> bytes:
        return struct.pack(">IB", len(data) + 1, kind) + data

    body = bytes([22, 0, 1]) + bytes(16) + bytes([3, 0, 1])
    body += field(0, b"test") + field(1, b"demo") + field(4, digest)
    body += struct.pack(">I4B3sq", 15, 2, 1, 0, 3, b"bin", value)
    return struct.pack(">BBHI", 2, 3, 0, len(body)) + body


def node(number: int, ports: list[int], seed: int) -> Node:
    """One of the two. Its heartbeat outlasts our holding the loop."""
    service, heartbeat, fabric = map(str, ports)
    options = parse_arguments(
        [
            *("--node-id", f"A{number}", "--cluster-name", "lane", "--replication-factor", "2"),
            *("--service-port", service, "--heartbeat-port", heartbeat, "--fabric-port", fabric),
            *("--seed", f"127.0.0.1:{seed}"),
            *("--heartbeat-interval", "250", "--heartbeat-timeout", "40"),
        ]
    )
    config = build_config(options)
    return Node(
        config,
        SystemClock(),
        machine_id=1,
        machine=RealMachine(),
        logs=LogSinks(config.logging),
        smd=Smd(MemoryStore(), SMD_MODULES, SMD_RULES),
    )


def lane(runtime: NodeRuntime) -> tuple[Any, Any]:
    """A node's connections of the lane: to the other, and from it."""
    fabric = runtime.node.fabric
    ((_, out),) = [each for each in fabric.links(fabric.peers[0]) if each[0] is Channel.LANE]
    (back,) = [n for n, hello in fabric._hellos.items() if hello.channel == Channel.LANE]
    return runtime._links["fabric", out.link], runtime._links["fabric", back]


def plain_ns() -> int:
    """How long the loop beside takes just now."""
    began, kept = perf_counter_ns(), {}
    for number in range(60):
        kept[number] = (number, len(kept))
    return perf_counter_ns() - began


class Bench:
    """The two nodes, with the kernel taken away."""

    def __init__(self, master: Node, digests: list[bytes]) -> None:
        self.digests = digests
        self.connections: list[Connection] = []
        self.wires: list[Wire] = []
        for _ in range(max(GROUPS)):
            self.connections.append(Connection(master))
            self.wires.append(Wire())
            self.connections[-1].connection_made(self.wires[-1])
        self.ends: list[Callable[[], object]] = []
        self._turns = master.turns

    def take_over(self) -> None:
        """From now on bytes go by hand."""
        runtimes = {
            each.node.identity.node: each
            for each in gc.get_objects()
            if isinstance(each, NodeRuntime)
        }
        self._out, self._back = lane(runtimes[0xA1])
        replica_out, self._replica_in = lane(runtimes[0xA2])
        self._group, self._ack = Wire(), Wire()
        self._out.transport, replica_out.transport = self._group, self._ack
        self._turns._call_soon = self.ends.append

    def once(self, group: int, round_: int) -> list[float] | None:
        """Times of the stages in ns of an idle machine; None when something else came between."""
        digests = self.digests
        requests = [request(digests[(round_ + n) % len(digests)], round_) for n in range(group)]
        factor = PLAIN_NS / plain_ns()
        times = [perf_counter_ns()]
        for connection, data in zip(self.connections, requests, strict=False):
            connection.data_received(data)
        times.append(perf_counter_ns())
        while self.ends:
            ends, self.ends[:] = list(self.ends), []
            for end in ends:
                end()
        times.append(perf_counter_ns())
        sent = self._group.taken()
        began = perf_counter_ns()
        self._replica_in.data_received(sent)
        times.append(times[-1] + perf_counter_ns() - began)
        ack = self._ack.taken()
        began = perf_counter_ns()
        self._back.data_received(ack)
        times.append(times[-1] + perf_counter_ns() - began)
        answered = [wire.taken() for wire in self.wires[:group]]
        if not (sent and ack and all(answered)):
            return None
        return [(after - before) * factor for before, after in pairwise(times)]


def digests_of(master: Node) -> Iterator[bytes]:
    """Digests of which this node is the master."""
    ownership = master.namespaces[b"test"].ownership
    for number in range(10_000):
        digest = sha1(b"%d" % number).digest()
        if ownership[partition_id(digest)] == REPLICATED:
            yield digest


async def measure(repeats: int) -> list[list[str]]:
    """Rows of the table."""
    ports = free_ports(6)
    master, replica = node(1, ports[:3], ports[4]), node(2, ports[3:], ports[1])
    for each in (master, replica):
        await each.start()
    await asyncio.gather(master.served(), replica.served())
    found = digests_of(master)
    bench = Bench(master, [next(found) for _ in range(64)])
    for digest in bench.digests * 2:  # records are there, and the paths are learned
        bench.connections[0].data_received(request(digest, 1))
        await asyncio.sleep(0.005)
    bench.take_over()
    rows = []
    for group in GROUPS:
        times: list[list[float]] = []
        for round_ in range(repeats):
            once = bench.once(group, round_)
            if once is not None:
                times.append(once)
            if round_ % 50 == 0:
                await asyncio.sleep(0)
        stages = [median(column) / 1000 for column in zip(*times, strict=True)]
        rows.append([str(group), *(f"{us:.1f}" for us in (*stages, sum(stages) / group))])
    return rows


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=2000)
    parser.add_argument("--quick", action="store_true", help="only see whether it works")
    given = parser.parse_args()
    gc.collect()
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        rows = runner.run(measure(100 if given.quick else given.repeats))
        body = table(["writes in the group", *STAGES, "us a write"], rows)
        publish("cluster_lane", "A replicated write, stage by stage", body, write=not given.quick)


if __name__ == "__main__":
    main()
