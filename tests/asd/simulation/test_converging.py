"""Simulated clusters that all take writes; and planted bugs, one for each rule, that a run must
find."""

from __future__ import annotations

from typing import Any

import pytest

from asd.records import bin_times
from asd.records.bin_times import BinTimes
from asd.shipping import changed
from asd.simulation import __main__ as command
from asd.simulation.converging import ConvergingRun
from asd.simulation.sites import BREAK, CUT, DIE_THERE
from asd.transactions import bin_times as transactions
from cluster.simulation import Violation

PAIR = 1
RING = 4
TOGETHER = 2


@pytest.mark.parametrize(("seed", "fault"), [(PAIR, DIE_THERE), (RING, CUT)])
def test_all_have_the_same_in_the_end(seed: int, fault: str) -> None:
    run = ConvergingRun(seed, 1, (fault,))
    run.run()
    assert run.writes > 20
    assert any(number is not None for number in run.own.values())


def test_writes_of_one_millisecond_come_to_the_same() -> None:
    run = ConvergingRun(TOGETHER, 1, (CUT,))
    run.run()
    assert run.together
    assert list(run.prompt.values()).count(2) > 3


def found(seed: int, fault: str) -> None:
    with pytest.raises(Violation):
        ConvergingRun(seed, 1, (fault,)).run()


def test_it_is_found_when_what_comes_last_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of arrival decides, and not when it was written."""
    real = transactions.merge

    def merge(held: BinTimes, old: Any, sent: BinTimes, bins: Any, *, exact: bool) -> Any:
        weak = BinTimes(0, 0, dict.fromkeys(held.named, 0))
        return real(weak, old, sent, bins, exact=exact) if old else None

    monkeypatch.setattr(transactions, "merge", merge)
    found(PAIR, CUT)


def test_it_is_found_when_deletes_leave_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = transactions.tidied

    def tidied(times: BinTimes, bins: Any, since_ms: int = 0) -> BinTimes:
        return real(times._replace(floor=0), bins, 1 << 39)

    monkeypatch.setattr(transactions, "tidied", tidied)
    found(PAIR, CUT)


def test_it_is_found_when_what_comes_hides_what_was_written_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A record to which something was shipped counts as shipped, all of it."""
    monkeypatch.setattr(transactions, "_mark", lambda *_: transactions.XDR_WRITE)
    found(PAIR, CUT)


def test_it_is_found_when_a_bin_is_taken_for_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what has changed in the last moment goes, after a link was cut for long."""
    real = changed._goes
    late = (1 << 40) - 1
    monkeypatch.setattr(changed, "_goes", lambda selection, stamp, _: real(selection, stamp, late))
    found(PAIR, CUT)


def test_it_is_found_when_times_change_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes has the time of its coming: it goes round the ring for ever."""
    real = transactions._came_from

    def now(times: BinTimes, namespace: Any) -> BinTimes:
        came = real(times, namespace)
        own = bin_times.CAME | bin_times.stamp(namespace.clock.epoch_ms(), 9)
        return BinTimes(came.floor, own, dict.fromkeys(came.named, own))

    monkeypatch.setattr(transactions, "_came_from", now)
    found(RING, BREAK)


def test_it_is_found_when_the_src_id_does_not_settle_a_tie(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes of one millisecond are alike, from whichever data center."""
    real = bin_times.stamp
    monkeypatch.setattr(bin_times, "stamp", lambda time_ms, _, count=0: real(time_ms, 0, count))
    with pytest.raises(Violation, match="the greatest src-id does not stay"):
        ConvergingRun(TOGETHER, 1, (CUT,)).run()


def test_the_command_sweeps_and_goes_on(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    record = tmp_path / "sites.jsonl"
    wanted = ["--sites", "--sweep", "--seeds", "1", "--minutes", "0.3", "--record", str(record)]
    assert command.main(wanted) == 0
    assert command.main(wanted) == 0
    assert "1 seeds recorded, 0 to run" in capsys.readouterr().out
