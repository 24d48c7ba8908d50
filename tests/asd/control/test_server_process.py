"""What a process of a server is told at its start."""

from __future__ import annotations

import sys
from io import BytesIO

import pytest

from asd.config import read_config
from asd.control.place import Place
from asd.control.server_process import Order, ServerProcess

TEXT = """
service { cluster-name kit }
network { service { address 127.0.0.1
                    port 0 } }
namespace cache {
    default-ttl 1h
    nsup-period 10
    replication-factor 1
    storage-engine memory { data-size 64M }
    set people { stop-writes-count 100 }
}
"""


def test_an_order_arrives_as_it_was() -> None:
    order = Order(read_config(TEXT, "aerospike.conf"), Place(path="somewhere"))
    assert Order.load(BytesIO(order.dumps())) == order


def test_a_process_that_ends_at_once_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether its order was written before that or not."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    for _ in range(5):
        with pytest.raises(RuntimeError, match="ended with status 1: see its standard error"):
            ServerProcess(read_config(TEXT, "aerospike.conf")).start()


def test_no_order_is_no_server() -> None:
    with pytest.raises(EOFError):
        Order.load(BytesIO())


def test_a_storage_that_cannot_be_opened_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    text = TEXT.replace(
        "memory { data-size 64M }", "device {\nfile /nowhere/at/all\nfilesize 16M\n}"
    )
    process = ServerProcess(read_config(text, "aerospike.conf"))
    with pytest.raises(OSError, match="No such file"):
        process.start()
