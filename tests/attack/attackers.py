"""Attackers of a running node, and the node with its witness."""

from __future__ import annotations

import contextlib
import random
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Final

from aerospike_common.wire.codes import FieldType, Info1, Info2, OpType, ParticleType
from aerospike_common.wire.message import Op, encode_message, parse_message
from citrusleaf.cf_digest import key_digest

MANY = 5_000
TIMEOUT_S = 20.0


def framed(kind: int, body: bytes) -> bytes:
    """A whole frame."""
    return bytes((2, kind)) + len(body).to_bytes(6, "big") + body


def command(number: int, **message: object) -> bytes:
    """A frame about one record."""
    fields = {
        FieldType.NAMESPACE: b"test",
        FieldType.SET: b"attack",
        FieldType.DIGEST: key_digest("attack", number),
    }
    return framed(3, encode_message(fields=fields, **message))  # type: ignore[arg-type]  # by name - each has its own type


def put(number: int) -> bytes:
    """A write of one bin."""
    ops = [Op(OpType.WRITE, ParticleType.BLOB, b"v", b"%d" % number)]
    return command(number, info2=Info2.WRITE, ops=ops)


def get(number: int) -> bytes:
    """A read of all bins."""
    return command(number, info1=Info1.READ | Info1.GET_ALL)


SEEDS = (
    put(1),
    get(1),
    command(1, info1=Info1.READ, ops=[Op(OpType.CDT_READ, 0, b"a", b"\x92\x11\x00")]),
    command(1, info2=Info2.WRITE, ops=[Op(OpType.CDT_MODIFY, 0, b"a", b"\x92\x01\x05")]),
    command(1, info1=Info1.READ, ops=[Op(OpType.EXP_READ, 0, b"x", b"\x92\x93\x14\x01\x02\x00")]),
    command(1, info2=Info2.WRITE, ops=[Op(OpType.HLL_MODIFY, 4, b"h", b"\x93\x01\x91\x05\x08")]),
    command(1, info2=Info2.WRITE, ops=[Op(OpType.BIT_MODIFY, 4, b"b", b"\x93\x00\x10\x00")]),
    framed(1, b"statistics\nnamespaces\n"),
    framed(2, b"\0\0\0\0" + bytes(20)),
    framed(4, b"\0\0\0\0\0\0\0\x10x\x9cabc"),
)


IP_BIND_ADDRESS_NO_PORT: Final = 24
"""Linux: a port is chosen when the connection is made, when it may be that of one that has just
ended to elsewhere. `socket` names it from Python 3.12 on."""


