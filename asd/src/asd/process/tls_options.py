"""TLS on the command line: one certificate for all planes of a node, without a file.

With `--tls-cert-file` the node speaks TLS with clients on `--tls-port`, and with other nodes on the
heartbeat and fabric ports of the command line, on these alone. (For clients there is the port in
the clear, too: where that is not wanted, let it be on the loopback.)
"""

from __future__ import annotations

import argparse
from typing import Final

from attrs import evolve, frozen

from asd.config import FabricConfig, HeartbeatConfig, NetworkConfig, TlsConfig

DEFAULT_NAME: Final = "citrusleaf"
DEFAULT_TLS_PORT: Final = 4333


@frozen
class TlsOptions:
    """What the command line says of TLS; empty: nothing."""

    name: str = DEFAULT_NAME
    cert_file: str = ""
    key_file: str = ""
    ca_file: str = ""
    port: int = 0
    whose: tuple[str, ...] = ()
    """`tls-authenticate-client` of the service."""

    @classmethod
    def of(cls, given: argparse.Namespace) -> TlsOptions:
        """From the parsed command line."""
        port = given.tls_port or (DEFAULT_TLS_PORT if given.tls_cert_file else 0)
        return cls(
            given.tls_name,
            given.tls_cert_file,
            given.tls_key_file,
            given.tls_ca_file,
            port,
            tuple(given.tls_authenticate_client),
        )

    def applied(self, network: NetworkConfig) -> NetworkConfig:
        """The network with TLS on its planes. Raises ValueError for what does not go together."""
        if not self.cert_file:
            if self.port:
                raise ValueError("--tls-port needs a --tls-cert-file")
            return network
        block = TlsConfig(
            self.name, ca_file=self.ca_file, cert_file=self.cert_file, key_file=self.key_file
        )
        return evolve(
            network,
            service=evolve(
                network.service,
                tls_port=self.port,
                tls_name=self.name,
                tls_authenticate_client=self.whose or network.service.tls_authenticate_client,
            ),
            heartbeat=self._heartbeat(network.heartbeat),
            fabric=self._fabric(network.fabric),
            tls={**network.tls, self.name: block},
        )

    def _heartbeat(self, section: HeartbeatConfig) -> HeartbeatConfig:
        if not section.port:
            return section
        return evolve(
            section,
            port=0,
            tls_port=section.port,
            tls_name=self.name,
            mesh_seed_address_port=(),
            tls_mesh_seed_address_port=section.mesh_seed_address_port,
        )

    def _fabric(self, section: FabricConfig) -> FabricConfig:
        if not section.port:
            return section
        return evolve(section, port=0, tls_port=section.port, tls_name=self.name)


def add_tls_options(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    group = parser.add_argument_group(
        "TLS",
        "with a certificate: on --tls-port, and between nodes, where both sides must show one",
    )
    group.add_argument("--tls-cert-file", metavar="FILE", default="", help="the node's certificate")
    group.add_argument("--tls-key-file", metavar="FILE", default="", help="its key")
    group.add_argument(
        "--tls-ca-file", metavar="FILE", default="", help="certificates of those who are believed"
    )
    group.add_argument(
        "--tls-name",
        metavar="NAME",
        default=DEFAULT_NAME,
        help=f"what the nodes' certificates are for (default {DEFAULT_NAME})",
    )
    group.add_argument(
        "--tls-port",
        metavar="N",
        type=_port,
        help=f"port for clients that speak TLS (default {DEFAULT_TLS_PORT})",
    )
    group.add_argument(
        "--tls-authenticate-client",
        metavar="NAME",
        action="append",
        default=[],
        help="whose certificates clients must have: any (the default), false, or a name; may be"
        " repeated",
    )


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"'{text}' is no port: expected 1 to 65535")
    return int(text)
