"""Change shipping as tools configure and watch it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from asd import Server
from asd.process.node_processes import ask

DC_KEYS = [
    "auth-mode",
    "auth-password-file",
    "auth-user",
    "connector",
    "max-recoveries-interleaved",
    "node-address-port",
    "period-ms",
    "recovery-threads",
    "tls-name",
    "use-alternate-access-address",
    "namespaces",
]
NAMESPACE_KEYS = [
    "enabled",
    "bin-policy",
    "compression-level",
    "compression-threshold",
    "delay-ms",
    "enable-compression",
    "forward",
    "hot-key-ms",
    "ignored-bins",
    "ignore-expunges",
    "ignored-sets",
    "max-throughput",
    "remote-namespace",
    "sc-replication-wait-ms",
    "shipped-bins",
    "ship-bin-luts",
    "ship-nsup-deletes",
    "ship-only-specified-sets",
    "shipped-sets",
    "ship-versions-interval",
    "ship-versions-policy",
    "transaction-queue-limit",
    "write-policy",
    "compression-algorithm",
]
STATISTICS = [
    "lag",
    "bytes_shipped",
    "in_queue",
    "in_progress",
    "success",
    "abandoned",
    "not_found",
    "filtered_out",
    "retry_no_node",
    "retry_conn_reset",
    "retry_dest",
    "recoveries",
    "recoveries_pending",
    "hot_keys",
    "uncompressed_pct",
    "compression_ratio",
]


class Tool:
    """What asadm and the exporter do: info commands, one after the other."""

    def __init__(self, port: int) -> None:
        self._port = port

    def ask(self, command: str) -> str:
        return ask(self._port, command)

    def set(self, change: str) -> str:
        return self.ask(f"set-config:context=xdr;{change}")

    def rows(self, command: str) -> dict[str, str]:
        return dict(row.split("=", 1) for row in self.ask(command).split(";"))


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(in_thread=True) as running:
        yield running


@pytest.fixture
def tool(server: Server) -> Iterator[Tool]:
    tool = Tool(server.address[1])
    yield tool
    for dc in filter(None, tool.rows("get-config:context=xdr")["dcs"].split(",")):
        tool.set(f"dc={dc};action=delete")


def test_without_a_dc(tool: Tool) -> None:
    assert tool.ask("get-config:context=xdr") == "dcs=;src-id=0"
    assert tool.ask("get-config:context=xdr;dc=A") == "ERROR:4:DC not found"
    assert tool.ask("get-stats:context=xdr;dc=A") == "ERROR:4:DC not found"
    assert tool.ask("xdr-get-filter:dc=A") == "ERROR:4:DC not found"


def test_a_dc_is_made_step_by_step_as_tools_do_it(tool: Tool) -> None:
    assert tool.set("dc=A;action=create") == "ok"
    assert tool.set("dc=A;connector=true") == "ok"
    assert tool.set("dc=A;node-address-port=127.0.0.1:3999;action=add") == "ok"
    assert tool.set("dc=A;namespace=test;max-throughput=5000") == "ok"
    assert tool.set("dc=A;namespace=test;action=add;rewind=all") == "ok"
    assert tool.ask("get-config:context=xdr") == "dcs=A;src-id=0"
    dc = tool.rows("get-config:context=xdr;dc=A")
    assert list(dc) == DC_KEYS
    assert (dc["connector"], dc["node-address-port"], dc["namespaces"]) == (
        *("true", "127.0.0.1:3999"),
        "test",
    )
    assert dc["tls-name"] == dc["auth-user"] == "null"
    namespace = tool.rows("get-config:context=xdr;dc=A;namespace=test")
    assert list(namespace) == NAMESPACE_KEYS
    assert (namespace["enabled"], namespace["max-throughput"]) == ("true", "5000")
    assert tool.set("dc=A;namespace=test;action=remove") == "ok"
    assert tool.rows("get-config:context=xdr;dc=A")["namespaces"] == ""
    assert tool.set("dc=A;node-address-port=127.0.0.1:3999;action=remove") == "ok"
    assert tool.set("dc=A;action=delete") == "ok"
    assert tool.ask("get-config:context=xdr") == "dcs=;src-id=0"


def test_the_order_of_parameters_does_not_matter(tool: Tool) -> None:
    tool.set("dc=A;action=create")
    assert tool.ask("set-config:context=xdr;period-ms=50;dc=A") == "ok"
    assert tool.ask("set-config:hot-key-ms=7;namespace=test;dc=A;context=xdr") == "ok"
    assert tool.rows("get-config:context=xdr;dc=A")["period-ms"] == "50"
    assert tool.rows("get-config:context=xdr;dc=A;namespace=test")["hot-key-ms"] == "7"


def test_a_set_moves_between_the_lists(tool: Tool) -> None:
    tool.set("dc=A;action=create")
    for change in ("ship-set=a", "ship-set=b", "ship-set=a", "ignore-set=b", "ignore-bin=x"):
        assert tool.set(f"dc=A;namespace=test;{change}") == "ok"
    rows = tool.rows("get-config:context=xdr;dc=A;namespace=test")
    assert (rows["shipped-sets"], rows["ignored-sets"], rows["ignored-bins"]) == ("a", "b", "x")


def test_statistics_are_there_for_unattached_namespaces_too(tool: Tool) -> None:
    tool.set("dc=A;action=create")
    of_namespace = tool.rows("get-stats:context=xdr;dc=A;namespace=test")
    assert list(of_namespace) == [*STATISTICS, "throughput"]
    assert of_namespace["lag"] == of_namespace["success"] == "0"
    assert (of_namespace["uncompressed_pct"], of_namespace["compression_ratio"]) == (
        "0.000",
        "1.000",
    )
    of_dc = tool.rows("get-stats:context=xdr;dc=A")
    assert list(of_dc) == [*STATISTICS, "nodes", "throughput", "latency_ms", "lap_us"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("dc=A;action=create", "dc 'A' exists"),
        ("dc=a/b;action=create", "is no name of a dc"),
        ("dc=B;period-ms=10", "DC not found"),
        ("dc=A;period-ms=1", "'period-ms': '1' is not allowed here"),
        ("dc=A;nosuch=1", "'nosuch' is not a dynamic parameter"),
        ("dc=A;tls-name=x", "there is no such tls block"),
        ("dc=A;node-address-port=x;action=add", "'node-address-port'"),
        ("dc=A;node-address-port=h:1;action=remove", "is no node of dc A"),
        ("dc=A;node-address-port=h:1", "needs action=add or action=remove"),
        ("dc=A;namespace=nosuch;action=add", "namespace not found"),
        ("dc=A;namespace=test;action=pause", "add or remove"),
        ("dc=A;namespace=test;action=add;rewind=0", "a number of seconds from 1 on, or all"),
        ("dc=A;namespace=test;action=add;rewind=long", "a number of seconds from 1 on, or all"),
        ("dc=A;namespace=test;bin-policy=no-bins", "for connectors only"),
        ("dc=A;namespace=test;ship-set=a b", "is no name"),
        ("src-id=256", "'src-id': '256' is not allowed here"),
    ],
)
def test_what_is_refused_and_why(tool: Tool, change: str, text: str) -> None:
    tool.set("dc=A;action=create")
    answer = tool.set(change)
    assert answer.startswith("ERROR:")
    assert text in answer
    assert tool.rows("get-config:context=xdr;dc=A")["namespaces"] == ""


def test_filters(tool: Tool) -> None:
    tool.set("dc=A;action=create")
    tool.set("dc=A;namespace=test;action=add")
    wire = "kwGTUQKkYmluMQY="
    assert tool.ask("xdr-get-filter:dc=A") == "namespace=test:exp=null"
    assert tool.ask(f"xdr-set-filter:dc=A;namespace=test;exp={wire}") == "ok"
    assert tool.ask("xdr-get-filter:dc=A;b64=true") == f"namespace=test:exp={wire}"
    shown = tool.ask("xdr-get-filter:dc=A")
    assert shown.startswith("namespace=test:exp=")
    assert "bin1" in shown
    refused = tool.ask("xdr-set-filter:dc=A;namespace=test;exp=AAAA")
    assert refused == "ERROR:4:bad expression"
    assert tool.ask("xdr-set-filter:namespace=test;dc=A;exp=null") == "ok"
    assert tool.ask("xdr-get-filter:dc=A;b64=true") == "namespace=test:exp=null"


def test_the_community_edition_ships_nothing() -> None:
    with Server(in_thread=True, edition="community") as server:
        tool = Tool(server.address[1])
        assert tool.ask("get-config:context=xdr") == ""
        assert tool.set("dc=A;action=create") == "ERROR:25:enterprise only"
        assert tool.ask("xdr-get-filter:dc=A") == "ERROR:25:enterprise only"
