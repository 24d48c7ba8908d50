"""Clusters by hand for tests of the core."""

from __future__ import annotations

from aerospike_client.core.addresses import Address
from aerospike_client.core.nodes import Node
from aerospike_client.core.partitions import Announcement, PartitionTable
from aerospike_client.core.view import ClusterView

ALL = b"\xff" * 512
NONE = bytes(512)


def view_of(*names: str, regime: int = 0, **options: object) -> ClusterView:
    """Nodes that hold copies of all partitions of `test`, the first one as master."""
    view = ClusterView(**options)  # type: ignore[arg-type]  # a test's shorthand
    table = PartitionTable("test")
    for place, name in enumerate(names):
        node = Node(name, Address(name.lower(), 3000))
        view.nodes[name] = node
        bitmaps = tuple(ALL if place == column else NONE for column in range(len(names)))
        table.update(node, Announcement("test", regime, bitmaps))
    table._check()
    view.tables["test"] = table
    return view
