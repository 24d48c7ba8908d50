"""A node as batches see it."""

from __future__ import annotations

from typing import Protocol

from asd.fastpath.cache import FastPaths
from asd.state import NodeState


class BatchNode(NodeState, Protocol):
    """A node, and the fast paths of its requests and rows."""

    @property
    def paths(self) -> FastPaths:
        """The fast paths of the node."""
