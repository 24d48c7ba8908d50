"""Where clients find this node and the others: addresses, peers, endpoints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from asd.config.kinds import host_port
from asd.config.network import ANY, WILDCARDS, Listener
from asd.info.request import Handler, Request, constant, enterprise_only, pairs
from asd.membership.state import Addresses

DEFAULT_PORT: Final = 3000
DEFAULT_TLS_PORT: Final = 4333


def _peers(addresses: Callable[[Addresses], tuple[str, ...]]) -> Handler:
    """The other nodes that have such addresses."""

    def answer(request: Request) -> str:
        cluster = request.node.cluster
        shown = [(row.node, addresses(row.at)) for row in cluster.peers if addresses(row.at)]
        rows = ",".join(f"[{node},,[{','.join(found)}]]" for node, found in shown)
        return f"{cluster.peers_generation},{DEFAULT_PORT},[{rows}]"

    return answer


def _peers_by_tls(addresses: Callable[[Addresses], tuple[str, ...]]) -> Handler:
    """Those that speak TLS, each with the name that its certificate is for."""

    def answer(request: Request) -> str:
        cluster = request.node.cluster
        shown = [(row, addresses(row.at)) for row in cluster.peers if addresses(row.at)]
        rows = ",".join(f"[{row.node},{row.at.tls_name},[{','.join(at)}]]" for row, at in shown)
        return f"{cluster.peers_generation},{DEFAULT_TLS_PORT},[{rows}]"

    return answer


_clear_peers = _peers(lambda at: at.clear)
_alternate_peers = _peers(lambda at: at.alternate)
_tls_peers = _peers_by_tls(lambda at: at.tls)
_tls_alternate_peers = _peers_by_tls(lambda at: at.tls_alternate)


def _services(addresses: Callable[[Addresses], tuple[str, ...]]) -> Handler:
    """The other nodes' addresses, as clients of old want them."""

    def answer(request: Request) -> str:
        peers = request.node.cluster.peers
        return ";".join(address for row in peers for address in addresses(row.at))

    return answer


def _published(request: Request) -> list[str]:
    """What clients are told to connect to."""
    service = request.node.config.network.service
    if not service.clear:
        return []
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


def _admin_tls(request: Request) -> str:
    """Where tools that speak TLS connect; empty without such a port."""
    admin = request.node.config.network.admin
    if not admin.tls_port:
        return ""
    hosts = hosts_of(request, admin.tls_address or admin.address)
    return ",".join(host_port(host, admin.tls_port) for host in hosts)


def _alternates(request: Request) -> list[str]:
    service = request.node.config.network.service
    port = service.alternate_access_port or service.access_port or request.node.port
    hosts = service.alternate_access_address if service.clear else ()
    return [host_port(host, port) for host in hosts]


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
            ("service.port", request.node.port if service.clear else 0),
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
            *_listener("admin", network.admin),
            *_listener("heartbeat", network.heartbeat),
            *_listener("fabric", network.fabric),
        ]
    )


def _listener(name: str, section: Listener) -> list[tuple[str, object]]:
    """The four pairs of a listener; one without a port listens nowhere."""
    by_tls = section.tls_address or section.address
    return [
        (f"{name}.port", section.port),
        (f"{name}.addresses", _named(section.address) if section.port else ""),
        (f"{name}.tls-port", section.tls_port),
        (f"{name}.tls-addresses", _named(by_tls) if section.tls_port else ""),
    ]


def _named(addresses: Iterable[str]) -> str:
    return ",".join(address for address in addresses if address != ANY)


COMMANDS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        "service": lambda request: ";".join(_published(request)),
        "services": _services(lambda at: at.clear),
        "services-alternate": _services(lambda at: at.alternate),
        "services-alumni": _services(lambda at: at.clear),
        "services-alumni-reset": constant("ok"),
        "service-clear-std": lambda request: ",".join(_published(request)),
        "service-clear-alt": lambda request: ",".join(_alternates(request)),
        "service-tls-std": enterprise_only(_tls),
        "service-tls-alt": enterprise_only(_tls_alternate),
        "admin-clear-std": _admin,
        "admin-tls-std": enterprise_only(_admin_tls),
        "peers-generation": lambda request: str(request.node.cluster.peers_generation),
        "peers-clear-std": _clear_peers,
        "peers-clear-alt": _alternate_peers,
        "peers-tls-std": enterprise_only(_tls_peers),
        "peers-tls-alt": enterprise_only(_tls_alternate_peers),
        "alumni-clear-std": _clear_peers,
        "alumni-tls-std": enterprise_only(_tls_peers),
        "endpoints": _endpoints,
    }
)
