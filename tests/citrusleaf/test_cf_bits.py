"""Bit tricks against text, CfBits against a list of bools."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from citrusleaf.cf_bits import (
    CfBits,
    bit_count,
    highest_bit,
    is_power_of_two,
    lowest_bit,
    round_up_to_power_of_two,
)


@given(st.integers(0, 2**70))
def test_against_binary_digits(value: int) -> None:
    digits = f"{value:b}"
    assert bit_count(value) == digits.count("1")
    assert lowest_bit(value) == digits[::-1].find("1")
    assert highest_bit(value) == (len(digits) - 1 if value else -1)
    assert is_power_of_two(value) == (digits.count("1") == 1)


@given(st.integers(-5, 2**70))
def test_round_up(value: int) -> None:
    up = round_up_to_power_of_two(value)
    assert is_power_of_two(up)
    assert up >= value
    assert up == 1 or up // 2 < value


@given(st.integers(-(2**70), 0))
def test_nothing_below_one_is_a_power_of_two(value: int) -> None:
    assert not is_power_of_two(value)


class BitsMachine(RuleBasedStateMachine):
    @initialize(size=st.integers(0, 70))
    def make(self, size: int) -> None:
        self.bits = CfBits(size)
        self.model = [False] * size

    @rule(position=st.integers(-1, 71), value=st.booleans())
    def write(self, position: int, value: bool) -> None:
        write = self.bits.set if value else self.bits.clear
        if 0 <= position < len(self.model):
            write(position)
            self.model[position] = value
            assert self.bits.test(position) == value
        else:
            for operation in (write, self.bits.test):
                with pytest.raises(IndexError):
                    operation(position)

    @rule(start=st.integers(0, 80))
    def find(self, start: int) -> None:
        for value, find in ((True, self.bits.find_set), (False, self.bits.find_clear)):
            places = [p for p, bit in enumerate(self.model) if bit is value and p >= start]
            assert find(start) == (places[0] if places else -1)

    @rule(run=st.tuples(st.integers(0, 70), st.integers(0, 70)))
    def set_a_run(self, run: tuple[int, int]) -> None:
        for position in range(run[0], min(run[1], len(self.model))):
            self.bits.set(position)
            self.model[position] = True

    @invariant()
    def agrees(self) -> None:
        if hasattr(self, "bits"):
            self.bits._check()
            assert list(self.bits) == [p for p, bit in enumerate(self.model) if bit]
            assert self.bits.count() == sum(self.model)
            assert len(self.bits) == len(self.model)


TestBitsMachine = BitsMachine.TestCase
TestBitsMachine.settings = settings(max_examples=40, stateful_step_count=30)


def test_misuse() -> None:
    with pytest.raises(ValueError, match="negative"):
        CfBits(-1)
    for find in (CfBits(8).find_set, CfBits(8).find_clear):
        with pytest.raises(IndexError):
            find(-1)
