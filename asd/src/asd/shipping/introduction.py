"""How a node introduces itself to a data center: where that is, by which certificate it is known,
and who logs in there. From the configuration to what this project's client asks for.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aerospike_client.core.addresses import Address, Seed
from aerospike_client.errors import InvalidParameter
from aerospike_client.policies import AuthMode, ClientPolicy, TlsPolicy
from asd.config import TlsConfig
from asd.config.kinds import node_address
from asd.config.tls import versions
from asd.config.xdr import DcConfig
from asd.shipping.passwords import read_password

_MODES: Final = MappingProxyType(
    {
        "internal": AuthMode.INTERNAL,
        "external": AuthMode.EXTERNAL,
        "external-insecure": AuthMode.EXTERNAL_INSECURE,
        "pki": AuthMode.PKI,
    }
)


def policy_of(
    config: DcConfig, blocks: Mapping[str, TlsConfig], routes: dict[str, str]
) -> ClientPolicy:
    """How to connect. `blocks` are the tls blocks by name; `routes`: by which other addresses some
    are reached. Raises InvalidParameter."""
    mode = _MODES.get(config.auth_mode)
    by_password = mode is not None and mode is not AuthMode.PKI
    return ClientPolicy(
        user=config.auth_user if by_password else None,
        password=read_password(config.auth_password_file) if by_password else None,
        auth_mode=mode or AuthMode.INTERNAL,
        tls=_tls(config, blocks) if config.tls_name else None,
        fail_if_not_connected=False,
        use_services_alternate=config.use_alternate_access_address,
        ip_map=routes,
        app_id=f"xdr-{config.name}",
    )


def _tls(config: DcConfig, blocks: Mapping[str, TlsConfig]) -> TlsPolicy:
    block = blocks.get(config.tls_name)
    if block is None:
        raise InvalidParameter(f"tls-name '{config.tls_name}': there is no such tls block")
    return TlsPolicy(
        ca_file=block.ca_file or None,
        ca_path=block.ca_path or None,
        cert_file=block.cert_file or None,
        key_file=block.key_file or None,
        key_password=read_password(block.key_file_password) or None,
        protocols=tuple(versions(block.protocols)),
        cipher_suite=block.cipher_suite or None,
    )


def nodes_of(config: DcConfig) -> list[Seed]:
    """The nodes, or connectors, that the configuration names."""
    nodes = []
    for text in config.node_address_port:
        host, port, name = node_address(text)
        nodes.append(Seed(Address(host.strip("[]"), int(port)), name))
    return nodes


def seeds_of(config: DcConfig) -> list[tuple[str, int] | tuple[str, int, str]]:
    """The same as the client wants them."""
    return [(*node.address, node.tls_name) for node in nodes_of(config)]
