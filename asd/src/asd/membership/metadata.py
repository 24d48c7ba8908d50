"""System metadata as the rooms of `asd` change it: at once on a node alone, by way of the principal
in a cluster.

On a node alone a change is made, and kept, when `set` returns. In a cluster it is only *begun*
then: the principal makes it, all nodes keep it, and what they do about it happens where they hear
of it (`listen`), on the node that asked like on any other. Whoever must not answer before that (an
info command) takes the changes that were begun (`take_begun`) and waits for them.

Rejected: handlers that wait themselves. Each would have to be written twice, for a node alone and
for one in a cluster; so they begin changes, and one place waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from cluster import Smd, SmdItem
from cluster.metadata.smd import Items, Listener

Begun: TypeAlias = "asyncio.Future[bool]"
"""Done on every node; False: it is not known whether it is, or will be."""

Begin: TypeAlias = Callable[[str, str, str | None, int], Begun]
"""Begin a change in the cluster: module, key, value (None: it goes), time. Raises ValueError."""


class SystemMetadata:
    """The metadata of one node."""

    def __init__(self, smd: Smd) -> None:
        self.smd = smd
        self._begin: Begin | None = None
        self._begun: list[Begun] = []

    def join(self, begin: Begin) -> None:
        """Changes go by way of the cluster from now on."""
        self._begin = begin

    def items(self, module: str) -> Items:
        """As `Smd.items`."""
        return self.smd.items(module)

    def get(self, module: str, key: str) -> SmdItem | None:
        """As `Smd.get`."""
        return self.smd.get(module, key)

    @property
    def kept_bytes(self) -> int:
        """Bytes of all items, deleted ones included, about. O(items)."""
        modules = (self.smd.items(module) for module in self.smd.modules)
        return sum(
            len(key) + len(item.value or "") for items in modules for key, item in items.items()
        )

    def listen(self, module: str, listener: Listener) -> None:
        """As `Smd.listen`."""
        self.smd.listen(module, listener)

    def set(self, module: str, key: str, value: str | None, timestamp_ms: int) -> None:
        """Change, or with None delete, an item. ValueError as `Smd.set`."""
        if self._begin is None:
            self.smd.set(module, key, value, timestamp_ms)
        else:
            self._begun.append(self._begin(module, key, value, timestamp_ms))

    def delete(self, module: str, key: str, timestamp_ms: int) -> None:
        """Delete an item."""
        self.set(module, key, None, timestamp_ms)

    def take_begun(self) -> list[Begun]:
        """The changes begun since this was last asked that are not over yet, or have failed."""
        begun, self._begun = self._begun, []
        return [change for change in begun if not change.done() or not change.result()]
