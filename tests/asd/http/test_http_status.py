"""What the page is given: figures of the live node."""

import base64
import time
from types import SimpleNamespace

import pytest

from asd.config import Config, NamespaceConfig
from asd.http.history import LENGTH, RECENT, History
from asd.http.status import MAX_SETS, agent_text
from asd.info import respond
from asd.measures.histogram import NS_PER_MS, NS_PER_US, Histogram
from asd.node import Node
from asd.security.rights import UNRESTRICTED
from citrusleaf.cf_clock import VirtualClock


def test_namespaces_and_sets(web) -> None:
    web.put(1, b"one")
    web.put(2, b"two")
    web.put(3, b"two")
    web.put(4, b"\xff", b"bar")
    status = web.json("/status.json")
    test, bar = status["namespaces"]
    assert (test["name"], test["objects"], test["engine"]) == ("test", 3, "memory")
    assert test["index_bytes"] == 3 * 64
    assert bar["objects"] == 1
    rows = [(row["namespace"], row["name"], row["objects"]) for row in status["sets"]]
    assert rows == [("test", "two", 2), ("test", "one", 1), ("bar", r"\xff", 1)]
    assert status["node"]["id"] == web.node.node_id
    assert status["node"]["edition"] == "community"


def test_of_many_sets_the_largest_are_shown(web) -> None:
    for number in range(MAX_SETS + 20):
        web.put(number, b"small%d" % number)
    web.put(10_000, b"small7")
    rows = web.json("/status.json")["sets"]
    assert len(rows) == MAX_SETS
    assert rows[0]["name"] == "small7"


def test_what_is_amiss_is_told(web) -> None:
    assert not web.json("/status.json")["namespaces"][0]["stop_writes"]
    web.on_loop(lambda: setattr(web.node.namespaces[b"test"], "stop_writes", True))
    assert web.json("/status.json")["namespaces"][0]["stop_writes"]
    assert not web.json("/status.json")["namespaces"][1]["stop_writes"]


def test_work_counts_single_records_and_batches(web) -> None:
    def count() -> None:
        statistics = web.node.namespaces[b"test"].statistics
        statistics.client.read_success = 3
        statistics.batch_sub.read_success = 4
        statistics.client.read_not_found = 1
        statistics.client.write_error = 2

    web.on_loop(count)
    work = {row["name"]: row for row in web.json("/status.json")["namespaces"][0]["work"]}
    assert work["read"] == {"name": "read", "ok": 7, "missing": 1, "failed": 0}
    assert work["write"]["failed"] == 2


def test_indexes_and_queries(web) -> None:
    request = b"sindex-create:namespace=test;set=s;indexname=i;bin=b;type=numeric\n"
    web.put(1)
    asker = SimpleNamespace(peer="?", rights=UNRESTRICTED)
    assert web.on_loop(lambda: respond(web.node, asker, request)).endswith(b"\tok\n")
    (index,) = web.json("/status.json")["indexes"]
    assert {**index, "bytes": 0, "load_pct": 0} == {
        "namespace": "test",
        "name": "i",
        "set": "s",
        "of": "b",
        "type": "numeric",
        "source": "default",
        "entries": 0,
        "bytes": 0,
        "load_pct": 0,
    }
    assert web.json("/status.json")["queries"] == []


def test_the_configuration_tells_what_is_changed(web) -> None:
    web.on_loop(lambda: web.node.config.service.set("proto-fd-max", "77"))
    rows = web.json("/configuration.json")
    changed = {(row["context"], row["name"]): row for row in rows if "default" in row}
    assert changed["service", "proto-fd-max"] == {
        "context": "service",
        "name": "proto-fd-max",
        "value": "77",
        "default": "15000",
    }
    assert changed["network", "http.port"]["default"] == "0"
    assert changed["namespace test", "nsup-period"]["value"] == "120"
    assert ("service", "ticker-interval") not in changed
    assert len(rows) > 250


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (b"1,python-19.0.0,shop", "python-19.0.0 · shop"),
        (b"1,go-8.0.0,not-set", "go-8.0.0"),
        (b"hello", "hello"),
        (b"\xff\xfe", r"\xff\xfe"),
    ],
)
def test_what_clients_say_of_themselves(said: bytes, shown: str) -> None:
    assert agent_text(base64.b64encode(said).decode()) == shown


def test_clients_that_say_nothing_or_nonsense() -> None:
    assert agent_text(None) == agent_text("=") == "unknown"


# ------------------------------------------------------------------------- the history


class Counted:
    """A node with one namespace, whose counters are set by hand."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        config = Config(namespaces={"test": NamespaceConfig("test", nsup_period=120)})
        self.node = Node(config, self.clock, machine_id=1)
        self.space = self.node.namespaces[b"test"]
        self.history = History()

    def second(self, reads: int = 0, writes: int = 0) -> None:
        self.space.statistics.client.read_success += reads
        self.space.statistics.client.write_success += writes
        self.clock.advance(1)
        self.history.sample(self.node)


def test_rates_are_per_second() -> None:
    counted = Counted()
    counted.second(reads=100)  # the first sample only tells where counting begins
    counted.second(reads=50, writes=3)
    counted.clock.advance(1)
    counted.second(reads=50)
    columns = counted.history.columns
    assert columns["read"] == [50, 25]
    assert columns["write"] == [3, 0]
    assert columns["time"][1] - columns["time"][0] == 2


def test_the_history_is_bounded() -> None:
    counted = Counted()
    for _ in range(LENGTH + 50):
        counted.second(reads=1)
    assert {len(column) for column in counted.history.columns.values()} == {LENGTH}


def test_counters_that_begin_anew_are_no_negative_rate() -> None:
    counted = Counted()
    counted.second(reads=100)
    counted.space.reset()
    counted.second()
    assert counted.history.columns["read"] == [0]


def test_recent_counts_forget_what_is_older() -> None:
    counted = Counted()
    histogram = counted.space.read_latency
    histogram.add_many(NS_PER_MS, 5)
    assert sum(counted.history.recent(histogram)) == 5
    counted.second()
    histogram.add_many(NS_PER_MS, 2)
    assert sum(counted.history.recent(histogram)) == 2
    for _ in range(RECENT):
        counted.second()
    assert sum(counted.history.recent(histogram)) == 0


def test_buckets_of_a_histogram_are_finer_than_its_unit() -> None:
    histogram = Histogram("x")
    for us in (1, 100, 999, 1000, 1001, 5000):
        histogram.add(us * NS_PER_US)
    bounds = histogram.bounds_ms()
    assert bounds[10] == 1
    assert sum(histogram.counts[:11]) == 3  # under a millisecond
    histogram.tick(0)
    histogram.unit_ns = NS_PER_US
    assert sum(histogram.counts) == histogram.total_ns == 0
    assert histogram.bounds_ms()[0] == 0.001


def test_the_port_takes_samples(web) -> None:
    deadline = time.monotonic() + 5
    while not web.json("/status.json")["history"]["time"] and time.monotonic() < deadline:
        time.sleep(0.1)
    assert web.json("/status.json")["history"]["time"]
