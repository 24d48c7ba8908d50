"""Identity, addresses, partitions: what clients need to connect and to tend."""

import base64
import logging

import pytest

from asd.config import (
    Config,
    Endpoint,
    HeartbeatConfig,
    NetworkConfig,
    NetworkServiceConfig,
    ServiceConfig,
    get_config,
)
from asd.config.kinds import host_port
from asd.membership.state import Alone


def test_who_it_is(node, enterprise_node) -> None:
    assert node.ask("node") == node.ask("name") == node.ask("get-sl:") == "BB9020011AC4202"
    assert enterprise_node.ask("edition") == "Aerospike Enterprise Edition"
    assert enterprise_node.ask("version") == "Aerospike Enterprise Edition build 8.1.2.0"
    names = [pair.partition("=")[0] for pair in node.ask("release").split(";")]
    assert names == ["edition", "version", "os", "arch", "sha"]
    assert all(node.ask(name) for name in ("build_os", "build_arch", "build_sha", "build_time"))
    assert node.ask("build_ee_sha") == ""


def test_features_clients_insist_on(ask) -> None:
    assert {"pscans", "query-show", "batch-any", "pquery"} <= set(ask("features").split(";"))


def test_cluster_key_is_the_same_everywhere(node) -> None:
    key = node.ask("cluster-stable:size=1;ignore-migrations=true;namespace=test")
    assert int(key, 16)
    assert f"cluster_key={key};" in node.ask("statistics")


@pytest.mark.parametrize("wildcards", [None, ["0.0.0.0"], ["::"]])
def test_a_node_on_all_addresses_tells_the_one_that_was_reached(node, wildcards) -> None:
    node.addresses = wildcards
    assert node.ask("service-clear-std") == node.ask("service") == "10.0.0.9:3000"


def test_a_node_on_some_addresses_tells_them(node) -> None:
    node.addresses, node.port = ["127.0.0.1", "2001:db8::3"], 3100
    assert node.ask("service-clear-std") == "127.0.0.1:3100,[2001:db8::3]:3100"
    assert node.ask("service") == "127.0.0.1:3100;[2001:db8::3]:3100"
    assert node.ask("service-clear-alt") == ""


def test_published_addresses_come_first(node) -> None:
    service = NetworkServiceConfig(
        access_address=("192.0.2.1", "192.0.2.2"),
        access_port=4000,
        alternate_access_address=("198.51.100.7",),
    )
    node.config = Config(network=NetworkConfig(service=service))
    assert node.ask("service-clear-std") == "192.0.2.1:4000,192.0.2.2:4000"
    assert node.ask("service-clear-alt") == "198.51.100.7:4000"
    endpoints = dict(pair.split("=") for pair in node.ask("endpoints").split(";"))
    assert endpoints["service.access-addresses"] == "192.0.2.1,192.0.2.2"
    assert endpoints["service.access-port"] == "4000"
    assert endpoints["heartbeat.port"] == "0"


def test_any_as_access_address_is_the_one_that_was_reached(node) -> None:
    service = NetworkServiceConfig(access_address=("any",), access_port=4000)
    node.config = Config(network=NetworkConfig(service=service))
    assert node.ask("service") == node.ask("service-clear-std") == "10.0.0.9:4000"


def test_without_an_admin_port_there_is_no_admin_address(node) -> None:
    assert node.ask("admin-clear-std") == ""
    assert node.ask("connection") == "admin=false"


def test_an_admin_port_on_all_addresses_tells_the_one_that_was_reached(node) -> None:
    node.admin.port = 3008
    assert node.ask("admin-clear-std") == "10.0.0.9:3008"
    node.admin.addresses = ["10.0.0.1", "::1"]
    assert node.ask("admin-clear-std") == "10.0.0.1:3008,[::1]:3008"


