"""A node in a process of its own, for another process that wants one: `asd.Server`.

`asd.control.server_process` says how the two speak. The process ends when its standard input does,
and not at Ctrl-C, which a terminal sends to all that runs in it: the tests that use the server are
to end first."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import uuid
from typing import TYPE_CHECKING, Any

from asd.__main__ import loaded

if TYPE_CHECKING:
    from asd.control.server_process import Order
    from asd.node import Node


def main() -> int:
    """Serve as ordered until the standard input ends; the exit status."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    loaded("asd.node")
    from asd.control.server_process import Order
    from asd.process.loops import new_event_loop

    try:
        order = Order.load(sys.stdin.buffer)
    except EOFError:
        return 1  # nobody wants the server any more
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(_serve(order))


async def _serve(order: Order) -> int:
    from asd.control.commands import Control
    from asd.control.port import ControlPort
    from asd.node import Node
    from asd.process.workers import WorkerProcesses
    from asd.transactions.worker import Worker
    from citrusleaf.cf_clock import VirtualClock
    from storage.engine import StorageError

    stopping = asyncio.Event()
    _end_with_input(stopping)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    clock = VirtualClock.running()
    node = Node(order.config, clock, machine_id=uuid.getnode(), heavy=WorkerProcesses(Worker))
    port = ControlPort(Control(node, clock, stopping.set), order.control)
    try:
        await node.start()
        await node.served()
        await port.start()
    except (OSError, StorageError) as error:
        _say(_complaint(error))
        return 1
    _say({"address": _host(node), "port": node.port})
    await stopping.wait()
    await port.stop()
    await node.stop()
    return 0


def _host(node: Node) -> str:
    return node.addresses[0] if node.addresses else "127.0.0.1"


def _complaint(error: Exception) -> dict[str, Any]:
    if isinstance(error, OSError) and error.errno is not None:
        return {"error": error.strerror or str(error), "errno": error.errno}
    return {"error": str(error)}


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


def _end_with_input(stopping: asyncio.Event) -> None:
    """Set the event when whoever ordered the server has closed its standard input, or died."""
    loop = asyncio.get_running_loop()
    pipe = sys.stdin.fileno()

    def look() -> None:
        if not os.read(pipe, 4096):
            loop.remove_reader(pipe)
            stopping.set()

    loop.add_reader(pipe, look)


if __name__ == "__main__":
    sys.exit(main())
