"""Index queries that find little, records with many index values, and aggregations: processor time.

    python bench/index_queries.py

Each figure is the server's processor time (user and system, all threads, from /proc) for one
request, and that in units of a "get" of one bin measured in the same run: machines differ, the
ratio much less so. "Held" is the longest that a second client waited for a get in the meantime.
"""

from __future__ import annotations

import base64
import hashlib
import os
import random
import struct
import threading
from collections.abc import Callable
from socket import create_connection
from time import perf_counter, sleep

from cdt import processor_us
from harness import Server, asd_command, running, table
from query import field, info

Row = list[str]
EVERYWHERE = struct.pack("<4096H", *range(4096))
COUNT = b"function count(s) return s : aggregate(0, function(n) return n + 1 end) end"
LONG = 190_000


def message(
    info1: int, info2: int, info3: int, fields: list[bytes], ops: bytes = b"", n_ops: int = 0
) -> bytes:
    """A framed request."""
    numbers = struct.pack(">IIIHH", 0, 0, 60_000, len(fields), n_ops)
    body = bytes((22, info1, info2, info3, 0, 0)) + numbers + b"".join(fields) + ops
    return struct.pack(">HHI", 0x0203, 0, len(body)) + body


def key(set_name: bytes, number: int) -> list[bytes]:
    """The fields that name a record."""
    digest = hashlib.sha1(b"%s%d" % (set_name, number)).digest()
    return [field(0, b"test"), field(1, set_name), field(4, digest)]


def write(set_name: bytes, number: int, kind: int, value: bytes) -> bytes:
    """A write of the bin `v`; kind 1 is an integer, 20 a list."""
    op = struct.pack(">IBBBB", 5 + len(value), 2, kind, 0, 1) + b"v" + value
    return message(0, 1, 0, key(set_name, number), op, 1)


def integers(values: range) -> bytes:
    """A msgpack list."""
    return struct.pack(">BI", 0xDD, len(values)) + b"".join(
        struct.pack(">BI", 0xCE, value) for value in values
    )


def texts(values: list[bytes]) -> bytes:
    """A msgpack list of GeoJSON."""
    return struct.pack(">BI", 0xDD, len(values)) + b"".join(
        struct.pack(">BHB", 0xDA, len(value) + 1, 23) + value for value in values
    )


def square(x: float, y: float, half: float) -> bytes:
    """GeoJSON."""
    west, east, south, north = x - half, x + half, y - half, y + half
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return b'{"type":"Polygon","coordinates":[%s]}' % str(ring).encode()


def span(low: int, high: int) -> bytes:
    """A range field for integers."""
    return b"\x01\x01v\x01" + struct.pack(">IqIq", 8, low, 8, high)


def shape(text: bytes) -> bytes:
    """A range field for GeoJSON."""
    return b"\x01\x01v\x17" + 2 * (struct.pack(">I", len(text)) + text)


class Client:
    """One connection."""

    def __init__(self, server: Server) -> None:
        self._pid = server.process.pid
        self._socket = create_connection(("127.0.0.1", server.port))
        self._file = self._socket.makefile("rb")

    def call(self, request: bytes) -> bytes:
        """One frame for another."""
        self._socket.sendall(request)
        return self._file.read(int.from_bytes(self._file.read(8)[2:], "big"))

    def query(self, set_name: bytes, wanted: bytes, source: int = 0) -> int:
        """A query of all partitions; the number of rows."""
        more = [field(26, bytes((source,)))] if source else []
        fields = [field(0, b"test"), field(1, set_name), *more]
        self._socket.sendall(message(3, 0, 4, [*fields, field(22, wanted), field(11, EVERYWHERE)]))
        return self._rows()

    def aggregate(self, set_name: bytes) -> int:
        """Count the set; the number of rows."""
        call = [field(33, b"\x01"), field(30, b"m"), field(31, b"count"), field(32, b"\x90")]
        fields = [field(0, b"test"), field(1, set_name), *call]
        self._socket.sendall(message(3, 0, 0, fields))
        return self._rows()

    def _rows(self) -> int:
        rows = 0
        while True:
            body = self._file.read(int.from_bytes(self._file.read(8)[2:], "big"))
            at = 0
            while at < len(body):
                if body[at + 3] & 1:
                    if body[at + 5]:
                        raise SystemExit(f"a query ended with {body[at + 5]}")
                    return rows
                parts = sum(struct.unpack_from(">HH", body, at + 18))
                at += 22
                for _ in range(parts):
                    at += 4 + int.from_bytes(body[at : at + 4], "big")
                rows += 1

    def processor_s(self) -> float:
        """Processor time the server has used."""
        return processor_us(self._pid) / 1e6


