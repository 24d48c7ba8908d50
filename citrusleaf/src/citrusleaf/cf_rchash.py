"""A hash table of reference-counted values: nothing is destroyed while somebody still uses it.

The table is one holder of each value, whoever got it is another. Deleting takes the value out of
the table at once; its destructor runs when the last holder lets go, exactly once.

>>> sessions = CfRchash[str, str](destructor=lambda name: print("closed", name))
>>> sessions.put("a", "session a")
>>> with sessions.get("a") as session:
...     _ = sessions.delete("a")
...     print("still using", session)
still using session a
closed session a
"""

from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack
from typing import Generic, Self, TypeVar

from citrusleaf.cf_alloc import CfRc
from citrusleaf.cf_bits import is_power_of_two
from citrusleaf.cf_hooks import Mutex, MutexFactory, new_mutex
from citrusleaf.cf_reduce import Verdict

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class CfRchash(Generic[K, V]):
    """A hash table of fixed buckets with a lock each, its values in `CfRc`; safe between threads.

    Destructors and callbacks run with no lock of the table held, so they may call it. As a context
    manager the table empties itself. O(1) means expected time.
    """

    __slots__ = ("_buckets", "_destructor", "_mask", "_mutex")

    def __init__(
        self,
        buckets: int = 64,
        *,
        destructor: Callable[[V], object] | None = None,
        mutex: MutexFactory = new_mutex,
    ) -> None:
        """An empty table. `buckets` is a power of two, else ValueError. `mutex`: see `cf_hooks`."""
        if not is_power_of_two(buckets):
            raise ValueError(f"buckets must be a power of two: {buckets}")
        self._buckets: tuple[tuple[Mutex, dict[K, CfRc[V]]], ...] = tuple(
            (mutex(), {}) for _ in range(buckets)
        )
        self._mask = buckets - 1
        self._destructor = destructor
        self._mutex = mutex

    def put(self, key: K, value: V) -> None:
        """Set the value of a key; the table lets go of the one it replaces. O(1)."""
        cell = CfRc(value, self._destructor, mutex=self._mutex)
        lock, cells = self._bucket(key)
        with lock:
            replaced = cells.get(key)
            cells[key] = cell
        if replaced is not None:
            replaced.release()

    def put_unique(self, key: K, value: V) -> bool:
        """Set the value of a key that has none; whether it was set. O(1).

        If it was not, the value stays the caller's: its destructor does not run.
        """
        lock, cells = self._bucket(key)
        with lock:
            if key in cells:
                return False
            cells[key] = CfRc(value, self._destructor, mutex=self._mutex)
            return True

    def get(self, key: K) -> CfRc[V]:
        """The value of a key, reserved for the caller, who releases it. O(1).

        KeyError if there is none. `with table.get(key) as value:` releases by itself.
        """
        lock, cells = self._bucket(key)
        with lock:
            return cells[key].reserve()

    def pop(self, key: K) -> CfRc[V]:
        """Take a value out; the table's hold on it becomes the caller's. O(1). KeyError if none."""
        lock, cells = self._bucket(key)
        with lock:
            return cells.pop(key)

    def delete(self, key: K) -> bool:
        """Take a value out and let go of it; whether there was one. O(1)."""
        lock, cells = self._bucket(key)
        with lock:
            cell = cells.pop(key, None)
        if cell is not None:
            cell.release()
        return cell is not None

    def reduce(self, visit: Callable[[K, V], Verdict | None]) -> int:
        """Show every entry to `visit` until it says stop; how many it deleted. O(n + buckets).

        Each value shown is held while its bucket is walked; entries put meanwhile may be missed.
        """
        deleted = 0
        for index in range(len(self._buckets)):
            # The stack releases every hold, whatever a callback or a destructor raises.
            with ExitStack() as holds:
                held = self._hold_bucket(index)
                for _, cell in held:
                    holds.enter_context(cell)
                for key, cell in held:
                    verdict = visit(key, cell.value)
                    if verdict is None:
                        continue
                    if verdict.deletes:
                        deleted += self._delete_cell(key, cell)
                    if verdict.stops:
                        return deleted
        return deleted

    def clear(self) -> None:
        """Take everything out and let go of it. O(n + buckets)."""
        for lock, cells in self._buckets:
            with ExitStack() as holds, lock:
                for cell in cells.values():
                    holds.callback(cell.release)  # after the lock is given back
                cells.clear()

    def size(self) -> int:
        """How many keys there are; exact when nobody is writing. O(buckets)."""
        return sum([len(cells) for _, cells in self._buckets])

    def __len__(self) -> int:
        """As `size`. O(buckets)."""
        return self.size()

    def __contains__(self, key: K) -> bool:
        """Whether a key has a value. O(1)."""
        lock, cells = self._bucket(key)
        with lock:
            return key in cells

    def __iter__(self) -> Iterator[K]:
        """The keys, each bucket as it is when reached. O(n + buckets)."""
        for lock, cells in self._buckets:
            with lock:
                keys = list(cells)
            yield from keys

    def __enter__(self) -> Self:
        """The table; leaving the block clears it."""
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.clear()

    def _bucket(self, key: K) -> tuple[Mutex, dict[K, CfRc[V]]]:
        return self._buckets[hash(key) & self._mask]

    def _hold_bucket(self, index: int) -> list[tuple[K, CfRc[V]]]:
        lock, cells = self._buckets[index]
        with lock:
            return [(key, cell.reserve()) for key, cell in cells.items()]

    def _delete_cell(self, key: K, cell: CfRc[V]) -> bool:
        """Take out this very cell; a value put under its key since it was shown stays."""
        lock, cells = self._bucket(key)
        with lock:
            if cells.get(key) is not cell:
                return False
            del cells[key]
        cell.release()
        return True

    def _check(self) -> None:
        """Assert that every key sits in its bucket and every value is still held."""
        for index, (lock, cells) in enumerate(self._buckets):
            with lock:
                for key, cell in cells.items():
                    assert hash(key) & self._mask == index
                    assert cell.count >= 1
                    cell._check()
