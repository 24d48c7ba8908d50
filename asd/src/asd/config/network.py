"""The `network` context: where the node listens."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from types import MappingProxyType
from typing import Protocol

from attrs import define, field, setters

from asd.config.errors import InvalidParameterError
from asd.config.kinds import I32_MAX, Endpoint, Endpoints, MulticastGroups
from asd.config.parameters import Section, choice, flag, integer, text, texts, value
from asd.config.tls import TlsConfig, asks_clients

ANY = "any"
WILDCARDS = frozenset({ANY, "0.0.0.0", "::"})
"""Addresses that stand for all of the machine's."""
NO_TLS = "this server has no TLS here, and does not serve in the clear what is to be encrypted"
_ALONE = "nodes of this server talk in a way of their own, which has no use for it"
_NO_MORE_LOOPBACK = "only the addresses of the file are listened on, the loopback not besides"
_NO_FABRIC_THREADS = "one thread serves all connections to other nodes"


class Listener(Protocol):
    """A section that says where to listen."""

    @property
    def address(self) -> tuple[str, ...]: ...

    @property
    def port(self) -> int: ...


def _tls_port() -> int:
    port: int = integer(0, 0, 65535, enterprise=True, refused=NO_TLS, help="TLS port; 0 = none.")
    return port


def _tls_name() -> str:
    name: str = text(
        enterprise=True, refused=NO_TLS, help="Certificate's name for TLS connections."
    )
    return name


def _tls_address() -> tuple[str, ...]:
    address: tuple[str, ...] = texts(
        shown=False, enterprise=True, refused=NO_TLS, help="Addresses for TLS."
    )
    return address


def _tls_authenticate_client() -> tuple[str, ...]:
    whose: tuple[str, ...] = texts(
        shown=False, enterprise=True, refused=NO_TLS, help="Whose certificates are asked for."
    )
    return whose


@define(on_setattr=setters.frozen)
class NetworkServiceConfig(Section):
    """`network { service { } }`: where clients connect."""

    port: int = integer(3000, 0, 65535, works=True, help="Port for clients; 0 = any free one.")
    address: tuple[str, ...] = texts(ANY, works=True, help="Addresses to listen on; `any` = all.")
    access_port: int = integer(
        0, 0, 65535, works=True, help="Port to publish; 0 = the port listened on."
    )
    access_address: tuple[str, ...] = texts(
        works=True, help="Addresses to publish instead of those listened on."
    )
    alternate_access_port: int = integer(
        0, 0, 65535, works=True, help="Second port to publish; 0 = the first."
    )
    alternate_access_address: tuple[str, ...] = texts(
        works=True, shown=False, help="Addresses to publish to clients that ask for alternate ones."
    )
    tls_port: int = integer(
        0, 0, 65535, enterprise=True, works=True, help="Port for clients by TLS; 0 = none."
    )
    tls_access_port: int = integer(
        0, 0, 65535, enterprise=True, works=True, help="TLS port to publish; 0 = that listened on."
    )
    tls_alternate_access_port: int = integer(
        0, 0, 65535, enterprise=True, works=True, help="Second TLS port to publish; 0 = the first."
    )
    tls_name: str = text(
        enterprise=True, works=True, help="The `tls` block that the TLS port uses."
    )
    disable_localhost: bool = flag(
        help="Do not listen on the loopback as well.", here=True, why_not=_NO_MORE_LOOPBACK
    )
    tls_address: tuple[str, ...] = texts(
        shown=False,
        enterprise=True,
        works=True,
        help="Addresses for TLS; none = those of `address`.",
    )
    tls_access_address: tuple[str, ...] = texts(
        shown=False, enterprise=True, works=True, help="TLS addresses to publish."
    )
    tls_alternate_access_address: tuple[str, ...] = texts(
        shown=False, enterprise=True, works=True, help="Alternate TLS addresses to publish."
    )
    tls_authenticate_client: tuple[str, ...] = texts(
        shown=False,
        enterprise=True,
        works=True,
        help="Certificates that clients must have: `false` = none, `any` (the default) = one that "
        "can be verified, names = one that besides has one of these.",
    )

    def conflict(self) -> str:
        """`any` and `false` stand alone; a TLS port has a name."""
        whose = self.tls_authenticate_client
        if len(whose) > 1 and {"any", "false"} & set(whose):
            return "tls-authenticate-client: 'any' and 'false' do not go with names"
        return "tls-port needs a tls-name" if self.tls_port and not self.tls_name else ""


