"""What goes to and fro between this node and the others: connections, pulses, bytes a second.

The fields are named as the `statistics` command names them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from cluster import Channel, ClusterNode, NodeRuntime
from cluster.fabric.link import PLANE as FABRIC
from cluster.membership.heartbeat import PLANE as HEARTBEAT

CHANNELS: Final = (
    ("bulk", (Channel.BULK,)),
    ("ctrl", (Channel.CONTROL,)),
    ("meta", (Channel.META,)),
    ("rw", (Channel.REPLICATION, Channel.LANE)),
)
"""The channels of `statistics`, and those of the fabric that they are."""

MEASURE_MS: Final = 1000
"""Rates are of this time at least."""


class Traffic(NamedTuple):
    """Connections of both directions, pulses since the start, rates in bytes a second."""

    heartbeat_connections: int = 0
    heartbeat_connections_opened: int = 0
    heartbeat_connections_closed: int = 0
    heartbeat_received_self: int = 0
    heartbeat_received_foreign: int = 0
    fabric_connections: int = 0
    fabric_connections_opened: int = 0
    fabric_connections_closed: int = 0
    fabric_bulk_send_rate: int = 0
    fabric_bulk_recv_rate: int = 0
    fabric_ctrl_send_rate: int = 0
    fabric_ctrl_recv_rate: int = 0
    fabric_meta_send_rate: int = 0
    fabric_meta_recv_rate: int = 0
    fabric_rw_send_rate: int = 0
    fabric_rw_recv_rate: int = 0


class TrafficMeter:
    """Measures one node. Rates are those since it was last asked, a second ago or more."""

    def __init__(self, node: ClusterNode) -> None:
        self._node = node
        self._at_ms = 0
        self._totals: dict[str, int] = {}
        self._rates: dict[str, int] = {}

    def read(self, runtime: NodeRuntime) -> Traffic:
        """How things are now."""
        heartbeats, heartbeats_opened = runtime.connections(HEARTBEAT)
        links, links_opened = runtime.connections(FABRIC)
        self._measure(runtime.now())
        heartbeat = self._node.heartbeat
        return Traffic(
            heartbeat_connections=heartbeats,
            heartbeat_connections_opened=heartbeats_opened,
            heartbeat_connections_closed=heartbeats_opened - heartbeats,
            heartbeat_received_self=heartbeat.received_self,
            heartbeat_received_foreign=heartbeat.received_foreign,
            fabric_connections=links,
            fabric_connections_opened=links_opened,
            fabric_connections_closed=links_opened - links,
            **self._rates,
        )

    def _measure(self, now_ms: int) -> None:
        """Two who ask one right after the other are to hear the same."""
        passed_ms = now_ms - self._at_ms
        if passed_ms < MEASURE_MS:
            return
        before, self._totals, self._at_ms = self._totals, self._count(), now_ms
        if before:
            self._rates = {
                name: 1000 * (total - before[name]) // passed_ms
                for name, total in self._totals.items()
            }

    def _count(self) -> dict[str, int]:
        fabric = self._node.fabric
        totals: dict[str, int] = {}
        for name, channels in CHANNELS:
            totals[f"fabric_{name}_send_rate"] = sum(fabric.bytes_sent[each] for each in channels)
            totals[f"fabric_{name}_recv_rate"] = sum(
                fabric.bytes_received[each] for each in channels
            )
        return totals
