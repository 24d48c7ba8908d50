"""Operations on lists and maps beside a plain get of the same record.

    python bench/cdt.py [--rounds N] [--sizes N,N]

Records hold one list or map of integers (map keys are strings) in a namespace in memory. Each
operation is asked one at a time over one connection. Its cost is the processor time the server's
process spent on it (system calls included, as /proc tells it), and what the operation alone costs
as a function of bytes is shown beside. Every round runs all of them once in turn; shown are medians
of the rounds, and a ratio is the median of the ratios within each round.
"""

from __future__ import annotations

import argparse
import random
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from harness import asd_command, running, table
from msgpack import ExtType, packb

from aerospike_common.wire.codes import FieldType, Info1, Info2, OpType, ParticleType
from aerospike_common.wire.frame import HEADER_SIZE
from aerospike_common.wire.message import Op, encode_message
from asd.bins import cdt
from asd.bins.particle import Particle

GOAL: Final = 12
"""Times the cost of a plain get that an operation on 1,000 elements may take."""
BIN: Final = b"b"
RETURN_VALUE: Final = 7


_NO_FIELDS: Final[Mapping[int, bytes]] = MappingProxyType({})


class Connection:
    """One client connection; a request is answered before the next is sent."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")

    def call(self, frame: bytes) -> int:
        """Send a request; its result code."""
        self._socket.sendall(frame)
        size = int.from_bytes(self._file.read(HEADER_SIZE)[2:])
        return self._file.read(size)[5]


def request(
    digest: bytes, info1: int, info2: int, *ops: Op, fields: Mapping[int, bytes] = _NO_FIELDS
) -> bytes:
    """The frame of a single-record command on the set `s` of the namespace `test`."""
    record = {FieldType.NAMESPACE.value: b"test", FieldType.SET.value: b"s"}
    every = {**record, FieldType.DIGEST.value: digest, **fields}
    body = encode_message(info1, info2, fields=every, ops=ops)
    return (2 << 56 | 3 << 48 | len(body)).to_bytes(8) + body


def processor_us(pid: int) -> float:
    """Microseconds of processor time that a process has had, all its threads together."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text("ascii").split()[0]) for thread in threads) / 1000


class NoExpressions:
    """The operations measured hold no path expressions."""

    def compile(self, wire: bytes) -> cdt.PathExpression:
        """Never called."""
        raise AssertionError("an operation without path expressions asked to compile one")


class Case(NamedTuple):
    """An operation on a value."""

    name: str
    particle: Particle
    modifies: bool
    payload: bytes

    def requests(self, digest: bytes) -> tuple[bytes, bytes, bytes]:
        """Writing the record anew, getting it, the operation."""
        value = Op(OpType.WRITE, self.particle.type, BIN, self.particle.data)
        kind = OpType.CDT_MODIFY if self.modifies else OpType.CDT_READ
        op = Op(kind, ParticleType.BLOB, BIN, self.payload)
        flags = (0, Info2.WRITE) if self.modifies else (Info1.READ, 0)
        return (
            request(digest, 0, Info2.WRITE, value),
            request(digest, Info1.READ | Info1.GET_ALL, 0),
            request(digest, *flags, op),
        )

    def run(self) -> None:
        """The operation as a function of bytes."""
        (cdt.modify if self.modifies else cdt.read)(self.particle, self.payload, NoExpressions)