@define(on_setattr=setters.frozen)
class AdminConfig(Section):
    """`network { admin { } }`: a port of its own for tools."""

    port: int = integer(0, 0, 65535, works=True, help="Port for tools; 0 = none.")
    address: tuple[str, ...] = texts(ANY, works=True, help="Addresses of the port for tools.")
    tls_port: int = _tls_port()
    tls_name: str = _tls_name()
    disable_localhost: bool = flag(
        help="Do not listen on the loopback as well.", here=True, why_not=_NO_MORE_LOOPBACK
    )
    tls_address: tuple[str, ...] = _tls_address()
    tls_authenticate_client: tuple[str, ...] = _tls_authenticate_client()


@define(on_setattr=setters.frozen)
class HeartbeatConfig(Section):
    """`network { heartbeat { } }`: how nodes notice each other."""

    mode: str = choice("mesh", "multicast", help="By a list of seeds, or by multicast.", works=True)
    address: tuple[str, ...] = texts(ANY, help="Addresses for heartbeats.", works=True)
    port: int = integer(0, 0, 65535, help="Port for heartbeats; 0 = a node on its own.", works=True)
    tls_port: int = _tls_port()
    tls_name: str = _tls_name()
    mesh_seed_address_port: tuple[Endpoint, ...] = value(
        Endpoints(),
        (),
        shown=False,
        help="Address and port of a node to begin with; may be repeated.",
        works=True,
    )
    multicast_group: tuple[str, ...] = value(
        MulticastGroups(), (), shown=False, help="Multicast groups.", works=True
    )
    multicast_ttl: int = integer(
        0, 0, 255, shown=False, help="Hops a multicast heartbeat may take.", works=True
    )
    tls_address: tuple[str, ...] = _tls_address()
    tls_mesh_seed_address_port: tuple[Endpoint, ...] = value(
        Endpoints(),
        (),
        shown=False,
        enterprise=True,
        refused=NO_TLS,
        help="TLS address and port of a node to begin with; may be repeated.",
    )
    interval: int = integer(
        150,
        50,
        600_000,
        dynamic=True,
        help="Milliseconds between heartbeats.",
        works=True,
    )
    timeout: int = integer(
        10,
        3,
        dynamic=True,
        help="Missed heartbeats after which a node is gone.",
        works=True,
    )
    connect_timeout_ms: int = integer(
        500, 50, dynamic=True, help="Time limit of a connection to a seed.", why_not=_ALONE
    )
    mtu: int = integer(
        0, dynamic=True, help="Largest multicast packet; 0 = the interface's.", why_not=_ALONE
    )
    protocol: str = choice("v3", "none", dynamic=True, help="Protocol version.", why_not=_ALONE)

    def conflict(self) -> str:
        """A node hears of the others in one way."""
        if self.mode == "multicast" and not self.multicast_group:
            return "mode multicast needs a multicast-group"
        if self.mode == "multicast" and self.mesh_seed_address_port:
            return "mode multicast knows no mesh-seed-address-port; seeds are for mode mesh"
        if self.mode == "mesh" and self.multicast_group:
            return "mode mesh knows no multicast-group; groups are for mode multicast"
        return ""


@define(on_setattr=setters.frozen)
class FabricConfig(Section):
    """`network { fabric { } }`: the connections between nodes."""

    address: tuple[str, ...] = texts(ANY, help="Addresses for the fabric.", works=True)
    tls_port: int = _tls_port()
    tls_name: str = _tls_name()
    channel_bulk_fds: int = integer(2, 1, 128, help="Connections for bulk messages.", works=True)
    channel_bulk_recv_threads: int = integer(
        4,
        1,
        128,
        dynamic=True,
        help="Threads that receive bulk messages.",
        why_not=_NO_FABRIC_THREADS,
    )
    channel_ctrl_fds: int = integer(1, 1, 128, help="Connections for control messages.", works=True)
    channel_ctrl_recv_threads: int = integer(
        4,
        1,
        128,
        dynamic=True,
        help="Threads that receive control messages.",
        why_not=_NO_FABRIC_THREADS,
    )
    channel_meta_fds: int = integer(
        1, 1, 128, help="Connections for metadata messages.", works=True
    )
    channel_meta_recv_threads: int = integer(
        4,
        1,
        128,
        dynamic=True,
        help="Threads that receive metadata messages.",
        why_not=_NO_FABRIC_THREADS,
    )
    channel_rw_fds: int = integer(8, 1, 128, help="Connections for replica messages.", works=True)
    channel_rw_recv_pools: int = integer(
        1, 1, 16, help="Pools of threads that receive replica messages.", why_not=_NO_FABRIC_THREADS
    )
    channel_rw_recv_threads: int = integer(
        16,
        1,
        128,
        dynamic=True,
        help="Threads that receive replica messages.",
        why_not=_NO_FABRIC_THREADS,
    )
    keepalive_enabled: bool = flag(
        True, help="TCP keep-alive on fabric connections.", why_not=_ALONE
    )
    keepalive_intvl: int = integer(
        1, 1, I32_MAX, help="Seconds between keep-alive probes.", why_not=_ALONE
    )
    keepalive_probes: int = integer(
        10, 1, I32_MAX, help="Lost probes after which a connection is dead.", why_not=_ALONE
    )
    keepalive_time: int = integer(
        1, 1, I32_MAX, help="Idle seconds before the first probe.", why_not=_ALONE
    )
    latency_max_ms: int = integer(
        5, 0, 1000, help="Expected one-way delay between nodes.", why_not=_ALONE
    )
    port: int = integer(0, 0, 65535, help="Port for the fabric; 0 = a node on its own.", works=True)
    recv_rearm_threshold: int = integer(
        1024,
        0,
        1 << 20,
        dynamic=True,
        help="Bytes after which a reader yields.",
        why_not=_NO_FABRIC_THREADS,
    )
    send_threads: int = integer(
        8, 1, 128, help="Threads that send fabric messages.", why_not=_NO_FABRIC_THREADS
    )
    tls_address: tuple[str, ...] = _tls_address()


