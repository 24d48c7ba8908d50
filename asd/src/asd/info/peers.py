"""Where clients find this node and the others: addresses, peers, endpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.config.network import ANY
from asd.info.request import Handler, Request, constant, pairs

DEFAULT_PORT: Final = 3000
DEFAULT_TLS_PORT: Final = 4333
#: Changes with every change of the peers list; a node on its own has seen none.
PEERS_GENERATION: Final = 0

_WILDCARDS: Final = frozenset({ANY, "0.0.0.0", "::"})
_NO_PEERS: Final = f"{PEERS_GENERATION},{DEFAULT_PORT},[]"
_NO_TLS_PEERS: Final = f"{PEERS_GENERATION},{DEFAULT_TLS_PORT},[]"


def host_port(host: str, port: int) -> str:
    """`host:port`, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _published(request: Request) -> list[str]:
    """What clients are told to connect to."""
    service = request.node.config.network.service
    hosts = service.access_address or _hosts(request, request.node.addresses)
    return [host_port(host, service.access_port or request.node.port) for host in hosts]


def _hosts(request: Request, addresses: Sequence[str] | None) -> Sequence[str]:
    """The hosts of `addresses` (None = all). Of a node that listens on all of them, a client is
    told the one that it has reached: others may not lead here from where it is."""
    if addresses is None or not _WILDCARDS.isdisjoint(addresses):
        return (request.connection.local_host,)
    return addresses


def _admin(request: Request) -> str:
    """Where tools connect; empty without an admin port."""
    admin = request.node.admin
    if not admin.port:
        return ""
    return ",".join(host_port(host, admin.port) for host in _hosts(request, admin.addresses))


def _alternates(request: Request) -> list[str]:
    service = request.node.config.network.service
    port = service.alternate_access_port or service.access_port or request.node.port
    return [host_port(host, port) for host in service.alternate_access_address]


def _tls_only(value: str) -> Handler:
    """TLS belongs to the enterprise edition; there, a node without TLS has nothing to show."""

    def answer(request: Request) -> str:
        if request.node.community:
            raise OperationError(ResultCode.ENTERPRISE_ONLY, "enterprise only")
        return value

    return answer


def _tls(request: Request) -> str:
    """Where clients that speak TLS connect; empty without a TLS port."""
    _tls_only("")(request)
    service = request.node.config.network.service
    if not service.tls_port:
        return ""
    listening = service.tls_address or request.node.addresses
    hosts = service.tls_access_address or _hosts(request, listening)
    port = service.tls_access_port or service.tls_port
    return ",".join(host_port(host, port) for host in hosts)


def _tls_alternate(request: Request) -> str:
    """The alternate addresses for TLS."""
    _tls_only("")(request)
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
            ("service.addresses", ",".join(_hosts(request, request.node.addresses))),
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
        "services": constant(""),
        "services-alternate": constant(""),
        "services-alumni": constant(""),
        "services-alumni-reset": constant("ok"),
        "service-clear-std": lambda request: ",".join(_published(request)),
        "service-clear-alt": lambda request: ",".join(_alternates(request)),
        "service-tls-std": _tls,
        "service-tls-alt": _tls_alternate,
        "admin-clear-std": _admin,
        "admin-tls-std": _tls_only(""),
        "peers-generation": constant(str(PEERS_GENERATION)),
        "peers-clear-std": constant(_NO_PEERS),
        "peers-clear-alt": constant(_NO_PEERS),
        "peers-tls-std": _tls_only(_NO_TLS_PEERS),
        "peers-tls-alt": _tls_only(_NO_TLS_PEERS),
        "alumni-clear-std": constant(_NO_PEERS),
        "alumni-tls-std": _tls_only(_NO_TLS_PEERS),
        "endpoints": _endpoints,
    }
)