def test_the_community_edition_shows_what_it_has(node, enterprise_node) -> None:
    shown = {
        "index-type": "mem",
        "sindex-type": "mem",
        "prefer-uniform-balance": "false",
        "mrt-duration": "0",
        "tomb-raider-unmark-threads": "0",
    }
    for command in ("get-config:context=namespace;namespace=test", "namespace/test"):
        rows = dict(row.split("=", 1) for row in node.ask(command).split(";"))
        assert {name: rows[name] for name in shown} == shown
        rows = dict(row.split("=", 1) for row in enterprise_node.ask(command).split(";"))
        assert (rows["index-type"], rows["prefer-uniform-balance"]) == ("shmem", "true")
        assert rows["mrt-duration"] == "10"
    assert ";tls-refresh-period=0;" in node.ask("get-config:context=service")
    assert ";tls-refresh-period=0;" in node.ask("get-config")


def test_seeds_are_shown_one_in_a_row() -> None:
    seeds = (Endpoint("127.0.0.1", 4202), Endpoint("::1", 4302))
    network = NetworkConfig(heartbeat=HeartbeatConfig(mesh_seed_address_port=seeds))
    rows = get_config(Config(network=network), "network")
    assert [text for name, text in rows if name == "heartbeat.mesh-seed-address-port"] == [
        "127.0.0.1:4202",
        "[::1]:4302",
    ]
    assert not [name for name, _ in get_config(Config(), "network") if "mesh-seed" in name]


def test_host_port() -> None:
    assert host_port("a", 1) == "a:1"
    assert host_port("::1", 1) == "[::1]:1"


def test_tls_belongs_to_the_enterprise_edition(node, enterprise_node) -> None:
    for command in ("service-tls-std", "peers-tls-std", "alumni-tls-std", "admin-tls-std"):
        assert node.ask(command) == "ERROR:25:enterprise only"
        assert not enterprise_node.ask(command).startswith("ERROR")


def test_replicas_of_a_node_that_owns_everything(ask) -> None:
    bitmap = base64.b64encode(b"\xff" * 512).decode()
    assert len(bitmap) == 684
    assert ask("replicas") == f"test:0,1,{bitmap};bar:0,1,{bitmap}"
    assert ask("replicas:max=1") == ask("replicas:max=0") == ask("replicas")
    assert ask("replicas-all") == f"test:1,{bitmap};bar:1,{bitmap}"
    assert ask("replicas-master/x") == f"test:{bitmap};bar:{bitmap}"
    assert ask("replicas:max=abc") == "ERROR:4:bad max"


def test_partition_info_has_a_row_for_each_partition(ask) -> None:
    header, *rows = ask("partition-info").split(";")
    assert header.startswith("namespace:partition:state")
    assert len(rows) == 2 * 4096
    me, version = "BB9020011AC4202", "020011ac4202.0.mp-"
    assert rows[0] == f"test:0:S:1:0:0:0:{me}:{me}:0:0:0:0:0:0:1:{version}:{version}"
    assert rows[0].count(":") == header.count(":")


def test_replicas_with_a_limit_say_how_many_they_are(ask) -> None:
    whole = ask("replicas")
    assert whole.startswith("test:0,1,")
    assert ask("replicas:max=0") == ask("replicas:max=1") == ask("replicas:max=9") == whole


def test_a_rack_is_shown_with_its_nodes(enterprise_node) -> None:
    ask = enterprise_node.ask
    assert ask("rack-ids") == "test:0;bar:0"
    assert ask("racks:") == "ns=test:rack_0=BB9020011AC4202;ns=bar:rack_0=BB9020011AC4202"
    assert ask("racks:namespace=bar") == "rack_0=BB9020011AC4202"
    assert ask("set-config:context=namespace;id=bar;rack-id=7") == "ok"
    assert ask("rack-ids") == "test:0;bar:7"


def test_racks_are_those_of_the_last_balance(enterprise_node) -> None:
    enterprise_node.cluster = InRacks(0)
    enterprise_node.node_id = enterprise_node.cluster.node_id = "A1"
    assert enterprise_node.ask("rack-ids") == "test:2;bar:2"
    assert enterprise_node.ask("racks:namespace=test") == "rack_1=A2:rack_2=B0,A1"


class InRacks(Alone):
    """A cluster of three nodes in two racks."""

    def racks(self, namespace: str) -> dict[str, int]:
        return {"A1": 2, "A2": 1, "B0": 2}


def test_a_node_alone_is_pointed_at_nobody(ask) -> None:
    assert ask("tip:host=h;port=1") == "ERROR:16:a cluster of one takes no nodes"
    assert ask("tip-clear:host-port-list=all") == "ERROR:16:a cluster of one has no seeds"
    assert ask("mesh") == ""


