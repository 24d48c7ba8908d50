"""System metadata: small keyed maps that every node of a cluster keeps alike and across restarts.

A `Smd` holds modules ("sindex", "UDF", "truncate", ...), each a map from text to text with a
generation and a timestamp for every item. On a node of its own it is a persisted map. In a cluster
`cluster.metadata.sync` carries the changes through the principal and merges what differs after a
split.

>>> smd = Smd(MemoryStore(), ["sindex"])
>>> smd.set("sindex", "by_age", "test|age|N", timestamp_ms=5).generation
1
>>> smd.get("sindex", "by_age").value
'test|age|N'
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from attrs import frozen

MAX_VALUE_BYTES = 1 << 20
"""What one item may take: larger things belong into the store, with their name in an item."""


@frozen
class SmdItem:
    """A value with its version. `value` is None for a deleted item, which is kept so that a merge
    does not bring it back."""

    generation: int
    timestamp_ms: int
    value: str | None

    def beats(self, other: SmdItem | None) -> bool:
        """Does this item replace the other in a merge? Every node answers alike."""
        return other is None or self._rank() > other._rank()

    def _rank(self) -> tuple[int, int, bool, str]:
        return self.generation, self.timestamp_ms, self.value is None, self.value or ""


Items = Mapping[str, SmdItem]
Rule = Callable[[SmdItem, SmdItem], SmdItem]
"""Chooses between two versions of one key; must not depend on the order of its arguments."""

Listener = Callable[[str, SmdItem], None]
"""Told the key and the new item of each change, deletions included."""


def newest(one: SmdItem, other: SmdItem) -> SmdItem:
    """The rule of most modules: higher generation, then later timestamp, then the deletion."""
    return one if one.beats(other) else other


def latest(one: SmdItem, other: SmdItem) -> SmdItem:
    """The rule where generations say little: later timestamp first (truncation thresholds)."""
    if one.timestamp_ms != other.timestamp_ms:
        return one if one.timestamp_ms > other.timestamp_ms else other
    return newest(one, other)


class SmdStore(ABC):
    """Where modules rest between restarts. Bytes of a module are replaced whole or not at all."""

    @abstractmethod
    def load(self, module: str) -> bytes | None:
        """What was last saved, or None. Raises OSError."""

    @abstractmethod
    def save(self, module: str, data: bytes) -> None:
        """Replace the module's bytes; durable on return. Raises OSError."""


class MemoryStore(SmdStore):
    """A store for tests and for nodes that keep nothing: it lives as long as the object."""

    def __init__(self) -> None:
        self._saved: dict[str, bytes] = {}

    def load(self, module: str) -> bytes | None:
        """What was last saved, or None."""
        return self._saved.get(module)

    def save(self, module: str, data: bytes) -> None:
        """Keep the bytes."""
        self._saved[module] = data


class SmdCorrupt(Exception):
    """A store's bytes are not a module."""


class Smd:
    """The modules of one node. Every change is in the store before a listener hears of it."""

    def __init__(
        self,
        store: SmdStore,
        modules: Iterable[str],
        rules: Mapping[str, Rule] = MappingProxyType({}),
    ) -> None:
        """Load the named modules. `rules` gives the merge rule of those that do not take `newest`.

        Raises SmdCorrupt, OSError.
        """
        self._store = store
        self._rules = dict(rules)
        self._modules = {name: _decode(name, store.load(name)) for name in modules}
        self._listeners: dict[str, list[Listener]] = {name: [] for name in self._modules}
        self._check()

    @property
    def modules(self) -> tuple[str, ...]:
        """Names of the modules, in the order given."""
        return tuple(self._modules)

    def items(self, module: str) -> Items:
        """All items of a module, deleted ones included. KeyError for a module not named. O(1)."""
        return MappingProxyType(self._modules[module])

    def get(self, module: str, key: str) -> SmdItem | None:
        """The item, or None when it is absent or deleted. O(1)."""
        item = self._modules[module].get(key)
        return item if item is not None and item.value is not None else None

    def listen(self, module: str, listener: Listener) -> None:
        """Hear of every item that is there, now, and of every change from now on."""
        for key, item in self._modules[module].items():
            if item.value is not None:
                listener(key, item)
        self._listeners[module].append(listener)

    def set(self, module: str, key: str, value: str | None, timestamp_ms: int) -> SmdItem:
        """Set, or with None delete, an item: the next generation. Durable on return.

        On a node alone this is the whole of a change; in a cluster the principal calls it, and what
        it returns is what all others `accept`. ValueError for a value over `MAX_VALUE_BYTES`.
        """
        item = self.next_item(module, key, value, timestamp_ms)
        self.accept(module, {key: item})
        return item

    def delete(self, module: str, key: str, timestamp_ms: int) -> SmdItem:
        """Delete an item; its version stays, so that a merge does not bring it back."""
        return self.set(module, key, None, timestamp_ms)

    def next_item(self, module: str, key: str, value: str | None, timestamp_ms: int) -> SmdItem:
        """The item that a change now would produce, without making the change."""
        if value is not None and len(value.encode()) > MAX_VALUE_BYTES:
            raise ValueError(f"an item of {module} may take {MAX_VALUE_BYTES} bytes")
        before = self._modules[module].get(key)
        if before is None:
            return SmdItem(1, timestamp_ms, value)
        # Later than what it replaces, whatever the clocks say: it must win by every rule.
        later_ms = max(timestamp_ms, before.timestamp_ms + 1)
        return SmdItem(before.generation + 1, later_ms, value)

    def accept(self, module: str, items: Items) -> list[str]:
        """Take over those items that win against one's own; their keys. Durable on return."""
        mine = self._modules[module]
        won = {key: item for key, item in items.items() if self._wins(module, key, item)}
        if won:
            self._store.save(module, _encode({**mine, **won}))
            mine.update(won)
            for listener in self._listeners[module]:
                for key, item in won.items():
                    listener(key, item)
        return list(won)

    def _wins(self, module: str, key: str, item: SmdItem) -> bool:
        mine = self._modules[module].get(key)
        return mine is None or (item != mine and self.rule(module)(mine, item) == item)

    def rule(self, module: str) -> Rule:
        """The module's merge rule."""
        return self._rules.get(module, newest)

    def merge(self, module: str, copies: Iterable[Items]) -> dict[str, SmdItem]:
        """What several nodes' copies of a module come to by its rule; nothing is changed here."""
        merged: dict[str, SmdItem] = {}
        rule = self.rule(module)
        for copy in copies:
            for key, item in copy.items():
                merged[key] = rule(merged[key], item) if key in merged else item
        return merged

    def _check(self) -> None:
        assert set(self._rules) <= set(self._modules), "a rule for a module that is not kept"
        for items in self._modules.values():
            for item in items.values():
                assert item.generation >= 1


def _encode(items: Items) -> bytes:
    """JSON that an operator can read: one item a line, sorted by key."""
    lines = [
        json.dumps([key, item.value, item.generation, item.timestamp_ms])
        for key, item in sorted(items.items())
    ]
    return ("[\n" + ",\n".join(lines) + "\n]\n").encode()


def _decode(module: str, data: bytes | None) -> dict[str, SmdItem]:
    if data is None:
        return {}
    try:
        return {
            str(key): SmdItem(int(generation), int(timestamp), value)
            for key, value, generation, timestamp in json.loads(data)
        }
    except (ValueError, TypeError) as error:
        raise SmdCorrupt(f"module {module}: {error}") from error
