"""AsVector against Python's list and struct."""

import math
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from aerospike_common.as_vector import AsVector

BYTES = st.integers(-128, 127)
INDEXES = st.integers(-6, 6)


class VectorMachine(RuleBasedStateMachine):
    """A vector of signed bytes and a list of small integers."""

    def __init__(self):
        super().__init__()
        self.vector = AsVector("b")
        self.model = []

    def both(self, operation):
        outcomes = []
        for target in (self.vector, self.model):
            try:
                outcomes.append(operation(target))
            except IndexError:
                outcomes.append(IndexError)
        assert outcomes[0] == outcomes[1]

    @rule(values=st.lists(BYTES, max_size=3))
    def extend(self, values):
        self.both(lambda target: target.extend(values))

    @rule(index=INDEXES, value=BYTES)
    def insert(self, index, value):
        self.both(lambda target: target.insert(index, value))

    @rule(index=INDEXES, value=BYTES)
    def replace(self, index, value):
        self.both(lambda target: target.__setitem__(index, value))

    @rule(part=st.slices(6), values=st.lists(BYTES, max_size=3))
    def replace_slice(self, part, values):
        if part.step in (None, 1):
            self.both(lambda target: target.__setitem__(part, values))

    @rule(part=st.slices(6))
    def slice(self, part):
        self.both(lambda target: list(target[part]))

    @rule(index=INDEXES)
    def pop(self, index):
        self.both(lambda target: target.pop(index))

    @rule(part=st.slices(6))
    def delete(self, part):
        self.both(lambda target: target.__delitem__(part))

    @invariant()
    def same(self):
        self.vector._check()
        assert list(self.vector) == self.model
        assert len(self.vector) == len(self.model)


TestVector = VectorMachine.TestCase
TestVector.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)


@given(st.data(), st.sampled_from("bBhHiIqQfd"))
def test_bytes_are_those_of_the_wire(data, item):
    size = struct.calcsize(f">{item}")
    if item in "fd":
        numbers = st.floats(width=8 * size, allow_nan=False)
    else:
        low = 0 if item.isupper() else -(1 << (8 * size - 1))
        numbers = st.integers(low, low + (1 << 8 * size) - 1)
    values = data.draw(st.lists(numbers, max_size=5))
    vector = AsVector(item, values)
    assert vector.item_size == size
    assert vector.to_bytes() == struct.pack(f">{len(values)}{item}", *values)
    assert list(vector) == values


@pytest.mark.parametrize(
    ("item", "value", "error"),
    [("B", 256, OverflowError), ("b", -129, OverflowError), ("q", 1.0, TypeError)],
)
def test_only_items_of_its_type(item, value, error):
    vector = AsVector(item, [1])
    for enter in (
        lambda: vector.append(value),
        lambda: vector.__setitem__(0, value),
        lambda: AsVector(item, [value]),
    ):
        with pytest.raises(error):
            enter()
    assert list(vector) == [1]


@pytest.mark.parametrize("item", ["l", "u", "", "qq"])
def test_only_item_types_of_known_size(item):
    with pytest.raises(ValueError, match="item type"):
        AsVector(item)


def test_parts_are_their_own():
    whole = AsVector("d", [1.0, math.inf])
    part = whole[:1]
    part.append(2.0)
    assert list(whole) == [1.0, math.inf]
    assert part == AsVector("d", [1.0, 2.0])
    assert part != whole
    assert part != [1.0, 2.0]
    assert repr(part) == "AsVector('d', [1.0, 2.0])"
