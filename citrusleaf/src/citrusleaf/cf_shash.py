"""A hash table between threads: a fixed number of buckets, each with a lock of its own.

Threads that work on different buckets do not wait for one another, and a bucket stays locked while
a callback changes a value in it, so read-modify-write needs no lock outside.

Where one thread runs at a time (CPython's global lock) it is not faster than a dict behind one
lock, and cannot be: an operation hashes its key once more and looks up its bucket, a third of its
cost (`bench/queues.py`: 0.6 to 0.75 of the dict's rate). Tried: one dict with a lock for each
stripe of hashes (0.75), a `get` that takes no lock (0.94; it would see what a holder of the bucket
is in the middle of). What it buys: a callback, or a holder, keeps one bucket waiting and not all.

>>> hits = CfShash[str, int]()
>>> for page in ("a", "b", "a"):
...     _ = hits.put_or_update(page, 1, lambda count: count + 1)
>>> hits.get("a"), hits.get("b"), hits.get("c")
(2, 1, None)
"""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar, overload

from citrusleaf.cf_bits import is_power_of_two
from citrusleaf.cf_hooks import Mutex, MutexFactory, new_mutex
from citrusleaf.cf_reduce import Verdict

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
D = TypeVar("D")


class LockedEntry(Generic[K, V]):
    """A value whose bucket is locked while the `get_and_lock` block lasts. O(1) per operation."""

    __slots__ = ("_entries", "_key")

    def __init__(self, entries: dict[K, V], key: K) -> None:
        self._entries = entries
        self._key = key

    @property
    def value(self) -> V:
        """The value; KeyError after `delete`. Assign to replace it."""
        return self._entries[self._key]

    @value.setter
    def value(self, value: V) -> None:
        self._entries[self._key] = value

    def delete(self) -> None:
        """Remove the entry; KeyError if that was done already."""
        del self._entries[self._key]


class CfShash(Generic[K, V]):
    """A hash table of fixed buckets with a lock each, safe between threads.

    Operations on one key take that key's bucket lock for as long as they last. Callbacks run under
    it and must not call the table. O(1) means expected time.
    """

    __slots__ = ("_buckets", "_hash", "_mask")

    def __init__(
        self,
        buckets: int = 64,
        *,
        hash_key: Callable[[K], int] = hash,
        mutex: MutexFactory = new_mutex,
    ) -> None:
        """An empty table. `buckets` is a power of two (else ValueError); more means less waiting.

        `hash_key` spreads keys over buckets by its low bits. `mutex`: see `cf_hooks`.
        """
        if not is_power_of_two(buckets):
            raise ValueError(f"buckets must be a power of two: {buckets}")
        self._buckets: tuple[tuple[Mutex, dict[K, V]], ...] = tuple(
            (mutex(), {}) for _ in range(buckets)
        )
        self._mask = buckets - 1
        self._hash = hash_key

    def put(self, key: K, value: V) -> None:
        """Set the value of a key. O(1)."""
        lock, entries = self._buckets[self._hash(key) & self._mask]
        with lock:
            entries[key] = value

    def put_unique(self, key: K, value: V) -> bool:
        """Set the value of a key that has none; whether it was set. O(1)."""
        lock, entries = self._buckets[self._hash(key) & self._mask]
        with lock:
            if key in entries:
                return False
            entries[key] = value
            return True

    def put_or_update(self, key: K, value: V, update: Callable[[V], V]) -> V:
        """Set a key to `value`, or to `update` of the value it has; returns the new one. O(1)."""
        lock, entries = self._buckets[self._hash(key) & self._mask]
        with lock:
            if key in entries:
                value = update(entries[key])
            entries[key] = value
            return value

    @overload
    def get(self, key: K) -> V | None: ...
    @overload
    def get(self, key: K, default: D) -> V | D: ...
    def get(self, key: K, default: D | None = None) -> V | D | None:
        """The value of a key, or `default`. O(1)."""
        lock, entries = self._buckets[self._hash(key) & self._mask]
        with lock:
            return entries.get(key, default)

    @contextmanager
    def get_and_lock(self, key: K) -> Iterator[LockedEntry[K, V]]:
        """Hold the bucket of a key for a block of code; KeyError if the key is not there. O(1).

        >>> table = CfShash[str, int]()
        >>> table.put("a", 1)
        >>> with table.get_and_lock("a") as entry:
        ...     entry.value *= 10
        >>> table.get("a")
        10
        """
        lock, entries = self._buckets[self._hash(key) & self._mask]
        with lock:
            if key not in entries:
                raise KeyError(key)
            yield LockedEntry(entries, key)

    @overload
    def pop(self, key: K) -> V | None: ...
    @overload
    def pop(self, key: K, default: D) -> V | D: ...
    def pop(self, key: K, default: D | None = None) -> V | D | None:
        """Remove a key and return its value, or `default` if it has none. O(1)."""
        lock, entries = self._buckets[self._hash(key) & self._mask]
        with lock:
            return entries.pop(key, default)

    def delete(self, key: K) -> bool:
        """Remove a key; whether it was there. O(1)."""
        lock, entries = self._buckets[self._hash(key) & self._mask]
        with lock:
            if key not in entries:
                return False
            del entries[key]
            return True

    def reduce(self, visit: Callable[[K, V], Verdict | None]) -> int:
        """Show every entry to `visit` until it says stop; how many it deleted. O(n + buckets).

        Each bucket is locked while its entries are shown, and no other.
        """
        deleted = 0
        for lock, entries in self._buckets:
            with lock:
                for key, value in list(entries.items()):
                    verdict = visit(key, value)
                    if verdict is None:
                        continue
                    if verdict.deletes:
                        del entries[key]
                        deleted += 1
                    if verdict.stops:
                        return deleted
        return deleted

    def clear(self) -> None:
        """Remove everything, bucket by bucket. O(n + buckets)."""
        for lock, entries in self._buckets:
            with lock:
                entries.clear()

    def size(self) -> int:
        """How many keys there are; exact when nobody is writing. O(buckets)."""
        return sum([len(entries) for _, entries in self._buckets])

    def __len__(self) -> int:
        """As `size`. O(buckets)."""
        return self.size()

    def __contains__(self, key: K) -> bool:
        """Whether a key has a value. O(1)."""
        lock, entries = self._buckets[self._hash(key) & self._mask]
        with lock:
            return key in entries

    def __iter__(self) -> Iterator[tuple[K, V]]:
        """The entries as (key, value), each bucket as it is when reached. O(n + buckets)."""
        for lock, entries in self._buckets:
            with lock:
                items = list(entries.items())
            yield from items

    def _check(self) -> None:
        """Assert that every key sits in the bucket its hash names."""
        for index, (lock, entries) in enumerate(self._buckets):
            with lock:
                assert all(self._hash(key) & self._mask == index for key in entries)