@define(on_setattr=setters.frozen)
class HttpConfig(Section):
    """`network { http { } }`: a page for people and figures for Prometheus."""

    port: int = integer(
        0, 0, 65535, works=True, shown=False, help="Port of the page and of `/metrics`; 0 = none."
    )
    address: tuple[str, ...] = texts(
        "127.0.0.1", works=True, shown=False, help="Addresses to listen on; `any` = all."
    )


@define(on_setattr=setters.frozen)
class NetworkConfig(Section):
    """The `network` context."""

    service: NetworkServiceConfig = field(factory=NetworkServiceConfig, kw_only=True)
    admin: AdminConfig = field(factory=AdminConfig, kw_only=True)
    heartbeat: HeartbeatConfig = field(factory=HeartbeatConfig, kw_only=True)
    fabric: FabricConfig = field(factory=FabricConfig, kw_only=True)
    http: HttpConfig = field(factory=HttpConfig, kw_only=True)
    tls: Mapping[str, TlsConfig] = field(factory=lambda: MappingProxyType({}), kw_only=True)
    """The `tls` blocks by name."""

    def conflict(self) -> str:
        """Who hears of other nodes must be able to talk to them; no port is had twice."""
        if self.heartbeat.port and not self.fabric.port:
            return "heartbeat has a port and fabric has none; nodes of a cluster need both"
        listeners: dict[str, Listener] = {
            "service": self.service,
            "admin": self.admin,
            "fabric": self.fabric,
            "http": self.http,
        }
        if self.heartbeat.mode == "mesh":  # multicast is UDP, whose ports are others
            listeners["heartbeat"] = self.heartbeat
        for (one, a), (other, b) in combinations(listeners.items(), 2):
            shared = ANY in (*a.address, *b.address) or not set(a.address).isdisjoint(b.address)
            if a.port and a.port == b.port and shared:
                return f"port {a.port} is given to both {one} and {other}"
        return self._tls_conflict()

    def _tls_conflict(self) -> str:
        service = self.service
        if not service.tls_port:
            return ""
        if service.tls_port == service.port:
            return f"port {service.port} of service is both with TLS and without"
        tls = self.tls.get(service.tls_name)
        if tls is None:
            return f"tls-name '{service.tls_name}' of service: there is no such tls block"
        return tls.missing(ask_clients=asks_clients(service.tls_authenticate_client))

    def rows(self, prefix: str = "", community: bool = False) -> list[tuple[str, str]]:
        """(name, text) of every parameter, each under its block's name and a dot."""
        return [
            *self.service.rows(prefix + "service."),
            *self.admin.rows(prefix + "admin."),
            *self.heartbeat.rows(prefix + "heartbeat."),
            *self.fabric.rows(prefix + "fabric."),
            *self.http.rows(prefix + "http."),
        ]

    def set(self, name: str, text: str, community: bool = False) -> None:
        """Change a dynamic parameter, named `block.parameter`."""
        block, _, parameter = name.partition(".")
        sections: dict[str, Section] = {"heartbeat": self.heartbeat, "fabric": self.fabric}
        if block not in sections:
            raise InvalidParameterError(f"'{name}' is not a dynamic parameter")
        sections[block].set(parameter, text, community)
