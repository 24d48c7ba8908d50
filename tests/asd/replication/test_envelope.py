"""Requests and outcomes between nodes; what is neither is refused and nothing else."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from asd.replication.envelope import (
    Malformed,
    Outcome,
    Request,
    unpack_outcome,
    unpack_request,
)


def test_there_and_back() -> None:
    for request in (Request(0xA1, False, 0, b"body"), Request(2**64 - 1, True, 3, b"")):
        assert unpack_request(request.pack()) == request
    outcome = Outcome(0xA1, 9, 65535, 2**32 - 1, 3, b"ops")
    assert unpack_outcome(outcome.pack()) == outcome


@given(st.binary(max_size=40))
def test_whatever_a_peer_sends(data: bytes) -> None:
    with suppress(Malformed):
        assert unpack_request(data).pack()[9:] == data[9:]
    with suppress(Malformed):
        assert unpack_outcome(data).pack() == data
