"""The `network` context: where the node listens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
_ALONE = "nodes of this server talk in a way of their own, which has no use for it"
_NO_MORE_LOOPBACK = "only the addresses of the file are listened on, the loopback not besides"
_NO_FABRIC_THREADS = "one thread serves all connections to other nodes"


class Listener(Protocol):
    """A section that says where to listen, in the clear and by TLS."""

    @property
    def address(self) -> tuple[str, ...]: ...

    @property
    def port(self) -> int: ...

    @property
    def tls_address(self) -> tuple[str, ...]: ...

    @property
    def tls_port(self) -> int: ...

    @property
    def tls_name(self) -> str: ...


def between_nodes(section: Listener) -> tuple[tuple[str, ...], int]:
    """Addresses and port at which other nodes are awaited: by TLS, where that is configured."""
    if section.tls_port:
        return section.tls_address or section.address, section.tls_port
    return section.address, section.port


def _tls_port() -> int:
    port: int = integer(0, 0, 65535, enterprise=True, works=True, help="Port for TLS; 0 = none.")
    return port


def _tls_name(shown: bool = True) -> str:
    name: str = text(
        enterprise=True, works=True, shown=shown, help="The `tls` block that the TLS port uses."
    )
    return name


def _tls_address() -> tuple[str, ...]:
    address: tuple[str, ...] = texts(
        shown=False,
        enterprise=True,
        works=True,
        help="Addresses for TLS; none = those of `address`.",
    )
    return address


def _tls_authenticate_client(*default: str) -> tuple[str, ...]:
    usual = " (the default)"
    whose: tuple[str, ...] = texts(
        *default,
        shown=False,
        enterprise=True,
        works=True,
        help=f"Certificates that clients must have: `false`{usual if default else ''} = none, "
        f"`any`{'' if default else usual} = one that can be verified, names = one that besides has "
        "one of these.",
    )
    return whose


def _whose_conflict(whose: tuple[str, ...]) -> str:
    """`any` and `false` stand alone."""
    if len(whose) > 1 and {"any", "false"} & set(whose):
        return "tls-authenticate-client: 'any' and 'false' do not go with names"
    return ""


def _both(section: Listener) -> str:
    """Nodes talk in one way: with a port in the clear besides, whoever reaches it would join."""
    if section.port and section.tls_port:
        return "port and tls-port: nodes of a cluster talk in one way, give one of the two"
    return ""


@define(on_setattr=setters.frozen)
class NetworkServiceConfig(Section):
    """`network { service { } }`: where clients connect."""

    port: int = integer(
        3000,
        0,
        65535,
        works=True,
        help="Port for clients; 0 = any free one. None, where there is a `tls-port` and no `port`.",
    )
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
    tls_name: str = _tls_name()
    disable_localhost: bool = flag(
        help="Do not listen on the loopback as well.", here=True, why_not=_NO_MORE_LOOPBACK
    )
    tls_address: tuple[str, ...] = _tls_address()
    tls_access_address: tuple[str, ...] = texts(
        shown=False, enterprise=True, works=True, help="TLS addresses to publish."
    )
    tls_alternate_access_address: tuple[str, ...] = texts(
        shown=False, enterprise=True, works=True, help="Alternate TLS addresses to publish."
    )
    tls_authenticate_client: tuple[str, ...] = _tls_authenticate_client()
    free_port: bool = field(default=True, kw_only=True)
    """Does port 0 mean any free one? Not where a file gives a tls-port and no port."""

    @property
    def clear(self) -> bool:
        """Is there a port in the clear?"""
        return bool(self.port) or self.free_port

    def conflict(self) -> str:
        """Whose certificates are asked for."""
        return _whose_conflict(self.tls_authenticate_client)


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

    def conflict(self) -> str:
        """Whose certificates are asked for."""
        return _whose_conflict(self.tls_authenticate_client)


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
        works=True,
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
        if self.mode == "multicast" and self.tls_port:
            return "mode multicast knows no TLS; give mode mesh, or a port instead of the tls-port"
        if self.tls_port and self.mesh_seed_address_port:
            return "mesh-seed-address-port: with a tls-port nodes are tls-mesh-seed-address-port's"
        if self.tls_mesh_seed_address_port and not self.tls_port:
            return "tls-mesh-seed-address-port needs a tls-port"
        return _both(self)


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

    def conflict(self) -> str:
        """One way for all."""
        return _both(self)


@define(on_setattr=setters.frozen)
class HttpConfig(Section):
    """`network { http { } }`: a page for people and figures for Prometheus."""

    port: int = integer(
        0, 0, 65535, works=True, shown=False, help="Port of the page and of `/metrics`; 0 = none."
    )
    address: tuple[str, ...] = texts(
        "127.0.0.1", works=True, shown=False, help="Addresses to listen on; `any` = all."
    )
    tls_port: int = integer(
        0, 0, 65535, enterprise=True, works=True, shown=False, help="Port for TLS; 0 = none."
    )
    tls_name: str = _tls_name(shown=False)
    tls_address: tuple[str, ...] = _tls_address()
    tls_authenticate_client: tuple[str, ...] = _tls_authenticate_client("false")

    def conflict(self) -> str:
        """Whose certificates are asked for."""
        return _whose_conflict(self.tls_authenticate_client)


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
        if between_nodes(self.heartbeat)[1] and not between_nodes(self.fabric)[1]:
            return "heartbeat has a port and fabric has none; nodes of a cluster need both"
        for (one, at, port), (other, there, same) in combinations(self._listeners(), 2):
            shared = ANY in (*at, *there) or not set(at).isdisjoint(there)
            if port == same and shared:
                if one == other:
                    return f"port {port} of {one} is both with TLS and without"
                return f"port {port} is given to both {one} and {other}"
        for name, section in self._sections().items():
            if problem := self._tls_conflict(name, section):
                return problem
        return ""

    def _sections(self) -> dict[str, Listener]:
        return {
            "service": self.service,
            "admin": self.admin,
            "heartbeat": self.heartbeat,
            "fabric": self.fabric,
            "http": self.http,
        }

    def _listeners(self) -> Iterator[tuple[str, tuple[str, ...], int]]:
        """Section, addresses and port of all that is listened on by TCP."""
        for name, section in self._sections().items():
            if name == "heartbeat" and self.heartbeat.mode == "multicast":
                continue  # that is UDP, whose ports are others
            if section.port:
                yield name, section.address, section.port
            if section.tls_port:
                yield name, section.tls_address or section.address, section.tls_port

    def _tls_conflict(self, name: str, section: Listener) -> str:
        if not section.tls_port:
            return f"tls-name of {name} needs a tls-port" if section.tls_name else ""
        if not section.tls_name:
            return f"tls-port of {name} needs a tls-name"
        tls = self.tls.get(section.tls_name)
        if tls is None:
            return f"tls-name '{section.tls_name}' of {name}: there is no such tls block"
        whose = getattr(section, "tls_authenticate_client", ())
        return tls.missing(ask_clients=asks_clients(whose))

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
