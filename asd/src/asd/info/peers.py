"""Where clients find this node and the others: addresses, peers, endpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from asd.config.kinds import host_port
from asd.config.network import ANY, WILDCARDS
from asd.info.request import Handler, Request, constant, enterprise_only, pairs
from asd.membership.state import PeerRow

DEFAULT_PORT: Final = 3000
DEFAULT_TLS_PORT: Final = 4333


def _peers(addresses: Callable[[PeerRow], tuple[str, ...]]) -> Handler:
    """The other nodes that have such addresses."""

    def answer(request: Request) -> str:
        cluster = request.node.cluster
        shown = [(row.node, addresses(row)) for row in cluster.peers if addresses(row)]
        rows = ",".join(f"[{node},,[{','.join(found)}]]" for node, found in shown)
        return f"{cluster.peers_generation},{DEFAULT_PORT},[{rows}]"

    return answer


_clear_peers = _peers(lambda row: row.clear)
_alternate_peers = _peers(lambda row: row.alternate)


def _services(addresses: Callable[[PeerRow], tuple[str, ...]]) -> Handler:
    """The other nodes' addresses, as clients of old want them."""

    def answer(request: Request) -> str:
        peers = request.node.cluster.peers
        return ";".join(address for row in peers for address in addresses(row))

    return answer


def _no_tls_peers(request: Request) -> str:
    return f"{request.node.cluster.peers_generation},{DEFAULT_TLS_PORT},[]"


def _published(request: Request) -> list[str]:
    """What clients are told to connect to."""
    service = request.node.config.network.service
    hosts = hosts_of(request, service.access_address or request.node.addresses)
    return [host_port(host, service.access_port or request.node.port) for host in hosts]


def hosts_of(request: Request, addresses: Sequence[str] | None) -> Sequence[str]:
    """The hosts of `addresses` (None = all). Of a node that listens on all of them, a client is
    told the one that it has reached: others may not lead here from where it is."""
    if addresses is None or not WILDCARDS.isdisjoint(addresses):
        return (request.connection.local_host,)
    return addresses


def _admin(request: Request) -> str:
    """Where tools connect; empty without an admin port."""
    admin = request.node.admin
    if not admin.port:
        return ""
    return ",".join(host_port(host, admin.port) for host in hosts_of(request, admin.addresses))


def _alternates(request: Request) -> list[str]:
    service = request.node.config.network.service
    port = service.alternate_access_port or service.access_port or request.node.port
    return [host_port(host, port) for host in service.alternate_access_address]


def _tls(request: Request) -> str:
    """Where clients that speak TLS connect; empty without a TLS port."""
    service = request.node.config.network.service
    if not service.tls_port:
        return ""
    listening = service.tls_address or request.node.addresses
    hosts = hosts_of(request, service.tls_access_address or listening)
    port = service.tls_access_port or service.tls_port
    return ",".join(host_port(host, port) for host in hosts)


def _tls_alternate(request: Request) -> str:
    """The alternate addresses for TLS."""
    service = request.node.config.network.service
    port = service.tls_alternate_access_port or service.tls_access_port or service.tls_port
    hosts = service.tls_alternate_access_address if service.tls_port else ()
    return ",".join(host_port(host, port) for host in hosts)


def _endpoints(request: Request) -> str:
    network = request.node.config.network
    service = network.service
    return pairs(
        [
            ("service.port", request.node.port),
            ("service.addresses", ",".join(hosts_of(request, request.node.addresses))),
            ("service.access-port", service.access_port),
            ("service.access-addresses", ",".join(service.access_address)),
            ("service.alternate-access-port", service.alternate_access_port),
            ("service.alternate-access-addresses", ",".join(service.alternate_access_address)),
            ("service.tls-port", service.tls_port),
            ("service.tls-addresses", ",".join(service.tls_address)),
            ("service.tls-access-port", service.tls_access_port),
            ("service.tls-access-addresses", ",".join(service.tls_access_address)),
            ("service.tls-alternate-access-port", service.tls_alternate_access_port),
            (
                "service.tls-alternate-access-addresses",
                ",".join(service.tls_alternate_access_address),
            ),
            *_listener("admin", network.admin.port, network.admin.address),
            *_listener("heartbeat", network.heartbeat.port, network.heartbeat.address),
            *_listener("fabric", network.fabric.port, network.fabric.address),
        ]
    )


def _listener(name: str, port: int, addresses: Iterable[str]) -> list[tuple[str, object]]:
    """The four pairs of a listener; one without a port listens nowhere."""
    shown = ",".join(address for address in addresses if address != ANY) if port else ""
    return [
        (f"{name}.port", port),
        (f"{name}.addresses", shown),
        (f"{name}.tls-port", 0),
        (f"{name}.tls-addresses", ""),
    ]


COMMANDS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        "service": lambda request: ";".join(_published(request)),
        "services": _services(lambda row: row.clear),
        "services-alternate": _services(lambda row: row.alternate),
        "services-alumni": _services(lambda row: row.clear),
        "services-alumni-reset": constant("ok"),
        "service-clear-std": lambda request: ",".join(_published(request)),
        "service-clear-alt": lambda request: ",".join(_alternates(request)),
        "service-tls-std": enterprise_only(_tls),
        "service-tls-alt": enterprise_only(_tls_alternate),
        "admin-clear-std": _admin,
        "admin-tls-std": enterprise_only(constant("")),
        "peers-generation": lambda request: str(request.node.cluster.peers_generation),
        "peers-clear-std": _clear_peers,
        "peers-clear-alt": _alternate_peers,
        "peers-tls-std": enterprise_only(_no_tls_peers),
        "peers-tls-alt": enterprise_only(_no_tls_peers),
        "alumni-clear-std": _clear_peers,
        "alumni-tls-std": enterprise_only(_no_tls_peers),
        "endpoints": _endpoints,
    }
)
