"""Adapter: UDP multicast sockets for the heartbeat."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable

from cluster.runtime import Group, GroupProtocol, OpenGroup
from cluster.wire import Endpoint


def multicast_group(
    loop: asyncio.AbstractEventLoop, group: Endpoint, interface: str = "0.0.0.0", ttl: int = 1
) -> OpenGroup:
    """What `NodeRuntime` needs to join a group on the interface with the given address.

    Opening raises OSError where the machine has no multicast.
    """

    async def open_group(receive: Callable[[bytes], None]) -> Group:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(group)
            membership = struct.pack("4s4s", *map(socket.inet_aton, (group[0], interface)))
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
            sock.setblocking(False)
        except OSError:
            sock.close()
            raise
        transport, _ = await loop.create_datagram_endpoint(
            lambda: GroupProtocol(receive), sock=sock
        )
        return transport, group

    return open_group
