"""CfRchash: a model that counts holders, and threads that hold, replace and delete at once."""

import threading
from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from citrusleaf.cf_alloc import CfRc
from citrusleaf.cf_hooks import CheckedMutex
from citrusleaf.cf_rchash import CfRchash
from citrusleaf.cf_reduce import Verdict

KEYS = st.integers(0, 7)


class RchashMachine(RuleBasedStateMachine):
    """Values are serial numbers. The model holds each one's count of holders."""

    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.destroyed: Counter[int] = Counter()
        self.table = CfRchash[int, int](
            2, destructor=lambda value: self.destroyed.update([value]), mutex=CheckedMutex
        )
        self.model: dict[int, int] = {}
        self.holders: Counter[int] = Counter()
        self.serial = 0

    def release(self, key: int) -> None:
        self.holders[self.model.pop(key)] -= 1

    @rule(key=KEYS)
    def put(self, key: int) -> None:
        self.serial += 1
        self.table.put(key, self.serial)
        if key in self.model:
            self.release(key)
        self.model[key] = self.serial
        self.holders[self.serial] = 1

    @rule(key=KEYS)
    def put_unique(self, key: int) -> None:
        self.serial += 1
        assert self.table.put_unique(key, self.serial) == (key not in self.model)
        if key not in self.model:
            self.model[key] = self.serial
            self.holders[self.serial] = 1

    @rule(target=held, key=KEYS)
    def get(self, key: int) -> CfRc[int] | None:
        if key not in self.model:
            with pytest.raises(KeyError):
                self.table.get(key)
            return None
        cell = self.table.get(key)
        assert cell.value == self.model[key]
        self.holders[cell.value] += 1
        return cell

    @rule(target=held, key=KEYS)
    def pop(self, key: int) -> CfRc[int] | None:
        if key not in self.model:
            with pytest.raises(KeyError):
                self.table.pop(key)
            return None
        cell = self.table.pop(key)
        assert cell.value == self.model.pop(key)
        return cell

    @rule(cell=consumes(held))
    def let_go(self, cell: CfRc[int] | None) -> None:
        if cell is not None:
            with cell as value:
                pass
            self.holders[value] -= 1

    @rule(key=KEYS)
    def delete(self, key: int) -> None:
        assert self.table.delete(key) == (key in self.model)
        if key in self.model:
            self.release(key)

    @rule(unwanted=st.sets(KEYS), stop_at=KEYS)
    def reduce(self, unwanted: set[int], stop_at: int) -> None:
        seen: dict[int, int] = {}

        def visit(key: int, value: int) -> Verdict | None:
            seen[key] = value
            if key == stop_at:
                return Verdict.DELETE_AND_STOP if key in unwanted else Verdict.STOP
            return Verdict.DELETE if key in unwanted else None

        deleted = self.table.reduce(visit)
        assert seen.items() <= self.model.items()
        assert stop_at in seen or seen == self.model
        assert deleted == len(unwanted & seen.keys())
        for key in unwanted & seen.keys():
            self.release(key)

    @rule(chance=st.integers(0, 9))
    def clear(self, chance: int) -> None:
        if chance == 0:
            self.table.clear()
            for key in list(self.model):
                self.release(key)

    @invariant()
    def agrees(self) -> None:
        self.table._check()
        assert sorted(self.table) == sorted(self.model)
        assert self.table.size() == len(self.table) == len(self.model)
        assert all((key in self.table) == (key in self.model) for key in range(8))
        gone = {value for value, count in self.holders.items() if count == 0}
        assert self.destroyed == Counter(gone)


TestRchashMachine = RchashMachine.TestCase
TestRchashMachine.settings = settings(max_examples=50, stateful_step_count=40)


def test_leaving_the_block_empties_the_table() -> None:
    destroyed: list[str] = []
    with CfRchash[int, str](destructor=destroyed.append) as table:
        table.put(1, "a")
        kept = table.get(1)
        table.put(2, "b")
    assert destroyed == ["b"]
    kept.release()
    assert destroyed == ["b", "a"]


def test_a_destructor_may_use_the_table() -> None:
    table = CfRchash[int, str](1, destructor=lambda value: table.put_unique(9, value + "!"))
    table.put(1, "a")
    assert table.delete(1)
    with table.get(9) as value:
        assert value == "a!"


def test_a_destructors_error_reaches_the_caller_and_spoils_nothing() -> None:
    destroyed: list[str] = []

    def destroy(value: str) -> None:
        destroyed.append(value)
        raise KeyError(value)

    table = CfRchash[int, str](1, destructor=destroy)
    for key in range(3):
        table.put(key, str(key))
    with pytest.raises(KeyError):
        table.delete(0)
    with pytest.raises(KeyError):
        table.clear()
    assert sorted(destroyed) == ["0", "1", "2"]


def test_reduce_lets_go_when_a_visitor_raises() -> None:
    table = CfRchash[int, str]()
    table.put(1, "a")
    with pytest.raises(ZeroDivisionError):
        table.reduce(lambda key, value: 1 / 0)  # type: ignore[arg-type,return-value]  # it never returns
    assert table.get(1).count == 2  # the table and this very get


def test_reduce_spares_a_value_put_while_it_looked() -> None:
    table = CfRchash[int, str](1)
    table.put(1, "old")

    def visit(key: int, value: str) -> Verdict:
        table.put(key, "new")
        return Verdict.DELETE

    assert table.reduce(visit) == 0
    with table.get(1) as value:
        assert value == "new"


@pytest.mark.parametrize("buckets", [0, 3])
def test_rchash_buckets_are_a_power_of_two(buckets: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        CfRchash[int, int](buckets)


def test_threads_never_see_a_destroyed_value() -> None:
    destroyed: list[list[int]] = []
    table = CfRchash[int, list[int]](4, destructor=destroyed.append)
    created = Counter[int]()
    errors: list[str] = []

    def put(who: int) -> None:
        for step in range(600):
            created[who] += 1
            table.put(step % 5, [who, step])

    def use() -> None:
        for step in range(600):
            try:
                with table.get(step % 5) as value:
                    if any(value is gone for gone in destroyed[-20:]):
                        errors.append("destroyed while held")
            except KeyError:
                continue

    def delete() -> None:
        for step in range(600):
            table.delete(step % 5)

    threads = [threading.Thread(target=put, args=(who,)) for who in range(2)]
    threads += [threading.Thread(target=work) for work in (use, use, delete)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    table._check()
    table.clear()
    assert not errors
    assert len(destroyed) == created.total()
    assert len({(who, step) for who, step in destroyed}) == len(destroyed)
