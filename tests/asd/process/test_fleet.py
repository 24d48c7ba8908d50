"""`--nodes`: ports, cores, racks and node ids, out of a command line."""

from __future__ import annotations

from itertools import pairwise

import pytest

from asd.process.cli import CommandLineError, build_config, node_count, parse_arguments
from asd.process.fleet import machine_number, supervisor
from asd.process.machine import processors
from asd.process.node_processes import NodeProcesses


def fleet(*words: str) -> NodeProcesses:
    """The nodes that a command line asks for, not started."""
    return supervisor(parse_arguments(words), words).processes


def option(words: tuple[str, ...], name: str) -> str:
    """The value of an option; empty where it is not given."""
    return words[words.index(name) + 1] if name in words else ""


def test_how_many_nodes() -> None:
    assert node_count("3") == 3
    assert node_count("cores") == len(processors())
    for wrong in ("0", "129", "many"):
        with pytest.raises(ValueError, match=r"nodes|invalid literal"):
            node_count(wrong)


def test_options_of_one_node_do_not_go_with_several() -> None:
    for words in (
        ["--node-id", "A1"],
        ["--pin", "0"],
        ["--namespace", "test:ssd:/tmp/x.dat"],
    ):
        with pytest.raises(CommandLineError, match="--nodes 3 asks for more"):
            fleet("--nodes", "3", *words)


def test_on_the_loopback_there_is_no_rack() -> None:
    nodes = fleet("--nodes", "3", "--service-port", "0").nodes
    assert [node.node_id for node in nodes] == ["A1", "A2", "A3"]
    assert option(nodes[0].arguments, "--rack-id") == ""
    assert option(nodes[0].arguments, "--replication-factor") == "2"
    assert option(nodes[0].arguments, "--pin") == ""


def test_the_ports_given_are_the_first_nodes() -> None:
    words = ["--service-port", "3000", "--heartbeat-port", "3100", "--fabric-port", "3200"]
    nodes = fleet("--nodes", "2", *words).nodes
    assert [tuple(vars_of(node.ports)) for node in nodes] == [
        (3000, 3100, 3200),
        (3001, 3101, 3201),
    ]
    assert "--heartbeat-port" not in nodes[0].arguments
    with pytest.raises(CommandLineError, match="port 3002 is given twice"):
        fleet("--nodes", "3", "--heartbeat-port", "3002")


def test_every_node_has_a_page_of_its_own() -> None:
    nodes = fleet("--nodes", "3", "--service-port", "0", "--http-port", "8081").nodes
    assert [option(node.arguments, "--http-port") for node in nodes] == ["8081", "8082", "8083"]
    assert [node.arguments.count("--http-port") for node in nodes] == [1, 1, 1]
    with pytest.raises(CommandLineError, match="port 3002 is given twice"):
        fleet("--nodes", "3", "--http-port", "3002")


def vars_of(ports: object) -> list[int]:
    return [getattr(ports, name) for name in ("service", "heartbeat", "fabric")]


def test_a_machine_is_a_rack() -> None:
    here = fleet("--nodes", "2", "--service-address", "10.1.2.3", "--seed", "10.1.2.4:3100")
    there = fleet("--nodes", "2", "--service-address=10.1.2.4")
    assert here.host == "10.1.2.3"
    racks = [option(node.arguments, "--rack-id") for each in (here, there) for node in each.nodes]
    assert racks == ["66052", "66052", "66053", "66053"]
    assert option(here.nodes[0].arguments, "--seed") == "10.1.2.4:3100"
    ids = [node.node_id for each in (here, there) for node in each.nodes]
    assert ids == ["102040A1", "102040A2", "102050A1", "102050A2"]


def test_a_rack_that_is_given_stays() -> None:
    words = ["--service-address", "10.1.2.3", "--rack-id", "7"]
    node = fleet("--nodes", "2", *words).nodes[0]
    assert [value for name, value in pairs(node.arguments) if name == "--rack-id"] == ["7"]


def pairs(words: tuple[str, ...]) -> list[tuple[str, str]]:
    return list(pairwise(words))


def test_the_community_edition_has_no_racks() -> None:
    words = ["--service-address", "10.1.2.3", "--edition", "community"]
    assert "--rack-id" not in fleet("--nodes", "2", *words).nodes[0].arguments
    with pytest.raises(CommandLineError, match="knows no racks"):
        fleet("--nodes", "2", "--rack-id", "7", "--edition", "community")
    with pytest.raises(CommandLineError, match="knows no racks"):
        build_config(parse_arguments(["--rack-id", "7", "--edition", "community"]))


def test_the_rack_of_a_node_is_that_of_all_its_namespaces() -> None:
    words = ["--rack-id", "7", "--namespace", "test", "--namespace", "bar"]
    config = build_config(parse_arguments(words))
    assert [space.rack_id for space in config.namespaces.values()] == [7, 7]
    with pytest.raises(CommandLineError, match="rack_id"):
        build_config(parse_arguments(["--rack-id", "1000001"]))


def test_numbers_of_machines() -> None:
    assert machine_number("127.0.0.1") == machine_number("::1") == machine_number("localhost") == 0
    assert machine_number("10.0.0.0") == 1
    assert machine_number("10.7.255.255") == 1 << 19
    numbers = {machine_number(f"10.0.{high}.{low}") for high in range(8) for low in range(256)}
    assert len(numbers) == 8 * 256
    assert 1 <= machine_number("2001:db8::3") <= 1 << 19
    with pytest.raises(CommandLineError, match="in numbers"):
        fleet("--nodes", "2", "--service-address", "db.example")
