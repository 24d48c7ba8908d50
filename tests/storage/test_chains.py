"""`storage.chains` beside sets of slots."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from storage import area
from storage.chains import Chains
from storage.index import ENTRY_SIZE

SLOTS = 40


class ChainsBesideSets(RuleBasedStateMachine):
    """Each slot is in the list of one block or of none."""

    def __init__(self) -> None:
        super().__init__()
        self.arena = area.allocate(SLOTS * ENTRY_SIZE)
        self.chains = Chains()
        self.block_of: dict[int, int] = {}

    @rule(slot=st.integers(1, SLOTS - 1), block=st.integers(0, 3))
    def add(self, slot: int, block: int) -> None:
        if slot not in self.block_of:
            self.chains.add(self.arena, slot, block)
            self.block_of[slot] = block

    @precondition(lambda self: self.block_of)
    @rule(which=st.integers(0, SLOTS))
    def remove(self, which: int) -> None:
        slot = sorted(self.block_of)[which % len(self.block_of)]
        self.chains.remove(self.arena, slot, self.block_of.pop(slot))

    @precondition(lambda self: self.block_of)
    @rule()
    def nothing_else_in_the_entries_is_touched(self) -> None:
        for slot in range(SLOTS):
            entry = self.arena[slot * ENTRY_SIZE : (slot + 1) * ENTRY_SIZE]
            assert not any(entry[:52])
            assert not any(entry[60:])

    @invariant()
    def each_block_has_its_own(self) -> None:
        for block in range(5):
            found = self.chains.slots(self.arena, block)
            assert len(found) == len(set(found))
            assert set(found) == {slot for slot, its in self.block_of.items() if its == block}


TestChainsBesideSets = ChainsBesideSets.TestCase
