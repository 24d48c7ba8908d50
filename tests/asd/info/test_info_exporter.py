"""The commands that the public Prometheus exporter sends, and what it needs of the answers."""

import asyncio
import re

import pytest

from asd.process.machine import Machine

FIRST_PASS = (
    "build",
    "cluster-name",
    "node:",
    "service-clear-std",
    "namespaces",
    "logs",
    "sindex-list:",
    "get-config:context=xdr",
)
SECOND_PASS = (
    "namespace/test",
    "namespace/bar",
    "sets",
    "get-config:context=service",
    "statistics",
    "log/0",
    "user-agents",
    "latencies:",
    "latencies:hist={test}-re-repl",
    "latencies:hist={test}-benchmarks-read",
    "latencies:hist={test}-benchmarks-write",
    "latencies:hist={test}-benchmarks-udf",
    "latencies:hist={test}-benchmarks-ops-sub",
    "latencies:hist={test}-proxy",
    "latencies:hist=info",
    "latencies:hist=benchmarks-fabric",
)

LATENCY = re.compile(r"(\{\w+\}-)?[\w-]+:((msec|usec),\d+\.\d(,\d+\.\d\d){17})?")


@pytest.mark.parametrize("command", FIRST_PASS + SECOND_PASS)
def test_no_command_is_unknown(node, command: str) -> None:
    node.put(1)
    node.connections[0].user_agent = "MSxnby04LjAuMCxhcGUtMS4w"
    assert not node.ask(command).startswith("ERROR")


@pytest.mark.parametrize("command", ["namespace/test", "statistics", "get-config:context=service"])
def test_figures_are_pairs_and_mostly_numbers(node, command: str) -> None:
    rows = dict(pair.split("=", 1) for pair in node.ask(command).split(";"))
    numbers = [value for value in rows.values() if re.fullmatch(r"-?\d+(\.\d+)?|true|false", value)]
    assert len(numbers) > 0.6 * len(rows)


def test_sets_are_rows_of_pairs(node) -> None:
    node.put(1, b"one")
    node.put(2, b"two", b"bar")
    rows = [row for row in node.ask("sets").split(";") if row]
    parsed = [dict(pair.split("=") for pair in row.split(":")) for row in rows]
    assert [(row["ns"], row["set"], row["objects"]) for row in parsed] == [
        ("test", "one", "1"),
        ("bar", "two", "1"),
    ]


def test_indexes_lead_to_their_statistics(node) -> None:
    assert node.ask("sindex-create:namespace=test;indexname=i;bin=b;type=numeric") == "ok"
    row = dict(pair.split("=", 1) for pair in node.ask("sindex-list:").split(":"))
    stat = node.ask(f"sindex-stat:namespace={row['ns']};indexname={row['indexname']}")
    assert {"entries", "used_bytes", "load_pct"} <= {p.split("=")[0] for p in stat.split(";")}


def test_latencies_have_the_shape_it_reads(node) -> None:
    for histogram in node.histograms():
        histogram.tick(0)
        histogram.add_many(1_500_000, 3)
        histogram.tick(1_000_000_000)
    for row in node.ask("latencies:").split(";"):
        assert LATENCY.fullmatch(row), row


def test_user_agents_are_counted(node) -> None:
    node.connections[0].user_agent = "MSxnbyxh"
    assert node.ask("user-agents") == "user-agent=MSxnbyxh:count=1;"


# ------------------------------------------------- figures that only some nodes have


def test_what_never_expires_and_the_histograms(node) -> None:
    node.put(1)
    assert "non_expirable_objects=0;" in node.ask("namespace/test")
    assert node.ask("histogram:namespace=test;type=object-size") == ""
    asyncio.run(node.surveys[b"test"].count())
    asyncio.run(node.surveys[b"test"].survey())
    assert "non_expirable_objects=1;" in node.ask("namespace/test")
    assert node.ask("histogram:namespace=test;type=object-size") == "units=bytes:[2-4)=1"
    assert node.ask("histogram:namespace=test;type=object-size;set=s") == "units=bytes:[2-4)=1"
    assert node.ask("histogram:namespace=test;type=ttl").startswith("units=seconds:hist-width=")


def test_limits_that_are_reached(node) -> None:
    space = node.namespaces[b"test"]
    assert "stop_writes=false;hwm_breached=false;" in node.ask("namespace/test")
    space.stop_writes = space.hwm_breached = True
    space.evict_void_time = node.clock.epoch_s() + 90
    figures = node.ask("namespace/test")
    assert "stop_writes=true;hwm_breached=true;" in figures
    assert f"evict_ttl=90;evict_void_time={space.evict_void_time};" in figures


class CarelessMachine(Machine):
    """A machine that was never set up for a database."""

    kernel_settings = {  # noqa: RUF012  # a test double, never changed
        "min_free_kbytes": "45056",
        "swappiness": "60",
        "thp_enabled": "always",
        "thp_defrag": "madvise",
        "zone_reclaim_mode": "0",
    }


def test_best_practices_are_looked_at(node) -> None:
    assert node.ask("best-practices") == "failed_best_practices=none"
    assert "failed_best_practices=false;" in node.ask("statistics")
    node.machine = CarelessMachine()
    found = node.ask("best-practices")
    assert found == "failed_best_practices=min-free-kbytes,swappiness,thp-enabled"
    assert "failed_best_practices=true;" in node.ask("statistics")
