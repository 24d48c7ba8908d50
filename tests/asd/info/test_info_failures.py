"""A command that fails inside the server costs one answer, not the connection."""

import logging

import pytest

from aerospike_common.wire.codes import ResultCode
from asd.info import respond
from asd.sindex.indexes import MAX_INDEXES
from cluster.smd import MemoryStore


def test_what_cannot_be_kept_is_refused(
    node, monkeypatch, caplog: pytest.LogCaptureFixture
) -> None:
    def save(store: MemoryStore, module: str, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(MemoryStore, "save", save)
    command = "sindex-create:namespace=test;indexname=i;bin=a;type=numeric"
    body = f"{command}\nbuild\n".encode()

    with caplog.at_level(logging.ERROR, "asd.info"):
        reply = respond(node, node.connections[0], body)

    assert reply == f"{command}\tERROR::internal error\nbuild\t8.1.2.0\n".encode()
    assert "sindex-create" in caplog.text
    assert "No space left" in caplog.text


def test_indexes_of_unknown_namespaces_are_bounded(node) -> None:
    def create(number: int) -> str:
        return node.ask(
            f"sindex-create:namespace=other{number % 2};indexname=i{number};bin=a;type=numeric"
        )

    assert {create(number) for number in range(MAX_INDEXES)} == {"ok"}
    assert create(MAX_INDEXES).startswith(f"ERROR:{ResultCode.SINDEX_MAX_COUNT}:")
    assert create(3) == "ok"  # noted already
    assert node.ask("sindex-delete:namespace=other0;indexname=i0") == "ok"
    assert create(MAX_INDEXES) == "ok"
