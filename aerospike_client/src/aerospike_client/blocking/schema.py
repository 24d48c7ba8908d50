"""Indexes, functions, truncation and info commands, blocking."""

from __future__ import annotations

from typing import SupportsBytes

from aerospike_client.blocking.engine import Engine
from aerospike_client.blocking.task import Task
from aerospike_client.errors import ClientError
from aerospike_client.policies import InfoPolicy
from aerospike_client.queries import IndexType
from aerospike_client.scripts import functions, indexes, info, truncate
from aerospike_client.scripts.functions import Module
from aerospike_client.scripts.indexes import Index, IndexKind


class Schema:
    """The part of the client that deals with what stands around the records."""

    _engine: Engine

    def _info_timeout(self, policy: InfoPolicy | None) -> int:
        return (policy or self._engine.settings.policy.info).timeout

    # ------------------------------------------------------------------ info

    def info(
        self, command: str, *, node: str | None = None, policy: InfoPolicy | None = None
    ) -> str:
        """A node's answer to an info command: of the node called so, or of any.

        An error that the node reports comes back as its text: `ERROR:4:...`.
        """
        view = self._engine.view
        script = info.ask(info.named_node(view, node), command, self._info_timeout(policy))
        return self._engine.run(script)

    def info_all(
        self, command: str, *, policy: InfoPolicy | None = None
    ) -> dict[str, str | ClientError]:
        """All nodes' answers by their names; the error of one that did not answer."""
        return self._engine.run(
            info.ask_each(self._engine.view, command, self._info_timeout(policy))
        )

    # ------------------------------------------------------------------ truncation

    def truncate(
        self,
        namespace: str,
        set_name: str = "",
        *,
        before_ns: int = 0,
        policy: InfoPolicy | None = None,
    ) -> None:
        """Remove a set's records (a namespace's without one), fast and for good.

        `before_ns`: those last written before this Unix time in nanoseconds; 0 = all until now.
        """
        timeout_ms = self._info_timeout(policy)
        self._engine.run(
            truncate.truncate(self._engine.view, namespace, set_name, before_ns, timeout_ms)
        )

    # ------------------------------------------------------------------ indexes

    def create_index(
        self,
        name: str,
        namespace: str,
        set_name: str,
        bin_name: str,
        kind: IndexKind,
        *,
        index_type: IndexType = IndexType.DEFAULT,
        context: SupportsBytes | None = None,
        expression: SupportsBytes | None = None,
        policy: InfoPolicy | None = None,
    ) -> Task:
        """Index a bin's values of one kind; wait for the task before you rely on the index.

        `index_type`: the bin's value, or the elements of its list or map. `context`: where inside
        the bin. With `expression` (and an empty `bin_name`) its result is indexed. IndexExists
        when the name stands for another definition; the same one again is no error.
        """
        view, timeout_ms = self._engine.view, self._info_timeout(policy)
        index = Index(name, namespace, set_name, bin_name, kind, index_type, context, expression)
        self._engine.run(indexes.create(view, index, timeout_ms))
        return Task(
            self._engine,
            f"index {name!r}",
            lambda: indexes.is_ready(view, namespace, name, timeout_ms),
        )

    def drop_index(self, namespace: str, name: str, policy: InfoPolicy | None = None) -> Task:
        """Remove an index; nothing happens when there is none."""
        view, timeout_ms = self._engine.view, self._info_timeout(policy)
        self._engine.run(indexes.drop(view, namespace, name, timeout_ms))
        return Task(
            self._engine,
            f"the removal of index {name!r}",
            lambda: indexes.is_gone(view, namespace, name, timeout_ms),
        )

    def indexes(
        self, namespace: str | None = None, policy: InfoPolicy | None = None
    ) -> list[dict[str, str]]:
        """The indexes (of a namespace), with all that a node says of them."""
        timeout_ms = self._info_timeout(policy)
        return self._engine.run(indexes.listed(self._engine.view, namespace, timeout_ms))

    # ------------------------------------------------------------------ functions

    def udf_put(self, name: str, source: str | bytes, policy: InfoPolicy | None = None) -> Task:
        """Register a Lua file (`NAME.lua`); wait for the task before you call its functions.

        UdfFailed with file, line and message when it does not compile.
        """
        view, timeout_ms = self._engine.view, self._info_timeout(policy)
        self._engine.run(functions.put(view, name, source, timeout_ms))
        return Task(
            self._engine,
            f"module {name!r}",
            lambda: functions.is_everywhere(view, name, True, timeout_ms),
        )

    def udf_remove(self, name: str, policy: InfoPolicy | None = None) -> Task:
        """Remove a Lua file; nothing happens when there is none."""
        view, timeout_ms = self._engine.view, self._info_timeout(policy)
        self._engine.run(functions.remove(view, name, timeout_ms))
        return Task(
            self._engine,
            f"the removal of module {name!r}",
            lambda: functions.is_everywhere(view, name, False, timeout_ms),
        )

    def udf_list(self, policy: InfoPolicy | None = None) -> list[Module]:
        """The registered files."""
        return self._engine.run(functions.listed(self._engine.view, self._info_timeout(policy)))

    def udf_get(self, name: str, policy: InfoPolicy | None = None) -> bytes:
        """A registered file's content. UdfFailed when there is none."""
        timeout_ms = self._info_timeout(policy)
        return self._engine.run(functions.source_of(self._engine.view, name, timeout_ms))
