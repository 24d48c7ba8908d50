"""What namespaces have in common that is kept as system metadata."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar, Self

from attrs import define

from asd.membership.metadata import SystemMetadata
from citrusleaf.cf_clock import Clock
from cluster.smd import SmdItem

if TYPE_CHECKING:
    from asd.space.namespace import Namespace


@define(eq=False)
class NamespaceMetadata(ABC):
    """One module of the metadata, whose keys begin with the name of a namespace. What is changed
    goes into the metadata, and comes back from there, on every node."""

    MODULE: ClassVar[str]

    _metadata: SystemMetadata
    _namespaces: Mapping[bytes, Namespace]
    _clock: Clock
    _changed: Callable[[], None]
    """Is called when something of a namespace changes that fast paths rely on."""

    def start(self) -> Self:
        """Take up what is in the metadata, and what comes."""
        self._metadata.listen(self.MODULE, self._apply)
        return self

    @abstractmethod
    def _apply(self, key: str, item: SmdItem) -> None:
        """An item is as it is now."""

    def _namespace(self, name: str) -> Namespace | None:
        """The namespace of a name in a key, if this node has it."""
        return self._namespaces.get(name.encode("utf-8", "surrogateescape"))

    def _keep(self, key: str, text: str | None) -> None:
        """Have an item kept; None: it is there no more."""
        self._metadata.set(self.MODULE, key, text, self._clock.epoch_ms())
