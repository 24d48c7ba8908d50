"""`asd --nodes N`: a cluster on one machine, a process for each node, under one that watches.

Why processes
-------------
A node is one event loop: it uses one core. An installation uses its other cores by more nodes,
which clients route to by the partition map, as they do to nodes on other machines. So this process
does no work of the database. It starts the nodes, says once that they serve, starts one that has
died again, and ends all when it is told to.

    start     each node gets the others as seeds (what `--nodes` makes of them: `asd.process.fleet`)
    ready     every node has said that it serves, they are one cluster, and nothing is left to
              migrate
    watch     a node that ends is started again, on its ports and with its id, after a pause that
              grows while it goes on ending at once
    stop      SIGTERM or SIGINT: the nodes are asked to end, and made to when they do not

What must hold:

- One line on standard output, `asd ready HOST:PORT,HOST:PORT,...`, and only when the cluster is
  whole.
- A node that cannot start the first time ends everything: that is a wrong option, not a fault to
  live through.
- No node outlives the supervisor, also where that was killed: their standard input is a pipe from
  it, and a node with `--until-eof` ends when it closes.

An adapter: it handles signals and waits.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from types import FrameType
from typing import Final

from attrs import define

from asd.config.kinds import host_port
from asd.process.node_processes import POLL_S, DidNotStart, NodeProcess, NodeProcesses

START_S: Final = 120.0
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 10.0
STEADY_S: Final = 10.0
"""A node that has run so long may be started again at once."""


@define
class _Watched:
    """A node under watch: when it was started, and how long to wait before it is again."""

    node: NodeProcess
    started_s: float
    pause_s: float = FIRST_PAUSE_S
    due_s: float = 0.0


class Supervisor:
    """Starts and watches nodes until it is told to stop."""

    def __init__(self, processes: NodeProcesses) -> None:
        """`processes` are not started yet."""
        self.processes = processes
        self._stopping = threading.Event()

    def run(self) -> int:
        """Run until SIGTERM or SIGINT; the exit status."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        try:
            if not self._start():
                return 0
            self._watch()
        except (DidNotStart, TimeoutError, OSError) as error:
            print(f"asd: {error}", file=sys.stderr)
            return 1
        finally:
            self.processes.stop()
        return 0

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping.set()

    def _start(self) -> bool:
        """Start all; False when told to stop meanwhile. Raises DidNotStart, TimeoutError."""
        for node in self.processes.nodes:
            self.processes.start(node)
        until_s = time.monotonic() + START_S
        for node in self.processes.nodes:
            node.wait_ready(until_s)
        while not self._stopping.is_set():
            try:
                # Those of other machines may have come in by now.
                self.processes.wait_stable(1.0, others=True)
            except TimeoutError:
                if time.monotonic() > until_s:
                    raise
                continue
            host = self.processes.host
            places = [host_port(host, node.ports.service) for node in self.processes.nodes]
            print(f"asd ready {','.join(places)}", flush=True)
            return True
        return False

    def _watch(self) -> None:
        """Start again what ends, until told to stop."""
        now_s = time.monotonic()
        watched = [_Watched(node, now_s) for node in self.processes.nodes]
        while not self._stopping.wait(POLL_S):
            for each in watched:
                self._look(each, time.monotonic())

    def _look(self, each: _Watched, now_s: float) -> None:
        if each.node.is_running:
            return
        if not each.due_s:
            if now_s - each.started_s > STEADY_S:
                each.pause_s = FIRST_PAUSE_S
            print(f"asd: node {each.node.node_id} has ended: it is started", file=sys.stderr)
            each.due_s = now_s + each.pause_s
            each.pause_s = min(2 * each.pause_s, LONGEST_PAUSE_S)
        elif now_s >= each.due_s:
            each.due_s, each.started_s = 0.0, now_s
            self.processes.start(each.node)
