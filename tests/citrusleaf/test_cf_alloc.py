"""Reference counts and the arena, each against a naive model, and counts under threads."""

import threading

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from citrusleaf.cf_alloc import CfArena, CfRc, rc_buffer


class RcMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.destroyed: list[str] = []
        self.cell = CfRc("value", self.destroyed.append)
        self.holders = 1

    @rule()
    def reserve(self) -> None:
        if self.holders:
            assert self.cell.reserve() is self.cell
            self.holders += 1
        else:
            with pytest.raises(RuntimeError):
                self.cell.reserve()

    @rule()
    def release(self) -> None:
        if self.holders:
            self.holders -= 1
            assert self.cell.release() == (self.holders == 0)
        else:
            with pytest.raises(RuntimeError):
                self.cell.release()

    @precondition(lambda self: self.holders)
    @rule()
    def hold_for_a_block(self) -> None:
        with self.cell.reserve() as value:
            assert value == "value"
            assert self.cell.count == self.holders + 1

    @invariant()
    def agrees(self) -> None:
        self.cell._check()
        assert self.cell.count == self.holders
        assert self.destroyed == ([] if self.holders else ["value"])
        if self.holders:
            assert self.cell.value == "value"
        else:
            with pytest.raises(RuntimeError):
                assert self.cell.value


TestRcMachine = RcMachine.TestCase
TestRcMachine.settings = settings(max_examples=40, stateful_step_count=20)


def test_a_value_may_be_none() -> None:
    destroyed: list[None] = []
    cell = CfRc(None, destroyed.append)
    assert cell.value is None
    assert cell.release()
    assert destroyed == [None]


def test_buffers_are_zeroed() -> None:
    buffer = rc_buffer(8)
    assert buffer.value == bytes(8)
    assert buffer.release()


def test_one_thread_of_many_is_the_last() -> None:
    destroyed: list[int] = []
    cell = CfRc(7, destroyed.append)
    lasts: list[bool] = []

    def work() -> None:
        for _ in range(500):
            cell.reserve()
        lasts.extend(cell.release() for _ in range(500))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not any(lasts)
    assert cell.count == 1
    assert cell.release()
    assert destroyed == [7]


class ArenaMachine(RuleBasedStateMachine):
    @initialize(size=st.integers(1, 9), per_stage=st.integers(1, 7), stages=st.integers(1, 4))
    def make(self, size: int, per_stage: int, stages: int) -> None:
        self.arena = CfArena(size, stage_elements=per_stage, max_stages=stages)
        self.capacity = per_stage * stages
        self.per_stage = per_stage
        self.model: dict[int, bytes] = {}
        self.most = 0

    @rule(byte=st.integers(0, 255))
    def alloc(self, byte: int) -> None:
        if len(self.model) == self.capacity:
            with pytest.raises(MemoryError):
                self.arena.alloc()
            return
        handle = self.arena.alloc()
        assert handle not in self.model
        assert not any(self.arena[handle])
        self.model[handle] = bytes([byte]) * self.arena.element_size
        self.arena[handle][:] = self.model[handle]
        self.most = max(self.most, len(self.model))

    @rule(data=st.data())
    def free(self, data: st.DataObject) -> None:
        handle = data.draw(st.sampled_from(sorted(self.model) or [0]))
        if handle in self.model:
            self.arena.free(handle)
            del self.model[handle]
        with pytest.raises(KeyError):
            self.arena.free(handle)

    @rule(handle=st.integers(-3, 30))
    def look(self, handle: int) -> None:
        assert (handle in self.arena) == (handle in self.model)
        if handle not in self.model:
            with pytest.raises(KeyError):
                self.arena[handle]

    @invariant()
    def agrees(self) -> None:
        self.arena._check()
        assert list(self.arena) == sorted(self.model)
        assert len(self.arena) == len(self.model)
        assert all(self.arena[handle] == content for handle, content in self.model.items())
        # Freed elements are used again first: no more stages than the most ever live needs.
        assert self.arena.stages == -(-self.most // self.per_stage)
        stage_bytes = self.per_stage * self.arena.element_size
        assert self.arena.memory_bytes == self.arena.stages * stage_bytes


TestArenaMachine = ArenaMachine.TestCase
TestArenaMachine.settings = settings(max_examples=40, stateful_step_count=40)


@pytest.mark.parametrize(("size", "per_stage", "stages"), [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_an_arena_has_room_for_something(size: int, per_stage: int, stages: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        CfArena(size, stage_elements=per_stage, max_stages=stages)


def test_elements_stay_where_they_are_when_stages_are_added() -> None:
    arena = CfArena(4, stage_elements=2)
    first = arena[arena.alloc()]
    for _ in range(100):
        arena.alloc()
    first[:] = b"here"
    assert arena[0] == b"here"
