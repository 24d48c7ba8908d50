"""Clusters of real processes that ship to each other while nodes die, hang and are cut off: in the
end both sides are equal, record by record."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from aerospike_client import Client, ClientPolicy, Key, RecordNotFound, WritePolicy
from asd import Cluster, link
from asd.process.links import configure

PATIENT = WritePolicy(max_retries=200, total_timeout=60_000, sleep_between_retries=50)
PATIENCE_S = 120.0


@pytest.fixture
def clusters() -> Iterator[tuple[Cluster, Cluster]]:
    with Cluster(nodes=2) as here, Cluster(nodes=2) as there:
        yield here, there


def client(cluster: Cluster) -> Client:
    return Client(cluster.addresses, ClientPolicy(max_error_rate=0))


def contents(reader: Client, records: int) -> dict[int, object]:
    found = {}
    for number in range(records):
        try:
            found[number] = reader.get(Key("test", "s", number)).bins["x"]
        except RecordNotFound:
            continue
    return found


def until_equal(wanted: dict[int, object], reader: Client, records: int) -> None:
    end_s = time.monotonic() + PATIENCE_S
    while (found := contents(reader, records)) != wanted:
        lacking = {n: v for n, v in wanted.items() if found.get(n) != v}
        too_much = found.keys() - wanted.keys()
        assert time.monotonic() < end_s, f"lacking {lacking}, too much {too_much}"
        time.sleep(0.2)


class Writer:
    """Writes and deletes, and remembers what was acknowledged."""

    def __init__(self, writer: Client, records: int) -> None:
        self._client = writer
        self._records = records
        self.acknowledged: dict[int, object] = {}
        self._turn = 0

    def write(self, count: int) -> None:
        for _ in range(count):
            self._turn += 1
            number = self._turn * 7919 % self._records
            if self._turn % 10 == 0:
                self._client.remove(Key("test", "s", number), PATIENT)
                self.acknowledged.pop(number, None)
            else:
                self._client.put(Key("test", "s", number), {"x": self._turn}, PATIENT)
                self.acknowledged[number] = self._turn


def test_the_source_loses_a_node(clusters: tuple[Cluster, Cluster]) -> None:
    here, there = clusters
    with link(here, there, delay_ms=5), client(here) as one, client(there) as other:
        writer = Writer(one, 200)
        writer.write(300)
        here.kill(1)
        writer.write(300)
        until_equal(writer.acknowledged, other, 200)


def test_the_destination_loses_a_node_and_one_hangs(clusters: tuple[Cluster, Cluster]) -> None:
    here, there = clusters
    with link(here, there), client(here) as one, client(there) as other:
        writer = Writer(one, 200)
        writer.write(200)
        there.kill(1)
        writer.write(200)
        there.start(1)
        there.wait_stable()
        writer.write(200)
        there.pause(0)
        writer.write(200)
        time.sleep(3)
        there.resume(0)
        there.wait_stable()
        writer.write(100)
        until_equal(writer.acknowledged, other, 200)


def test_a_bad_link_that_is_cut(clusters: tuple[Cluster, Cluster]) -> None:
    here, there = clusters
    with (
        link(here, there, delay_ms=10, loss=0.05) as bad,
        client(here) as one,
        client(there) as other,
    ):
        writer = Writer(one, 200)
        writer.write(200)
        bad.cut()
        writer.write(300)
        time.sleep(12)  # longer than a destination may be away before nothing is queued for it
        writer.write(300)
        bad.mend()
        until_equal(writer.acknowledged, other, 200)


@pytest.mark.parametrize("restarted", ["here", "there"])
def test_a_whole_cluster_hangs_or_a_node_starts_again(
    clusters: tuple[Cluster, Cluster], restarted: str
) -> None:
    here, there = clusters
    with link(here, there) as between, client(here) as one, client(there) as other:
        writer = Writer(one, 200)
        writer.write(200)
        if restarted == "here":
            here.kill(0)
            writer.write(100)
            here.start(0)
            configure(between, 0, "test", "there")
            here.wait_stable()
        else:
            for node in (0, 1):
                there.pause(node)
            writer.write(300)
            time.sleep(2)
            for node in (0, 1):
                there.resume(node)
            there.wait_stable()
        writer.write(100)
        until_equal(writer.acknowledged, other, 200)


def test_both_ways(clusters: tuple[Cluster, Cluster]) -> None:
    here, there = clusters
    with (
        link(here, there, delay_ms=5),
        link(there, here, delay_ms=5) as back,
        client(here) as one,
        client(there) as other,
    ):
        for number in range(100):
            one.put(Key("test", "s", number), {"x": number}, PATIENT)
            other.put(Key("test", "s", 100 + number), {"x": -number}, PATIENT)
            if number == 50:
                back.cut()
        back.mend()
        wanted: dict[int, object] = {n: n for n in range(100)}
        wanted |= {100 + n: -n for n in range(100)}
        until_equal(wanted, one, 200)
        until_equal(wanted, other, 200)
