"""Heartbeat and fabric between two processes over loopback: throughput and latency.

Run as `python bench/cluster_network.py [--seconds 2]`. One process serves, the other measures:
requests one at a time (latency), requests with 64 in flight, one-way messages, all of 100 bytes;
then pulses as fast as one core takes them.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import statistics
import subprocess
import sys
import time
from typing import ClassVar

from attrs import frozen

from citrusleaf import SystemClock
from cluster import Channel, ClusterNode, Identity, NodeConfig, NodeRuntime, Service
from cluster.fabric import Delivered
from cluster.membership.heartbeat import Heartbeat
from cluster.membership.peer import HeartbeatConfig
from cluster.messages import ProxyReply, ProxyRequest, Pulse, codec
from cluster.outputs import Output, Request, Respond, Send
from cluster.wire import Message

BODY = bytes(100)
IN_FLIGHT = 64


@frozen
class Answer(Output):
    """A reply has come to the measuring side."""


class Echo(Service):
    """Answers requests; counts what comes one way."""

    MESSAGES: ClassVar[tuple[type[Message], ...]] = (ProxyRequest,)

    def __init__(self) -> None:
        self.one_way = 0

    def receive(self, came: Delivered, now: int) -> list[Output]:
        """A request, or a message without a transaction."""
        if not came.transaction:
            self.one_way += 1
            return []
        body = b"%d" % self.one_way
        return [Respond(came.node, came.transaction, ProxyReply(body), came.channel)]

    def answered(self, tag: object, reply: Message | None, now: int) -> list[Output]:
        """Hand the answer to whoever measures."""
        assert callable(tag)
        tag(reply)
        return []


def build(number: int, ports: list[int]) -> tuple[ClusterNode, Echo]:
    """Node 1 or 2 of two that are each other's seeds."""
    listen, fabric = ("127.0.0.1", ports[2 * number - 2]), ("127.0.0.1", ports[2 * number - 1])
    clock = SystemClock()
    echo = Echo()
    config = NodeConfig(HeartbeatConfig(seeds=(("127.0.0.1", ports[0]), ("127.0.0.1", ports[2]))))
    identity = Identity(number, clock.wall_ms(), "bench", listen, fabric)
    return ClusterNode(identity, config, clock, [echo]), echo


async def serve(ports: list[int]) -> None:
    """Be node 2 until killed."""
    node, _ = build(2, ports)
    await NodeRuntime(node, asyncio.get_running_loop()).start()
    await asyncio.Event().wait()


class Bench:
    """The measuring side."""

    def __init__(self, node: ClusterNode, echo: Echo, runtime: NodeRuntime) -> None:
        self.node, self.echo, self.runtime = node, echo, runtime

    def ask(self, then: object) -> None:
        """Send one request; `then` is called with the reply."""
        request = Request(
            2, ProxyRequest(0, "bench", b"digest", BODY), Channel.REPLICATION, 5000, then
        )
        outputs = self.node.carry_out(self.echo, [request], self.runtime.now())
        self.runtime.carry_out(outputs)

    async def latency(self, seconds: float) -> list[float]:
        """Microseconds of each of many requests, one after the other."""
        loop = asyncio.get_running_loop()
        times = []
        until_s = time.perf_counter() + seconds
        while time.perf_counter() < until_s:
            done = loop.create_future()
            began_s = time.perf_counter()
            self.ask(done.set_result)
            await done
            times.append((time.perf_counter() - began_s) * 1e6)
        return times

    async def throughput(self, seconds: float) -> float:
        """Requests a second with `IN_FLIGHT` at a time."""
        count = 0
        until_s = time.perf_counter() + seconds
        over = asyncio.get_running_loop().create_future()

        def again(_: object) -> None:
            nonlocal count
            count += 1
            if time.perf_counter() < until_s:
                self.ask(again)
            elif not over.done():
                over.set_result(None)

        for _ in range(IN_FLIGHT):
            self.ask(again)
        await over
        return count / seconds

    async def one_way(self, seconds: float) -> float:
        """One-way messages a second that arrive, as the other side counts them."""
        before = await self.counted()
        began_s = time.perf_counter()
        while time.perf_counter() - began_s < seconds:
            message = ProxyRequest(0, "bench", b"digest", BODY)
            sends: list[Output] = [Send(2, message, Channel.REPLICATION) for _ in range(100)]
            outputs = self.node.carry_out(self.echo, sends, self.runtime.now())
            self.runtime.carry_out(outputs)
            await self.counted()  # so that queues do not fill up
        took_s = time.perf_counter() - began_s
        return (await self.counted() - before) / took_s

    async def counted(self) -> int:
        """How many one-way messages the other side has seen."""
        done = asyncio.get_running_loop().create_future()
        self.ask(done.set_result)
        return int((await done).body)


def pulses(seconds: float) -> tuple[float, int]:
    """Pulses a second that one core takes from eight peers, and the bytes of one."""
    codes = codec()
    core = Heartbeat(Identity(1, 1), HeartbeatConfig(multicast=True), codes)
    heard = tuple(range(1, 10))
    frames = [
        codes.encode(Pulse(node, 1, sequence, heard=heard, wall_ms=1_700_000_000_000))
        for sequence in range(1, 201)
        for node in range(2, 10)
    ]
    count, began_s = 0, time.perf_counter()
    while time.perf_counter() - began_s < seconds:
        core = Heartbeat(Identity(1, 1), HeartbeatConfig(multicast=True), codes)
        for data in frames:
            core.datagram(data, 1000, 0)
        count += len(frames)
    return count / (time.perf_counter() - began_s), len(frames[0])


async def measure(ports: list[int], seconds: float) -> None:
    """Be node 1, and print the table."""
    node, echo = build(1, ports)
    runtime = NodeRuntime(node, asyncio.get_running_loop())
    await runtime.start()
    began_s = time.perf_counter()
    while node.view is None or len(node.view.nodes) != 2:
        await asyncio.sleep(0.02)
    agreed_s = time.perf_counter() - began_s
    bench = Bench(node, echo, runtime)
    times = sorted(await bench.latency(seconds))
    flood = await bench.throughput(seconds)
    one_way = await bench.one_way(seconds)
    await runtime.stop()
    rate, size = pulses(seconds)
    print("| Measured | Value |\n|---|---|")
    print(f"| two processes agree after | {agreed_s:.2f} s |")
    print(f"| request and reply, median | {statistics.median(times):.0f} µs |")
    print(f"| request and reply, 99 % | {times[int(len(times) * 0.99)]:.0f} µs |")
    print(f"| requests a second, {IN_FLIGHT} in flight | {flood:,.0f} |")
    print(f"| one-way messages a second | {one_way:,.0f} |")
    print(f"| pulses of {size} bytes a second, one core | {rate:,.0f} |")


def main() -> None:
    """Start the other process, measure, stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2, help="for each measurement")
    parser.add_argument("--serve", nargs=4, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.serve))
        return
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(4)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    other = subprocess.Popen([sys.executable, __file__, "--serve", *map(str, ports)])
    try:
        asyncio.run(measure(ports, options.seconds))
    finally:
        other.terminate()
        other.wait()


if __name__ == "__main__":
    main()
