"""Node processes of one machine, as far as nothing need be started."""

from __future__ import annotations

import socket

import pytest

from asd.process import node_processes
from asd.process.node_processes import HOST, OWN_PORTS, NodeProcesses, free_ports


def test_each_node_has_arguments_of_its_own() -> None:
    processes = NodeProcesses(("--config-file", "{node}.conf"))
    nodes = [processes.add() for _ in range(2)]
    assert [node.arguments[1] for node in nodes] == ["0.conf", "1.conf"]
    assert [node.node_id for node in nodes] == ["A1", "A2"]
    assert not any(node.is_running for node in nodes)


def test_ports_are_free_each_another_and_none_of_the_system_s() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(port in OWN_PORTS for port in ports)
    for port in ports:
        with socket.create_server((HOST, port)):
            pass


def test_a_port_that_somebody_listens_on_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    (port,) = free_ports(1)
    monkeypatch.setattr(node_processes, "OWN_PORTS", range(port, port + 1))
    with socket.create_server((HOST, port)), pytest.raises(OSError, match="no 1 ports are free"):
        free_ports(1)
    assert free_ports(1) == [port]
