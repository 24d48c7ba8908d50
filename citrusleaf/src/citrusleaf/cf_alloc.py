"""Allocation: values with a reference count, and an arena of fixed-size elements.

Python frees what nobody refers to; a reference *count* is for what must happen at a known moment,
when the last holder lets go: a file closed, a slot given back, a buffer returned to its pool.

>>> buffer = rc_buffer(16, destructor=lambda data: print("freed", len(data)))
>>> with buffer.reserve() as data:
...     data[:5] = b"hello"
>>> buffer.release()
freed 16
True
"""

from array import array
from collections.abc import Callable, Iterator
from typing import Generic, Self, TypeVar

from citrusleaf.cf_bits import CfBits
from citrusleaf.cf_hooks import MutexFactory, new_mutex

T = TypeVar("T")


class CfRc(Generic[T]):
    """A value and the number of its holders; the creator is the first. Safe between threads.

    Whoever calls `reserve` owes one `release`; `with cell.reserve() as value:` pays it. The
    destructor runs exactly once, in the thread of the last release, with no lock held.
    """

    __slots__ = ("_count", "_destructor", "_mutex", "_value")

    def __init__(
        self,
        value: T,
        destructor: Callable[[T], object] | None = None,
        *,
        mutex: MutexFactory = new_mutex,
    ) -> None:
        """Hold `value` once. `mutex`: see `cf_hooks`."""
        self._value: T | None = value
        self._destructor = destructor
        self._count = 1
        self._mutex = mutex()

    @property
    def count(self) -> int:
        """How many hold it at this moment; 0 once it is gone."""
        return self._count

    @property
    def value(self) -> T:
        """The value; RuntimeError once it is gone."""
        value = self._value
        if self._count == 0:
            raise RuntimeError("value used after its last release")
        return value  # type: ignore[return-value]  # None only if T allows it: the count says so

    def reserve(self) -> Self:
        """Become one more holder. O(1). RuntimeError once it is gone."""
        with self._mutex:
            if self._count == 0:
                raise RuntimeError("value reserved after its last release")
            self._count += 1
        return self

    def release(self) -> bool:
        """Let go; whether this was the last holder. O(1). RuntimeError if nobody holds it."""
        with self._mutex:
            if self._count == 0:
                raise RuntimeError("value released more often than reserved")
            self._count -= 1
            if self._count:
                return False
            value, self._value = self._value, None
        if self._destructor is not None:
            self._destructor(value)  # type: ignore[arg-type]  # it was a T until this moment
        return True

    def __enter__(self) -> T:
        """The value; leaving the block releases the hold it was entered with."""
        return self.value

    def __exit__(self, *exc_info: object) -> None:
        self.release()

    def _check(self) -> None:
        """Assert that a gone value is not kept alive."""
        with self._mutex:
            assert self._count >= 0
            assert self._count or self._value is None


def rc_buffer(
    size: int, destructor: Callable[[bytearray], object] | None = None
) -> CfRc[bytearray]:
    """A zeroed, reference-counted buffer of `size` bytes, held once. O(size)."""
    return CfRc(bytearray(size), destructor)


class CfArena:
    """Elements of one size, packed in stages: large blocks allocated when the last one is full.

    An element is named by a handle, a small integer that stays good until it is freed. Stages never
    move and are never given back; a freed element is used again before fresh ones. Not locked.

    >>> arena = CfArena(element_size=8, stage_elements=100)
    >>> handle = arena.alloc()
    >>> arena[handle][:3] = b"abc"
    >>> bytes(arena[handle])
    b'abc\\x00\\x00\\x00\\x00\\x00'
    >>> arena.free(handle)
    """

    __slots__ = (
        "_element_size",
        "_free",
        "_fresh",
        "_live",
        "_max_stages",
        "_per_stage",
        "_stages",
    )

    def __init__(
        self, element_size: int, *, stage_elements: int = 4096, max_stages: int = 1 << 16
    ) -> None:
        """An empty arena of at most `stage_elements` x `max_stages` elements of some bytes each.

        ValueError unless all three are positive.
        """
        if min(element_size, stage_elements, max_stages) <= 0:
            raise ValueError("element size, elements a stage and stages must be positive")
        self._element_size = element_size
        self._per_stage = stage_elements
        self._max_stages = max_stages
        self._stages: list[memoryview] = []
        self._live: list[CfBits] = []  # one a stage: which elements are allocated
        self._free = array("Q")  # freed handles, last freed used first
        self._fresh = 0  # the lowest handle never used

    @property
    def element_size(self) -> int:
        """Bytes an element."""
        return self._element_size

    @property
    def stages(self) -> int:
        """How many stages are allocated."""
        return len(self._stages)

    @property
    def memory_bytes(self) -> int:
        """Bytes of all stages, used or free."""
        return len(self._stages) * self._per_stage * self._element_size

    def alloc(self) -> int:
        """The handle of a new, zeroed element. O(1), or O(stage) when one is added.

        MemoryError when the arena is full.
        """
        if self._free:
            handle = self._free.pop()
        else:
            handle = self._fresh
            if handle == len(self._stages) * self._per_stage:
                self._add_stage()
            self._fresh += 1
        stage, slot = divmod(handle, self._per_stage)
        self._live[stage].set(slot)
        return handle

    def free(self, handle: int) -> None:
        """Give an element back and zero it. O(1). KeyError unless it is allocated."""
        element = self[handle]
        element[:] = bytes(self._element_size)
        stage, slot = divmod(handle, self._per_stage)
        self._live[stage].clear(slot)
        self._free.append(handle)

    def __getitem__(self, handle: int) -> memoryview:
        """An element's bytes, writable in place. O(1). KeyError unless it is allocated."""
        if handle not in self:
            raise KeyError(handle)
        stage, slot = divmod(handle, self._per_stage)
        start = slot * self._element_size
        return self._stages[stage][start : start + self._element_size]

    def __contains__(self, handle: int) -> bool:
        """Whether a handle is allocated. O(1)."""
        stage, slot = divmod(handle, self._per_stage)
        return 0 <= stage < len(self._live) and self._live[stage].test(slot)

    def __len__(self) -> int:
        """How many elements are allocated. O(1)."""
        return self._fresh - len(self._free)

    def __iter__(self) -> Iterator[int]:
        """The allocated handles, ascending. O(capacity)."""
        for stage, live in enumerate(self._live):
            first = stage * self._per_stage
            for slot in live:
                yield first + slot

    def _add_stage(self) -> None:
        if len(self._stages) == self._max_stages:
            raise MemoryError(f"arena is full: {self._max_stages} stages")
        self._stages.append(memoryview(bytearray(self._per_stage * self._element_size)))
        self._live.append(CfBits(self._per_stage))

    def _check(self) -> None:
        """Assert that every used handle is either live or free, and free elements are zero."""
        assert len(self._stages) == len(self._live) <= self._max_stages
        assert self._fresh <= len(self._stages) * self._per_stage
        free, live = set(self._free), set(self)
        assert len(free) == len(self._free)
        assert free | live == set(range(self._fresh))
        assert not free & live
        for handle in free:
            stage, slot = divmod(handle, self._per_stage)
            start = slot * self._element_size
            assert not any(self._stages[stage][start : start + self._element_size])
