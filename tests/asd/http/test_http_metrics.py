"""What Prometheus reads: the format, the names, and that figures are those of info."""

import re
from collections import defaultdict

from asd.measures.histogram import NS_PER_US
from asd.membership.state import Standing
from cluster import Lag

SAMPLE = re.compile(r'([a-z_:][a-zA-Z0-9_:]*)(?:\{((?:\w+="(?:[^"\\\n]|\\.)*",?)*)\})? (\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def parse(text: str) -> tuple[dict[str, str], dict[str, dict[tuple[tuple[str, str], ...], float]]]:
    """(type by family, value by labels by name); asserts that the format is kept."""
    types: dict[str, str] = {}
    values: dict[str, dict[tuple[tuple[str, str], ...], float]] = defaultdict(dict)
    family = ""
    assert text.endswith("\n")
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split(" ")
            assert family not in types, "the samples of a family stand together"
            types[family] = kind
            continue
        match = SAMPLE.fullmatch(line)
        assert match, line
        name, labels, value = match.groups()
        assert name == family or (types[family] == "histogram" and name.startswith(family + "_"))
        key = tuple(sorted(LABEL.findall(labels or "")))
        assert key not in values[name], f"{line} stands there twice"
        values[name][key] = float(value)
    return types, values


def only(values, name: str, **labels: str) -> float:
    """The one sample of a name with these among its labels."""
    found = [v for key, v in values[name].items() if labels.items() <= dict(key).items()]
    assert len(found) == 1, (name, labels, found)
    return found[0]


def test_figures_are_those_of_info(web) -> None:
    for number in range(5):
        web.put(number, b"few" if number < 2 else b"more")
    web.on_loop(lambda: setattr(web.node.namespaces[b"test"].statistics.client, "read_success", 7))
    types, values = parse(web.get("/metrics")[2])
    assert only(values, "aerospike_node_up") == 1
    assert only(values, "aerospike_namespace_objects", ns="test") == 5
    assert only(values, "aerospike_namespace_objects", ns="bar") == 0
    assert only(values, "aerospike_namespace_client_read_success", ns="test") == 7
    assert only(values, "aerospike_namespace_stop_writes", ns="test") == 0
    assert only(values, "aerospike_namespace_nsup_period", ns="test") == 120
    assert only(values, "aerospike_sets_objects", ns="test", set="more") == 3
    assert only(values, "aerospike_node_stats_cluster_integrity") == 1
    assert only(values, "aerospike_node_stats_proto_fd_max") == 15000
    assert (
        only(
            values,
            "aerospike_namespace_storage_engine_stripe_used_bytes",
            ns="test",
            stripe_index="0",
        )
        > 0
    )
    assert types["aerospike_namespace_client_read_success"] == "counter"
    assert types["aerospike_namespace_objects"] == "gauge"
    assert types["aerospike_node_stats_client_connections_opened"] == "counter"
    assert "aerospike_node_stats_cluster_key" not in types


def test_partitions_by_role_and_state(web) -> None:
    types, values = parse(web.get("/metrics")[2])
    family = "aerospike_namespace_partitions"
    assert types[family] == "gauge"
    assert only(values, family, ns="test", role="master", state="settled") == 4096
    of_test = [value for key, value in values[family].items() if ("ns", "test") in key]
    assert (len(of_test), sum(of_test)) == (6, 4096)
    assert only(values, "aerospike_node_stats_cluster_size") == 1
    assert only(values, "aerospike_node_stats_proxy_in_progress") == 0


def test_what_other_nodes_lack(web, monkeypatch) -> None:
    cluster = web.node.cluster
    monkeypatch.setattr(type(cluster), "lag", lambda _, namespace: {"A1": Lag(7, 900)})
    standings = {"A1": Standing(0, -25), web.node.node_id: Standing(0)}
    monkeypatch.setattr(type(cluster), "standings", standings)
    _, values = parse(web.get("/metrics")[2])
    name = "aerospike_namespace_replication_rows_in_flight"
    assert only(values, name, ns="test", peer="A1") == 7
    name = "aerospike_namespace_replication_bytes_in_flight"
    assert only(values, name, ns="bar", peer="A1") == 900
    assert only(values, "aerospike_node_stats_peer_clock_skew_ms", peer="A1") == -25
    assert only(values, "aerospike_node_stats_rw_in_progress") == 14


def test_each_sample_says_whose_it_is(web) -> None:
    _, values = parse(web.get("/metrics")[2])
    service = f"127.0.0.1:{web.server.address[1]}"
    for samples in values.values():
        for key in samples:
            assert {"cluster_name": "null", "service": service}.items() <= dict(key).items()


def test_latencies_are_histograms(web) -> None:
    histogram = web.node.namespaces[b"test"].read_latency
    web.on_loop(lambda: [histogram.add(us * NS_PER_US) for us in (10, 600, 1500, 1700, 70_000)])
    types, values = parse(web.get("/metrics")[2])
    family = "aerospike_latencies_read_ms"
    assert types[family] == "histogram"
    buckets = {
        dict(key)["le"]: value
        for key, value in values[f"{family}_bucket"].items()
        if dict(key)["ns"] == "test"
    }
    assert [buckets[le] for le in ("0.015625", "0.5", "1", "2", "64", "128", "+Inf")] == [
        1, 1, 2, 4, 4, 5, 5,
    ]  # fmt: skip
    assert list(buckets.values()) == sorted(buckets.values())
    assert only(values, f"{family}_count", ns="test") == 5
    assert only(values, f"{family}_sum", ns="test") == 73.81
    assert ("aerospike_latencies_batch_index_ms_count") in values


def test_names_that_are_not_text(web) -> None:
    web.put(1, b'q"uote\\\n\xff')
    _, values = parse(web.get("/metrics")[2])
    assert only(values, "aerospike_sets_objects", set=r"q\"uote\\\n\\xff") == 1
