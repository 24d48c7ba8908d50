"""Node processes on one machine: for the supervisor, and for tests of applications.

They are asked through the pipes that are their standard input and output (`asd.control.parent`):
so nobody need log in, nor speak TLS, to look after them.

An adapter: it starts, stops and signals processes, and asks them.
"""

from __future__ import annotations

import contextlib
import random
import re
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Final

from attrs import define, field, frozen

from aerospike_common.wire.codes import MessageType
from aerospike_common.wire.frame import frame
from aerospike_common.wire.info import encode_info_request
from asd.config.kinds import host_port

HOST: Final = "127.0.0.1"
INTERVAL_MS: Final = 100
TIMEOUT: Final = 10
"""Heartbeats between processes of one machine: a second of silence ends a node. Less would end one
that waits for a processor."""
OWN_PORTS: Final = range(10_000, 32_768)
TRIES: Final = 100
FIRST_ID: Final = 0xA1
ASK_S: Final = 10.0
POLL_S: Final = 0.02
READY: Final = b"asd ready "
CONTROLLED: Final = b"asd control "
ANSWER: Final = b"asd info "
PEER: Final = re.compile(r"\[[0-9A-F]+,")
"""How each node begins in a list of peers."""


class DidNotStart(Exception):
    """A node process ended, or did not serve in time."""


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on just now. None of those that the system gives to connections
    that go out: one of them might be taken before a node listens on it. Raises OSError where hardly
    any port is free."""
    chance, found = random.Random(), list[int]()
    with contextlib.ExitStack() as sockets:
        for _ in range(TRIES * count):
            if len(found) == count:
                break
            port = chance.choice(OWN_PORTS)
            opened = sockets.enter_context(socket.socket())
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                opened.bind((HOST, port))
                found.append(port)
    if len(found) < count:
        raise OSError(f"no {count} ports are free from {OWN_PORTS.start} to {OWN_PORTS.stop}")
    return found


def ask(port: int, command: str, host: str = HOST) -> str:
    """The value of an info command. Raises OSError."""
    with socket.create_connection((host, port), ASK_S) as connection:
        connection.sendall(frame(MessageType.INFO, encode_info_request([command])))
        with connection.makefile("rb") as answers:
            head = answers.read(8)
            reply = answers.read(int.from_bytes(head[2:], "big"))
    if len(head) < 8 or not reply:
        raise ConnectionResetError("the node has closed the connection")
    return reply.decode().partition("\t")[2].rstrip("\n")


@frozen
class Ports:
    """Where one node listens."""

    service: int = 0
    heartbeat: int = 0
    fabric: int = 0
    tls: int = 0
    """For clients that speak TLS; 0: none."""


@define
class NodeProcess:
    """One node: how it is started, and the process if it runs."""

    number: int
    node_id: str
    ports: Ports
    arguments: tuple[str, ...]
    process: subprocess.Popen[bytes] | None = None
    asked: int = 0
    """How many questions it was asked."""
    heard: bytes = b""
    """What it has said of a line that has no end yet."""
    asking: threading.Lock = field(factory=threading.Lock, repr=False, eq=False)
    """One question at a time: tests have threads."""

    @property
    def is_running(self) -> bool:
        """Has it been started, and not ended?"""
        return self.process is not None and self.process.poll() is None

    def start(self, seeds: Iterable[str], errors: IO[str] | int | None = None) -> None:
        """Start the process. Raises OSError."""
        assert not self.is_running
        self.close()
        tls = ["--tls-port", str(self.ports.tls)] if self.ports.tls else []
        known = [word for seed in seeds for word in ("--seed", seed)]
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "asd", "--node-id", self.node_id),
                *("--service-port", str(self.ports.service)),
                *("--heartbeat-port", str(self.ports.heartbeat)),
                *("--fabric-port", str(self.ports.fabric)),
                *("--heartbeat-interval", str(INTERVAL_MS), "--heartbeat-timeout", str(TIMEOUT)),
                *("--until-eof", *tls, *known),
                *self.arguments,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            bufsize=0,  # what has not been read is still to be seen by a selector
        )

    def send(self, number: int) -> None:
        """Send a signal, if it runs."""
        if self.process is not None and self.is_running:
            self.process.send_signal(number)

    def wait_ready(self, until_s: float) -> None:
        """Return when it has said that it serves. Raises DidNotStart."""
        assert self.process is not None
        line = self._line(until_s)
        if line.startswith(CONTROLLED):
            line = self._line(until_s)
        if not line.startswith(READY):
            raise DidNotStart(f"node {self.node_id} ended with status {self.process.wait()}")

    def ask(self, command: str) -> str:
        """The value of an info command. Raises OSError where it does not run, or does not answer
        in time."""
        with self.asking:
            return self._ask(command)

    def _ask(self, command: str) -> str:
        if self.process is None or self.process.stdin is None:
            raise ConnectionRefusedError(f"node {self.node_id} does not run")
        self.asked += 1
        self.process.stdin.write(f"{self.asked} {command}\n".encode())
        until_s = time.monotonic() + ASK_S
        wanted = b"%s%d " % (ANSWER, self.asked)
        try:
            while not (line := self._line(until_s)).startswith(wanted):
                if not line:
                    raise ConnectionResetError(f"node {self.node_id} has ended")
        except DidNotStart:
            raise TimeoutError(f"node {self.node_id} does not answer") from None
        return line.removeprefix(wanted).decode().rstrip("\n")

    def _line(self, until_s: float) -> bytes:
        """The next line that it says; empty when it has ended. Raises DidNotStart."""
        assert self.process is not None
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while b"\n" not in self.heard:
                if not selector.select(max(0.0, until_s - time.monotonic())):
                    raise DidNotStart(f"node {self.node_id} does not serve in time")
                data = self.process.stdout.read(65536)
                if not data:
                    return b""
                self.heard += data
        line, end, self.heard = self.heard.partition(b"\n")
        return line + end

    def close(self) -> None:
        """Let go of a process that has ended."""
        if self.process is not None:
            self.process.wait()
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe is not None:
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()
            self.process = None
            self.heard = b""


@define
class NodeProcesses:
    """The nodes of one cluster on this machine. `{node}` in an argument is a node's number."""

    arguments: tuple[str, ...]
    nodes: list[NodeProcess] = field(factory=list)
    errors: IO[str] | int | None = None
    host: str = HOST
    """Where they listen."""
    first_id: int = FIRST_ID
    tls: bool = False
    """Do they speak TLS with clients, too?"""

    def add(self, ports: Ports | None = None, arguments: Sequence[str] = ()) -> NodeProcess:
        """One more node, not started, with options of its own. Ports that are 0 are any free."""
        wanted = ports if ports is not None else Ports()
        service, heartbeat, fabric, tls = free_ports(4)
        given = Ports(
            wanted.service or service,
            wanted.heartbeat or heartbeat,
            wanted.fabric or fabric,
            (wanted.tls or tls) if self.tls else 0,
        )
        number = len(self.nodes)
        node_id = f"{self.first_id + number:X}"
        words = [word.replace("{node}", str(number)) for word in (*self.arguments, *arguments)]
        node = NodeProcess(number, node_id, given, tuple(words))
        self.nodes.append(node)
        return node

    def start(self, node: NodeProcess) -> None:
        """Start a node, which begins with all the others. Raises OSError."""
        others = [each for each in self.nodes if each is not node]
        node.start([host_port(self.host, each.ports.heartbeat) for each in others], self.errors)

    @property
    def running(self) -> list[NodeProcess]:
        """Those that run."""
        return [node for node in self.nodes if node.is_running]

    def wait_stable(
        self,
        timeout_s: float,
        nodes: Sequence[NodeProcess] | None = None,
        *,
        others: bool = False,
    ) -> str:
        """Return the key of the one cluster of just these nodes (all that run), when nothing is
        left to migrate. `others`: nodes that are not ours may be in it. Raises TimeoutError."""
        wanted = list(nodes) if nodes is not None else self.running
        size = "" if others else f"size={len(wanted)}"
        until_s = time.monotonic() + timeout_s
        while True:
            said = {self._stable(node, size, len(wanted)) for node in wanted}
            if len(said) == 1 and "" not in said:
                return said.pop()
            if time.monotonic() > until_s:
                raise TimeoutError(f"no stable cluster of {len(wanted)} nodes in {timeout_s} s")
            time.sleep(POLL_S)

    def _stable(self, node: NodeProcess, size: str, least: int) -> str:
        """The node's cluster key, if its cluster has this size, nothing migrates, and so many
        nodes at least are known to clients."""
        try:
            key = node.ask(f"cluster-stable:{size}")
            peers = node.ask(f"peers-{'tls' if self.tls else 'clear'}-std")
        except OSError:
            return ""
        known = PEER.findall(peers)
        return "" if key.startswith("ERROR") or len(known) < least - 1 else key

    def stop(self, grace_s: float = 5.0) -> None:
        """End all: they are asked to, and then made to. Nothing is handed over: a second signal
        tells a node not to wait for that."""
        for node in self.nodes:
            node.send(signal.SIGCONT)
            node.send(signal.SIGTERM)
        time.sleep(POLL_S)
        for node in self.nodes:
            node.send(signal.SIGTERM)
        until_s = time.monotonic() + grace_s
        for node in self.nodes:
            for _ in self._while_running(node, until_s):
                time.sleep(POLL_S)
            node.send(signal.SIGKILL)
            node.close()

    def _while_running(self, node: NodeProcess, until_s: float) -> Iterator[None]:
        while node.is_running and time.monotonic() < until_s:
            yield
