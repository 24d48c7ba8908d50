"""A cluster of real processes, for tests of applications: nodes that die, hang, are cut off.

An adapter: it starts and signals processes (`asd.process.node_processes`).
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import IO, Final, Self

from asd.process.node_processes import HOST, DidNotStart, NodeProcesses, ask

NAME: Final = "citrusleaf"
START_S: Final = 120.0


class Cluster:
    """Several `asd` on this machine, as a context manager.

    `nodes`               how many to begin with
    `namespaces`          their names, or NAME:ENGINE:PATH as for `asd --namespace`
    `replication_factor`  copies of each record
    `arguments`           more options of `asd`, for every node
    `errors`              where the nodes' standard error goes, as for `subprocess.Popen`

    Nodes are numbered from 0; in namespaces and arguments `{node}` stands for a node's number.
    Between them heartbeats are short: a node that dies is missed after a second.

    >>> with Cluster(nodes=2) as cluster:
    ...     cluster.kill(1)
    ...     cluster.start(1)
    ...     key = cluster.wait_stable()
    ...     hosts = [host for host, port in cluster.addresses]
    >>> hosts
    ['127.0.0.1', '127.0.0.1']
    """

    def __init__(
        self,
        nodes: int = 3,
        *,
        namespaces: Iterable[str] = ("test",),
        replication_factor: int = 2,
        arguments: Sequence[str] = (),
        errors: IO[str] | int = subprocess.DEVNULL,
    ) -> None:
        if isinstance(namespaces, str):
            raise TypeError(f"namespaces is a list of names: [{namespaces!r}]")
        words = [word for name in namespaces for word in ("--namespace", name)]
        self._processes = NodeProcesses(
            (
                *("--cluster-name", NAME, "--replication-factor", str(replication_factor)),
                *words,
                *arguments,
            ),
            errors=errors,
        )
        for _ in range(nodes):
            self._processes.add()

    def __enter__(self) -> Self:
        """Start all nodes, and wait until they are one cluster."""
        try:
            for node in self._processes.nodes:
                self._processes.start(node)
            self._wait_ready()
            self.wait_stable()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End all nodes."""
        self._processes.stop()

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of every node, running or not: what to give to a client."""
        return [(HOST, node.ports.service) for node in self._processes.nodes]

    def is_running(self, node: int) -> bool:
        """Has a node been started, and not ended?"""
        return self._processes.nodes[node].is_running

    def kill(self, node: int) -> None:
        """End a node at once: what it has in memory is gone."""
        process = self._processes.nodes[node]
        process.send(signal.SIGKILL)
        process.close()

    def terminate(self, node: int) -> None:
        """Ask a node to end, and wait until it has."""
        process = self._processes.nodes[node]
        process.send(signal.SIGCONT)
        process.send(signal.SIGTERM)
        process.close()

    def start(self, node: int) -> None:
        """Start a node that has ended, and wait until it serves. Raises DidNotStart."""
        self._processes.start(self._processes.nodes[node])
        self._wait_ready([node])

    def pause(self, node: int) -> None:
        """Let a node hang."""
        self._processes.nodes[node].send(signal.SIGSTOP)

    def resume(self, node: int) -> None:
        """Let a node that hangs go on."""
        self._processes.nodes[node].send(signal.SIGCONT)

    def add(self) -> int:
        """Start one more node; its number. Raises DidNotStart."""
        node = self._processes.add()
        self._processes.start(node)
        self._wait_ready([node.number])
        return node.number

    def split(self, *groups: Iterable[int]) -> None:
        """Cut the cluster: nodes of different groups do not hear each other until `heal`."""
        for number, group in enumerate(groups):
            self._rename(group, f"{NAME}-{number}")

    def heal(self) -> None:
        """End what `split` has begun."""
        self._rename(range(len(self._processes.nodes)), NAME)

    def _rename(self, nodes: Iterable[int], name: str) -> None:
        for node in nodes:
            if self._processes.nodes[node].is_running:
                self.info(node, f"set-config:context=service;cluster-name={name}")

    def restore(self) -> None:
        """Let all nodes run as one cluster, without records. Indexes and functions stay."""
        for node in self._processes.nodes:
            node.send(signal.SIGCONT)
            if not node.is_running:
                self.start(node.number)
        self.heal()
        self.wait_stable()
        for namespace in self.info(0, "namespaces").split(";"):
            self.info(0, f"truncate-namespace:namespace={namespace}")

    def info(self, node: int, command: str) -> str:
        """The value that a node answers an info command with. Raises OSError."""
        return ask(self._processes.nodes[node].ports.service, command)

    def wait_stable(self, timeout_s: float = START_S, nodes: Sequence[int] | None = None) -> str:
        """Wait until these nodes (by default all that run) are one cluster in which nothing is left
        to migrate; its key. Raises TimeoutError."""
        known = self._processes.nodes
        wanted = None if nodes is None else [known[node] for node in nodes]
        return self._processes.wait_stable(timeout_s, wanted)

    def _wait_ready(self, nodes: Iterable[int] | None = None) -> None:
        known = self._processes.nodes
        until_s = time.monotonic() + START_S
        for node in range(len(known)) if nodes is None else nodes:
            known[node].wait_ready(until_s)


__all__ = ["Cluster", "DidNotStart"]
