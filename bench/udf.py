"""Calls a second of functions on records, through the server.

    python bench/udf.py [--rounds N] [--seconds S] [--quick]

Requests are built beforehand and sent 64 in flight on each of 4 connections by one process, which
only counts the bytes that come back: it takes next to nothing beside the server. Shown are medians
of the rounds.
"""

from __future__ import annotations

import argparse
import base64
import selectors
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter

from harness import asd_command, publish, running, table

MODULE = b"""
function one(rec) return 1 end
function read(rec, name) return rec[name] end
function add(rec, name, n)
  rec[name] = rec[name] + n
  return aerospike:update(rec)
end
function sum(rec, values)
  local total = 0
  for value in list.iterator(values) do total = total + value end
  return total
end
"""

CONNECTIONS = 4
IN_FLIGHT = 64
KEYS = 1000

CALLS = (
    ("one", b"\x90", "nothing, returns 1"),
    ("read", b"\x91\xa2\x03b", "reads a bin"),
    ("add", b"\x92\xa2\x03b\x01", "reads, writes and updates a bin"),
    ("sum", b"\x91\x9a" + bytes(range(10)), "sums a list of 10 arguments"),
)
"""Function, its arguments as msgpack, what it does."""


def frame(kind: int, body: bytes) -> bytes:
    """A frame of the protocol."""
    return struct.pack(">BB", 2, kind) + len(body).to_bytes(6, "big") + body


def message(key: int, fields: Sequence[tuple[int, bytes]], ops: bytes = b"") -> bytes:
    """A write of one key."""
    digest = struct.pack("<Q12x", key * 0x9E3779B97F4A7C15 & 2**64 - 1)
    every = [(0, b"test"), (1, b"bench"), (4, digest), *fields]
    packed = b"".join(struct.pack(">IB", len(data) + 1, kind) + data for kind, data in every)
    header = struct.pack(">BBBBBBIIIHH", 22, 0, 1, 0, 0, 0, 0, 0, 1000, len(every), bool(ops))
    return frame(3, header + packed + ops)


def exchange(connection: socket.socket, request: bytes) -> bytes:
    """Send one request and wait for the body of its answer."""
    connection.sendall(request)
    head = connection.recv(8, socket.MSG_WAITALL)
    return connection.recv(int.from_bytes(head[2:], "big"), socket.MSG_WAITALL)


@dataclass
class Stream:
    """A connection with a fixed number of requests under way."""

    connection: socket.socket
    requests: list[bytes]
    answer_size: int
    answered: int = 0
    _rest: int = field(default=0, repr=False)
    _next: int = field(default=0, repr=False)

    def send(self, count: int) -> None:
        """Send the next requests."""
        size = len(self.requests)
        batch = [self.requests[(self._next + i) % size] for i in range(count)]
        self._next += count
        self.connection.sendall(b"".join(batch))

    def receive(self) -> None:
        """Take the answers that are there, and send as many requests again."""
        self._rest += len(self.connection.recv(1 << 16))
        count, self._rest = divmod(self._rest, self.answer_size)
        self.answered += count
        if count:
            self.send(count)


def measure(port: int, function: str, arguments: bytes, seconds: float) -> float:
    """Answered calls a second."""
    fields = [(30, b"bench"), (31, function.encode()), (32, arguments)]
    requests = [message(key, fields) for key in range(KEYS)]
    streams = []
    with selectors.DefaultSelector() as selector:
        for _ in range(CONNECTIONS):
            connection = socket.create_connection(("127.0.0.1", port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            body = exchange(connection, requests[0])
            if body[5]:
                raise SystemExit(f"{function} was answered with result {body[5]}")
            streams.append(Stream(connection, requests, 8 + len(body)))
            selector.register(connection, selectors.EVENT_READ, streams[-1])
        for stream in streams:
            stream.send(IN_FLIGHT)
        started = perf_counter()
        while (elapsed := perf_counter() - started) < seconds:
            for ready, _ in selector.select(1.0):
                ready.data.receive()
        for stream in streams:
            stream.connection.close()
    return sum(stream.answered for stream in streams) / elapsed


def prepare(port: int) -> None:
    """Register the module and store the records."""
    content = base64.b64encode(MODULE).decode()
    put = f"udf-put:filename=bench.lua;content={content};content-len={len(content)};udf-type=LUA\n"
    op = struct.pack(">IBBBB", 4 + 1 + 8, 2, 1, 0, 1) + b"b" + bytes(8)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        answer = exchange(connection, frame(1, put.encode()))
        if not answer.endswith(b"\tok\n"):
            raise SystemExit(f"the module was refused: {answer!r}")
        for key in range(KEYS):
            exchange(connection, message(key, [], op))


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--quick", action="store_true", help="one short round, nothing written")
    options = parser.parse_args()
    rounds, seconds = (1, 1.0) if options.quick else (options.rounds, options.seconds)
    with running(asd_command("--namespace", "test")) as server:
        prepare(server.port)
        figures: dict[str, list[float]] = {}
        for _ in range(rounds):
            for function, arguments, _ in CALLS:
                rate = measure(server.port, function, arguments, seconds)
                figures.setdefault(function, []).append(rate)
    rows = [(what, f"{median(figures[name]):,.0f}") for name, _, what in CALLS]
    body = table(("Function", "calls/s"), rows)
    publish("udf", "Functions on records", body, write=not options.quick)


if __name__ == "__main__":
    main()
