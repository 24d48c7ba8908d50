"""From the configuration of a node to those of the cluster library's parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from asd.config import Config, NamespaceConfig
from asd.config.kinds import host_port
from asd.config.network import WILDCARDS, between_nodes
from asd.membership.state import Addresses
from cluster import (
    ConflictPolicy,
    Endpoint,
    FabricConfig,
    HeartbeatConfig,
    Identity,
    MigrateConfig,
    NodeConfig,
    PaxosConfig,
    Roster,
)
from cluster import NamespaceConfig as Spread

AT_A_TIME = 64
"""Partitions that one of `migrate-threads` has under way: most of what one takes is waiting for the
other node's answers."""
MOST_AT_A_TIME = 256
"""More than these would not be quicker, and the last of them would wait long for an answer."""


@frozen
class Settings:
    """All that a node's place in a cluster is made of."""

    identity: Identity
    parts: NodeConfig
    binds: Mapping[str, str | None]
    """Plane to the host to listen on; None: all of the machine's."""
    group: Endpoint | None = None
    """The multicast group; None in mesh mode."""
    interface: str = "0.0.0.0"
    """The address of the interface to use multicast on."""
    ttl: int = 1


def is_clustered(config: Config) -> bool:
    """Is this node's place a cluster, of itself alone perhaps? One without a heartbeat port looks
    for no others; but in strong consistency it goes by a roster all the same."""
    strong = any(each.strong_consistency for each in config.namespaces.values())
    return bool(between_nodes(config.network.heartbeat)[1]) or strong


def settings(config: Config, node: int, incarnation: int, host: str) -> Settings:
    """The settings of node `node` (64 bits) in its life `incarnation`.

    `host` is what others reach this machine by where the configuration names no address.
    """
    heartbeat, fabric = config.network.heartbeat, config.network.fabric
    multicast = heartbeat.mode == "multicast"
    heard_at, heard_port = between_nodes(heartbeat)
    reached_at, reached_port = between_nodes(fabric)
    identity = Identity(
        node=node,
        incarnation=incarnation,
        cluster_name=config.service.cluster_name,
        heartbeat=(_told(heard_at, host), heard_port),
        fabric=(_told(reached_at, host), reached_port),
    )
    return Settings(
        identity,
        parts(config),
        {"heartbeat": _bound(heard_at), "fabric": _bound(reached_at)},
        (heartbeat.multicast_group[0], heartbeat.port) if multicast else None,
        _bound(heartbeat.address) or "0.0.0.0",
        heartbeat.multicast_ttl or 1,
    )


def parts(config: Config) -> NodeConfig:
    """The times and sizes of the machinery."""
    heartbeat, fabric = config.network.heartbeat, config.network.fabric
    seeds = heartbeat.mesh_seed_address_port
    if heartbeat.tls_port:
        seeds = heartbeat.tls_mesh_seed_address_port
    connections = (
        *(fabric.channel_ctrl_fds, fabric.channel_meta_fds),
        *(fabric.channel_rw_fds, fabric.channel_bulk_fds, 1),
    )
    return NodeConfig(
        HeartbeatConfig(
            interval_ms=heartbeat.interval,
            timeout_intervals=heartbeat.timeout,
            seeds=tuple((seed.host, seed.port) for seed in seeds),
            multicast=heartbeat.mode == "multicast",
        ),
        PaxosConfig(
            interval_ms=heartbeat.interval,
            min_cluster_size=max(1, config.service.min_cluster_size),
            settling_intervals=heartbeat.timeout,
        ),
        FabricConfig(connections=connections),
    )


def _told(addresses: tuple[str, ...], host: str) -> str:
    return host if not WILDCARDS.isdisjoint(addresses) else addresses[0]


def _bound(addresses: tuple[str, ...]) -> str | None:
    return None if not WILDCARDS.isdisjoint(addresses) else addresses[0]


def policy(config: NamespaceConfig) -> ConflictPolicy:
    """Which of two versions of a record stays. In strong consistency the regime says so, which
    stands in the last-update-time."""
    if config.strong_consistency:
        return ConflictPolicy.LAST_UPDATE_TIME
    return ConflictPolicy(config.conflict_resolution_policy)


def spread(config: NamespaceConfig, community: bool, roster: Roster | None = None) -> Spread:
    """How a namespace is spread over the nodes."""
    return Spread(
        config.name,
        replication_factor=config.replication_factor,
        policy=policy(config),
        strong=config.strong_consistency,
        roster=roster,
        uniform=config.prefer_uniform_balance and not community,
        rack=config.rack_id,
        migrate_order=config.migrate_order,
        fills_at_once=config.ignore_migrate_fill_delay,
    )


def stop_writes_skew_s(config: Config) -> int:
    """From which difference of clocks on writes in strong consistency are refused: three quarters
    of 15 times what a cluster takes to change, which is 1.2 times the heartbeat's timeout."""
    heartbeat = config.network.heartbeat
    return heartbeat.interval * heartbeat.timeout * 27 // 2000


def migration(config: Config) -> MigrateConfig:
    """The limits of migration. They are a node's; the rest after a record is the longest that any
    namespace asks for."""
    sleeps = [own.migrate_sleep for own in config.namespaces.values()]
    return MigrateConfig(
        threads=min(AT_A_TIME * config.service.migrate_threads, MOST_AT_A_TIME),
        sleep_us=max(sleeps, default=0),
        max_incoming=min(AT_A_TIME * config.service.migrate_max_num_incoming, 2 * MOST_AT_A_TIME),
        fill_delay_ms=1000 * config.service.migrate_fill_delay,
    )


def published(config: Config, addresses: Sequence[str] | None, port: int, host: str) -> Addresses:
    """What other nodes tell clients of this one.

    `addresses` are those listened on (None: all); `host` stands for all of the machine's.
    """
    service = config.network.service
    hosts: Sequence[str] = service.access_address or addresses or (host,)
    alternate = service.alternate_access_port or service.access_port or port
    clear = _each(hosts if service.clear else (), service.access_port or port, host)
    alternates = service.alternate_access_address if service.clear else ()
    clear_alternate = _each(alternates, alternate, host)
    if not service.tls_port:
        return Addresses(clear, clear_alternate)
    hosts = service.tls_access_address or service.tls_address or addresses or (host,)
    alternate = service.tls_alternate_access_port or service.tls_access_port or service.tls_port
    return Addresses(
        clear,
        clear_alternate,
        _each(hosts, service.tls_access_port or service.tls_port, host),
        _each(service.tls_alternate_access_address, alternate, host),
        service.tls_name,
    )


def _each(hosts: Sequence[str], port: int, machine: str) -> tuple[str, ...]:
    """`host:port` of each; of all the machine's addresses the one that others reach it by."""
    if not WILDCARDS.isdisjoint(hosts):
        hosts = (machine,)
    return tuple(host_port(each, port) for each in hosts)
