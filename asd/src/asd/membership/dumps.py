"""What the parts of the cluster's machinery look like, as lines for the log.

The info commands `dump-cluster`, `dump-hb`, ... answer `ok`, and this is what they write. It is for
people who ask why nodes do not find or do not leave each other; nothing reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from attrs import frozen

from cluster import ClusterNode, Partitions, Transactions


@frozen
class Parts:
    """The machinery of one node."""

    node: ClusterNode
    partitions: Partitions
    transactions: Transactions
    now: int
    """The library's time, milliseconds."""


Dump = Callable[[Parts, bool], Iterator[str]]
"""The lines of a part; of everything in it, if the second argument says so."""


def _agreement(parts: Parts, verbose: bool) -> Iterator[str]:
    paxos, view = parts.node.paxos, parts.node.view
    wanted = " ".join(f"{node:X}" for node in paxos.desired())
    yield f"paxos {paxos.state.name.lower()}, nodes that could be one cluster: {wanted}"
    if view is None:
        yield "in no cluster yet"
        return
    shown = "whole" if paxos.has_integrity else "not whole"
    yield f"cluster {view.cluster_key:X} ({shown}), principal {view.principal:X}"
    for node, incarnation, _, quiesced in view.members:
        life = f", life {incarnation}" if verbose else ""
        yield f"member {node:X}{', quiesced' if quiesced else ''}{life}"


def _heartbeat(parts: Parts, verbose: bool) -> Iterator[str]:
    heartbeat = parts.node.heartbeat
    config = heartbeat.config
    yield (
        f"every {config.interval_ms} ms, gone after {config.timeout_intervals} missed;"
        f" {heartbeat.received_foreign} pulses of others, {heartbeat.received_self} of our own,"
        f" {heartbeat.ignored} of no use"
    )
    for peer in heartbeat.peers:
        pulse = peer.pulse
        host, port = pulse.heartbeat
        heard = f", hears {' '.join(f'{node:X}' for node in pulse.heard)}" if verbose else ""
        yield (
            f"peer {pulse.node:X} at {host}:{port} {peer.state.name.lower()},"
            f" heard {parts.now - peer.last_heard} ms ago{heard}"
        )
    if verbose:
        for host, port in heartbeat.mesh.hosts:
            yield f"dials {host}:{port}"


def _fabric(parts: Parts, verbose: bool) -> Iterator[str]:
    fabric = parts.node.fabric
    yield f"sent {sum(fabric.bytes_sent)} bytes, received {sum(fabric.bytes_received)}"
    for node in fabric.peers:
        links = fabric.links(node)
        queued = sum(link.queued_bytes for _, link in links)
        yield f"peer {node:X}: {len(links)} connections, {queued} bytes queued"
        if verbose:
            for channel, link in links:
                state, name = link.state.name.lower(), channel.name.lower()
                yield f"peer {node:X} {name}: {state}, {link.queued_bytes} bytes queued"


def _migrations(parts: Parts, verbose: bool) -> Iterator[str]:
    limits = parts.partitions.migrate
    yield f"at most {limits.threads} partitions sent at a time, {limits.max_incoming} received"
    for name, space in parts.partitions.spaces.items():
        yield (
            f"{{{name}}} {len(space.emigrations)} partitions on their way, {len(space.waiting)}"
            f" to be sent, {len(space.expects)} to come"
        )
        if verbose:
            for (partition, target), emigration in space.emigrations.items():
                state = emigration.state.name.lower()
                yield f"{{{name}}} {partition} to {target:X}: {state}"


def _skew(parts: Parts, verbose: bool) -> Iterator[str]:
    heartbeat = parts.node.heartbeat
    yield f"clocks of the cluster differ by {heartbeat.clock_skew_ms()} ms"
    for peer in heartbeat.peers:
        yield f"peer {peer.pulse.node:X}: its clock is {peer.skew_ms} ms ahead of ours"


def _transactions(parts: Parts, verbose: bool) -> Iterator[str]:
    transactions = parts.transactions
    yield (
        f"{transactions.lines} records with transactions in line,"
        f" {transactions.proxied} transactions with other nodes"
    )
    for name in parts.partitions.spaces:
        count = len(transactions.lane.unacknowledged(name))
        yield f"{{{name}}} {count} writes that not all replicas have acknowledged"


DUMPS: Final[Mapping[str, Dump]] = MappingProxyType(
    {
        "cluster": _agreement,
        "fabric": _fabric,
        "hb": _heartbeat,
        "migrates": _migrations,
        "rw": _transactions,
        "skew": _skew,
    }
)
"""The parts, by the names of the info commands."""
