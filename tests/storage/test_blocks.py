"""The accounts of a log: places never overlap, blocks come back, sparse ones are named."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from storage.blocks import WriteBlocks

BLOCK = 256


class BlocksBesideSet(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = WriteBlocks(BLOCK, sparse_pct=50)
        self.places: dict[int, int] = {}

    @rule(size=st.integers(1, BLOCK))
    def place(self, size):
        position = self.blocks.place(size)
        assert position // BLOCK == (position + size - 1) // BLOCK
        for begin, length in self.places.items():
            assert position + size <= begin or begin + length <= position
        self.places[position] = size

    @precondition(lambda self: self.places)
    @rule(data=st.data())
    def release(self, data):
        position = data.draw(st.sampled_from(sorted(self.places)))
        block = position // BLOCK
        freed = self.blocks.release(position, self.places.pop(position))
        others = any(p // BLOCK == block for p in self.places)
        is_head = block * BLOCK <= self.blocks.next - 1 < (block + 1) * BLOCK
        assert freed == (None if others or is_head else block)

    @precondition(lambda self: self.blocks.emptying is None)
    @rule()
    def empty_a_sparse_block(self):
        begin = self.blocks.sparse()
        if begin is None:
            return
        block = begin // BLOCK
        mine = {p: n for p, n in self.places.items() if p // BLOCK == block}
        assert self.blocks.emptying == block
        assert 0 < sum(mine.values()) < BLOCK / 2
        for position, size in mine.items():
            self.place(size)
            self.blocks.release(position, size)
            del self.places[position]
        assert self.blocks.emptying is None
        assert block in self.blocks.free

    @invariant()
    def agree(self):
        self.blocks._check()
        assert self.blocks.used_bytes == sum(self.places.values())


TestBlocksBesideSet = BlocksBesideSet.TestCase
TestBlocksBesideSet.settings = settings(max_examples=50, stateful_step_count=50, deadline=None)


def test_free_blocks_are_used_before_the_log_gets_longer():
    blocks = WriteBlocks(BLOCK, sparse_pct=50)
    first, second, _third = (blocks.place(BLOCK) for _ in range(3))
    assert blocks.release(first, BLOCK) == 0
    assert blocks.release(second, BLOCK) == 1
    assert {blocks.place(BLOCK), blocks.place(BLOCK)} == {first, second}
    assert len(blocks) == 3


def test_a_block_dense_enough_is_left_alone():
    blocks = WriteBlocks(BLOCK, sparse_pct=50)
    places = [blocks.place(BLOCK // 4) for _ in range(5)]
    for place in places[:2]:
        blocks.release(place, BLOCK // 4)
    assert blocks.sparse() is None
    blocks.release(places[2], BLOCK // 4)
    assert blocks.sparse_blocks == 1
    assert blocks.sparse() == 0
