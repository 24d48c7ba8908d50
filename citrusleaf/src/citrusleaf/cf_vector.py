"""A growing array of elements of one size, packed end to end in one buffer.

Where a list of `bytes` spends 40 bytes and more on each element besides its content, this spends
none; the whole of it can be sent or mapped as it is.

>>> digests = CfVector(4, [b"aaaa", b"bbbb"])
>>> digests.append(b"cccc")
>>> digests.append_unique(b"aaaa")
False
>>> digests.pop(), len(digests), bytes(digests.buffer())
(b'cccc', 2, b'aaaabbbb')
"""

from collections.abc import Iterable, Iterator


class CfVector:
    """Elements of `element_size` bytes each. Not locked.

    Indices run from 0, or back from -1 as in a list; IndexError outside, ValueError for an element
    of another size.
    """

    __slots__ = ("_bytes", "_size")

    def __init__(self, element_size: int, elements: Iterable[bytes] = ()) -> None:
        """A vector of some first elements. ValueError unless `element_size` is positive. O(n)."""
        if element_size <= 0:
            raise ValueError(f"element size must be positive: {element_size}")
        self._size = element_size
        self._bytes = bytearray()
        self.extend(elements)

    @property
    def element_size(self) -> int:
        """Bytes an element."""
        return self._size

    def append(self, element: bytes) -> None:
        """Add at the end. O(1) amortised."""
        self._bytes += self._fit(element)

    def append_unique(self, element: bytes) -> bool:
        """Add at the end unless an equal one is there; whether it was added. O(n)."""
        if self.find(element) >= 0:
            return False
        self._bytes += element
        return True

    def extend(self, elements: Iterable[bytes]) -> None:
        """Add several at the end; none of them if one does not fit. O(k)."""
        self._bytes += b"".join([self._fit(element) for element in elements])

    def insert(self, index: int, element: bytes) -> None:
        """Add before `index`, which may be the end. O(n)."""
        at = len(self) if index == len(self) else self._index(index)
        start = at * self._size
        self._bytes[start:start] = self._fit(element)

    def pop(self, index: int = -1) -> bytes:
        """Remove and return an element, by default the last. O(1) at the end, else O(n)."""
        element = self[index]
        del self[index]
        return element

    def delete_range(self, start: int, stop: int) -> None:
        """Remove the elements from `start` up to but not including `stop`. O(n).

        ValueError unless 0 <= start <= stop <= length.
        """
        if not 0 <= start <= stop <= len(self):
            raise ValueError(f"no range of {len(self)} elements: {start} to {stop}")
        del self._bytes[start * self._size : stop * self._size]

    def find(self, element: bytes) -> int:
        """The index of the first element equal to `element`; -1 if there is none. O(n), in C."""
        self._fit(element)
        at = self._bytes.find(element)
        while at >= 0 and at % self._size:  # a match across two elements is none
            at = self._bytes.find(element, at + 1)
        return at // self._size

    def clear(self) -> None:
        """Remove everything. O(1)."""
        self._bytes.clear()

    def buffer(self) -> memoryview:
        """All elements end to end, read only; while it lives the size cannot change. O(1)."""
        return memoryview(self._bytes).toreadonly()

    def __getitem__(self, index: int) -> bytes:
        """A copy of an element. O(1)."""
        start = self._index(index) * self._size
        return bytes(self._bytes[start : start + self._size])

    def __setitem__(self, index: int, element: bytes) -> None:
        """Replace an element. O(1)."""
        start = self._index(index) * self._size
        self._bytes[start : start + self._size] = self._fit(element)

    def __delitem__(self, index: int) -> None:
        """Remove an element. O(1) at the end, else O(n)."""
        start = self._index(index) * self._size
        del self._bytes[start : start + self._size]

    def __contains__(self, element: bytes) -> bool:
        """Whether an equal element is there. O(n), in C."""
        return self.find(element) >= 0

    def __len__(self) -> int:
        """How many elements there are. O(1)."""
        return len(self._bytes) // self._size

    def __iter__(self) -> Iterator[bytes]:
        """The elements in order, as the vector is now; later changes do not show. O(n)."""
        size, content = self._size, bytes(self._bytes)
        return (content[at : at + size] for at in range(0, len(content), size))

    def _fit(self, element: bytes) -> bytes:
        if len(element) != self._size:
            raise ValueError(f"element of {len(element)} bytes in a vector of {self._size}")
        return element

    def _index(self, index: int) -> int:
        length = len(self)
        if not -length <= index < length:
            raise IndexError(f"element {index} of {length}")
        return index % length

    def _check(self) -> None:
        """Assert that the buffer holds whole elements."""
        assert self._size > 0
        assert len(self._bytes) % self._size == 0
