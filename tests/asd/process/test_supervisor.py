"""`asd --nodes`: a line when the cluster is whole, a node that dies is started, none is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from asd.process.cli import CommandLineError, parse_arguments, supervisor
from asd.process.node_processes import ask
from asd.process.supervisor import node_count

LIMIT_S = 60.0


@pytest.fixture
def command() -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "asd", "--nodes", "2", "--service-port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    yield process
    process.kill()
    process.communicate()


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


def test_options_of_one_node_do_not_go_with_several() -> None:
    for words in (
        ["--node-id", "A1"],
        ["--fabric-port", "3001"],
        ["--namespace", "test:ssd:/tmp/x.dat"],
    ):
        argv = ["--nodes", "3", *words]
        with pytest.raises(CommandLineError, match="--nodes 3 asks for more"):
            supervisor(parse_arguments(argv), argv)


def test_how_many_nodes() -> None:
    assert node_count("3") == 3
    assert node_count("cores") == os.cpu_count()
    for wrong in ("0", "129", "many"):
        with pytest.raises(ValueError, match=r"nodes|invalid literal"):
            node_count(wrong)
