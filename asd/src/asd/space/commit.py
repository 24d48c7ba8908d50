"""The one door into an engine.

Transactions decide, this commits. Whatever changes a record comes through here, and nothing else
in `asd` calls an engine's `put`, `overwrite`, `exchange` or `remove` (a tidy test sees to it). So
there is one place that keeps the secondary indexes exact and that tells the observers: those who
must know of every change (copies on other nodes, a partition on its way to one, other data
centers).

Four ways lead through the door, and they do the same:

`commit`         a `Change`: the general way. It knows the version that was there, which the indexes
                 need.
`adopt`          a version that another node has committed. Observers, who pass on what is committed
                 *here*, are not told.
`Doors`          the bound callables of a set's fast paths. Where nobody watches or observes, they
                 *are* the engine's own `overwrite` and `put`, and the door costs nothing. Whoever
                 begins to watch or observe has the fast paths made anew.
`remove_unread`, `remove_slots`
                 expiry, eviction and truncation: records that nobody has read and that may not be
                 in memory, taken from the indexes by their place. Every copy loses such records by
                 the same rule, so observers are not told.

What must hold:

- An engine that refuses has changed nothing, and then neither have the indexes nor the observers:
  the engine is asked first. (A removal cannot be refused; there the indexes go first, because they
  need the record's place.)
- Observers see the changes of a record in the order in which they were made. They must not raise,
  and must not change records.
- The callables of `Doors` do not know the old version. So a set that a secondary index watches has
  no `put`, and its `overwrite` is made of the engine's `exchange`, which gives it back.

Rejected: an engine that calls back (each would have to; the one on the hot path would pay for it),
and a journal of changes that observers read later (every write would pay for those that nobody
reads).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.records.change import Change
from asd.sindex import SecondaryIndexes
from asd.sindex.one_bin import LONGEST, one_bin
from citrusleaf.cf_digest import partition_id
from storage.engine import (
    Bulk,
    DeviceOverload,
    Engine,
    Exchanges,
    NotResident,
    OutOfSpace,
    Overwrites,
    Record,
    StorageError,
)

Overwrite: TypeAlias = Callable[[bytes, int, int, bytes, bytes], int]
"""`storage.engine.Overwrites.overwrite`."""

Put: TypeAlias = Callable[[bytes, int, int, int, int, int, bytes], None]
"""`storage.engine.Engine.put`."""

REFUSALS = (OutOfSpace, DeviceOverload, StorageError)
"""What an engine refuses a put with; nothing has changed then."""


def _code_of(error: OutOfSpace | DeviceOverload | StorageError) -> ResultCode:
    if isinstance(error, OutOfSpace):
        return ResultCode.OUT_OF_SPACE
    if isinstance(error, DeviceOverload):
        return ResultCode.DEVICE_OVERLOAD
    return ResultCode.SERVER_ERROR


class Observer(Protocol):
    """Somebody who must know of every change."""

    def __call__(self, digest: bytes, new: Record | None) -> None:
        """A record has this version now; None: it is gone and has left nothing."""


class Doors(NamedTuple):
    """The door for the fast paths of one set; each is None where there is no such short way.

    Both raise what the engine's own do; nothing has changed then.
    """

    overwrite: Overwrite | None
    put: Put | None


class Commit:
    """The door of one namespace. `set_names` are the names of the sets by number."""

    __slots__ = ("_engine", "_indexes", "_observers", "_set_names")

    def __init__(
        self, engine: Engine, indexes: SecondaryIndexes, set_names: Callable[[], Sequence[bytes]]
    ) -> None:
        self._engine = engine
        self._indexes = indexes
        self._set_names = set_names
        self._observers: tuple[Observer, ...] = ()

    @property
    def observers(self) -> tuple[Observer, ...]:
        """Those who are told of every change."""
        return self._observers

    def observe(self, observer: Observer) -> None:
        """Tell of every change from now on. Fast paths made before do not know of it."""
        assert observer not in self._observers
        self._observers = (*self._observers, observer)

    def forget(self, observer: Observer) -> None:
        """Tell no more."""
        self._observers = tuple(each for each in self._observers if each != observer)

    # --------------------------------------------------------------- the general way

    def commit(self, change: Change) -> None:
        """Do it. Raises OperationError: OUT_OF_SPACE, DEVICE_OVERLOAD, or SERVER_ERROR when the
        medium has failed; nothing is changed then."""
        self.adopt(*change)
        for observer in self._observers:
            observer(change.digest, change.new)

    def adopt(self, digest: bytes, old: Record | None, new: Record | None) -> None:
        """Have a record as another node has it. `old` is what was there; the indexes alone ask for
        it. Raises as `commit`."""
        if new is None:
            if old is not None and self._indexes.in_use:
                self._index(digest, old, None)
            self._engine.remove(digest)
        else:
            try:
                self._engine.put(digest, *new)
            except REFUSALS as error:
                raise OperationError(_code_of(error), str(error)) from error
            if self._indexes.in_use:
                self._index(digest, old, new)

    def _index(self, digest: bytes, old: Record | None, new: Record | None) -> None:
        """Keep the indexes exact; the record has its place in the primary index."""
        names = self._set_names()
        old_set = names[old[3]] if old else b""
        new_set = names[new[3]] if new else old_set
        self._indexes.changed(digest, old, old_set if old else new_set, new, new_set)

    # --------------------------------------------------------------- the fast ways

    def doors(self, set_name: bytes) -> Doors:
        """The door for fast paths that write records of this set, as things are now."""
        engine = self._engine
        if self._indexes.watching(set_name):
            return Doors(self._observed_overwrite(self._indexed_overwrite(set_name)), None)
        overwrite = engine.overwrite if isinstance(engine, Overwrites) else None
        return Doors(self._observed_overwrite(overwrite), self._observed_put(engine.put))

    def _indexed_overwrite(self, set_name: bytes) -> Overwrite | None:
        """An overwrite that keeps the set's indexes exact, if they are all of plain bins."""
        engine, indexed = self._engine, one_bin(self._indexes, set_name)
        if indexed is None or not isinstance(engine, Exchanges):
            return None
        exchange, exchanged = engine.exchange, indexed.exchanged

        def overwrite(
            digest: bytes, updated_ms: int, set_id: int, start: bytes, payload: bytes
        ) -> int:
            if len(payload) > LONGEST:
                return 0
            done = exchange(digest, updated_ms, set_id, start, payload)
            if done is None:
                return 0
            generation, slot, old = done
            if old != payload:
                exchanged(digest, slot, old, payload, len(start))
            return generation

        return overwrite

    def _observed_overwrite(self, inner: Overwrite | None) -> Overwrite | None:
        observers = self._observers
        if inner is None or not observers:
            return inner

        def overwrite(
            digest: bytes, updated_ms: int, set_id: int, start: bytes, payload: bytes
        ) -> int:
            generation = inner(digest, updated_ms, set_id, start, payload)
            if generation:
                for observer in observers:
                    observer(digest, (generation, 0, updated_ms, set_id, 0, payload))
            return generation

        return overwrite

    def _observed_put(self, inner: Put) -> Put:
        observers = self._observers
        if not observers:
            return inner

        def put(
            digest: bytes,
            generation: int,
            void_time: int,
            updated_ms: int,
            set_id: int,
            flags: int,
            payload: bytes,
        ) -> None:
            inner(digest, generation, void_time, updated_ms, set_id, flags, payload)
            for observer in observers:
                observer(digest, (generation, void_time, updated_ms, set_id, flags, payload))

        return put

    # --------------------------------------------------------------- what nobody reads

    def remove_unread(self, digest: bytes) -> bool:
        """Take out a record, wherever it is; True if there was one, live or expired."""
        engine = self._engine
        if self._indexes.in_use:
            try:
                old = engine.get(digest)
            except (NotResident, StorageError):  # its place in the index tells as much
                slots = (engine.index.find(digest),)
                self._indexes.removing_slots(partition_id(digest), slots)
            else:
                if old is not None:
                    self._index(digest, old, None)
        return engine.remove(digest)

    def remove_slots(self, partition: int, slots: Sequence[int]) -> int:
        """Take out the records at these slots of a partition; how many there were."""
        if not slots:
            return 0
        engine = self._engine
        self._indexes.removing_slots(partition, slots)
        if isinstance(engine, Bulk):
            return engine.remove_slots(partition, slots)
        return sum(engine.remove(digest) for digest in engine.index.digests_at(slots))
