"""TLS on the command line, on all planes of a node."""

from __future__ import annotations

import pytest

from asd.config import Config
from asd.config.kinds import Endpoint
from asd.process.cli import CommandLineError, build_config, parse_arguments

FILES = ("--tls-cert-file", "c", "--tls-key-file", "k", "--tls-ca-file", "a")
PLANES = ("--heartbeat-port", "3002", "--fabric-port", "3001", "--seed", "10.0.0.2:3002")


def config(*arguments: str) -> Config:
    return build_config(parse_arguments(arguments))


def test_nodes_speak_tls_alone_with_one_another() -> None:
    network = config(*FILES, *PLANES, "--tls-port", "4000", "--tls-name", "blue").network
    assert (network.heartbeat.port, network.heartbeat.tls_port) == (0, 3002)
    assert network.heartbeat.tls_mesh_seed_address_port == (Endpoint("10.0.0.2", 3002),)
    assert (network.fabric.port, network.fabric.tls_port) == (0, 3001)
    assert (network.service.port, network.service.tls_port) == (3000, 4000)
    assert {network.heartbeat.tls_name, network.fabric.tls_name, *network.tls} == {"blue"}


def test_whose_certificates_clients_must_have() -> None:
    assert config(*FILES).network.service.tls_port == 4333
    asked = ("--tls-authenticate-client", "ann", "--tls-authenticate-client", "bob")
    assert config(*FILES, *asked).network.service.tls_authenticate_client == ("ann", "bob")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--tls-port", "4000"), "needs a --tls-cert-file"),
        (("--tls-cert-file", "c"), "no cert-file or no key-file"),
        (FILES[:4], "no ca-file or ca-path"),
    ],
)
def test_what_does_not_go_together(arguments: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandLineError, match=said):
        config(*arguments)