class Target:
    """A node in a process of its own, watched from outside."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        """`arguments` are further ones of the node's."""
        self.log = folder / "asd.log"
        self._arguments = arguments
        self._curve: list[tuple[float, int, int]] = []
        self._began = time.monotonic()
        self._worst_s = 0.0
        self._process: subprocess.Popen[str]
        self.port = self.http = 0

    def __enter__(self) -> Target:
        self.http = free_port()
        command = [sys.executable, "-m", "asd", "--service-port", "0", "--http-port"]
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                [*command, str(self.http), *self._arguments],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline().rpartition(":")[2])
        self.ask(put(7))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        """One connection. Raises OSError."""
        client = socket.socket()
        try:
            client.settimeout(TIMEOUT_S)
            client.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
            client.bind((source, 0))
            client.connect(("127.0.0.1", self.port))
        except BaseException:
            client.close()
            raise
        return client

    def ask(self, data: bytes) -> bytes:
        """The body of the answer to one frame. Raises OSError."""
        with self.connect() as client, client.makefile("rb") as answers:
            client.sendall(data)
            head = answers.read(8)
            return answers.read(int.from_bytes(head[2:], "big"))

    def look(self) -> list[str]:
        """Is all well? What is not."""
        if self._process.poll() is not None:
            return [f"the node ended with {self._process.returncode}"]
        began = time.monotonic()
        try:
            self.ask(put(7))  # whatever the frames before have made of the record
            reply = parse_message(self.ask(get(7)))
        except Exception as error:
            return [f"the witness got {error!r}"]
        self._worst_s = max(self._worst_s, time.monotonic() - began)
        found = [op.value for op in reply.ops if op.name == b"v"]
        self._curve.append((time.monotonic() - self._began, self.memory_kb(), self.hold_ms()))
        return [] if found == [b"7"] else [f"the witness got {reply}"]

    def memory_kb(self) -> int:
        """What the node takes."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0])

    def hold_ms(self) -> int:
        """The longest hold since the start."""
        url = f"http://127.0.0.1:{self.http}/metrics"
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as page:
            found = re.findall(r"longest_hold_ms\S* (\d+)", page.read().decode())
        return int(found[0]) if found else 0

    def account(self) -> str:
        """A line of the progress."""
        at_s, memory_kb, hold_ms = self._curve[-1] if self._curve else (0.0, 0, 0)
        worst = f"witness {self._worst_s * 1e3:.0f} ms"
        return f"{at_s:6.0f} s | {memory_kb // 1024} MiB | longest hold {hold_ms} ms | {worst}"

    def show_curve(self) -> None:
        """The memory over time, in twenty points."""
        step = max(1, len(self._curve) // 20)
        points = [f"{at_s:.0f}s {kb // 1024}" for at_s, kb, _ in self._curve[::step]]
        print("memory, MiB:", ", ".join(points))

    def tracebacks(self) -> list[str]:
        """What the log tells of our own bugs."""
        text = self.log.read_text("utf-8", "replace")
        return (
            [f"a traceback in {self.log}: {text[at.start() :][:2000]}"]
            if (at := re.search("Traceback", text))
            else []
        )


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def mutated(chance: random.Random) -> bytes:
    """A frame with some bytes changed, cut, doubled, or a length that lies."""
    data = bytearray(chance.choice(SEEDS))
    for _ in range(chance.randrange(1, 6)):
        match chance.randrange(4):
            case 0:
                data[chance.randrange(8, len(data))] = chance.randrange(256)
            case 1:
                at = chance.randrange(8, len(data))
                data[at:at] = data[at : at + chance.randrange(40)]
            case 2:
                data[chance.randrange(8, len(data))] = chance.choice((0, 1, 127, 128, 254, 255))
            case 3 if len(data) > 30:
                at = chance.randrange(8, len(data) - 1)
                del data[at : at + chance.randrange(1, 8)]
    if chance.random() < 0.98:
        data[2:8] = (len(data) - 8).to_bytes(6, "big")
    return bytes(data)


def seconds(limit_s: float) -> Iterator[None]:
    """Go on for so long."""
    ends = time.monotonic() + limit_s
    while time.monotonic() < ends:
        yield


def drain(client: socket.socket) -> None:
    """Read what is there."""
    with contextlib.suppress(OSError):
        client.setblocking(False)
        while client.recv(1 << 16):
            continue
    client.settimeout(TIMEOUT_S)


def mutated_frames(target: Target, chance: random.Random, limit_s: float) -> int:
    """Frames that are nearly right; how many."""
    count = 0
    for _ in seconds(limit_s):
        with contextlib.suppress(OSError), target.connect() as client:
            for _ in range(20):
                client.sendall(b"".join(mutated(chance) for _ in range(50)))
                count += 50
                drain(client)
    return count


def random_bytes(target: Target, chance: random.Random, limit_s: float) -> int:
    """Bytes that are nothing at all; how many connections."""
    count = 0
    for _ in seconds(limit_s):
        with contextlib.suppress(OSError), target.connect() as client:
            client.sendall(chance.randbytes(chance.randrange(1, 5_000)))
            drain(client)
        count += 1
    return count


def hostile_info(target: Target, chance: random.Random, limit_s: float) -> int:
    """Info commands of all kinds of text; how many."""
    names = (
        "namespace",
        "sets",
        "set-config",
        "get-config",
        "truncate",
        "sindex",
        "udf-put",
        "log",
    )
    count = 0
    for _ in seconds(limit_s):
        lines = []
        for _ in range(chance.randrange(1, 30)):
            junk = chance.randbytes(chance.randrange(60)).replace(b"\n", b";")
            lines.append(chance.choice(names).encode() + chance.choice((b":", b"/", b"")) + junk)
        with contextlib.suppress(OSError):
            target.ask(framed(1, b"\n".join(lines) + b"\n"))
        count += len(lines)
    return count


def hostile_http(target: Target, chance: random.Random, limit_s: float) -> int:
    """Requests to the page that are none; how many."""
    count = 0
    lines = (b"GET /metrics HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\r\n", b"POST ")
    for _ in seconds(limit_s):
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", target.http), TIMEOUT_S) as client,
        ):
            junk = chance.randbytes(chance.randrange(300))
            client.sendall(chance.choice(lines) + junk + b"\r\n" * chance.randrange(3))
            drain(client)
        count += 1
    return count


def slow_clients(target: Target, chance: random.Random, limit_s: float) -> int:
    """Clients that send a byte at a time, and clients that do not read; how many."""
    slow, deaf = [], []
    with contextlib.suppress(OSError):
        for _ in range(100):
            slow.append(target.connect())
            deaf.append(target.connect())
    for client in deaf:
        client.setblocking(False)
    for at, _ in enumerate(seconds(limit_s)):
        data = get(7)
        for client in slow:
            with contextlib.suppress(OSError):
                client.sendall(data[at % len(data) :][:1])
        for client in deaf:
            with contextlib.suppress(OSError):
                client.send(get(7) * 200)
        time.sleep(0.01)
    for client in (*slow, *deaf):
        client.close()
    return len(slow) + len(deaf)


def many_connections(target: Target, chance: random.Random, limit_s: float) -> int:
    """As many connections as there may be, each with a word; how many."""
    clients: list[socket.socket] = []
    with contextlib.suppress(OSError):
        clients.extend(target.connect() for _ in range(MANY))
    for client in clients:
        with contextlib.suppress(OSError):
            client.sendall(get(7))
    for client in clients:
        client.close()
    return len(clients)


Attacker = Callable[[Target, random.Random, float], int]

ATTACKERS: tuple[Attacker, ...] = (
    mutated_frames,
    random_bytes,
    mutated_frames,
    hostile_info,
    mutated_frames,
    hostile_http,
    slow_clients,
    many_connections,
)
"""In the order in which they come; each says what it has done."""
