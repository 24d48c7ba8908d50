"""A command that fails inside the server costs one answer, not the connection."""

import logging

import pytest

from asd.info import respond
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
