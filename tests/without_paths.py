"""Paths that are never made: every request takes the general way."""

from __future__ import annotations

from typing import Any

from asd.fastpath.cache import FastPaths
from asd.fastpath.rows import RowPaths
from asd.fastpath.shipped import ShippedWrites


class NoShippedWrites(ShippedWrites):
    """Learns nothing."""

    def learn(self, body: bytes, reply: bytes) -> None:
        """Nothing is made."""


class NoRowPaths(RowPaths):
    """Learns nothing."""

    def find(self, head: bytes) -> None:
        return None

    def learn(self, head: bytes, namespace: Any, message: Any) -> None:
        return None


class NoPaths(FastPaths):
    """Learns nothing: every request takes the general way."""

    def __init__(self, node: Any) -> None:
        super().__init__(node)
        self.rows = NoRowPaths(node)
        self.shipped = NoShippedWrites(node)

    def wants(self, head: bytes, body: bytes) -> bool:
        return False
