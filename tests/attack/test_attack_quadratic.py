"""Requests that were quadratic, or decoded the same value again and again."""

from __future__ import annotations

from typing import Any

from aerospike_common.wire.codes import OpType, ParticleType
from aerospike_common.wire.message import Op

COUNT, INDEX, VALUE = 5, 1, 7
LIST, MAP, INT = 4, 5, 2
EQ, AND, ADD, BIN, CALL, QUOTE = 1, 16, 20, 81, 127, 126


def test_a_hundred_comparisons_of_a_big_collection(attack: Any, unit: float) -> None:
    target = attack.Target()
    mixed = [*attack.integers(attack.BIG // 2), "\x03a", 1.5]
    target.store(1, a=mixed, b=mixed)
    same = [EQ, [BIN, LIST, "a"], [BIN, LIST, "a"]]
    equal = [EQ, [BIN, LIST, "a"], [BIN, LIST, "b"]]
    one, answer = target.held(attack.operate(1, attack.compute(equal)))
    assert attack.code(answer) == 0
    many, answer = target.held(
        attack.operate(1, attack.compute([AND, *[equal] * 50, *[same] * 50]))
    )
    assert attack.code(answer) == 0
    assert many < one + 100 * unit


def test_the_size_of_a_list_a_thousand_times(attack: Any, unit: float) -> None:
    target = attack.Target()
    target.store(1, a=attack.integers(attack.BIG))
    size = [CALL, INT, 0, [16], [BIN, LIST, "a"]]
    held, answer = target.held(attack.operate(1, attack.compute([ADD, *[size] * 1000])))
    assert attack.code(answer) == 0
    assert held < 30 * unit


def test_a_value_list_whose_hashes_collide(attack: Any, unit: float) -> None:
    target = attack.Target()
    target.store(1, a=[1, 2.5, "\x03a"])
    colliding = hash_colliders(10_000)
    assert len({hash((5, (3, a), (3, b))) for a, b in colliding}) == 1
    held, answer = target.held(attack.operate(1, attack.look(b"a", 23, COUNT, colliding)))
    assert attack.code(answer) == 0
    assert held < 30 * unit


def test_unique_appends_whose_hashes_collide(attack: Any, unit: float) -> None:
    target = attack.Target()
    target.store(1, a=[1])
    colliding = hash_colliders(10_000)
    held, answer = target.held(attack.operate(1, attack.modify(b"a", 2, colliding, 0, 1)))
    assert attack.code(answer) == 0
    assert held < 30 * unit


_WORD = (1 << 64) - 1
_P1, _P2, _P5 = 11400714785074694791, 14029467366897019727, 2870177450012600261
"""The constants of how Python hashes tuples: anybody can turn it round."""


def _lane(total: int, lane: int) -> int:
    total = (total + lane * _P2) & _WORD
    return ((total << 31 | total >> 33) & _WORD) * _P1 & _WORD


def _lane_to(total: int, result: int) -> int:
    """The lane that makes `result` of `total`."""
    turned = result * pow(_P1, -1, 1 << 64) & _WORD
    before = (turned >> 31 | turned << 33) & _WORD
    return (before - total) * pow(_P2, -1, 1 << 64) & _WORD


def hash_colliders(count: int) -> list[list[int]]:
    """Pairs of integers whose keys of order (`(5, (3, a), (3, b))`) all have the same hash."""
    ends = [(size ^ _P5 ^ 3527539) & _WORD for size in range(4)]
    wanted = (123456789 - ends[3]) & _WORD
    found: list[list[int]] = []
    first = 1 << 40
    while len(found) < count:
        first += 1
        outer = _lane(_lane(_P5, 5), hash((3, first)) & _WORD)
        inner = (_lane_to(outer, wanted) - ends[2]) & _WORD
        second = _lane_to(_lane(_P5, 3), inner)
        if second < (1 << 61) - 1:
            found.append([first, second])
    return found


def test_equal_elements_times_equal_elements(attack: Any, unit: float) -> None:
    target = attack.Target()
    target.store(1, a=[5] * 10_000)
    target.operate(1, attack.modify(b"a", 0, 1))  # ordered
    request = attack.operate(1, attack.look(b"a", 23, COUNT, [5] * 3_000))
    peak, answer = target.peak(request)
    assert attack.code(answer) == 0
    assert peak < 4 << 20
    held, _ = target.held(request)
    assert held < 10 * unit
    peak, answer = target.peak(attack.operate(1, attack.modify(b"a", 36, COUNT, [5] * 3_000)))
    assert attack.code(answer) == 0
    assert peak < 4 << 20


def test_an_answer_that_repeats_elements_without_end_is_refused(attack: Any) -> None:
    target = attack.Target()
    target.store(1, a=[5] * 10_000)
    target.operate(1, attack.modify(b"a", 0, 1))
    for kind in (INDEX, VALUE):
        peak, answer = target.peak(attack.operate(1, attack.look(b"a", 23, kind, [5] * 3_000)))
        assert attack.code(answer) == 13
        assert peak < 4 << 20


def test_get_by_key_list_on_an_unordered_map(attack: Any, unit: float) -> None:
    target = attack.Target()
    target.store(1, m=dict.fromkeys(range(70000, 70000 + 150000), 1))
    wanted = list(range(70_000, 80_000))
    held, answer = target.held(attack.operate(1, attack.look(b"m", 107, COUNT, wanted)))
    assert attack.code(answer) == 0
    assert held < 15 * unit


def test_a_context_by_rank_through_a_hundred_levels(attack: Any, unit: float) -> None:
    target = attack.Target()
    nested: Any = attack.integers(attack.BIG)
    for _ in range(100):
        nested = [nested]
    target.store(1, a=nested)
    context = [part for _ in range(100) for part in (0x11, 0)]
    held, answer = target.held(attack.operate(1, attack.look(b"a", 0xFF, context, [16])))
    assert attack.code(answer) == 0
    assert held < 10 * unit


def test_many_appends_of_strings_in_one_command(attack: Any, unit: float) -> None:
    target = attack.Target(clock=None)
    target.store(1, s="")
    ops = [Op(OpType.APPEND, ParticleType.STRING, b"s", b"x" * 250) for _ in range(4_000)]
    held, answer = target.held(attack.operate(1, *ops))
    assert attack.code(answer) == 0
    assert held < 15 * unit


def test_ops_that_delete_the_bins_of_a_record(attack: Any, unit: float) -> None:
    def held(count: int) -> float:
        target = attack.Target()
        names = [b"%d" % number for number in range(count)]
        target.put(1, *((name, ParticleType.BLOB, b"x") for name in names))
        ops = [Op(OpType.WRITE, 0, name, b"") for name in names[:-1]]
        spent, answer = target.held(attack.operate(1, *ops))
        assert attack.code(answer) == 0
        return float(spent)

    assert held(16_000) < 16 * held(2_000) + unit  # 8 times the bins; quadratic is 64 times


def test_many_map_puts_in_one_command(attack: Any, unit: float) -> None:
    target = attack.Target()
    target.store(1, m=dict.fromkeys(range(70000, 70000 + 150000), 1))
    ops = [attack.modify(b"m", 67, 1_000_000 - at, 7) for at in range(300)]
    held, answer = target.held(attack.operate(1, *ops))
    assert attack.code(answer) == 0
    assert held < 25 * unit


def test_many_appends_to_a_list_in_one_command(attack: Any, unit: float) -> None:
    target = attack.Target()
    target.store(1, a=attack.integers(attack.BIG), o=attack.integers(1000))
    target.operate(1, attack.modify(b"o", 0, 1))
    ops = [attack.modify(name, 1, at * 77) for at in range(1_000) for name in (b"a", b"o")]
    held, answer = target.held(attack.operate(1, *ops))
    assert attack.code(answer) == 0
    assert held < 25 * unit


def test_many_looks_at_one_list_in_one_command(attack: Any, unit: float) -> None:
    target = attack.Target()
    target.store(1, a=attack.integers(attack.BIG))
    ops = [attack.look(b"a", 17, at) for at in range(1_000)]
    held, answer = target.held(attack.operate(1, *ops))
    assert attack.code(answer) == 0
    assert held < 15 * unit
    held, answer = target.held(attack.kit.request(1, info1=1, ops=ops))
    assert attack.code(answer) == 0
    assert held < 15 * unit


def test_counts_by_interval_cost_what_a_pass_costs(attack: Any, unit: float) -> None:
    target = attack.Target()
    target.store(1, a=attack.integers(attack.BIG))
    ops = [attack.look(b"a", 25, COUNT, 100_000, 900_000) for _ in range(10)]
    held, answer = target.held(attack.operate(1, *ops))
    assert attack.code(answer) == 0
    assert held < 60 * unit
