"""Two simulated clusters, one shipping to the other; and planted bugs that a run must find."""

from __future__ import annotations

from typing import Any

import pytest

from asd.shipping import link
from asd.shipping.failure_handler import FailureHandler
from asd.simulation.sites import BREAK, DIE_HERE, SitesRun
from cluster.simulation import Violation

SEED = 1
OVERLOOKED = 7
"""With it several records are left to recovery when a node dies."""


@pytest.mark.parametrize("fault", [BREAK, DIE_HERE])
def test_both_have_the_same_in_the_end(fault: str) -> None:
    run = SitesRun(SEED, 1, (fault,))
    run.run()
    assert any(number is not None for number in run.written.values())


def test_it_is_found_when_what_failed_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shipment whose connection is lost is not tried again."""
    monkeypatch.setattr(FailureHandler, "failed", lambda self, *_, **more: None)
    with pytest.raises(Violation, match="records are wrong"):
        SitesRun(SEED, 1, (BREAK,)).run()


def test_it_is_found_when_recovery_overlooks_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing: Any = lambda *_: []  # noqa: E731  # a function of its own would say no more
    monkeypatch.setattr(link, "changed_since", nothing)
    with pytest.raises(Violation, match="records are wrong"):
        SitesRun(OVERLOOKED, 1, (DIE_HERE,)).run()
