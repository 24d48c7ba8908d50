"""Memory of the server process per record, the records written through the wire.

    python bench/memory.py [--records N] [--quick]

Each record has one 8-byte integer bin "bin" in the set "demo". The growth is that of the resident
memory of the whole process, from the start of the filling to its end: index, records, allocator,
everything.
"""

from __future__ import annotations

import argparse
from time import sleep

from harness import asd_command, load, publish, rss_bytes, running, table

WARM_RECORDS = 1000
"""Records written before the first look, so that what is allocated once does not count."""

TIME_LIMIT_S = 600


def settled(pid: int) -> int:
    """The resident memory once it has stopped moving."""
    before = rss_bytes(pid)
    for _ in range(20):
        sleep(0.2)
        now = rss_bytes(pid)
        if abs(now - before) < 1 << 16:
            return now
        before = now
    return before


def measure(records: int) -> tuple[int, int, float]:
    """(bytes before, bytes after, records written a second)."""
    with running(asd_command()) as server:
        load(server.port, 4, 16, TIME_LIMIT_S, "fill", WARM_RECORDS)
        before = settled(server.process.pid)
        filled = load(server.port, 4, 16, TIME_LIMIT_S, "fill", records + WARM_RECORDS)
        after = settled(server.process.pid)
    return before, after, filled.per_second


def main() -> None:
    """Measure, print, write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000, help="records to write")
    parser.add_argument("--quick", action="store_true", help="only see whether it works")
    given = parser.parse_args()
    records = 20_000 if given.quick else given.records
    before, after, rate = measure(records)
    lines = [
        ["before", f"{before / 2**20:.1f} MiB"],
        ["after", f"{after / 2**20:.1f} MiB"],
        ["growth a record", f"{(after - before) / records:.1f} B"],
        ["records written a second", f"{rate:,.0f}"],
    ]
    body = f"{records:,} records.\n\n{table(['Resident memory', ''], lines)}"
    publish("memory", "Memory per record", body, write=not given.quick)


if __name__ == "__main__":
    main()
