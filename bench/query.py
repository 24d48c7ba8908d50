"""Queries, secondary indexes and truncation over the records of one set.

    python bench/query.py [--records N] [--quick]

Each record has one 8-byte integer bin "bin" in the set "demo", written through the wire. The reader
of the queries is a thread of this process that takes what the socket gives and looks for the last
message only. A latency beside a query is that of gets on 8 connections in the meantime.
"""

from __future__ import annotations

import argparse
import os
import random
import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import perf_counter, sleep

from harness import Load, asd_command, compile_asd, load, publish, rss_bytes, running, table

from citrusleaf.cf_digest import key_digest

LAST = bytes.fromhex("0203000000000016") + bytes.fromhex("160000010000").ljust(22, b"\0")
RANGE_RECORDS = 10_000
SMALL = 1_000
"""Records of the small set beside the big one."""
FILL_LIMIT_S = 600
ROUNDS = 5


def field(kind: int, data: bytes) -> bytes:
    """One field of a request."""
    return struct.pack(">IB", len(data) + 1, kind) + data


def fill_small(port: int) -> None:
    """Write the records of the small set."""
    op = struct.pack(">IBBBB", 16, 2, 1, 0, 4) + b"done" + bytes(8)
    with connected(port) as connection:
        for number in range(SMALL):
            digest = key_digest(b"small", number)
            fields = field(0, b"test") + field(1, b"small") + field(4, digest)
            head = bytes((22, 0, 1, 0, 0, 0)) + struct.pack(">IIIHH", 0, 0, 1000, 3, 1)
            body = head + fields + op
            connection.sendall(struct.pack(">HHI", 0x0203, 0, len(body)) + body)
            if connection.recv(1 << 10)[13]:
                raise SystemExit("a put was refused")


