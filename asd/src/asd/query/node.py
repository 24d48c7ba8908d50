"""A node as queries see it."""

from __future__ import annotations

from typing import Protocol

from asd.query.manager import QueryManager
from asd.state import NodeState


class QueryNode(NodeState, Protocol):
    """A node, and the queries that run on it."""

    @property
    def queries(self) -> QueryManager:
        """The queries, running and done."""
