"""Change shipping on the page, in the metrics and in the log."""

from __future__ import annotations

import pytest

from asd.process.node_processes import ask

CHANGES = (
    "dc=there;action=create",
    "dc=there;node-address-port=127.0.0.1:1;action=add",
    "dc=there;namespace=test;action=add",
)


def tell(web, command: str) -> str:
    return ask(web.node.port, command)


@pytest.fixture
def shipping(web):
    web.on_loop(lambda: setattr(web.node, "community", False))
    for change in CHANGES:
        assert tell(web, f"set-config:context=xdr;{change}") == "ok"
    yield web
    tell(web, "set-config:context=xdr;dc=there;action=delete")


def test_without_a_data_center_nothing_is_shown(web) -> None:
    assert web.json("/status.json")["shipping"] == []
    assert "aerospike_xdr_" not in web.get("/metrics")[2]


def test_status_has_a_row_for_each_link(shipping) -> None:
    (row,) = shipping.json("/status.json")["shipping"]
    assert (row["dc"], row["namespace"], row["lag"], row["nodes"]) == ("there", "test", 0, 0)


def test_metrics_have_the_exporters_names(shipping) -> None:
    text = shipping.get("/metrics")[2]
    assert "# TYPE aerospike_xdr_success counter" in text
    assert "# TYPE aerospike_xdr_lag gauge" in text
    assert 'dc="there",ns="test"} 0' in text
