"""AsArraylist against Python's list."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from aerospike_common import AsArraylist, AsInteger

SMALL = st.integers(-3, 3).map(AsInteger)
INDEXES = st.integers(-6, 6)
SLICES = st.slices(6)


class ListMachine(RuleBasedStateMachine):
    """Every operation on both; the same content, result or exception."""

    def __init__(self):
        super().__init__()
        self.list = AsArraylist()
        self.model = []

    def both(self, operation):
        """Run it on list and model, and compare what comes of it."""
        outcomes = []
        for target in (self.list, self.model):
            try:
                outcomes.append(operation(target))
            except (IndexError, ValueError) as error:
                outcomes.append(type(error))
        assert outcomes[0] == outcomes[1]

    @rule(value=SMALL)
    def append(self, value):
        self.both(lambda target: target.append(value))

    @rule(values=st.lists(SMALL, max_size=3))
    def extend(self, values):
        self.both(lambda target: target.extend(values))

    @rule(index=INDEXES, value=SMALL)
    def insert(self, index, value):
        self.both(lambda target: target.insert(index, value))

    @rule(value=SMALL)
    def prepend(self, value):
        self.list.prepend(value)
        self.model.insert(0, value)

    @rule(index=INDEXES, value=SMALL)
    def replace(self, index, value):
        self.both(lambda target: target.__setitem__(index, value))

    @rule(part=SLICES, values=st.lists(SMALL, max_size=3))
    def replace_slice(self, part, values):
        self.both(lambda target: target.__setitem__(part, values))

    @rule(index=INDEXES)
    def delete(self, index):
        self.both(lambda target: target.__delitem__(index))

    @rule(part=SLICES)
    def delete_slice(self, part):
        self.both(lambda target: target.__delitem__(part))

    @rule(index=INDEXES)
    def pop(self, index):
        self.both(lambda target: target.pop(index))

    @rule(value=SMALL)
    def remove(self, value):
        self.both(lambda target: target.remove(value))

    @rule(index=st.integers(0, 6))
    def trim(self, index):
        self.list.trim(index)
        del self.model[index:]

    @rule()
    def reverse(self):
        self.both(lambda target: target.reverse())

    @rule(count=st.integers(0, 6))
    def parts(self, count):
        assert list(self.list.take(count)) == self.model[:count]
        assert list(self.list.drop(count)) == self.model[count:]
        assert list(self.list.tail()) == self.model[1:]
        assert self.list.head() == (self.model[0] if self.model else None)
        assert self.list.take(count).concat(self.list.drop(count)) == self.list

    @rule(index=INDEXES)
    def get(self, index):
        inside = -len(self.model) <= index < len(self.model)
        assert self.list.get(index) == (self.model[index] if inside else None)

    @rule(part=SLICES)
    def slice(self, part):
        self.both(lambda target: list(target[part]))

    @rule(value=SMALL)
    def find(self, value):
        self.both(lambda target: (value in target, target.count(value), target.index(value)))

    @invariant()
    def same(self):
        self.list._check()
        assert len(self.list) == len(self.model)
        assert list(self.list) == self.model
        assert list(reversed(self.list)) == self.model[::-1]


TestList = ListMachine.TestCase
TestList.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


@given(st.lists(SMALL))
def test_parts_are_their_own(values):
    whole = AsArraylist(values, ordered=True)
    part = whole[:]
    assert part.ordered
    part.append(AsInteger(9))
    assert list(whole) == values


def test_an_ordered_list_is_stored_in_order():
    numbers = AsArraylist([AsInteger(2), AsInteger(1)], ordered=True)
    assert list(numbers) == [AsInteger(2), AsInteger(1)]
    assert numbers.stored() == [AsInteger(1), AsInteger(2)]
    assert numbers == AsArraylist([AsInteger(1), AsInteger(2)])
    assert numbers != AsArraylist(numbers)


def test_only_values_enter():
    numbers = AsArraylist([AsInteger(1)])
    for enter in (
        lambda: AsArraylist([1]),
        lambda: numbers.append(2),
        lambda: numbers.insert(0, None),
        lambda: numbers.__setitem__(0, "a"),
        lambda: numbers.__setitem__(slice(0, 1), [1]),
        lambda: numbers.extend([1]),
    ):
        with pytest.raises(TypeError, match="from_python"):
            enter()
    assert list(numbers) == [AsInteger(1)]


@pytest.mark.parametrize("operation", ["take", "drop", "trim"])
def test_counts_are_not_negative(operation):
    with pytest.raises(ValueError, match="negative"):
        getattr(AsArraylist(), operation)(-1)


def test_repr_shows_the_values():
    assert repr(AsArraylist([AsInteger(1)])) == "AsArraylist([AsInteger(value=1)])"
