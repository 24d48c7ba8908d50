"""The kinds of map side by side against Python's dict, and the view by strings."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from aerospike_common import (
    NIL,
    AsBytes,
    AsDouble,
    AsHashmap,
    AsInteger,
    AsOrderedmap,
    AsString,
    AsStringmap,
    from_python,
    to_python,
)

KEYS = (
    st.integers(-3, 3).map(AsInteger)
    | st.sampled_from(["", "a", "b", "é"]).map(AsString)
    | st.sampled_from([b"", b"a"]).map(AsBytes)
)
VALUES = st.integers(0, 9).map(AsInteger)


class MapMachine(RuleBasedStateMachine):
    """Every operation on all; the same content, result or exception."""

    def __init__(self):
        super().__init__()
        self.hashmap = AsHashmap()
        self.ordered = AsOrderedmap()
        self.model = {}

    def all(self, operation):
        outcomes = []
        for target in (self.hashmap, self.ordered, self.model):
            try:
                outcomes.append(operation(target))
            except KeyError:
                outcomes.append(KeyError)
        assert outcomes[0] == outcomes[1] == outcomes[2]

    @rule(key=KEYS, value=VALUES)
    def put(self, key, value):
        self.all(lambda target: target.__setitem__(key, value))

    @rule(key=KEYS, value=VALUES)
    def put_new(self, key, value):
        self.all(lambda target: target.setdefault(key, value))

    @rule(key=KEYS)
    def get(self, key):
        self.all(lambda target: (target.get(key), key in target))
        self.all(lambda target: target[key])

    @rule(key=KEYS)
    def delete(self, key):
        self.all(lambda target: target.__delitem__(key))

    @rule(key=KEYS)
    def pop(self, key):
        self.all(lambda target: target.pop(key, None))

    @rule(pairs=st.dictionaries(KEYS, VALUES, max_size=4))
    def update(self, pairs):
        self.all(lambda target: target.update(pairs))

    @rule()
    def clear(self):
        self.all(lambda target: target.clear())

    @rule(key=KEYS)
    def place(self, key):
        below = sum(other < key for other in self.model)
        assert self.ordered.index_of(key) == below
        if key in self.model:
            assert self.ordered.key_at(below) == key

    @invariant()
    def same(self):
        self.hashmap._check()
        self.ordered._check()
        assert len(self.hashmap) == len(self.ordered) == len(self.model)
        assert list(self.hashmap.items()) == list(self.model.items())
        assert list(self.ordered.items()) == sorted(self.model.items())
        assert self.hashmap == self.ordered


TestMap = MapMachine.TestCase
TestMap.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("kind", [AsHashmap, AsOrderedmap])
def test_only_values_by_allowed_keys_enter(kind):
    pairs = kind({AsInteger(1): NIL})
    for enter in (
        lambda: kind({NIL: NIL}),
        lambda: kind({AsInteger(1): 1}),
        lambda: pairs.__setitem__(AsDouble(1.0), NIL),
        lambda: pairs.__setitem__("a", NIL),
        lambda: pairs.__setitem__(AsString("a"), None),
    ):
        with pytest.raises(TypeError, match="not "):
            enter()
    pairs._check()
    assert list(pairs) == [AsInteger(1)]


@pytest.mark.parametrize("kind", [AsHashmap, AsOrderedmap])
def test_a_map_made_from_a_map_is_its_own(kind):
    first = kind({AsInteger(1): NIL})
    second = kind(first)
    second[AsInteger(2)] = NIL
    assert len(first) == 1


def test_of_equal_keys_the_last_wins():
    pairs = [(AsInteger(1), AsInteger(1)), (AsInteger(1), AsInteger(2))]
    assert AsHashmap(pairs) == AsOrderedmap(pairs) == from_python({1: 2})


@pytest.mark.parametrize("kind", [AsHashmap, AsOrderedmap])
def test_the_view_by_strings(kind):
    pairs = kind({AsInteger(1): NIL, AsString("a"): AsInteger(1)})
    view = AsStringmap(pairs)
    view["b"] = {"c": [b"d"]}
    view["a"] = None
    assert dict(view) == {"a": None, "b": {"c": [b"d"]}}
    assert len(view) == 2
    assert "a" in view
    assert "z" not in view
    with pytest.raises(KeyError):
        del view["z"]
    del view["a"]
    assert to_python(pairs) == {1: None, "b": {"c": [b"d"]}}
    view.clear()
    assert to_python(pairs) == {1: None}


def test_repr_shows_the_pairs():
    assert repr(AsOrderedmap({AsInteger(1): NIL})) == "AsOrderedmap({AsInteger(value=1): AsNil()})"
