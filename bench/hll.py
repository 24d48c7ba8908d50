"""HyperLogLog operations on many values and on large sketches.

    python bench/hll.py [--rounds N]

The cost of an operation is the processor time the server's process spent on it (system calls
included, as /proc tells it), one at a time over one connection: adding 262,144 strings in one
operation, and what is asked of three sketches of 65,536 registers that no count is cached for.
What the operation alone costs, as a function of bytes, is shown beside. Every round runs all of
them once in turn; shown are medians of the rounds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from statistics import median

from cdt import Connection, processor_us, request
from harness import asd_command, running, table

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import Info1, Info2, OpType, ParticleType
from aerospike_common.wire.message import Op
from asd.bins import hll
from asd.bins.particle import Particle

ADDED = 262_144
INDEX_BITS = 16
EACH = 100_000
"""Elements of a sketch; half of them are in the next one, too."""
ADD, MAY_CONTAIN = 1, 56
READS = {"get_count": 50, "get_union_count": 52, "get_intersect_count": 53, "get_similarity": 54}
DIGEST, SKETCH = bytes(20), bytes(19) + b"\1"
GOALS_MS = {"add": 120, "get_similarity": 25, "get_intersect_count": 25}


def elements(first: int, count: int) -> list[str]:
    """Strings that no other range has."""
    return [f"\x03user-{number}" for number in range(first, first + count)]


class Case:
    """One operation: as a frame for the server, and as a call."""

    def __init__(self, minhash_bits: int) -> None:
        self.minhash_bits = minhash_bits
        self.add = as_msgpack.pack([ADD, elements(0, ADDED), INDEX_BITS, minhash_bits, 0])
        sketches = [self._sketch(number * EACH // 2) for number in range(3)]
        self.sketch, *others = sketches
        texts = ["\x12" + other.data.decode("utf-8", "surrogateescape") for other in others]
        self.reads = {
            name: as_msgpack.pack([code] if code == READS["get_count"] else [code, texts])
            for name, code in READS.items()
        }
        self.reads["may_contain"] = as_msgpack.pack([MAY_CONTAIN, elements(0, ADDED)])

    def _sketch(self, first: int) -> Particle:
        op = [ADD, elements(first, EACH), INDEX_BITS, self.minhash_bits, 0]
        made = hll.modify(None, as_msgpack.pack(op))[0]
        assert made is not None
        return made

    def through(self, connection: Connection, pid: int) -> dict[str, float]:
        """Milliseconds of the server's processor time of each operation."""
        written = Op(OpType.WRITE, self.sketch.type, b"h", self.sketch.data)
        connection.call(request(SKETCH, 0, Info2.WRITE, written))
        connection.call(request(DIGEST, 0, Info2.WRITE | Info2.DELETE))
        modify = Op(OpType.HLL_MODIFY, ParticleType.BLOB, b"h", self.add)
        frames = {"add": request(DIGEST, 0, Info2.WRITE, modify)}
        for name, payload in self.reads.items():
            read = Op(OpType.HLL_READ, ParticleType.BLOB, b"h", payload)
            frames[name] = request(SKETCH, Info1.READ, 0, read)
        spent = {}
        for name, frame in frames.items():
            before = processor_us(pid)
            code = connection.call(frame)
            assert code == 0, (name, code)
            spent[name] = (processor_us(pid) - before) / 1000
        return spent

    def alone(self) -> dict[str, float]:
        """Milliseconds of processor time of each operation as a function of bytes."""
        spent = {"add": _spent_ms(lambda: hll.modify(None, self.add))}
        for name, payload in self.reads.items():
            spent[name] = _spent_ms(partial(hll.read, self.sketch, payload))
        return spent


def _spent_ms(call: Callable[[], object]) -> float:
    before = time.process_time()
    call()
    return (time.process_time() - before) * 1000


def main() -> None:
    """Measure and print the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    print(f"# HyperLogLog\n\nMilliseconds of processor time, medians of {rounds} rounds.\n")
    rows = []
    with running(asd_command()) as server:
        connection = Connection(server.port)
        for minhash_bits in (0, 13, 48):
            case = Case(minhash_bits)
            measured = [
                (case.through(connection, server.process.pid), case.alone()) for _ in range(rounds)
            ]
            for name in measured[0][0]:
                through = median(round_[0][name] for round_ in measured)
                alone = median(round_[1][name] for round_ in measured)
                goal = str(GOALS_MS.get(name, "")) if minhash_bits == 0 else ""
                rows.append([str(minhash_bits), name, f"{through:.0f}", f"{alone:.1f}", goal])
    print(table(["minhash bits", "operation", "through the server", "alone", "goal"], rows))


if __name__ == "__main__":
    main()