@pytest.mark.parametrize("part", ["cluster", "fabric", "hb", "migrates", "rw", "skew"])
def test_the_machinery_of_a_node_alone(ask, caplog, part: str) -> None:
    with caplog.at_level(logging.INFO, "asd.cluster"):
        assert ask(f"dump-{part}:") == "ok"
        assert ask(f"dump-{part}:verbose=true") == "ok"
    assert caplog.messages == [f"{part}: this node is in no cluster"] * 2
    assert ask(f"dump-{part}:verbose=yes").startswith("ERROR:4:'verbose' may be")


def test_the_write_blocks_are_logged_if_verbose_is_said(ask, caplog) -> None:
    assert ask("dump-wb-summary:namespace=test") == (
        "ERROR:4:'verbose' may be either 'true' or 'false'"
    )
    with caplog.at_level(logging.INFO, "asd.cluster"):
        assert ask("dump-wb-summary:namespace=test;verbose=false") == "ok"
    assert "{test} write blocks: " in caplog.messages[0]


def test_a_cluster_cannot_be_made_too_small_by_a_parameter(ask) -> None:
    refusal = "ERROR:4:invalid set-config parameter"
    assert ask("set-config:context=service;min-cluster-size=2") == refusal
    assert ask("set-config:context=service;min-cluster-size=1") == "ok"


def test_partition_generation_is_that_of_a_ready_node(ask) -> None:
    assert int(ask("partition-generation")) >= 0
    assert int(ask("rebalance-generation")) >= 0


def test_a_user_agent_is_told_once(node) -> None:
    first, second = node.connections[0], type(node.connections[0])()
    node.connections.append(second)
    assert node.ask("user-agent-set:", first) == "ERROR:4:missing 'value'"
    assert node.ask("user-agent-set:value=", first) == "ERROR:4:missing 'value' value"
    assert node.ask("user-agent-set:value=!!!!", first) == "ERROR:4:'value' invalid base64"
    assert node.ask("user-agent-set:value=bm9jb21tYQ==", first) == "ok"
    assert node.ask("user-agent-set:value=bm9jb21tYQ==", first) == "ERROR:4:already set"
    assert node.ask("user-agents") == "user-agent=bm9jb21tYQ==:count=1;"
    assert node.ask("user-agent-set:value=bm9jb21tYQ==", second) == "ok"
    assert node.ask("user-agents") == "user-agent=bm9jb21tYQ==:count=2;"


ENTERPRISE_COMMANDS = (
    "rack-ids",
    "racks:",
    "racks:namespace=test",
    "roster:",
    "roster-set:namespace=test;nodes=x",
    "quiesce:",
    "quiesce-undo:",
    "revive:",
    "feature-key",
    "masking:",
    "masking-show",
    "xdr-compression",
    "xdr-dc-state:dc=a",
    "xdr-get-filter:dc=a",
    "xdr-set-filter:dc=a;namespace=test;exp=null",
)


@pytest.mark.parametrize("command", ENTERPRISE_COMMANDS)
def test_enterprise_commands_are_refused_by_the_community_edition(ask, command: str) -> None:
    assert ask(command) == "ERROR:25:enterprise only"


def test_racks_and_rosters_of_one_node(enterprise_node) -> None:
    ask = enterprise_node.ask
    node_id = enterprise_node.node_id
    assert ask("rack-ids") == "test:0;bar:0"
    assert ask("racks:") == f"ns=test:rack_0={node_id};ns=bar:rack_0={node_id}"
    assert ask("racks:namespace=bar") == f"rack_0={node_id}"
    assert ask("racks:namespace=nosuch") == "ERROR:20:namespace not found on node"
    assert ask("roster:namespace=test") == (
        f"roster=null:pending_roster=null:observed_nodes={node_id}"
    )
    assert ask("roster-set:namespace=test") == "ERROR:4:missing 'nodes'"
    assert ask("revive:namespace=test") == "ok"


def test_the_cluster_name(node) -> None:
    assert node.ask("cluster-name") == "null"
    node.config = Config(service=ServiceConfig(cluster_name="lemon"))
    assert node.ask("cluster-name") == "lemon"
