"""What happened to records, and what must therefore be true of the copies.

- *Exact*: a record that was written under the cluster key that holds at rest is what the last such
  write made of it, on every replica, whatever migrated meanwhile, however clocks stepped, also if
  it was deleted plainly or made anew.
- *By the rule*: one that was not is what wins among the versions that the members brought along
  when they joined; nothing where nobody had any. (Where three versions are in a circle, one of
  them.)
- *Replicated*: when a client is told, every replica's disk has the version, or a later one.
- *Nothing lost*: of a record that is never deleted plainly, every version that a client was told of
  is on some disk, or one that follows from it: made from it, or winning over it, in any number of
  steps.

Nothing is forgotten before it is gone for good. A copy that is dropped is still on its disk for a
while, and a crash brings it back, with versions that all replicas have long replaced. By
last-update-time and with clocks that were set back, such a version may win over one that was made
from it, and what is made from it then follows from both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from cluster.messages import RecordRow
from cluster.metadata.smd import SmdItem
from cluster.partitions.config import NamespaceConfig
from cluster.records import REMOVAL, ConflictPolicy, wins
from cluster.simulation.checks import Violation
from cluster.simulation.store import partition_of

Copies = Iterable[Mapping[bytes, RecordRow]]
Place = tuple[str, bytes]
"""Namespace and digest."""


class Ledger:
    """Knows every version that was made, and which of them clients were told of."""

    def __init__(self, namespaces: Iterable[NamespaceConfig]) -> None:
        self.writes = 0
        self.changes = 0
        self.failed = 0
        self.items: dict[str, SmdItem] = {}
        self._policies = {config.name: config.policy for config in namespaces}
        self._made: dict[bytes, tuple[Place, RecordRow]] = {}
        self._from: dict[bytes, bytes] = {}
        self._versions: dict[Place, dict[bytes, RecordRow]] = {}
        self._told: dict[Place, set[bytes]] = {}
        self._last: dict[tuple[str, int], dict[bytes, RecordRow]] = {}
        self._brought: dict[tuple[str, int], list[dict[bytes, RecordRow]]] = {}
        self._loose: set[Place] = set()
        self._seen: set[bytes] = set()
        self._order: dict[bytes, int] = {}
        self._removed: dict[Place, int] = {}

    # --- what happens --------------------------------------------------------------------------

    def is_known(self, digest: bytes) -> bool:
        """Was a record of this digest ever made?"""
        return digest in self._seen

    def executed(
        self, namespace: str, cluster_key: int, row: RecordRow, base: RecordRow | None
    ) -> bytes:
        """A transaction was committed: the version's name, which is its client's answer."""
        place, name = (namespace, row[0]), namespace.encode() + b":" + row[6]
        self._seen.add(row[0])
        self._made[name] = place, row
        self._order[name] = len(self._order)
        if base is not None:
            self._from[name] = base[6]
        if row[5] & REMOVAL:
            self._loose.add(place)
            self._removed[place] = self._order[name]
        self._versions.setdefault(place, {})[row[6]] = row
        self._last.setdefault((namespace, cluster_key), {})[row[0]] = row
        return name

    def answered(self, name: bytes | None) -> None:
        """A client was told: of this version, of nothing done (b""), or that it failed (None)."""
        if name is None:
            self.failed += 1
        elif name:
            self.writes += 1
            place, row = self._made[name]
            self._told.setdefault(place, set()).add(row[6])

    def check_replica(self, name: bytes, disk: Mapping[bytes, RecordRow]) -> None:
        """A client is about to be told of a version: has this replica it? Raises Violation."""
        place, row = self._made[name]
        kept = disk.get(place[1])
        if kept is None:
            reached = self._removed.get(place, -1)
        else:
            reached = self._order[place[0].encode() + b":" + kept[6]]
        if reached < self._order[name]:
            raise Violation(f"{row} is acknowledged, and a replica's disk has {kept}")

    def joined(self, namespace: str, cluster_key: int, live: Mapping[bytes, RecordRow]) -> None:
        """A node joins a cluster with these records."""
        self._brought.setdefault((namespace, cluster_key), []).append(dict(live))

    def item_changed(self, key: str, item: SmdItem) -> None:
        """A client was told that an item of metadata is changed."""
        self.changes += 1
        if item.beats(self.items.get(key)):
            self.items[key] = item

    # --- what must be true ---------------------------------------------------------------------

    def check_nothing_lost(
        self, namespace: str, partition: int, disks: list[dict[bytes, RecordRow]]
    ) -> None:
        """Whatever clients were told of is on some disk, or what follows from it. Raises
        Violation."""
        for (name, digest), told in self._told.items():
            place = name, digest
            if name == namespace and partition_of(digest) == partition and place not in self._loose:
                kept = {disk[digest][6]: disk[digest] for disk in disks if digest in disk}
                for version in told:
                    if not self._is_followed(place, version, kept):
                        row = self._versions[place][version]
                        raise Violation(f"{namespace} {digest.hex()} is lost: {row}, left: {kept}")

    def _is_followed(self, place: Place, version: bytes, kept: dict[bytes, RecordRow]) -> bool:
        policy = self._policies[place[0]]
        known = {**self._versions.get(place, {}), **kept}
        reached, todo = {version}, [version]
        while todo:
            name = todo.pop()
            if name in kept:
                return True
            full_name = place[0].encode() + b":"
            for other, row in known.items():
                made_from = self._from.get(full_name + other) == name
                if other not in reached and (made_from or wins(row, known[name], policy)):
                    reached.add(other)
                    todo.append(other)
        return False

    def check_at_rest(
        self, namespace: str, cluster_key: int, partition: int, kept: Mapping[bytes, RecordRow]
    ) -> None:
        """`kept` is what the partition's replicas have. Raises Violation."""
        policy = self._policies[namespace]
        last = self._last.get((namespace, cluster_key), {})
        brought = self._brought.get((namespace, cluster_key), [])
        digests = {
            d for copy in (*brought, last, kept) for d in copy if partition_of(d) == partition
        }
        for digest in digests:
            row = kept.get(digest)
            if digest in last:
                made = last[digest]
                expected = [None if made[5] & REMOVAL else made]
                why = "was written in this cluster"
            else:
                found = list(
                    {copy[digest][6]: copy[digest] for copy in brought if digest in copy}.values()
                )
                expected = _winners(found, policy) or [None]
                why = "was brought along"
            if row not in expected:
                raise Violation(f"{namespace} {digest.hex()} is {row}, but {expected} {why}")

    def rest(
        self,
        namespace: str,
        cluster_key: int,
        kept: Mapping[bytes, RecordRow],
        may_come_back: Iterable[RecordRow],
    ) -> None:
        """Everything is checked: what clients were told before is what the replicas have.

        `may_come_back`: versions that a crash may bring back.
        """
        still: dict[bytes, dict[bytes, RecordRow]] = {}
        for old in may_come_back:
            still.setdefault(old[0], {})[old[6]] = old
        for place in [place for place in self._versions if place[0] == namespace]:
            row = kept.get(place[1])
            self._versions[place] = still.get(place[1], {})
            if row is not None:
                self._versions[place][row[6]] = row
            told = self._told.pop(place, set())
            if row is not None and row[6] in told:
                self._told[place] = {row[6]}
        for held in (self._brought, self._last):
            for key in [key for key in held if key[0] == namespace and key[1] != cluster_key]:
                held.pop(key)


def _winners(found: list[RecordRow], policy: ConflictPolicy) -> list[RecordRow | None]:
    """Those over which no other wins; all of them, where they are in a circle."""
    best: list[RecordRow | None] = [
        one for one in found if not any(wins(other, one, policy) for other in found)
    ]
    return best or list(found)
