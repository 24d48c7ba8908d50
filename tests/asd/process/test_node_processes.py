"""Node processes of one machine, as far as nothing need be started."""

from __future__ import annotations

from asd.process.node_processes import NodeProcesses


def test_each_node_has_arguments_of_its_own() -> None:
    processes = NodeProcesses(("--config-file", "{node}.conf"))
    nodes = [processes.add() for _ in range(2)]
    assert [node.arguments[1] for node in nodes] == ["0.conf", "1.conf"]
    assert [node.node_id for node in nodes] == ["A1", "A2"]
    assert not any(node.is_running for node in nodes)
