"""How records end: the official client, and a clock that is stepped instead of waited for."""

from __future__ import annotations

from typing import Any

import aerospike
import pytest
from aerospike import exception as ex
from aerospike_helpers import expressions as exp
from aerospike_helpers.operations import expression_operations as exp_ops
from aerospike_helpers.operations import operations as ops

from asd import Server
from citrusleaf.cf_clock import VirtualClock

# The client announces what its next release will drop; that says nothing about this server.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

KEY = ("test", "people", "ada")

Client = Any
"""The client is a C extension without useful types."""


@pytest.fixture
def client(aerospike_client: Client) -> Client:
    """A connected client and an empty server."""
    return aerospike_client


@pytest.fixture
def clock(aerospike_server: Server) -> VirtualClock:
    """The server's clock, standing still."""
    aerospike_server.clock.freeze()
    return aerospike_server.clock


def test_a_record_expires(client: Client, clock: VirtualClock) -> None:
    client.put(KEY, {"a": 1}, policy={"ttl": 60})
    assert client.exists(KEY)[1]["ttl"] in range(55, 62)

    clock.advance(59)
    assert client.get(KEY)[2] == {"a": 1}

    clock.advance(3)
    with pytest.raises(ex.RecordNotFound):
        client.get(KEY)


def test_touch_gives_a_record_new_life(client: Client, clock: VirtualClock) -> None:
    client.put(KEY, {"a": 1}, policy={"ttl": 60})
    clock.advance(50)

    client.touch(KEY, 60)

    clock.advance(50)
    assert client.get(KEY)[2] == {"a": 1}
    clock.advance(20)
    assert client.exists(KEY)[1] is None


def test_a_record_without_ttl_stays(client: Client, clock: VirtualClock) -> None:
    client.put(KEY, {"a": 1}, policy={"ttl": aerospike.TTL_NEVER_EXPIRE})

    clock.advance(20 * 365 * 24 * 3600)

    assert client.get(KEY)[2] == {"a": 1}


def test_a_write_may_leave_the_ttl_as_it_is(client: Client, clock: VirtualClock) -> None:
    client.put(KEY, {"a": 1}, policy={"ttl": 60})
    clock.advance(50)
    client.put(KEY, {"a": 2}, policy={"ttl": aerospike.TTL_DONT_UPDATE})

    assert client.get(KEY)[2] == {"a": 2}
    clock.advance(15)
    assert client.exists(KEY)[1] is None


def test_an_expired_record_can_be_made_anew(client: Client, clock: VirtualClock) -> None:
    client.put(KEY, {"a": 1, "b": 2}, policy={"ttl": 60})
    clock.advance(70)

    client.put(KEY, {"c": 3}, policy={"exists": aerospike.POLICY_EXISTS_CREATE})

    assert client.get(KEY)[2] == {"c": 3}
    assert client.exists(KEY)[1]["gen"] == 1


def test_operate_may_set_the_ttl(client: Client, clock: VirtualClock) -> None:
    client.put(KEY, {"n": 1})
    client.operate(KEY, [ops.increment("n", 1)], policy={"ttl": 60})

    clock.advance(59)
    assert client.get(KEY)[2] == {"n": 2}
    clock.advance(2)
    assert client.exists(KEY)[1] is None


def test_reading_may_renew_a_record(client: Client, clock: VirtualClock) -> None:
    client.put(KEY, {"a": 1}, policy={"ttl": 100})
    clock.advance(90)

    client.get(KEY, {"read_touch_ttl_percent": 80})

    clock.advance(90)
    assert client.get(KEY)[2] == {"a": 1}
    assert client.exists(KEY)[1]["gen"] == 1


def test_expressions_know_the_time(client: Client, clock: VirtualClock) -> None:
    client.put(KEY, {"a": 1}, policy={"ttl": 100})
    clock.advance(40)

    left = exp_ops.expression_read("left", exp.TTL().compile())
    since = exp_ops.expression_read("since", exp.SinceUpdateTime().compile())

    assert client.operate(KEY, [left, since])[2] == {"left": 60, "since": 40_000}


def test_a_batch_does_not_serve_what_has_expired(client: Client, clock: VirtualClock) -> None:
    keys = [("test", "people", number) for number in range(4)]
    for number, key in enumerate(keys):
        client.put(key, {"n": number}, policy={"ttl": 100 * (number + 1)})

    clock.advance(250)

    rows = client.batch_read(keys).batch_records
    assert [row.result for row in rows] == [2, 2, 0, 0]
