"""A node as a whole, before it is one among others."""

from __future__ import annotations

import pytest

from citrusleaf import VirtualClock
from cluster.membership.heartbeat import Identity
from cluster.node import ClusterNode, NodeConfig


@pytest.mark.parametrize("plane", ["heartbeat", "fabric"])
def test_a_peer_may_dial_a_node_that_has_not_begun(plane: str) -> None:
    """It listens before it begins: the connection was accepted, and then failed inside."""
    node = ClusterNode(Identity(1, 1), NodeConfig(), VirtualClock())
    assert node.accepted(plane, 2, 0) == []
    assert node.lost(plane, 2, 0) == []
    node.tick(0)
    node.start(0)
    node._check()
