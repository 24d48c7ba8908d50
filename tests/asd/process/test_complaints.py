"""Complaints: what comes again and again is logged once in a while, with how often it came."""

from __future__ import annotations

import logging

import pytest

from asd.process import complaints
from asd.process.complaints import AGAIN_MS, Complaints

log = logging.getLogger("asd.test")


def test_the_same_is_said_once_in_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = [0]
    told = Complaints(log, lambda: now[0])
    for _ in range(3):
        told.say("a", "%s is refused", "a")
    told.say("b", "%s is refused", "b")
    now[0] = AGAIN_MS
    told.say("a", "%s is refused", "a")
    assert caplog.messages == [
        "a is refused",
        "b is refused",
        "a is refused (2 more since it was last said)",
    ]


def test_a_table_that_is_full_starts_afresh(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(complaints, "MOST", 2)
    told = Complaints(log, lambda: 0)
    for about in "abca":
        told.say(about, "%s", about)
    assert caplog.messages == ["a", "b", "c", "a"]
    assert len(told._said) == 2