def query(info1: int, span: tuple[int, int] | None = None, set_name: bytes = b"demo") -> bytes:
    """A query of all partitions of the set, or by the index for values in `span`."""
    fields = [
        field(0, b"test"),
        field(1, set_name),
        field(9, struct.pack(">I", 10_000)),
        field(7, random.randbytes(8)),
        field(11, struct.pack("<4096H", *range(4096))),
    ]
    if span is not None:
        low, high = (struct.pack(">Iq", 8, value) for value in span)
        fields.append(field(22, b"\x01\x03bin\x01" + low + high))
    head = bytes((22, info1, 0, 4, 0, 0)) + struct.pack(
        ">IIIHH", 0, 0xFFFFFFFF, 60_000, len(fields), 0
    )
    body = head + b"".join(fields)
    return struct.pack(">HHI", 0x0203, 0, len(body)) + body


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    """A connection to the server."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        yield connection


def read_query(port: int, request: bytes) -> tuple[float, int]:
    """Run a query: (seconds, bytes received)."""
    buffer = bytearray(1 << 20)
    view = memoryview(buffer)
    with connected(port) as connection:
        started = perf_counter()
        connection.sendall(request)
        received = 0
        tail = b""
        while True:
            size = connection.recv_into(buffer)
            if not size:
                raise SystemExit("the server closed the connection of a query")
            received += size
            tail = (tail + bytes(view[max(0, size - len(LAST)) : size]))[-len(LAST) :]
            if tail == LAST:
                return perf_counter() - started, received


def info(port: int, command: str) -> str:
    """The value that an info command is answered with."""
    text = command.encode() + b"\n"
    with connected(port) as connection:
        connection.sendall(struct.pack(">HHI", 0x0201, 0, len(text)) + text)
        reply = b""
        while not reply.endswith(b"\n"):
            reply += connection.recv(1 << 20)
    return reply[8:].decode().rstrip("\n").partition("\t")[2]


def best(port: int, info1: int, records: int, span: tuple[int, int] | None = None) -> list[str]:
    """The best rate of some runs of a query, and the bytes a record."""
    seconds, size = min(read_query(port, query(info1, span)) for _ in range(ROUNDS))
    return [f"{records / seconds:,.0f} records/s", f"{size / records:.0f} bytes a record"]


def beside(port: int, keys: int, seconds: float, request: bytes | None) -> Load:
    """Gets, with queries one after the other in the meantime if there is a request."""
    with ThreadPoolExecutor(1) as pool:
        gets = pool.submit(load, port, 8, 1, seconds, "get", keys)
        while request is not None and not gets.done():
            read_query(port, query(3))
        return gets.result()


def small_set(port: int) -> float:
    """Seconds of the best of some queries of the small set."""
    return min(read_query(port, query(3, set_name=b"small"))[0] for _ in range(ROUNDS))


def by_set_index(port: int) -> list[str]:
    """What a query of the small set takes with a set index, and without one."""
    fill_small(port)
    without = small_set(port)
    change = "set-config:context=namespace;id=test;set=small;enable-index=true"
    if info(port, change) != "ok":
        raise SystemExit("the set index was refused")
    while "index_populating=false" not in info(port, "sets/test/small"):
        sleep(0.005)
    return [f"{1000 * small_set(port):.1f} ms", f"{1000 * without:.1f} ms without the index"]


def build_index(port: int) -> float:
    """Create the index on the bin and wait until it is built: seconds."""
    started = perf_counter()
    answer = info(port, "sindex-create:namespace=test;set=demo;indexname=i;bin=bin;type=numeric")
    if answer != "ok":
        raise SystemExit(f"the index was refused: {answer}")
    while "load_pct=100" not in info(port, "sindex-stat:namespace=test;indexname=i"):
        sleep(0.005)
    return perf_counter() - started


def truncate(port: int) -> float:
    """Truncate the set and wait until its records are removed: seconds."""
    started = perf_counter()
    if info(port, "truncate:namespace=test;set=demo") != "ok":
        raise SystemExit("truncate was refused")
    while not info(port, "sets/test/demo").startswith("objects=0:"):
        sleep(0.005)
    return perf_counter() - started


def measure(records: int, seconds: float, **environment: str) -> list[list[str]]:
    """The rows of the table for one server."""
    rows: list[list[str]] = []
    with running(asd_command(), **environment) as server:
        port = server.port
        load(port, 4, 64, FILL_LIMIT_S, "fill", records)
        rows.append(["scan, whole records", *best(port, 3, records)])
        rows.append(["scan, no bins", *best(port, 0x21, records)])
        for what, request in (("gets alone", None), ("gets beside scans", query(3))):
            gets = beside(port, records, seconds, request)
            rate = f"{gets.per_second:,.0f}/s"
            rows.append([what, rate, f"p99 {gets.p99_us:.0f} us, p99.9 {gets.p999_us:.0f} us"])
        rows.append([f"set of {SMALL} by its index", *by_set_index(port)])
        before = [load(port, 8, 1, seconds, "mixed", records) for _ in range(3)]
        memory = rss_bytes(server.process.pid)
        took = build_index(port)
        memory = rss_bytes(server.process.pid) - memory
        rows.append(["index build", f"{records / took:,.0f} records/s", f"{took:.2f} s"])
        rows.append(["index memory", f"{memory / records:.1f} bytes an entry", ""])
        wanted = min(records, RANGE_RECORDS)
        rows.append([f"range of {wanted}", *best(port, 3, wanted, (0, wanted - 1))])
        after = [load(port, 8, 1, seconds, "mixed", records) for _ in range(3)]
        ratio = max(x.per_second for x in after) / max(x.per_second for x in before)
        rows.append(["gets and puts with the index", f"{ratio:.2f} of without", ""])
        info(port, "sindex-delete:namespace=test;indexname=i")
        took = truncate(port)
        rows.append(["truncate", f"{took:.2f} s", ""])
    return rows


def main() -> None:
    """Measure, print, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="only see whether it works")
    given = parser.parse_args()
    records, seconds = (20_000, 0.3) if given.quick else (given.records, 3.0)
    rows, heads = measure(records, seconds), ["What", "plain", ""]
    if compile_asd():
        heads += ["compiled", ""]
        compiled = measure(records, seconds, ASD_COMPILED="1")
        rows = [[*row, *more[1:]] for row, more in zip(rows, compiled, strict=True)]
    body = f"{records:,} records, {os.cpu_count()} cores.\n\n{table(heads, rows)}"
    publish("query", "Queries and indexes", body, write=not given.quick)


if __name__ == "__main__":
    main()
