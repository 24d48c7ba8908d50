"""A node and its clients as batches see them."""

from __future__ import annotations

from typing import Protocol

from asd.fastpath.cache import FastPaths
from asd.state import Client, NodeState


class BatchNode(NodeState, Protocol):
    """A node, and the fast paths of its requests and rows."""

    @property
    def paths(self) -> FastPaths:
        """The fast paths of the node for those who may do everything."""


class BatchClient(Client, Protocol):
    """A connection, and the fast paths that it may use."""

    paths: FastPaths
    """Those of its rights."""
