"""`python -m asd.simulation`: seeds, plans, sweeps in pieces, failing runs made smaller."""

from __future__ import annotations

import pytest
from attrs import evolve

from asd.simulation.__main__ import main
from asd.simulation.account import Result, account, result_of
from asd.simulation.faults import DISKS, KINDS
from asd.simulation.plan import ENGINES, Plan, draw_plan
from asd.simulation.run import Outcome
from asd.simulation.shrink import kind_of, shrink, smaller
from asd.simulation.workloads import WORKLOADS, Mode


def test_swarms_differ_and_everything_is_drawn():
    plans = [draw_plan(seed) for seed in range(300)]
    assert {kind for plan in plans for kind in plan.kinds} == set(KINDS)
    assert {name for plan in plans for name in plan.workloads} == set(WORKLOADS)
    assert {plan.shape.nodes for plan in plans} == {3, 4, 5}
    engines = {str(plan).partition("(")[2].split(",")[0].split()[0] for plan in plans}
    assert engines == {"memory", "mapped", "ssd", "ssd_cold", "kv"} == set(ENGINES)
    assert {plan.mode for plan in plans} == set(Mode)
    assert draw_plan(7) == draw_plan(7)


def test_strong_consistency_has_what_it_allows():
    for seed in range(100):
        plan = draw_plan(seed, mode=Mode.CONSISTENT)
        assert plan.mode is Mode.CONSISTENT
        assert "expiring" not in plan.workloads
        assert plan.shape.max_wall_offset_s < 1
        assert "--mode consistent" in str(plan)
        assert draw_plan(seed, mode=Mode.AVAILABLE).mode is Mode.AVAILABLE


def test_no_faults_of_disks_where_there_are_none():
    for plan in map(draw_plan, range(100)):
        if not plan.shape.namespaces[0].storage_engine.file:
            assert DISKS.isdisjoint(plan.kinds)
            assert not plan.keeps_all


def test_a_seed_is_run_and_swept_in_pieces(capsys, tmp_path):
    small = ["--minutes", "0.02", "--nodes", "2", "--clients", "1", "--workloads", "bank"]
    assert main(["--seed", "3", "--kinds", "", *small]) == 0
    said = capsys.readouterr().out
    assert "--workloads bank" in said
    assert "0 violations" in said
    record = tmp_path / "sweep.jsonl"
    outcome = Outcome(draw_plan(1, 0.02))
    record.write_text(result_of(outcome).line())
    sweep = ["--sweep", "--seeds", "1", "--minutes", "0.02", "--record", str(record)]
    assert main(sweep) == 0
    assert "1 seeds recorded, 0 to run" in capsys.readouterr().out
    assert Result.all_in(record.read_text()) == [result_of(outcome)]


def test_names_that_are_none_are_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--workloads", "poker"])
    assert "there is no poker" in capsys.readouterr().err


def test_a_file_of_something_else_is_no_record():
    with pytest.raises(ValueError, match="not a result"):
        Result.all_in('{"seed": 1, "colour": "red"}\n')


def test_an_account_names_what_failed():
    outcome = Outcome(draw_plan(1), violation="register: lost: it")
    text = account([result_of(outcome)])
    assert "1 violations" in text
    assert "--seed 1" in text
    assert "register: lost: it" in text


def test_a_failing_run_is_made_smaller():
    def run(plan: Plan) -> Outcome:
        fails = "kill" in plan.kinds and "bank" in plan.workloads and plan.clients >= 2
        violation = "bank: the accounts have 3 together" if fails else ""
        return Outcome(plan, violation=violation, simulated_s=20.0)

    plan = evolve(
        draw_plan(1),
        kinds=("pause", "kill", "halves", "reset"),
        workloads=("register", "bank", "set"),
        clients=5,
        minutes=2.0,
    )
    shrunk = shrink(run(plan), run)
    assert shrunk.plan.kinds == ("kill",)
    assert shrunk.plan.workloads == ("bank",)
    assert shrunk.plan.clients == 2
    assert shrunk.plan.minutes < 1
    assert shrunk.plan.shape.nodes == 2
    assert shrunk.violation


def test_another_failure_is_not_the_same():
    first, second = "bank: the accounts have 3 together", "register: lost: something"
    assert kind_of(first) != kind_of(second)
    assert kind_of("register: lost: 17 by c1") == kind_of("register: lost: 23 by c2")
    outcome = Outcome(draw_plan(1), violation=first)
    assert shrink(outcome, lambda plan: Outcome(plan, violation=second)) is outcome
    assert all(plan != outcome.plan for plan in smaller(outcome))
