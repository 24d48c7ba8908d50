"""Attackers of the ports that are for other nodes: a node in a cluster of two, and whoever is not
the other one."""

from __future__ import annotations

import contextlib
import random
import re
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import attrs

from attack.attackers import TIMEOUT_S, Target, drain, framed, free_port, get, put, seconds
from cluster.messages import CLASSES, FabricHello, Hello, Parcel, Pulse, codec
from cluster.wire import frame

NUMBERS = (0, 1, 2, 3, 5, 255, 4095, 4096, (1 << 32) - 1, (1 << 64) - 1)
QUICKLY = ("--heartbeat-interval", "50")
SLOW = 50
KEPT = 200
"""Frames that are kept to be sent again."""


class ClusterTarget(Target):
    """A node whose ports for other nodes are open, and one that is its peer. The witness asks the
    first, which may have to ask the other."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.heartbeat, self.fabric, self._other_heartbeat = free_port(), free_port(), free_port()
        self._folder = folder
        own = ("--heartbeat-port", str(self.heartbeat), "--fabric-port", str(self.fabric))
        super().__init__(
            folder, *QUICKLY, *own, "--seed", f"127.0.0.1:{self._other_heartbeat}", *arguments
        )

    def __enter__(self) -> ClusterTarget:
        super().__enter__()
        ports = ("--heartbeat-port", str(self._other_heartbeat), "--fabric-port", str(free_port()))
        seed = ("--seed", f"127.0.0.1:{self.heartbeat}", "--service-port", "0")
        with (self._folder / "other.log").open("w") as log:
            self._other = subprocess.Popen(
                [sys.executable, "-m", "asd", *QUICKLY, *ports, *seed],
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        self._await_cluster()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for each in (self._other, self._process):  # at once: leaving a cluster well takes time
            each.kill()
        self._other.wait(30)
        super().__exit__(kind, error, at)

    def _await_cluster(self) -> None:
        ends = time.monotonic() + 60
        while b"cluster_size=2" not in self.ask(framed(1, b"statistics\n")):
            assert time.monotonic() < ends, "the two nodes do not find each other"
            time.sleep(0.2)

    def nodes(self) -> list[int]:
        """The ids of both nodes, and of none."""
        told = self.ask(framed(1, b"node\nservices\n")).decode()
        return [*(int(name, 16) for name in re.findall(r"\b[0-9A-F]{8,16}\b", told)), 77]

    def look(self) -> list[str]:
        """As `Target.look`, of the other node too."""
        if self._other.poll() is not None:
            return [f"the other node ended with {self._other.returncode}"]
        for _ in range(100):  # a peer that was cut off by a lie is found again
            if not (said := super().look()):
                return said
            time.sleep(0.2)
        return said


def invented(chance: random.Random) -> bytes:
    """A message of any class, well formed, with values that are any."""
    cls: Any = chance.choice(CLASSES)
    values = {field.name: _value(str(field.type), chance) for field in attrs.fields(cls)}
    return codec().encode(cls(**values))


def _value(kind: str, chance: random.Random) -> Any:
    match kind:
        case "int":
            return chance.choice(NUMBERS)
        case "bool":
            return chance.random() < 0.5
        case "str" | "str | None":
            return chance.choice(("", "test", "x" * 300))
        case "bytes" | "Digest":
            return chance.randbytes(chance.choice((0, 2, 20, 300)))
        case "Endpoint":
            return "127.0.0.1", chance.choice((1, 9, 65535))
    return () if "..." in kind else None


def mutated_payload(payload: bytes, chance: random.Random) -> bytes:
    """A message with some bytes changed or cut."""
    data = bytearray(payload)
    for _ in range(chance.randrange(4)):
        if data:
            data[chance.randrange(len(data))] = chance.choice((0, 1, 0x90, 0xC1, 0xFF))
    return bytes(data[: chance.randrange(len(data) + 1)] if chance.random() < 0.2 else data)


def greeting(nodes: list[int], chance: random.Random) -> bytes:
    """What somebody begins with who says to be a node that is there."""
    node, to = chance.choice(nodes), chance.choice(nodes)
    life, its = chance.choice(NUMBERS), chance.choice(NUMBERS)
    if chance.random() < 0.5:
        return codec().encode(FabricHello(node, life, to, its, chance.randrange(5)))
    if chance.random() < 0.5:
        return codec().encode(Pulse(node, life, chance.choice(NUMBERS), heard=tuple(nodes)))
    return codec().encode(Hello(node, life))


def hostile_peers(target: Target, chance: random.Random, limit_s: float) -> int:
    """Frames that no node has sent, new ones and some again; how many."""
    assert isinstance(target, ClusterTarget)
    count, nodes = 0, target.nodes()
    sent: list[bytes] = [b""]
    for _ in seconds(limit_s):
        port = chance.choice((target.heartbeat, target.fabric))
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as client,
        ):
            if chance.random() < 0.7:
                client.sendall(frame(greeting(nodes, chance)))
            for _ in range(chance.randrange(1, 30)):
                payload = invented(chance)
                if chance.random() < 0.5:
                    payload = codec().encode(Parcel(payload, chance.choice(NUMBERS)))
                if chance.random() < 0.2:
                    payload = chance.choice(sent)
                if chance.random() < 0.5:
                    payload = mutated_payload(payload, chance)
                client.sendall(frame(payload))
                sent = [*sent, payload][-KEPT:]
                count += 1
            drain(client)
    return count


def hostile_streams(target: Target, chance: random.Random, limit_s: float) -> int:
    """Streams that are no frames: random bytes, lengths that lie; how many."""
    assert isinstance(target, ClusterTarget)
    count = 0
    for _ in seconds(limit_s):
        port = chance.choice((target.heartbeat, target.fabric))
        lengths = (0, 1, 1 << 20, 64 << 20, (64 << 20) + 1, (1 << 32) - 1)
        head = struct.pack(">I", chance.choice(lengths)) if chance.random() < 0.7 else b""
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as client,
        ):
            client.sendall(head + chance.randbytes(chance.randrange(2_000)))
            drain(client)
        count += 1
    return count


def slow_peers(target: Target, chance: random.Random, limit_s: float) -> int:
    """Frames a few bytes at a time, and long ones in many pieces; how many connections."""
    assert isinstance(target, ClusterTarget)
    clients = []
    for at in range(SLOW):
        with contextlib.suppress(OSError):
            port = (target.heartbeat, target.fabric)[at % 2]
            client = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
            client.sendall(struct.pack(">I", chance.choice((100, 1 << 20, 8 << 20))))
            clients.append(client)
    for at, _ in enumerate(seconds(limit_s)):
        for number, client in enumerate(clients):
            with contextlib.suppress(OSError):
                client.settimeout(0.01)
                client.send(chance.randbytes(3) if number % 5 or at % 20 else bytes(1 << 16))
        time.sleep(0.01)
    for client in clients:
        client.close()
    return len(clients)


def asks(target: Target, chance: random.Random, limit_s: float) -> int:
    """Plain requests while all that goes on: each is answered; how many."""
    count = 0
    for _ in seconds(limit_s):
        target.ask(put(count))
        target.ask(get(count))
        count += 1
    return count


PEERS: tuple[Callable[[Target, random.Random, float], int], ...] = (
    hostile_peers,
    hostile_streams,
    asks,
    slow_peers,
)
"""In the order in which they come; each says what it has done."""
