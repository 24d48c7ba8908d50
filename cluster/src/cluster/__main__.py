"""`python -m cluster`: one node of a cluster as a process, telling what it sees, a line an event.

    python -m cluster --node a1 --listen 127.0.0.1:3002 --fabric 127.0.0.1:3001
        --seed 127.0.0.1:3002 --seed 127.0.0.2:3002

Lines are JSON objects with the wall clock's milliseconds, the event, and its fields. SIGTERM ends
the process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence

from citrusleaf import Clock, SystemClock
from cluster.fabric.link import FabricConfig
from cluster.group import multicast_group
from cluster.membership.heartbeat import Identity
from cluster.membership.paxos_events import PaxosConfig
from cluster.membership.peer import HeartbeatConfig
from cluster.node import ClusterNode, NodeConfig
from cluster.outputs import ClusterChanged, NodeArrived, NodeDeparted, Output
from cluster.runtime import NodeRuntime
from cluster.wire import Endpoint


def _endpoint(text: str) -> Endpoint:
    host, _, port = text.rpartition(":")
    return host, int(port)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cluster", description=__doc__)
    parser.add_argument("--node", required=True, help="node id, hexadecimal")
    parser.add_argument("--listen", required=True, type=_endpoint, help="heartbeat host:port")
    parser.add_argument("--fabric", required=True, type=_endpoint, help="fabric host:port")
    parser.add_argument("--seed", action="append", default=[], type=_endpoint, help="host:port")
    parser.add_argument("--multicast", type=_endpoint, help="group:port instead of seeds")
    parser.add_argument("--interface", default="0.0.0.0", help="address to use multicast on")
    parser.add_argument("--cluster-name", default="", help="nodes of another name are ignored")
    parser.add_argument("--interval", type=int, default=150, help="heartbeat interval, ms")
    parser.add_argument("--timeout", type=int, default=10, help="heartbeat timeout, intervals")
    return parser


def build(options: argparse.Namespace, clock: Clock) -> ClusterNode:
    """A node from the command line's options."""
    identity = Identity(
        node=int(options.node, 16),
        incarnation=clock.wall_ms(),
        cluster_name=options.cluster_name,
        heartbeat=options.listen,
        fabric=options.fabric,
    )
    heartbeat = HeartbeatConfig(
        interval_ms=options.interval,
        timeout_intervals=options.timeout,
        seeds=tuple(options.seed),
        multicast=options.multicast is not None,
    )
    paxos = PaxosConfig(interval_ms=options.interval)
    return ClusterNode(identity, NodeConfig(heartbeat, paxos, FabricConfig()), clock)


def describe(event: Output, wall_ms: int) -> str | None:
    """An event's line; None for events that are not told."""
    fields: dict[str, object]
    match event:
        case ClusterChanged():
            nodes = [f"{node:x}" for node in event.nodes]
            fields = {"event": "cluster", "key": f"{event.cluster_key:x}", "nodes": nodes}
        case NodeArrived(node):
            fields = {"event": "arrived", "node": f"{node:x}"}
        case NodeDeparted(node):
            fields = {"event": "departed", "node": f"{node:x}"}
        case _:
            return None
    return json.dumps({"ms": wall_ms, **fields})


async def run(options: argparse.Namespace, clock: Clock) -> None:
    """Run a node until it is told to stop. Raises OSError when it cannot listen."""
    loop = asyncio.get_running_loop()
    node = build(options, clock)

    def tell(event: Output) -> None:
        line = describe(event, clock.wall_ms())
        if line is not None:
            print(line, flush=True)

    node.listen(tell)
    group = None
    if options.multicast is not None:
        group = multicast_group(loop, options.multicast, options.interface)
    runtime = NodeRuntime(node, loop, group)
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    await runtime.start()
    await stopped.wait()
    await runtime.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; the exit status."""
    options = _parser().parse_args(arguments)
    try:
        asyncio.run(run(options, SystemClock()))
    except OSError as error:
        print(f"cannot listen: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
