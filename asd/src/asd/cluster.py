"""A cluster of real processes, for tests of applications: nodes that die, hang, are cut off.

An adapter: it starts and signals processes (`asd.process.node_processes`).
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import IO, Any, Final, Self

from asd.control.caller import call
from asd.control.injectable import Injectable
from asd.control.place import Place, new_place
from asd.faults.ready_made import CLOCK_SKEW
from asd.fixtures.authority import Authority, authority_of
from asd.process.node_processes import HOST, DidNotStart, NodeProcesses

NAME: Final = "citrusleaf"
START_S: Final = 120.0


class ClusterNode(Injectable):
    """One node of a cluster, to have faults injected: `Cluster.node`.

    A node that has ended has forgotten them. What is about records (`load`, `reset`, `restore`) is
    a matter of the whole cluster: not to be had from one of its nodes by `control`.
    """

    def __init__(self, number: int, place: Place, skewed: Callable[[float], None]) -> None:
        self.number = number
        self._place = place
        self._skewed = skewed

    def control(self, command: str, arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """See `Injectable`."""
        given = arguments or {}
        try:
            answer = call(self._place, command, given)
        except (ConnectionError, FileNotFoundError) as error:
            raise RuntimeError(f"node {self.number} is not running") from error
        if given.get("fault") == CLOCK_SKEW:
            self._skewed(given["seconds"])
        return answer


class Cluster:
    """Several `asd` on this machine, as a context manager.

    `nodes`               how many to begin with
    `namespaces`          their names, or NAME:ENGINE:PATH as for `asd --namespace`
    `replication_factor`  copies of each record
    `arguments`           more options of `asd`, for every node
    `errors`              where the nodes' standard error goes, as for `subprocess.Popen`
    `security`            True: nobody gets in without a password; the first user is admin, password
                          admin, and `create_user` makes others
    `tls`                 True, or an `Authority`: heartbeat and fabric speak TLS alone, and clients
                          may at `tls_addresses` (`authority` vouches for the nodes)
    `client_certificates` True: there clients must show a certificate (`authority.issue(...)`)
    `controlled`          False: nodes go by the system's clock, and nothing can be injected or
                          advanced, as in production; for measurements

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
        controlled: bool = True,
        security: bool = False,
        tls: bool | Authority = False,
        client_certificates: bool = False,
    ) -> None:
        if isinstance(namespaces, str):
            raise TypeError(f"namespaces is a list of names: [{namespaces!r}]")
        words = [word for name in namespaces for word in ("--namespace", name)]
        words += ["--security"] if security else []
        self._authority = authority_of(tls, client_certificates=client_certificates)
        if self._authority is not None:
            words += self._authority.arguments(HOST, ask_clients=client_certificates)
        self._processes = NodeProcesses(
            (
                *("--cluster-name", NAME, "--replication-factor", str(replication_factor)),
                *words,
                *arguments,
            ),
            errors=errors,
            tls=self._authority is not None,
        )
        self._controlled = controlled
        self._places: list[Place] = []
        self._ahead_s = 0.0
        self._skewed_s = 0.0
        for _ in range(nodes):
            self._add()

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
        for place in self._places:
            place.remove()

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of every node, running or not: what to give to a client."""
        return [(HOST, node.ports.service) for node in self._processes.nodes]

    @property
    def tls_addresses(self) -> list[tuple[str, int, str]]:
        """The same for clients that speak TLS: host, port, and what the certificate is for.
        RuntimeError without TLS."""
        name = self.authority.name
        return [(HOST, node.ports.tls, name) for node in self._processes.nodes]

    @property
    def authority(self) -> Authority:
        """Who vouches for the nodes. RuntimeError without TLS."""
        if self._authority is None:
            raise RuntimeError("the cluster speaks no TLS: Cluster(tls=True)")
        return self._authority

    def create_user(self, name: str, password: str, *roles: str) -> None:
        """Make a user who has these roles. All nodes know him at once.

        TypeError where `controlled` is False.
        """
        given = {"name": name, "password": password, "roles": list(roles)}
        self.node(self._processes.running[0].number).control("create-user", given)

    def create_role(self, name: str, *privileges: str) -> None:
        """Make a role of privileges such as `read` and `write.NAMESPACE.SET`, as `create_user`."""
        given = {"name": name, "privileges": list(privileges)}
        self.node(self._processes.running[0].number).control("create-role", given)

    def renew_certificates(self) -> None:
        """Give the nodes new certificates; they take them up within `tls-refresh-period`."""
        self.authority.issue_node(HOST)

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
        if self._ahead_s:
            self.node(node).control("clock", {"advance_wall": self._ahead_s})

    def pause(self, node: int) -> None:
        """Let a node hang."""
        self._processes.nodes[node].send(signal.SIGSTOP)

    def resume(self, node: int) -> None:
        """Let a node that hangs go on."""
        self._processes.nodes[node].send(signal.SIGCONT)

    def add(self) -> int:
        """Start one more node; its number. Raises DidNotStart."""
        number = self._add()
        self.start(number)
        return number

    def _add(self) -> int:
        if not self._controlled:
            return self._processes.add().number
        self._places.append(new_place())
        return self._processes.add(arguments=("--control", str(self._places[-1]))).number

    def node(self, node: int) -> ClusterNode:
        """A node, to have faults injected. TypeError where `controlled` is False."""
        if not self._controlled:
            raise TypeError("nothing can be injected into a Cluster(controlled=False)")
        return ClusterNode(node, self._places[node], self._note_skew)

    def _note_skew(self, seconds: float) -> None:
        self._skewed_s = max(self._skewed_s, seconds)

    def advance(self, seconds: float) -> None:
        """Have the time of day go on, on all nodes: records expire. Nodes that are started later
        follow. The time between heartbeats is another clock's, and stays.

        ValueError for a negative step: a cluster's time goes forth alone, for the latest version of
        a record is found by it.
        """
        if seconds < 0:
            raise ValueError(f"time does not run backwards: {seconds} s")
        self._ahead_s += seconds
        for node in self._processes.running:
            self.node(node.number).control("clock", {"advance_wall": seconds})

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
        """Let all nodes run as one cluster, without records and faults. Indexes and functions stay,
        and so does the time (`advance`); after a node's clock was ahead, all are."""
        for node in self._processes.nodes:
            node.send(signal.SIGCONT)
            if not node.is_running:
                self.start(node.number)
        self._remove_faults()
        self.heal()
        self.wait_stable()
        for namespace in self.info(0, "namespaces").split(";"):
            self.info(0, f"truncate-namespace:namespace={namespace}")

    def _remove_faults(self) -> None:
        if not self._controlled:
            return
        for node in self._processes.running:
            self.node(node.number).remove_faults()
        # What a node has written by a clock that was ahead is not before a truncation of now.
        skewed_s, self._skewed_s = self._skewed_s, 0.0
        self.advance(skewed_s)

    def info(self, node: int, command: str) -> str:
        """The value that a node answers an info command with. Raises OSError."""
        return self._processes.nodes[node].ask(command)

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


__all__ = ["Authority", "Cluster", "ClusterNode", "DidNotStart"]
