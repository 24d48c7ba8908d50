"""Rosters in the metadata: texts of operators, what is pending and what is in effect."""

from __future__ import annotations

import pytest

from asd.membership import rosters
from asd.membership.metadata import SystemMetadata
from cluster import MemoryStore, Roster, Smd


@pytest.fixture
def metadata() -> SystemMetadata:
    return SystemMetadata(Smd(MemoryStore(), [rosters.MODULE]))


def test_a_text_and_back():
    nodes = rosters.parse_nodes("A1@2,BB9020011AC4202,A3@0")
    assert nodes == ((0xA1, 2), (0xA3, 0), (0xBB9020011AC4202, 0))
    assert rosters.show_nodes(nodes) == "BB9020011AC4202,A3,A1@2"
    assert rosters.show_nodes(()) == "null"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no node"),
        ("A1,,A2", "no node"),
        ("null", "no node"),
        ("A1@x", "no node"),
        ("A1@1000001", "out of range"),
        ("0", "out of range"),
        ("A1,A2,A1@1", "named twice"),
        (",".join(f"{n:X}" for n in range(1, 300)), "more than"),
    ],
)
def test_texts_that_are_none(text, why):
    with pytest.raises(ValueError, match=why):
        rosters.parse_nodes(text)


def test_what_is_pending_comes_into_effect(metadata):
    assert rosters.current(metadata, "test") is None
    assert rosters.pending(metadata, "test") == ()
    rosters.adopt(metadata, "test", 1)
    assert rosters.current(metadata, "test") is None

    rosters.set_pending(metadata, "test", ((1, 0), (2, 5)), 2)
    assert rosters.current(metadata, "test") is None
    rosters.adopt(metadata, "test", 3)
    assert rosters.current(metadata, "test") == Roster(1, ((1, 0), (2, 5)), founded=False)
    rosters.adopt(metadata, "test", 4)
    assert rosters.current(metadata, "test").generation == 1

    rosters.found(metadata, "test", 5)
    assert rosters.current(metadata, "test").founded
    rosters.set_pending(metadata, "test", ((1, 0),), 6)
    rosters.adopt(metadata, "test", 7)
    assert rosters.current(metadata, "test") == Roster(2, ((1, 0),))
    assert rosters.current(metadata, "bar") is None
