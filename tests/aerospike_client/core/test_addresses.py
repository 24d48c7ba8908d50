"""Addresses, seeds and peers' lists."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerospike_client.core.addresses import (
    Address,
    Peer,
    Peers,
    parse_address,
    parse_peers,
    parse_seeds,
    parse_services,
)
from aerospike_client.errors import BadReply, InvalidParameter


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [
        ("db", [(("db", 3000), "")]),
        ("db:3100, 10.0.0.2", [(("db", 3100), ""), (("10.0.0.2", 3000), "")]),
        (["[::1]:3100", ("db", 1)], [(("::1", 3100), ""), (("db", 1), "")]),
        ("db:blue:3100", [(("db", 3100), "blue")]),
        (["[::1]:blue:3100", ("db", 1, "red")], [(("::1", 3100), "blue"), (("db", 1), "red")]),
    ],
)
def test_seeds(seeds: object, expected: list[object]) -> None:
    assert list(parse_seeds(seeds)) == expected  # type: ignore[arg-type]  # a table of kinds


@pytest.mark.parametrize(
    "seeds", ["", ":3000", "db:port", "db:70000", [], [("db",)], "[::1", "db::3100"]
)
def test_what_is_no_seed(seeds: object) -> None:
    with pytest.raises(InvalidParameter):
        parse_seeds(seeds)  # type: ignore[arg-type]  # a table of mistakes


def test_addresses_print_as_they_are_written() -> None:
    assert str(Address("::1", 3000)) == "[::1]:3000"
    assert parse_address(str(Address("h", 1)), 3000) == Address("h", 1)


def test_peers() -> None:
    text = "7,3000,[[BB9,,[10.0.0.2]],[BB8,tls,[10.0.0.3:3100,[2001:db8::3]:3100]]]"
    assert parse_peers(text) == Peers(
        7,
        (
            Peer("BB9", "", (Address("10.0.0.2", 3000),)),
            Peer("BB8", "tls", (Address("10.0.0.3", 3100), Address("2001:db8::3", 3100))),
        ),
    )
    assert parse_peers("5,3000,[]") == Peers(5, ())
    assert parse_peers("5,,[[A,,[h]]]").peers[0].addresses == (Address("h", 3000),)


@settings(deadline=None)
@given(st.text(alphabet="AB9,:[]30.", max_size=40))
def test_peers_parse_or_are_refused(text: str) -> None:
    with contextlib.suppress(BadReply):
        parse_peers(text)


def test_services() -> None:
    assert parse_services("a:1,[::1]:2") == (Address("a", 1), Address("::1", 2))
    assert parse_services("") == ()
    with pytest.raises(BadReply):
        parse_services("a:b")
