"""What a filter expression of five nodes costs over the same read without it.

    python bench/expressions.py [--rounds N]

The record has one integer bin, in memory; the filter is bin("a") + 5 > 10. Alone: compiling it,
finding it compiled, evaluating it on the record. Through the server: the processor time of a get
with and without it, one at a time over one connection. Every round runs all in turn; shown are
medians of the rounds.
"""

from __future__ import annotations

import argparse
from statistics import median

from cdt import Connection, processor_us, request, spent_us
from harness import asd_command, running, table
from msgpack import packb

from aerospike_common.wire.codes import FieldType, Info1, Info2, OpType, ParticleType
from aerospike_common.wire.message import Op
from asd.bins.expressions import ExpressionCache
from asd.bins.particle import Particle
from asd.records.record import pack_bins
from asd.records.record_view import RecordView
from storage.engine import Record

GOAL_US = 3
"""What the filter may add to a read."""
FILTER: bytes = packb([3, [20, [81, 2, "a"], 5], 10])
DIGEST = bytes(20)
BIN = Particle(ParticleType.INTEGER, (21).to_bytes(8, "big"))
REPEAT = 2000


def alone() -> dict[str, float]:
    """Microseconds of what the filter takes in itself."""
    cache = ExpressionCache()
    expression = cache.filter(FILTER)
    payload = pack_bins({b"a": BIN})
    record: Record = (1, 0, 1, 1, 0, payload)

    def whole() -> None:
        cache.filter(FILTER).matches(RecordView(DIGEST, record, b"s", 1))

    view = RecordView(DIGEST, record, b"s", 1)
    assert expression.matches(view)
    return {
        "compiling it": spent_us(lambda: ExpressionCache().filter(FILTER), REPEAT // 10),
        "finding it compiled": spent_us(lambda: cache.filter(FILTER), REPEAT),
        "evaluating it": spent_us(lambda: expression.matches(view), REPEAT),
        "all a read does with it": spent_us(whole, REPEAT),
    }


def through(connection: Connection, pid: int) -> dict[str, float]:
    """Microseconds of the server's processor time of a get, with the filter and without."""
    fields: dict[int, bytes] = {FieldType.FILTER: FILTER}
    value = Op(OpType.WRITE, BIN.type, b"a", BIN.data)
    connection.call(request(DIGEST, 0, Info2.WRITE, value))
    costs = {}
    for name, more in (("get", {}), ("get with the filter", fields)):
        frame = request(DIGEST, Info1.READ | Info1.GET_ALL, 0, fields=more)
        before = processor_us(pid)
        for _ in range(REPEAT):
            if connection.call(frame):
                raise SystemExit(f"{name}: refused")
        costs[name] = (processor_us(pid) - before) / REPEAT
    costs["the filter's part"] = costs["get with the filter"] - costs["get"]
    return costs


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="times everything is measured")
    given = parser.parse_args()
    rounds: dict[str, list[float]] = {}
    with running(asd_command()) as server:
        connection = Connection(server.port)
        for _ in range(given.rounds):
            measured = {**alone(), **through(connection, server.process.pid)}
            for name, cost in measured.items():
                rounds.setdefault(name, []).append(cost)
    print(f"{given.rounds} rounds. Goal: {GOAL_US} us more than the read without the filter.\n")
    lines = [[name, f"{median(costs):.2f}"] for name, costs in rounds.items()]
    print(table(["What", "us"], lines))


if __name__ == "__main__":
    main()
