"""The instruments of the benchmarks: do they count what they say?"""

from __future__ import annotations

import importlib.util
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench"
REPLY = bytes([2, 3, 0, 0, 0, 0, 0, 22, 22, *[0] * 21])

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler here")


@pytest.fixture(scope="module")
def harness():
    spec = importlib.util.spec_from_file_location("bench_harness", BENCH / "harness.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["bench_harness"] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    yield module
    del sys.modules["bench_harness"]


def requests_in(data: bytes) -> tuple[list[bytes], bytes]:
    """The whole requests at the start of `data`, and what is left."""
    found = []
    while len(data) >= 8 and len(data) >= 8 + (size := int.from_bytes(data[2:8], "big")):
        found.append(data[: 8 + size])
        data = data[8 + size :]
    return found, data


class Scripted(threading.Thread):
    """A server of one connection that answers each request with `reply`, in pieces of `step`."""

    def __init__(self, reply: bytes, step: int = 1 << 20) -> None:
        super().__init__(daemon=True)
        self.reply, self.step = reply, step
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.requests: list[bytes] = []
        self.start()

    def run(self) -> None:
        peer, _ = self.listener.accept()
        with self.listener, peer:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            left = b""
            while data := peer.recv(1 << 16):
                whole, left = requests_in(left + data)
                self.requests += whole
                out = self.reply * len(whole)
                for at in range(0, len(out), self.step):
                    peer.sendall(out[at : at + self.step])


@pytest.mark.parametrize("step", [1, 7, 29, 31, 1 << 20])
def test_replies_are_counted_in_whatever_pieces_they_come(harness, step):
    server = Scripted(REPLY, step)
    result = harness.load(server.port, 1, 8, 5, "fill", 20)
    server.join(5)
    assert result.operations == len(server.requests) == 20
    assert result.not_found == 0
    assert 0 < result.p50_us <= result.p99_us <= result.p999_us


def test_fill_writes_every_key_once_with_distinct_digests(harness):
    server = Scripted(REPLY)
    harness.load(server.port, 1, 16, 5, "fill", 300)
    server.join(5)
    digests = [request[8 + 22 + 9 + 9 + 5 :][:20] for request in server.requests]
    assert len(set(digests)) == 300
    partitions = {int.from_bytes(digest[:2], "little") & 4095 for digest in digests}
    assert len(partitions) > 250
    values = sorted(int.from_bytes(request[-8:], "big") for request in server.requests)
    assert values == list(range(300))


@pytest.mark.parametrize(("mode", "info"), [("get", (3, 0)), ("put", (0, 1))])
def test_modes(harness, mode, info):
    server = Scripted(REPLY)
    harness.load(server.port, 1, 4, 0.05, mode, 10)
    server.join(5)
    assert {(request[9], request[10]) for request in server.requests} == {info}


def test_not_found_is_counted_apart(harness):
    server = Scripted(REPLY[:13] + b"\x02" + REPLY[14:])
    result = harness.load(server.port, 1, 4, 5, "fill", 8)
    assert (result.operations, result.not_found) == (8, 8)


@pytest.mark.parametrize(
    "reply", [REPLY[:13] + b"\x04" + REPLY[14:], b"\x01" + REPLY[1:], REPLY + REPLY]
)
def test_a_wrong_server_ends_the_run(harness, reply):
    server = Scripted(reply)
    with pytest.raises(subprocess.CalledProcessError):
        harness.load(server.port, 1, 1, 5, "fill", 50)


def test_the_limit_answers_reads_and_writes(harness):
    with harness.running(harness.limit_command()) as server:
        result = harness.load(server.port, 3, 16, 0.1, "mixed", 100)
        assert result.operations > 48
        with socket.create_connection(("127.0.0.1", server.port)) as peer:
            read = bytes([2, 3, 0, 0, 0, 0, 0, 22, 22, 3, *[0] * 20])
            write = bytes([2, 3, 0, 0, 0, 0, 0, 22, 22, 0, 1, *[0] * 19])
            for byte in read + write:
                peer.sendall(bytes([byte]))
            data = b""
            while len(data) < 49 + 30:
                data += peer.recv(100)
        assert (data[7], data[29], data[49 + 7], data[49 + 29]) == (41, 1, 22, 0)


def test_tables_line_up(harness):
    assert harness.table(["a", "n"], [["x", "1"], ["yyy", "100"]]) == (
        "| a   |   n |\n|-----|----:|\n| x   |   1 |\n| yyy | 100 |"
    )


def test_the_machine_is_described(harness):
    facts = dict(harness.machine_facts())
    assert {"Date", "Processor", "System", "Python", "uvloop"} <= set(facts)
    assert all(facts.values())
