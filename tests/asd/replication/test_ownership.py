"""The plan's bytes as requests see them."""

from __future__ import annotations

import pytest

from asd.replication.ownership import OwnershipOf
from asd.space.ownership import (
    ALONE,
    CLOSED,
    DUPLICATES,
    ELSEWHERE,
    LOCKED,
    REPLICATED,
    Ownership,
)
from cluster import PARTITIONS
from cluster import Ownership as Planned


def planned(**partitions: int) -> bytearray:
    plan = bytearray([Planned.ELSEWHERE]) * PARTITIONS
    for name, state in partitions.items():
        plan[int(name[1:])] = state
    return plan


@pytest.mark.parametrize(
    ("plan", "state"),
    [
        (Planned.ELSEWHERE, ELSEWHERE),
        (Planned.ALONE, ALONE),
        (Planned.WITH_REPLICAS, REPLICATED),
        (Planned.WITH_DUPLICATES, DUPLICATES),
        (Planned.LOCKED, LOCKED),
        (Planned.CLOSED, LOCKED),
        (Planned.UNAVAILABLE, CLOSED),
    ],
)
def test_each_byte_has_its_state(plan: int, state: int) -> None:
    ownership = Ownership()
    follower = OwnershipOf(ownership, lambda partition: False)
    follower.begin(planned())
    follower.follow(planned(p5=plan), (5,))
    assert ownership[5] == state
    ownership._check()
    follower._check()


def test_a_node_that_has_no_plan_yet_serves_nothing() -> None:
    ownership = Ownership()
    follower = OwnershipOf(ownership, lambda partition: False)
    follower.follow(planned(p5=Planned.ALONE), (5,))
    assert {ownership[p] for p in range(PARTITIONS)} == {CLOSED}
    follower.begin(planned(p5=Planned.ALONE))
    assert ownership[5] == ALONE
    assert ownership[6] == ELSEWHERE


def test_writes_stand_in_line_until_lines_with_winners_are_empty() -> None:
    ownership, lines = Ownership(), {5}
    follower = OwnershipOf(ownership, lines.__contains__)
    follower.begin(planned(p5=Planned.WITH_DUPLICATES, p6=Planned.WITH_DUPLICATES))
    settled = planned(p5=Planned.WITH_REPLICAS, p6=Planned.WITH_REPLICAS)
    follower.follow(settled, (5, 6))
    assert (ownership[5], ownership[6]) == (DUPLICATES, REPLICATED)
    follower.look_again(settled)
    assert ownership[5] == DUPLICATES
    lines.clear()
    follower.look_again(settled)
    assert ownership[5] == REPLICATED


def test_what_a_query_may_have_missed_is_counted() -> None:
    ownership = Ownership()
    follower = OwnershipOf(ownership, lambda partition: False)
    follower.begin(planned(p5=Planned.ALONE))
    before = ownership.losses
    follower.follow(planned(p5=Planned.LOCKED), (5,))
    assert not ownership.was_lost(5, before)
    follower.follow(planned(), (5,))
    assert ownership.was_lost(5, before)
    assert not ownership.was_lost(6, before)
    after = ownership.losses
    follower.follow(planned(), (5,))
    assert not ownership.was_lost(5, after)
