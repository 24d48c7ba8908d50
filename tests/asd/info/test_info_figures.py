"""Statistics, configuration, truncation, latencies: figures come from the live node."""

import asyncio
import logging

import pytest

from asd.config import Config, NamespaceConfig, StorageConfig
from asd.info import respond
from asd.process.machine import Machine, Readings
from asd.records.change import Change
from asd.space.truncation import Truncator
from citrusleaf.cf_clock import epoch_ms_to_unix_ms


def parsed(value: str) -> dict[str, str]:
    rows = [pair.split("=", 1) for pair in value.split(";")]
    assert len({name for name, _ in rows}) == len(rows)
    return dict(rows)


def test_statistics_count_what_happens(node) -> None:
    node.put(1)
    node.put(2, namespace=b"bar")
    node.statistics.info_complete = 7
    node.clock.advance(90)
    figures = parsed(node.ask("statistics"))
    assert list(figures)[:3] == ["failed_best_practices", "cluster_size", "cluster_key"]
    assert list(figures)[-1] == "deprecated_requests"
    assert len(figures) == 85
    assert figures["objects"] == node.ask("objects") == "2"
    assert figures["info_complete"] == "7"
    assert figures["uptime"] == figures["time_since_rebalance"] == "90"
    assert figures["client_connections"] == "1"
    assert figures["cluster_integrity"] == "true"
    assert figures["paxos_principal"] == node.node_id


def test_a_namespace_counts_what_happens(node) -> None:
    space = node.namespaces[b"test"]
    node.put(1)
    space.statistics.client.read_success = 5
    space.statistics.expired_objects = 3
    figures = parsed(node.ask("namespace/test"))
    assert len(figures) == 448
    assert next(iter(figures)) == "ns_cluster_size"
    assert list(figures)[-1] == "storage-engine.tomb-raider-sleep"
    assert figures["objects"] == figures["master_objects"] == "1"
    assert figures["client_read_success"] == "5"
    assert figures["expired_objects"] == "3"
    assert figures["current_time"] == str(node.clock.epoch_s())
    assert figures["index_used_bytes"] == "64"
    assert int(figures["data_used_bytes"]) > 0
    assert figures["storage-engine.stripe[0].used_bytes"] == figures["data_used_bytes"]
    assert figures["storage-engine.stripe[7].used_bytes"] == "0"
    assert figures["stop_writes"] == "false"
    assert figures["nsup-period"] == "120"
    assert parsed(node.ask("namespace/bar"))["objects"] == "0"


def test_every_counter_of_a_namespace_has_a_place(node) -> None:
    figures = parsed(node.ask("namespace/test"))
    missing = node.namespaces[b"test"].statistics.flat().keys() - figures.keys()
    # these origins have but a few of the counters that clients have
    few = ("udf_sub_", "ops_sub_", "xdr_client_", "xdr_from_proxy_")
    assert all(name.startswith(few) for name in missing)


def test_sets(node) -> None:
    node.put(1, b"one")
    node.put(2, b"two")
    node.put(3, b"two")
    node.put(4, b"")
    node.put(5, b"far", b"bar")
    rows = node.ask("sets/test").split(";")
    assert [row.split(":")[:3] for row in rows[:-1]] == [
        ["ns=test", "set=one", "objects=1"],
        ["ns=test", "set=two", "objects=2"],
    ]
    assert rows[-1] == ""
    row = node.ask("sets/test/two")
    assert f"ns=test:set=two:{row}" == rows[1] + ";"
    assert row.startswith("objects=2:tombstones=0:data_used_bytes=")
    assert row.endswith(
        ":truncate_lut=0:sindexes=0:index_populating=false:truncating=false"
        ":default-read-touch-ttl-pct=0:default-ttl=0:disable-eviction=false:enable-index=false"
        ":stop-writes-count=0:stop-writes-size=0;"
    )
    assert node.ask("sets") == node.ask("sets/test") + node.ask("sets/bar")


def test_set_names_need_not_be_text(node) -> None:
    node.put(1, b"\xff\xfe")
    reply = respond(node, node.connections[0], b"sets/test/\xff\xfe\n")
    assert reply.startswith(b"sets/test/\xff\xfe\tobjects=1:")


# ------------------------------------------------------------------ configuration


def test_configuration_is_read(node) -> None:
    everything = node.ask("get-config")
    assert (
        everything
        == node.ask("get-config:")
        == ";".join(
            [node.ask("get-config:context=service"), node.ask("get-config:context=network")]
        )
    )
    rows = parsed(node.ask("get-config:context=namespace;namespace=test"))
    assert len(rows) == 97
    assert rows["nsup-period"] == "120"
    assert node.ask("get-config:context=namespace;id=test") == node.ask(
        "get-config:context=namespace;namespace=test"
    )


