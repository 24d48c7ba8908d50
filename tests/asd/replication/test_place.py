"""A node that leaves passes on what still comes, as long as it comes, but not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from asd.replication import place


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "QUIET_S", 0.001)


def test_who_leaves_waits_until_clients_have_learned() -> None:
    """It closed its port after a second and a half, whoever still came."""
    counts: Iterator[int] = iter([5, 9, 12, 12, 13])
    asyncio.run(place.until_quiet(lambda: next(counts), 1))
    assert next(counts) == 13


def test_who_leaves_does_not_wait_for_clients_that_know_no_map() -> None:
    looks = []
    asyncio.run(place.until_quiet(lambda: looks.append(0) or len(looks), 0.01))
    assert len(looks) == 11
