"""Logs that nobody reads, and peers that have a line written with each frame."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from asd.process.log_queue import FREELY_FROM_PEERS, MOST_LINES, WINDOW_S, LogQueue

MALFORMED = b"\x02\x03" + (3).to_bytes(6, "big") + b"abc"


class Sink(logging.Handler):
    """Keeps lines; stands still until `go` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.go = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.go.wait(10)
        self.lines.append(record.getMessage())


@contextmanager
def queued(sink: Sink, now: list[float]) -> Iterator[tuple[LogQueue, logging.Logger]]:
    logger = logging.Logger("asd.attack")
    lines = LogQueue([sink], lambda: now[0])
    logger.addHandler(lines)
    yield lines, logger
    sink.go.set()
    lines.close()


def test_a_sink_that_stands_still_costs_lines_and_nobody_waits() -> None:
    sink = Sink()
    with queued(sink, [0.0]) as (lines, logger):
        for number in range(MOST_LINES + 500):
            place = ("asd.attack", logging.INFO, "attack.py", number % 500, "line", (), None)
            logger.handle(logger.makeRecord(*place))
        assert lines.dropped >= 400
        assert not sink.lines
    assert any("log lines were dropped" in line for line in sink.lines)
    assert len(sink.lines) <= MOST_LINES + 2


def test_lines_that_a_peer_repeats_are_summed_up() -> None:
    sink, now = Sink(), [0.0]
    sink.go.set()
    with queued(sink, now) as (_, logger):
        for port in range(5_000):
            logger.info("%s sent a malformed message: %s", f"10.0.0.7:{port}", "cut off")
        now[0] += WINDOW_S + 1
        logger.info("another line")
    assert len(sink.lines) == FREELY_FROM_PEERS + 2
    assert sink.lines[-2].endswith("cut off (and 4,990 such lines more from 10.0.0.7)")


def exchange(port: int, data: bytes, answers: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        got = client.makefile("rb")
        for _ in range(answers):
            client.sendall(data)
            head = got.read(8)
            assert len(head) == 8
            got.read(int.from_bytes(head[2:], "big"))


def test_a_pipe_that_nobody_drains_wedges_nothing(attack: Any) -> None:
    with attack.kit.asd_process() as (_, port):
        exchange(port, MALFORMED, 3_000)  # 591 lines filled the pipe
        exchange(port, attack.kit.get(1), 1)


def test_sighup_opens_the_files_anew(attack: Any, tmp_path: Path) -> None:
    written, moved = tmp_path / "asd.log", tmp_path / "asd.log.1"
    configuration = tmp_path / "asd.conf"
    configuration.write_text(
        f"logging {{\n file {written} {{\n context any info\n }}\n}}\n"
        "network {\n service {\n port 3000\n address 127.0.0.1\n }\n}\n"
        "namespace test {\n storage-engine memory {\n data-size 512M\n }\n}\n"
    )
    with attack.kit.asd_process("--config-file", str(configuration)) as (process, port):
        os.rename(written, moved)
        process.send_signal(signal.SIGHUP)
        exchange(port, MALFORMED, 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert process.returncode == 0
    assert isinstance(process, subprocess.Popen)
    assert re.search("malformed message", written.read_text())
