"""Migration: records a second that a node which joins is given, and what gets cost meanwhile.

    python bench/cluster_migration.py [--records N] [--quick]

A node is alone with all records (100 bytes each, replication-factor 2, in memory); a second one
joins, and gets a copy of every partition. Measured is the time from its joining until nothing is
left to migrate, without a throttle and with the default one, and, with that, the p99 of gets,
beside those before. They go to the nodes that serve their records, by maps that are renewed every
third of a second. Everything is on this machine: where that has two cores, two nodes at their limit
and the load generator wait for one another, and the p99 is the scheduler's.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from cluster_load import targets
from harness import Load, load, publish, table

from asd import Cluster

POLL_S = 0.05
GETS_S = 0.3
FILL_LIMIT_S = 600
UNTHROTTLED = (
    "service;migrate-threads=100",
    "service;migrate-max-num-incoming=256",
    "namespace;id=test;migrate-sleep=0",
)


def settled(cluster: Cluster, nodes: int) -> bool:
    """Are these nodes one cluster with nothing left to migrate?"""
    answers = {cluster.info(node, f"cluster-stable:size={nodes}") for node in range(nodes)}
    return len(answers) == 1 and not answers.pop().startswith("ERROR")


def routed(cluster: Cluster, folder: Path) -> str | int:
    """Where gets go: to the masters as they are now, of which the newcomer may have none yet."""
    where = targets(cluster, folder, "masters")
    masters = set((folder / "masters").read_bytes())
    return where if len(masters) > 1 else cluster.addresses[masters.pop()][1]


def migrated_s(cluster: Cluster, gets: list[Load] | None, keys: int) -> float:
    """Let a node join; seconds until all is migrated. Gets go on meanwhile, if they are wanted."""
    cluster.add()
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        while not settled(cluster, 2):
            if gets is None:
                time.sleep(POLL_S)
            else:
                gets.append(load(routed(cluster, Path(folder)), 4, 1, GETS_S, "get", keys))
    return time.monotonic() - began_s


def measure(records: int, settings: tuple[str, ...], *, gets: bool) -> list[str]:
    """A row of the table."""
    with Cluster(1, replication_factor=2, controlled=False) as cluster:
        port = cluster.addresses[0][1]
        load(port, 1, 64, FILL_LIMIT_S, "fill", records)
        for setting in settings:
            assert cluster.info(0, f"set-config:context={setting}") == "ok"
        before = load(port, 4, 1, GETS_S, "get", records).p99_us
        during: list[Load] | None = [] if gets else None
        took_s = migrated_s(cluster, during, records)
        copied = int(
            dict(row.split("=", 1) for row in cluster.info(1, "namespace/test").split(";"))[
                "objects"
            ]
        )
    assert copied == records, f"{copied} of {records} records came"
    p99 = statistics.median(each.p99_us for each in during) if during else 0.0
    return [
        " ".join(setting.rpartition(";")[2] for setting in settings) or "default limits",
        f"{took_s:.1f}",
        f"{records / took_s:,.0f}",
        f"{before:.0f}" if gets else "",
        f"{p99:.0f}" if during else "",
    ]


def main() -> None:
    """Measure and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="only see whether it works")
    given = parser.parse_args()
    records = 20_000 if given.quick else given.records
    rows = [
        measure(records, UNTHROTTLED, gets=False),
        measure(records, (), gets=False),
        measure(records, (), gets=True),
    ]
    header = ["limits", "seconds", "records/s", "p99 of gets before, us", "meanwhile, us"]
    publish("cluster_migration", "Migration", table(header, rows), write=not given.quick)


if __name__ == "__main__":
    main()
