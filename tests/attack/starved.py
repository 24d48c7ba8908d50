"""Nodes that lack something: file descriptors, memory, disk, somebody who reads their log."""

from __future__ import annotations

import random
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from aerospike_common.wire.codes import Info2, OpType, ParticleType, ResultCode
from aerospike_common.wire.message import Op, parse_message
from attack.attackers import TIMEOUT_S, command, get, put


def _exchange(port: int, data: bytes) -> int:
    """The result code of one request. Raises OSError."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT_S) as client:
        answers = client.makefile("rb")
        client.sendall(data)
        head = answers.read(8)
        return parse_message(answers.read(int.from_bytes(head[2:], "big"))).result_code


def _with_limit(limit: str, play: Callable[[int], str], *arguments: str) -> str:
    """What goes wrong with a node under a limit of the shell's (`ulimit`)."""
    more = shlex.join(arguments or ("--service-port", "0"))
    start = f"ulimit {limit}; exec {shlex.quote(sys.executable)} -m asd {more}"
    with subprocess.Popen(
        ["bash", "-c", start], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if "ready" not in line:
                return f"it did not start: {line!r}"
            said = play(int(line.rpartition(":")[2]))
            return said or ("" if process.poll() is None else "the node ended")
        finally:
            process.terminate()
            process.wait(30)


def no_file_descriptors() -> str:
    """More connections than it has file descriptors: it goes on with those that are served."""

    def play(port: int) -> str:
        clients = [socket.create_connection(("127.0.0.1", port), TIMEOUT_S) for _ in range(150)]
        time.sleep(0.5)
        for client in clients:
            client.close()
        time.sleep(0.5)
        return "" if _exchange(port, put(7)) == 0 == _exchange(port, get(7)) else "a wrong answer"

    return _with_limit("-n 100", play)


def little_memory() -> str:
    """`ulimit -v`: a request that does not fit costs no more than its connection."""

    def play(port: int) -> str:
        for _ in range(3):
            try:
                _exchange(port, put(7)[:2] + (120 << 20).to_bytes(6, "big") + bytes(120 << 20))
            except OSError:
                continue
        return "" if _exchange(port, put(7)) == 0 == _exchange(port, get(7)) else "a wrong answer"

    return _with_limit("-v 1200000", play)


def nobody_reads_the_log() -> str:
    """Standard error is a pipe that nobody empties: lines are lost, and no request waits."""
    start = [sys.executable, "-m", "asd", "--service-port", "0"]
    with subprocess.Popen(
        start, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            port = int(process.stdout.readline().rpartition(":")[2])
            for number in range(3_000):  # each is a line of the log
                with socket.create_connection(
                    ("127.0.0.1", port), TIMEOUT_S, (f"127.0.0.{number % 250 + 2}", 0)
                ) as client:
                    client.sendall(b"\x07\x07" + bytes(6))
            well = _exchange(port, put(7)) == 0 == _exchange(port, get(7))
            return "" if well and process.poll() is None else "a wrong answer"
        finally:
            process.kill()


def a_full_device() -> str:
    """A device that takes no more: writes are refused, reads are answered."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "asd.conf"
        path.write_text(
            "network {\n service {\n port 0\n }\n}\n"
            "namespace test {\n nsup-period 120\n storage-engine device {\n"
            f" file {folder}/test.dat\n filesize 64M\n flush-max-ms 10\n }}\n}}\n"
        )

        def play(port: int) -> str:
            big = [Op(OpType.WRITE, ParticleType.BLOB, b"v", bytes(500_000))]
            codes = {
                _exchange(port, command(number, info2=Info2.WRITE, ops=big))
                for number in range(8, 300)
            }
            if codes != {ResultCode.OK, ResultCode.OUT_OF_SPACE}:
                return f"writes got {codes}"
            return "" if _exchange(port, get(8)) == 0 else "a record is lost"

        return _with_limit("-c 0", play, "--config-file", str(path))


def malformed_configurations() -> str:
    """Files with bytes changed: each is refused with a place, or taken, and never a traceback."""
    good = (
        "service {\n proto-fd-max 15000\n}\nnetwork {\n service {\n port 3000\n }\n}\n"
        "namespace test {\n default-ttl 30d\n storage-engine memory {\n data-size 1G\n }\n}\n"
    )
    chance = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "asd.conf"
        for _ in range(20):
            text = bytearray(good.encode())
            for _ in range(chance.randrange(1, 8)):
                text[chance.randrange(len(text))] = chance.randrange(256)
            path.write_bytes(text)
            command = [sys.executable, "-m", "asd", "--check-config", str(path)]
            done = subprocess.run(command, check=False, capture_output=True, timeout=60)
            if b"Traceback" in done.stderr:
                return f"{bytes(text)!r}: {done.stderr.decode(errors='replace')[-1000:]}"
    return ""


STARVED: tuple[Callable[[], str], ...] = (
    no_file_descriptors,
    little_memory,
    nobody_reads_the_log,
    a_full_device,
    malformed_configurations,
)
"""Each says what went wrong, or nothing."""