@pytest.mark.parametrize("place", ["namespace=test", "id=test"])
def test_configuration_is_changed(node, place: str) -> None:
    assert node.ask(f"set-config:context=namespace;{place};default-ttl=77") == "ok"
    assert node.namespaces[b"test"].config.default_ttl == 77
    assert node.namespaces[b"bar"].config.default_ttl == 0
    assert node.times_applied == 1


def test_a_set_is_configured(node) -> None:
    node.put(1, b"s")
    assert node.ask("set-config:context=namespace;namespace=test;set=s;default-ttl=9") == "ok"
    assert "default-ttl=9:" in node.ask("sets/test/s")
    assert node.namespaces[b"test"].config.default_ttl == 0


def test_one_change_is_made_at_a_time(node) -> None:
    assert (
        node.ask("set-config:context=service;nosuch=1;query-max-done=7;ticker-interval=3") == "ok"
    )
    assert node.config.service.query_max_done == 7
    assert node.config.service.ticker_interval == 10


def test_why_a_change_is_refused_is_logged(node, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "asd.info"):
        answer = node.ask("set-config:context=service;proto-fd-max=many")
    assert answer == "ERROR:4:invalid set-config parameter"
    assert caplog.messages == [
        "set-config in the context 'service': 'proto-fd-max': 'many' is not allowed here,"
        " expected a whole number from 1 to 2147483647 (suffix K, M, G or T)"
    ]


def test_a_refused_change_changes_nothing(node) -> None:
    before = node.ask("get-config")
    assert node.ask("set-config:context=service;proto-fd-max=-5").startswith("ERROR:4:")
    assert node.ask("get-config") == before
    assert node.times_applied == 0


# --------------------------------------------------------------------- truncation


def finish_truncations(node) -> None:
    """What the node's tasks do in the background, by the time that thresholds are over."""
    node.clock.advance(0.001)

    async def remove() -> None:
        tasks = [asyncio.create_task(Truncator(space).run()) for space in node.namespaces.values()]
        while any(space.truncation.running for space in node.namespaces.values()):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()

    asyncio.run(remove())


def test_truncating_a_set_leaves_the_others(node) -> None:
    for number in range(20):
        node.put(number, b"gone" if number % 2 else b"kept")
    node.put(99, b"gone", b"bar")
    assert node.ask("truncate:namespace=test;set=gone") == "ok"
    finish_truncations(node)
    assert node.ask("sets/test/gone").startswith("objects=0:")
    assert node.ask("sets/test/kept").startswith("objects=10:")
    assert node.ask("sets/bar/gone").startswith("objects=1:")


def test_records_that_come_into_a_set_truncated_before_it_was_known_are_covered(node) -> None:
    """A set unknown here was truncated: records of before come from elsewhere, and are hidden."""
    node.clock.advance(10)
    assert node.ask("truncate:namespace=test;set=unknown") == "ok"
    space = node.namespaces[b"test"]
    before_ms = node.clock.epoch_ms() - 5_000
    node.clock.advance(10)
    set_id = space.intern_set(b"unknown")
    assert space.truncation.covers(set_id, before_ms)
    assert not space.truncation.covers(set_id, node.clock.epoch_ms())
    assert not space.truncation.covers(space.intern_set(b"another"), before_ms)
    old = (1, 0, before_ms, set_id, 0, b"\0\0")
    space.commit(Change(b"o" * 20, None, old))
    assert space.load(b"o" * 20, node.clock.epoch_s()) is None
    fresh = node.put(1, b"unknown")
    assert space.load(fresh, node.clock.epoch_s()) is not None
    finish_truncations(node)
    assert node.ask("sets/test/unknown").startswith("objects=1:")


def test_taking_back_the_truncation_of_an_unknown_set(node) -> None:
    node.clock.advance(10)
    assert node.ask("truncate:namespace=test;set=unknown") == "ok"
    assert node.ask("truncate-undo:namespace=test;set=unknown") == "ok"
    set_id = node.namespaces[b"test"].intern_set(b"unknown")
    assert not node.namespaces[b"test"].truncation.covers(set_id, 1)


def test_truncating_spares_what_was_written_since(node) -> None:
    old = node.put(1)
    node.clock.advance(10)
    middle_ns = epoch_ms_to_unix_ms(node.clock.epoch_ms()) * 1_000_000
    node.clock.advance(10)
    new = node.put(2)
    assert node.ask(f"truncate:namespace=test;set=s;lut={middle_ns}") == "ok"
    space, now_s = node.namespaces[b"test"], node.clock.epoch_s()
    assert space.load(old, now_s) is None
    assert space.load(new, now_s) is not None
    nameless = node.put(3, b"")
    node.clock.advance(10)
    assert node.ask(f"truncate-namespace:namespace=test;lut={middle_ns + 15 * 10**9}") == "ok"
    assert space.load(new, now_s) is None
    assert space.load(nameless, now_s) is None


