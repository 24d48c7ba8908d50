"""A node as its service port sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from asd.batch.node import BatchNode
from asd.info.source import InfoNode
from asd.query.node import QueryNode

if TYPE_CHECKING:
    from asd.security.security import Security
    from asd.service.connections import Connections


class ServiceNode(BatchNode, QueryNode, InfoNode, Protocol):
    """A node with all that a message or an info request may be about."""

    @property
    def security(self) -> Security | None:
        """Access control; None: everybody may do everything."""

    @property
    def connections(self) -> Connections:
        """The client connections that are open."""