def cases(size: int) -> list[Case]:
    """All operations on values of `size` elements."""
    ordered = [ExtType(1, b""), *range(0, 2 * size, 2)]
    numbers = random.Random(1)
    unordered = [numbers.randrange(size) for _ in range(size)]  # with ties
    # 100,000 of them must fit a record: short keys and values of one byte.
    pairs = {f"\x03{number:05}": numbers.randrange(100) for number in range(size)}
    middle, key = size // 2, f"\x03{size // 2:05}"

    def bin_of(value: Any) -> Particle:
        kind = ParticleType.LIST if type(value) is list else ParticleType.MAP
        return Particle(kind, packb(value))

    def rows(value: Particle, kind: str, ops: Sequence[tuple[str, bool, list[Any]]]) -> list[Case]:
        return [Case(f"{kind}: {name}", value, writes, packb(op)) for name, writes, op in ops]

    return [
        *rows(
            bin_of(ordered),
            "ordered list",
            [
                ("append", True, [1, size + 1, 1, 0]),
                ("get by index", False, [19, RETURN_VALUE, middle]),
                ("get 10 by rank", False, [26, RETURN_VALUE, middle, 10]),
                ("increment", True, [12, middle, 5]),
            ],
        ),
        *rows(
            bin_of(unordered),
            "unordered list",
            [
                ("append", True, [1, 5]),
                ("get by index", False, [19, RETURN_VALUE, middle]),
                ("get 10 by rank", False, [26, RETURN_VALUE, middle, 10]),
                ("get highest", False, [21, RETURN_VALUE, -1]),
                ("increment", True, [12, middle, 5]),
            ],
        ),
        *rows(
            bin_of({ExtType(1, b""): None, **pairs}),
            "ordered map",
            [
                ("put", True, [67, key + "x", 7, 1, 0]),
                ("get by key", False, [97, RETURN_VALUE, key]),
                ("get by index", False, [98, RETURN_VALUE, middle]),
                ("get 10 by rank", False, [106, RETURN_VALUE, middle, 10]),
                ("increment", True, [73, key, 2, 1]),
            ],
        ),
    ]


class Measured(NamedTuple):
    """Costs of one case in one round, microseconds an operation."""

    get: float
    through: float
    alone: float


def measure_one(case: Case, connection: Connection, pid: int, repeat: int) -> Measured:
    """The costs of one case, now."""
    write, get, op = case.requests(random.Random(case.name).randbytes(20))

    def through(frame: bytes) -> float:
        before = processor_us(pid)
        for _ in range(repeat):
            if connection.call(frame):
                raise SystemExit(f"{case.name}: refused")
        return (processor_us(pid) - before) / repeat

    connection.call(write)
    costs = through(get), through(op)
    return Measured(*costs, spent_us(case.run, repeat))


def spent_us(work: Callable[[], object], repeat: int) -> float:
    """Microseconds of processor time of one call, the mean of some."""
    start = time.thread_time_ns()
    for _ in range(repeat):
        work()
    return (time.thread_time_ns() - start) / repeat / 1000


def measure(port: int, pid: int, size: int, rounds: int) -> dict[str, list[Measured]]:
    """All cases, round by round."""
    connection = Connection(port)
    repeat = max(10, 200_000 // size)
    results: dict[str, list[Measured]] = {}
    for _ in range(rounds):
        for case in cases(size):
            measured = measure_one(case, connection, pid, repeat)
            results.setdefault(case.name, []).append(measured)
    return results


def report(size: int, results: dict[str, list[Measured]]) -> str:
    """The cost table of one size."""
    lines = []
    for name, rounds in results.items():
        ratio = median(one.through / one.get for one in rounds)
        columns = (median(column) for column in zip(*rounds, strict=True))
        lines.append([name, *(f"{cost:,.1f}" for cost in columns), f"{ratio:.1f}"])
    header = [f"{size:,} elements", "plain get us", "op us", "op alone us", "x plain get"]
    return str(table(header, lines))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="times each operation is measured")
    parser.add_argument("--sizes", default="1000,100000", help="elements of a list or map")
    given = parser.parse_args()
    print(f"{given.rounds} rounds. Goal: {GOAL} x the plain get at 1,000 elements.")
    with running(asd_command()) as server:
        for size in map(int, given.sizes.split(",")):
            results = measure(server.port, server.process.pid, size, given.rounds)
            print(f"\n{report(size, results)}")


if __name__ == "__main__":
    main()