def test_truncating_a_namespace_leaves_the_other(node) -> None:
    for number in range(10):
        node.put(number, b"s" if number % 2 else b"")
        node.put(number, namespace=b"bar")
    assert node.ask("truncate-namespace:namespace=test") == "ok"
    finish_truncations(node)
    assert len(node.namespaces[b"test"].engine.index) == 0
    assert len(node.namespaces[b"bar"].engine.index) == 10
    assert node.ask("sets/test/s").startswith("objects=0:")


def test_a_truncation_in_the_future_is_refused(node) -> None:
    node.put(1)
    later_ns = (epoch_ms_to_unix_ms(node.clock.epoch_ms()) + 1) * 1_000_000
    answer = node.ask(f"truncate:namespace=test;set=s;lut={later_ns}")
    assert answer == "ERROR:4:would truncate in the future"
    assert node.ask("objects") == "1"


# ---------------------------------------------------------------------- latencies


def test_latencies_before_the_first_slice(ask) -> None:
    names = ("read", "write", "udf", "batch-sub-read", "batch-sub-write", "batch-sub-udf")
    rows = [f"{{{space}}}-{name}:" for space in ("test", "bar")
            for name in (*names, "pi-query", "si-query")]  # fmt: skip
    assert ask("latencies:").split(";") == ["batch-index:", *rows]
    assert ask("latencies:hist={test}-benchmarks-read") == "{test}-benchmarks-read:"
    assert ask("latencies:hist=info") == "info:"


def test_latencies_of_a_slice(node) -> None:
    histogram = node.namespaces[b"test"].read_latency
    histogram.tick(0)
    histogram.add_many(500_000, 3)  # under a millisecond
    histogram.add_many(3_000_000, 1)  # over 2^1, not over 2^2
    histogram.tick(2_000_000_000)
    row = node.ask("latencies:hist={test}-read")
    assert row == "{test}-read:msec,2.0,25.00,25.00," + ",".join(["0.00"] * 15)
    assert row in node.ask("latencies:").split(";")


def test_a_histogram_never_used_is_empty(node) -> None:
    used, unused = node.namespaces[b"test"].read_latency, node.namespaces[b"test"].write_latency
    for histogram in (used, unused):
        histogram.tick(0)
    used.add_many(500_000, 1)
    for now in (1_000_000_000, 2_000_000_000):
        for histogram in (used, unused):
            histogram.tick(now)
    rows = node.ask("latencies:").split(";")
    zeros = ",".join(["0.00"] * 17)
    assert rows[:3] == ["batch-index:", f"{{test}}-read:msec,0.0,{zeros}", "{test}-write:"]
    assert node.ask("latencies:hist={test}-write") == "{test}-write:"


# ------------------------------------------------------------------- room for data


class RoomyMachine(Machine):
    """A machine with 1 GiB of free memory."""

    def read(self) -> Readings:
        return Readings(memory_total=4 << 30, memory_free=1 << 30)


@pytest.mark.parametrize("machine", [Machine(), RoomyMachine()])
def test_a_store_without_data_size_does_not_look_full(node, machine: Machine) -> None:
    node.machine = machine
    for number in range(1000):
        node.put(number)
    figures = parsed(node.ask("namespace/test"))
    used, total = int(figures["data_used_bytes"]), int(figures["data_total_bytes"])
    assert figures["data_used_pct"] == "0"
    assert figures["data_avail_pct"] == "100"
    assert figures["stop_writes"] == "false"
    if machine.read().memory_free:
        assert total == used + (1 << 30)


def test_a_store_with_data_size_shows_its_share(enterprise_node) -> None:
    node = enterprise_node
    storage = StorageConfig("memory", data_size=64 << 10)
    config = NamespaceConfig("small", storage_engine=storage)
    node = type(node)(Config(namespaces={"small": config}))
    node.machine = RoomyMachine()
    for number in range(1000):
        node.put(number, namespace=b"small")
    figures = parsed(node.ask("namespace/small"))
    used = int(figures["data_used_bytes"])
    assert figures["data_total_bytes"] == str(64 << 10)
    assert figures["data_used_pct"] == str(100 * used // (64 << 10)) != "0"


# --------------------------------------------------------------------------- logs


def test_logs(node) -> None:
    assert node.ask("logs") == "0:stderr"
    levels = node.ask("log/0")
    assert levels == node.ask("log/")
    assert "service:INFO" in levels.split(";")
    assert node.ask("log/0/service") == "service:INFO"
    assert node.ask("log-set:id=0;service=detail;nsup=DEBUG") == "ok"
    assert node.ask("log/0/service") == "service:DETAIL"
    assert node.ask("log/0/nsup") == "nsup:DEBUG"
    assert node.ask("log/0/tsvc") == "tsvc:INFO"
    assert node.ask("log-set:id=0;any=warning") == "ok"
    assert {row.partition(":")[2] for row in node.ask("log/0").split(";")} == {"WARNING"}


def test_of_a_wrong_request_no_level_is_set(node) -> None:
    assert node.ask("log-set:id=0;tsvc=debug;nosuch=info") == "ERROR:4:bad parameter"
    assert node.ask("log/0/tsvc") == "tsvc:INFO"
