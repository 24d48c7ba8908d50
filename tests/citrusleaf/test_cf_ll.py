"""CfLl against a list, elements compared by identity."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from citrusleaf.cf_ll import CfLl, CfLlElement
from citrusleaf.cf_reduce import Verdict


class Item(CfLlElement):
    def __init__(self, rank: int) -> None:
        self.rank = rank


def rank(item: Item) -> int:
    return item.rank


RANKS = st.integers(0, 9)


class LlMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.ll = CfLl[Item]()
        self.model: list[Item] = []

    def some(self, data: Any) -> Item | None:
        return data.draw(st.sampled_from(self.model)) if self.model else None

    @rule(r=RANKS)
    def append(self, r: int) -> None:
        self.model.append(self.ll.append(Item(r)))

    @rule(r=RANKS)
    def prepend(self, r: int) -> None:
        self.model.insert(0, self.ll.prepend(Item(r)))

    @rule(r=RANKS, after=st.booleans(), data=st.data())
    def insert_beside(self, r: int, after: bool, data: st.DataObject) -> None:
        neighbour = self.some(data)
        if neighbour is None:
            return
        insert = self.ll.insert_after if after else self.ll.insert_before
        item = insert(Item(r), neighbour)
        self.model.insert(self.model.index(neighbour) + after, item)

    @rule(data=st.data(), append=st.booleans())
    def delete_held_and_link_again(self, data: st.DataObject, append: bool) -> None:
        item = self.some(data)
        if item is None:
            return
        self.ll.delete(item)
        self.model.remove(item)
        assert not item.in_list
        assert item not in self.ll
        with pytest.raises(ValueError, match="not in this list"):
            self.ll.delete(item)
        if append:
            self.model.append(self.ll.append(item))

    @rule(data=st.data())
    def link_twice(self, data: st.DataObject) -> None:
        item = self.some(data)
        if item is None:
            return
        for ll in (self.ll, CfLl[Item]()):
            with pytest.raises(ValueError, match="already"):
                ll.append(item)

    @rule()
    def pop_head(self) -> None:
        if self.model:
            assert self.ll.pop_head() is self.model.pop(0)
        else:
            with pytest.raises(IndexError):
                self.ll.pop_head()

    @rule(script=st.dictionaries(RANKS, st.sampled_from([None, *Verdict])), reverse=st.booleans())
    def reduce(self, script: dict[int, Verdict | None], reverse: bool) -> None:
        seen: list[Item] = []

        def visit(item: Item) -> Verdict | None:
            seen.append(item)
            return script.get(item.rank)

        deleted = self.ll.reduce(visit, reverse=reverse)
        order = self.model[::-1] if reverse else list(self.model)
        stops = [i for i, item in enumerate(order) if (v := script.get(item.rank)) and v.stops]
        assert seen == (order[: stops[0] + 1] if stops else order)
        gone = [item for item in seen if (v := script.get(item.rank)) and v.deletes]
        assert deleted == len(gone)
        self.model = [item for item in self.model if item not in gone]

    @rule(chance=st.integers(0, 9))
    def clear(self, chance: int) -> None:
        if chance == 0:
            self.ll.clear()
            assert not any(item.in_list for item in self.model)
            self.model.clear()

    @invariant()
    def agrees(self) -> None:
        self.ll._check()
        assert list(self.ll) == self.model
        assert list(reversed(self.ll)) == self.model[::-1]
        assert len(self.ll) == len(self.model)
        assert self.ll.head is (self.model[0] if self.model else None)
        assert self.ll.tail is (self.model[-1] if self.model else None)
        assert all(item in self.ll for item in self.model)


TestLlMachine = LlMachine.TestCase
TestLlMachine.settings = settings(max_examples=50, stateful_step_count=40)


@given(st.lists(RANKS, max_size=30))
def test_sorted_insert_is_stable(ranks: list[int]) -> None:
    ll = CfLl[Item]()
    items = [ll.insert_sorted(Item(r), key=rank) for r in ranks]
    assert list(ll) == sorted(items, key=rank)
    ll._check()


@given(st.sets(RANKS), st.booleans())
def test_a_visitor_may_delete_what_it_is_shown(unwanted: set[int], reverse: bool) -> None:
    ll = CfLl[Item]()
    for r in range(10):
        ll.append(Item(r))

    def visit(item: Item) -> None:
        if item.rank in unwanted:
            ll.delete(item)

    assert ll.reduce(visit, reverse=reverse) == 0
    assert [item.rank for item in ll] == sorted(set(range(10)) - unwanted)


def test_neighbours_must_be_in_this_list() -> None:
    mine, other = CfLl[Item](), CfLl[Item]()
    stranger = other.append(Item(1))
    for insert in (mine.insert_after, mine.insert_before):
        with pytest.raises(ValueError, match="not in this list"):
            insert(Item(2), stranger)
    with pytest.raises(ValueError, match="not in this list"):
        mine.delete(stranger)
    assert stranger in other
    assert stranger not in mine
