"""CfVector against a list of bytes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from citrusleaf.cf_vector import CfVector

# Few letters, so that elements repeat and occur across the border of two neighbours.
ELEMENTS = st.binary(min_size=2, max_size=2).map(lambda b: bytes(x % 2 for x in b))
INDICES = st.integers(-6, 6)


class VectorMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.vector = CfVector(2)
        self.model: list[bytes] = []

    @rule(element=ELEMENTS)
    def append(self, element: bytes) -> None:
        self.vector.append(element)
        self.model.append(element)

    @rule(element=ELEMENTS)
    def append_unique(self, element: bytes) -> None:
        assert self.vector.append_unique(element) == (element not in self.model)
        if element not in self.model:
            self.model.append(element)

    @rule(elements=st.lists(ELEMENTS, max_size=4))
    def extend(self, elements: list[bytes]) -> None:
        self.vector.extend(elements)
        self.model.extend(elements)

    @rule(index=INDICES, element=ELEMENTS)
    def insert(self, index: int, element: bytes) -> None:
        if -len(self.model) <= index <= len(self.model):
            self.vector.insert(index, element)
            self.model.insert(index, element)
        else:
            with pytest.raises(IndexError):
                self.vector.insert(index, element)

    @rule(index=INDICES, element=ELEMENTS)
    def at_index(self, index: int, element: bytes) -> None:
        if -len(self.model) <= index < len(self.model):
            assert self.vector[index] == self.model[index]
            self.vector[index] = self.model[index] = element
        else:
            with pytest.raises(IndexError):
                self.vector[index]
            with pytest.raises(IndexError):
                self.vector[index] = element
            with pytest.raises(IndexError):
                del self.vector[index]

    @rule(index=INDICES)
    def pop(self, index: int) -> None:
        if -len(self.model) <= index < len(self.model):
            assert self.vector.pop(index) == self.model.pop(index)
        else:
            with pytest.raises(IndexError):
                self.vector.pop(index)

    @rule(start=st.integers(-1, 6), stop=st.integers(-1, 6))
    def delete_range(self, start: int, stop: int) -> None:
        if 0 <= start <= stop <= len(self.model):
            self.vector.delete_range(start, stop)
            del self.model[start:stop]
        else:
            with pytest.raises(ValueError, match="range"):
                self.vector.delete_range(start, stop)

    @rule(element=ELEMENTS)
    def find(self, element: bytes) -> None:
        expected = self.model.index(element) if element in self.model else -1
        assert self.vector.find(element) == expected
        assert (element in self.vector) == (element in self.model)

    @rule(chance=st.integers(0, 9))
    def clear(self, chance: int) -> None:
        if chance == 0:
            self.vector.clear()
            self.model.clear()

    @invariant()
    def agrees(self) -> None:
        self.vector._check()
        assert list(self.vector) == self.model
        assert len(self.vector) == len(self.model)
        assert self.vector.buffer() == b"".join(self.model)


TestVectorMachine = VectorMachine.TestCase
TestVectorMachine.settings = settings(max_examples=50, stateful_step_count=40)


@given(st.integers(1, 5), st.binary(max_size=60), st.binary(max_size=5))
def test_find_is_aligned(size: int, content: bytes, element: bytes) -> None:
    elements = [content[at : at + size] for at in range(0, len(content) - size + 1, size)]
    vector = CfVector(size, elements)
    wanted = element.ljust(size, b"\0")[:size]
    assert vector.find(wanted) == (elements.index(wanted) if wanted in elements else -1)


def test_elements_of_another_size_are_refused_and_change_nothing() -> None:
    vector = CfVector(2, [b"ab"])
    for misfit in (b"", b"a", b"abc"):
        with pytest.raises(ValueError, match="bytes in a vector"):
            vector.append(misfit)
        with pytest.raises(ValueError, match="bytes in a vector"):
            vector.extend([b"cd", misfit])
        with pytest.raises(ValueError, match="bytes in a vector"):
            vector.insert(0, misfit)
        with pytest.raises(ValueError, match="bytes in a vector"):
            vector[0] = misfit
        with pytest.raises(ValueError, match="bytes in a vector"):
            vector.find(misfit)
    assert list(vector) == [b"ab"]
    with pytest.raises(ValueError, match="positive"):
        CfVector(0)


def test_iteration_and_buffer_are_safe_from_changes() -> None:
    vector = CfVector(1, [b"a", b"b"])
    letters = iter(vector)
    vector.clear()
    assert list(letters) == [b"a", b"b"]
    vector.append(b"c")
    with vector.buffer() as view, pytest.raises(TypeError):
        view[0] = 0
