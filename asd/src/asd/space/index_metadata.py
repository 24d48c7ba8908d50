"""Index definitions as system metadata: the same on every node, and there after a restart."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.sindex.definition import IndexDefinition
from asd.sindex.indexes import MAX_INDEXES
from asd.space.namespace_metadata import NamespaceMetadata
from cluster.smd import SmdItem

if TYPE_CHECKING:
    from asd.space.namespace import Namespace

log = logging.getLogger("asd.sindex")

MODULE: Final = "sindex"
"""The module of the metadata; `namespace|index name` to the definition."""


class IndexMetadata(NamespaceMetadata):
    """Creates and drops indexes by way of the metadata."""

    MODULE = MODULE

    def create(self, namespace: Namespace, definition: IndexDefinition) -> None:
        """Create or rename an index. Raises OperationError when it cannot be."""
        indexes = namespace.indexes
        indexes.check(definition)
        same = indexes.find_by_subject(definition)
        if same is not None and same.definition.name == definition.name:
            return
        # The new name first, and the index moves to it; then there is nothing left to drop.
        old_name = "" if same is None else same.definition.name
        self._set(namespace, definition.name, definition.to_text())
        if old_name:
            self._set(namespace, old_name, None)

    def create_elsewhere(self, namespace: str, definition: IndexDefinition) -> None:
        """Note an index of a namespace that this node does not have: others may.

        Raises OperationError when another index of that namespace has the name, or there are many.
        """
        key = f"{namespace}|{definition.name}"
        text = definition.to_text()
        noted = self._metadata.get(MODULE, key)
        if noted is not None and noted.value not in (None, text):
            raise OperationError(
                ResultCode.SINDEX_EXISTS, "'indexname' already exists with different definition"
            )
        if noted is None and self._count_elsewhere() >= MAX_INDEXES:
            raise OperationError(
                ResultCode.SINDEX_MAX_COUNT, f"over {MAX_INDEXES} indexes of unknown namespaces"
            )
        self._keep(key, text)

    def delete_elsewhere(self, namespace: str, name: str) -> None:
        """Forget what `create_elsewhere` noted."""
        key = f"{namespace}|{name}"
        if self._metadata.get(MODULE, key) is not None:
            self._keep(key, None)

    def _count_elsewhere(self) -> int:
        known = {namespace.name for namespace in self._namespaces.values()}
        items = self._metadata.items(MODULE).items()
        return sum(
            item.value is not None and key.partition("|")[0] not in known for key, item in items
        )

    def delete(self, namespace: Namespace, name: str) -> None:
        """Drop an index, if there is one of this name."""
        if namespace.indexes.find(name) is not None:
            self._set(namespace, name, None)

    def _set(self, namespace: Namespace, name: str, text: str | None) -> None:
        self._keep(f"{namespace.name}|{name}", text)

    def _apply(self, key: str, item: SmdItem) -> None:
        namespace_name, _, name = key.partition("|")
        namespace = self._namespace(namespace_name)
        if namespace is None:
            return
        if item.value is None:
            namespace.indexes.delete(name)
        else:
            try:
                namespace.indexes.create(IndexDefinition.from_text(name, item.value))
            except (OperationError, ValueError, KeyError) as error:
                log.warning("{%s} index %s cannot be had: %s", namespace.name, name, error)
        self._changed()
