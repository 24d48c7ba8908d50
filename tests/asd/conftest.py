"""The command as a process, and a small client on one connection for tests that care about result
codes and lost connections."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from aerospike_common.wire.codes import FieldType, Info1, Info2, OpType, ParticleType
from aerospike_common.wire.message import Message, Op, encode_message, parse_message
from citrusleaf.cf_digest import key_digest

SET = "people"


class WireClient:
    """Blocking requests, one after the other. Raises OSError when it is cut."""

    def __init__(self, port: int, timeout_s: float = 20) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout_s)
        self._answers = self._socket.makefile("rb")

    def close(self) -> None:
        self._answers.close()
        self._socket.close()

    def put(self, namespace: str, key: int, value: bytes) -> int:
        """Write the bin `v`; the result code."""
        ops = [Op(OpType.WRITE, ParticleType.BLOB, b"v", value)]
        return self.ask(namespace, key, info2=Info2.WRITE, ops=ops).result_code

    def get(self, namespace: str, key: int) -> tuple[int, bytes | None]:
        """Result code and the bin `v`."""
        reply = self.ask(namespace, key, info1=Info1.READ | Info1.GET_ALL)
        return reply.result_code, reply.ops[0].value if reply.ops else None

    def delete(self, namespace: str, key: int, *, durable: bool = False) -> int:
        """The result code."""
        return self.ask(
            namespace,
            key,
            info2=Info2.WRITE | Info2.DELETE | (Info2.DURABLE_DELETE if durable else 0),
        ).result_code

    def ask(self, namespace: str, key: int, **message: Any) -> Message:
        """The reply to one command on a record."""
        fields = {
            FieldType.NAMESPACE: namespace.encode(),
            FieldType.SET: SET.encode(),
            FieldType.DIGEST: key_digest(SET, key),
        }
        return parse_message(self._exchange(3, encode_message(fields=fields, **message)))

    def info(self, command: str) -> str:
        """The value an info command is answered with."""
        return self._exchange(1, f"{command}\n".encode()).decode().partition("\t")[2].rstrip("\n")

    def figures(self, namespace: str) -> dict[str, str]:
        """What `namespace/NAME` says."""
        rows = self.info(f"namespace/{namespace}").split(";")
        return dict(row.split("=", 1) for row in rows)

    def _exchange(self, kind: int, body: bytes) -> bytes:
        self._socket.sendall(bytes((2, kind)) + len(body).to_bytes(6, "big") + body)
        return self._read(int.from_bytes(self._read(8)[2:], "big"))

    def _read(self, size: int) -> bytes:
        data = self._answers.read(size)
        if len(data) < size:
            raise ConnectionResetError("the server has closed the connection")
        return data


@contextmanager
def asd_process(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """An asd process and its port; ended the hard way if the test did not end it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "asd", "--service-port", "0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("asd ready 127.0.0.1:"), line
        yield process, int(line.rpartition(":")[2])
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def running() -> Any:
    """`asd_process`, to be called in a test."""
    return asd_process


@pytest.fixture
def wire() -> Iterator[Callable[[int], WireClient]]:
    """A function from a port to a client; the clients are closed after the test."""
    with ExitStack() as clients:

        def connect(port: int) -> WireClient:
            client = WireClient(port)
            clients.callback(client.close)
            return client

        yield connect