class Bench:
    """The figures, one row after the other."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.client = Client(server)
        self.rows: list[Row] = []
        get = message(3, 0, 0, key(b"n", 5))
        self._get_s = self._cost(lambda: self.client.call(get), 5000)[0]
        self._probe = get

    def _cost(self, work: Callable[[], object], times: int) -> tuple[float, object]:
        work()
        before = self.client.processor_s()
        for _ in range(times):
            answer = work()
        return (self.client.processor_s() - before) / times, answer

    def row(self, what: str, work: Callable[[], object], times: int = 1) -> None:
        """Measure, with another client beside it after that."""
        seconds, answer = self._cost(work, times)
        found = f"{answer:,}" if isinstance(answer, int) else ""
        held = f"{1000 * self._held(work):.1f}" if times == 1 else ""
        gets = f"{seconds / self._get_s:,.0f}"
        self.rows.append([what, f"{1000 * seconds:,.2f}", gets, held, found])

    def _held(self, work: Callable[[], object]) -> float:
        """The longest of gets by another client while the work is done."""
        other, longest = Client(self._server), 0.0
        thread = threading.Thread(target=work)
        thread.start()
        while thread.is_alive():
            started = perf_counter()
            other.call(self._probe)
            longest = max(longest, perf_counter() - started)
        return longest


def create_index(port: int, set_name: str, key_type: str, more: str = "") -> float:
    """Create an index on the bin and wait until it is readable: seconds."""
    where = f"namespace=test;set={set_name};indexname={set_name};bin=v;type={key_type}{more}"
    if info(port, f"sindex-create:{where}") != "ok":
        raise SystemExit("the index was refused")
    started = perf_counter()
    while "load_pct=100" not in info(port, f"sindex-stat:namespace=test;indexname={set_name}"):
        sleep(0.001)
    return perf_counter() - started


def fill(bench: Bench, rnd: random.Random) -> None:
    """Records of all kinds."""
    call = bench.client.call
    for number in range(500):
        call(write(b"l", number, 20, integers(range(100))))
    for number in range(200):
        places = [(rnd.uniform(-1, 1), rnd.uniform(-1, 1)) for _ in range(10)]
        call(write(b"p", number, 20, texts([square(x, y, 1.5) for x, y in places])))


def queries(bench: Bench, port: int) -> None:
    """Those by an index."""
    client, in_list = bench.client, ";indextype=list"
    bench.row("index query of 1 record in 20,000", lambda: client.query(b"n", span(5, 5)), 100)
    bench.row("index query of 1,000 records", lambda: client.query(b"n", span(0, 999)), 30)
    create_index(port, "l", "numeric", in_list)
    bench.row("500 records x 100 integers", lambda: client.query(b"l", span(0, 99), 1))
    create_index(port, "p", "geo2dsphere", in_list)
    point = shape(b'{"type":"Point","coordinates":[0.1,0.1]}')
    bench.row("200 records x 10 polygons, a point", lambda: client.query(b"p", point, 1))
    region = shape(square(0, 0, 3))
    bench.row("200 records x 10 polygons, a region", lambda: client.query(b"p", region, 1))


def changes(bench: Bench, port: int) -> None:
    """Those of a record with many index values."""
    call = bench.client.call
    create_index(port, "b", "numeric", ";indextype=list")
    lists = [integers(range(70_000, 70_000 + LONG)), integers(range(700_000, 700_000 + LONG))]
    turn = iter([write(b"b", 1, 20, data) for data in lists] * 10)
    bench.row(f"replacing a list of {LONG:,}", lambda: call(next(turn)))
    append = struct.pack(">IBBBB", 8, 4, 4, 0, 1) + b"v\x92\x01\x07"
    request = message(0, 1, 0, key(b"b", 1), append, 1)
    bench.row("appending to it", lambda: call(request))


def main() -> None:
    """Measure and print."""
    with running(asd_command()) as server:
        first, port = Client(server), server.port
        empty_s = create_index(port, "n", "numeric")
        for number in range(20_000):
            first.call(write(b"n", number, 1, struct.pack(">q", number)))
        bench = Bench(server)
        fill(bench, random.Random(1))
        queries(bench, port)

        source = base64.b64encode(COUNT).decode()
        info(
            port, f"udf-put:filename=m.lua;content={source};content-len={len(source)};udf-type=LUA"
        )
        bench.row("aggregation of 20,000 records", lambda: bench.client.aggregate(b"n"))
        changes(bench, port)
        print(table(["Request", "ms", "in gets", "held ms", "rows"], bench.rows))
        print(f"\nAn index of an empty set is readable after {1000 * empty_s:.1f} ms.")
        print(f"{os.cpu_count()} cores.")


if __name__ == "__main__":
    main()
