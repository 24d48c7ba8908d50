"""CfShash against a dict, and under threads."""

import threading

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from citrusleaf.cf_hooks import CheckedMutex, DeadlockError
from citrusleaf.cf_reduce import Verdict
from citrusleaf.cf_shash import CfShash

KEYS = st.integers(0, 12)
VALUES = st.integers(0, 99)


class ShashMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.table = CfShash[int, int](4, mutex=CheckedMutex)
        self.model: dict[int, int] = {}

    @rule(key=KEYS, value=VALUES)
    def put(self, key: int, value: int) -> None:
        self.table.put(key, value)
        self.model[key] = value

    @rule(key=KEYS, value=VALUES)
    def put_unique(self, key: int, value: int) -> None:
        assert self.table.put_unique(key, value) == (key not in self.model)
        self.model.setdefault(key, value)

    @rule(key=KEYS, value=VALUES)
    def put_or_update(self, key: int, value: int) -> None:
        expected = self.model[key] * 2 + 1 if key in self.model else value
        assert self.table.put_or_update(key, value, lambda old: old * 2 + 1) == expected
        self.model[key] = expected

    @rule(key=KEYS)
    def get(self, key: int) -> None:
        assert self.table.get(key) == self.model.get(key)
        assert self.table.get(key, "absent") == self.model.get(key, "absent")
        assert (key in self.table) == (key in self.model)

    @rule(key=KEYS, value=VALUES, delete=st.booleans())
    def get_and_lock(self, key: int, value: int, delete: bool) -> None:
        if key not in self.model:
            with pytest.raises(KeyError), self.table.get_and_lock(key):
                raise AssertionError("entered without a value")
            return
        with self.table.get_and_lock(key) as entry:
            assert entry.value == self.model[key]
            with pytest.raises(DeadlockError):
                self.table.get(key)
            if delete:
                entry.delete()
                with pytest.raises(KeyError):
                    assert entry.value
                del self.model[key]
            else:
                entry.value = self.model[key] = value

    @rule(key=KEYS)
    def pop(self, key: int) -> None:
        assert self.table.pop(key) == self.model.pop(key, None)

    @rule(key=KEYS)
    def delete(self, key: int) -> None:
        assert self.table.delete(key) == (self.model.pop(key, None) is not None)

    @rule(unwanted=st.sets(KEYS))
    def reduce(self, unwanted: set[int]) -> None:
        seen: dict[int, int] = {}

        def visit(key: int, value: int) -> Verdict | None:
            assert key not in seen
            seen[key] = value
            return Verdict.DELETE if key in unwanted else None

        assert self.table.reduce(visit) == len(unwanted & self.model.keys())
        assert seen == self.model
        self.model = {key: value for key, value in seen.items() if key not in unwanted}

    @rule(verdict=st.sampled_from([Verdict.STOP, Verdict.DELETE_AND_STOP]))
    def reduce_until_stopped(self, verdict: Verdict) -> None:
        seen: list[int] = []

        def visit(key: int, value: int) -> Verdict:
            seen.append(key)
            return verdict

        deleted = self.table.reduce(visit)
        assert len(seen) == min(1, len(self.model))
        assert deleted == (len(seen) if verdict.deletes else 0)
        for key in seen[:deleted]:
            del self.model[key]

    @rule(chance=st.integers(0, 9))
    def clear(self, chance: int) -> None:
        if chance == 0:
            self.table.clear()
            self.model.clear()

    @invariant()
    def agrees(self) -> None:
        self.table._check()
        assert dict(self.table) == self.model
        assert self.table.size() == len(self.table) == len(self.model)


TestShashMachine = ShashMachine.TestCase
TestShashMachine.settings = settings(max_examples=50, stateful_step_count=40)


@pytest.mark.parametrize("buckets", [0, -4, 3, 12])
def test_buckets_are_a_power_of_two(buckets: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        CfShash[int, int](buckets)


def test_a_hash_of_ones_own() -> None:
    table = CfShash[bytes, int](256, hash_key=lambda key: key[0])
    table.put(b"\xffa", 1)
    assert table._buckets[255][1] == {b"\xffa": 1}
    table._check()


def test_values_may_be_none() -> None:
    table = CfShash[str, None]()
    assert table.put_unique("a", None)
    assert not table.put_unique("a", None)
    assert table.put_or_update("a", None, lambda old: old) is None
    assert table.delete("a")


def test_updates_from_threads_are_atomic() -> None:
    table = CfShash[int, int](4)
    for key in range(8):
        table.put(key, 0)

    def work() -> None:
        for step in range(1500):
            table.put_or_update(step % 8, -1, lambda count: count + 1)
            with table.get_and_lock(step % 8) as entry:
                entry.value = entry.value + 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(value for _, value in table) == 4 * 1500 * 2
    table._check()


def test_each_value_is_popped_by_one_thread_only() -> None:
    table = CfShash[int, int](16)
    for key in range(2000):
        table.put(key, key)
    popped: list[list[int]] = [[] for _ in range(4)]

    def work(mine: list[int]) -> None:
        for key in range(2000):
            value = table.pop(key)
            if value is not None:
                mine.append(value)

    threads = [threading.Thread(target=work, args=(mine,)) for mine in popped]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(value for mine in popped for value in mine) == list(range(2000))
    assert not len(table)
