"""The search for an order, held against trying all orders, and on histories that cannot be."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asd.simulation import Violation
from asd.simulation.checkers.linearizable import check_linearizable, linearize
from asd.simulation.checkers.models import ABSENT, appended, counter, register
from asd.simulation.history import NEVER, Operation, Status


def op(act, value, begun, ended, result=None, status=Status.DONE, generation=0):
    ended = NEVER if status is Status.IN_DOUBT else ended
    return Operation(
        "c", "key", act, value, begun, float(begun), ended, float(ended), status, result, generation
    )


def brute(operations, step, state) -> bool:
    """Every order of every choice of those in doubt."""
    sure = [each for each in operations if each.ended != NEVER]
    doubtful = [each for each in operations if each.ended == NEVER]
    for bits in range(1 << len(doubtful)):
        chosen = sure + [each for n, each in enumerate(doubtful) if bits >> n & 1]
        if any(fits(order, step, state) for order in permutations(chosen)):
            return True
    return False


def fits(order, step, state) -> bool:
    for number, operation in enumerate(order):
        if any(later.before(operation) for later in order[number + 1 :]):
            return False
        possible, state = step(state, operation)
        if not possible:
            return False
    return True


@st.composite
def histories(draw):
    count = draw(st.integers(1, 6))
    ticks = draw(st.permutations(range(2 * count)))
    operations = []
    for number in range(count):
        begun, ended = sorted(ticks[2 * number : 2 * number + 2])
        act = draw(st.sampled_from(["read", "write", "write", "cas", "remove"]))
        status = draw(st.sampled_from([Status.DONE, Status.DONE, Status.IN_DOUBT]))
        if act == "read":
            result = draw(st.sampled_from([None, 1, 2]))
            operations.append(op(act, None, begun, ended, result, status))
        elif act == "remove":
            operations.append(
                op(act, None, begun, ended, draw(st.sampled_from([True, False])), status)
            )
        else:
            value = draw(st.integers(1, 2))
            generation = draw(st.integers(0, 3))
            given = value if act == "write" else (draw(st.integers(0, 2)), value)
            operations.append(op(act, given, begun, ended, None, status, generation))
    return operations


@given(histories())
def test_the_search_finds_what_trying_all_finds(operations):
    assert linearize(operations, register, ABSENT) == brute(operations, register, ABSENT)


def test_a_read_of_an_old_value_is_shown():
    operations = [
        op("write", 1, 1, 2),
        op("write", 2, 3, 4),
        op("read", None, 5, 6, 1),
        op("write", 3, 7, 8),
    ]
    with pytest.raises(Violation, match="not linearizable") as caught:
        check_linearizable(operations, register, ABSENT)
    assert "read" in str(caught.value)
    assert "write 3" not in str(caught.value)  # the shortest beginning that cannot be


def test_a_write_in_doubt_may_come_late_or_never():
    doubtful = op("write", 2, 1, 0, status=Status.IN_DOUBT)
    read = [op("write", 1, 2, 3), op("read", None, 4, 5, 1)]
    assert linearize([doubtful, *read], register, ABSENT)
    assert linearize([doubtful, *read, op("read", None, 6, 7, 2)], register, ABSENT)
    back = [op("read", None, 6, 7, 2), op("read", None, 8, 9, 1)]
    assert not linearize([doubtful, *read, *back], register, ABSENT)


def test_a_counter_that_lost_an_addition():
    added = [op("add", 1, 1, 2), op("add", 1, 3, 4)]
    assert linearize([*added, op("read", None, 5, 6, 2)], counter, ABSENT)
    assert not linearize([*added, op("read", None, 5, 6, 1)], counter, ABSENT)


def test_a_list_whose_elements_change_places():
    both = [op("append", 1, 1, 5), op("append", 2, 2, 6)]
    one = op("read", None, 7, 8, (1, 2))
    assert linearize([*both, one], appended, ABSENT)
    assert not linearize([*both, one, op("read", None, 9, 10, (2, 1))], appended, ABSENT)


def test_a_search_that_is_too_long_is_undecided(monkeypatch):
    monkeypatch.setattr("asd.simulation.checkers.linearizable.MOST_STEPS", 3)
    operations = [op("write", value, value, 100 + value) for value in range(1, 9)]
    assert linearize([*operations, op("read", None, 200, 201, 9)], register, ABSENT) is None
    assert not check_linearizable(operations, register, ABSENT)
