"""`asd --nodes`: a line when the cluster is whole, a node that dies is started, none is left."""

from __future__ import annotations

import base64
import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from asd.process.machine import processors
from asd.process.node_processes import ask, free_ports
from certificates import Authority

LIMIT_S = 60.0


@pytest.fixture
def command() -> Iterator[subprocess.Popen[str]]:
    with started(["--nodes", "2"]) as process:
        yield process


def ports_of(process: subprocess.Popen[str]) -> list[int]:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("asd ready 127.0.0.1:")
    return [int(place.rpartition(":")[2]) for place in line.split()[2].split(",")]


def until(condition: object) -> None:
    assert callable(condition)
    end_s = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def stable(port: int) -> bool:
    try:
        return "ERROR" not in ask(port, "cluster-stable:size=2")
    except OSError:
        return False


def test_nodes_that_let_nobody_in_are_looked_after_all_the_same(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    tls = Authority(tmp_path).arguments("127.0.0.1", ask_clients=True)
    with started(["--nodes", "2", "--security", "--tls-port", str(port), *tls]) as process:
        ports = ports_of(process)
        assert len(ports) == 2
        with contextlib.closing(socket.create_connection(("127.0.0.1", port))) as served:
            assert served.fileno() > 0


def test_a_node_that_dies_is_started_again_and_all_end_together(
    command: subprocess.Popen[str],
) -> None:
    ports = ports_of(command)
    assert len(ports) == 2
    assert ask(ports[0], "replicas").startswith("test:0,2,")
    nodes = psutil.Process(command.pid).children()
    assert len(nodes) == 2
    nodes[1].kill()
    until(
        lambda: len({n.pid for n in psutil.Process(command.pid).children()} - {nodes[1].pid}) == 2
    )
    until(lambda: all(map(stable, ports)))
    nodes = psutil.Process(command.pid).children()
    command.send_signal(signal.SIGTERM)
    assert command.wait(LIMIT_S) == 0
    assert not any(node.is_running() for node in nodes)


def test_no_node_outlives_a_supervisor_that_is_killed(command: subprocess.Popen[str]) -> None:
    ports_of(command)
    nodes = psutil.Process(command.pid).children()
    command.kill()
    _, alive = psutil.wait_procs(nodes, LIMIT_S)
    assert not alive


def test_nodes_on_cores_are_kept_there_and_started_there_again() -> None:
    with started(["--nodes", "cores"]) as process:
        ports = ports_of(process)
        assert len(ports) == len(processors())
        assert "auto-pin=cpu" in ask(ports[0], "get-config:context=service")
        nodes = psutil.Process(process.pid).children()
        assert sorted(node.cpu_affinity() for node in nodes) == [[core] for core in processors()]
        nodes[-1].kill()
        until(lambda: len(kept(process) - {nodes[-1].pid}) == len(ports))


def test_two_supervisors_make_one_cluster_of_two_racks() -> None:
    (heartbeat,) = free_ports(1)
    first = ["--nodes", "1", "--rack-id", "1", "--heartbeat-port", str(heartbeat)]
    second = ["--nodes", "2", "--rack-id", "2", "--seed", f"127.0.0.1:{heartbeat}"]
    with started(first) as here, started(second) as there:
        ports = [*ports_of(here), *ports_of(there)]
        until(lambda: "ERROR" not in ask(ports[0], "cluster-stable:size=3"))
        racks = "ns=test:rack_1=10A1:rack_2=20A2,20A1"
        assert {ask(port, "racks:") for port in ports} == {racks}
        columns = ask(ports[0], "replicas").split(",")[2:]
        alone = sum(int.from_bytes(base64.b64decode(column), "big") for column in columns)
        assert alone == (1 << 4096) - 1, "one copy of each is on the machine with one node"


@contextlib.contextmanager
def started(words: list[str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "asd", "--service-port", "0", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def kept(process: subprocess.Popen[str]) -> set[int]:
    """The nodes that run, and are kept on one processor."""
    found = set()
    for node in psutil.Process(process.pid).children():
        with contextlib.suppress(psutil.Error):
            if len(node.cpu_affinity()) == 1:
                found.add(node.pid)
    return found
