"""Wrong passwords are answered slowly, right ones are not."""

from __future__ import annotations

import asyncio
from typing import Any

from aerospike_common.wire.codes import ResultCode
from asd.security.guessing import (
    CAPACITY,
    FORGOTTEN_NS,
    FREE,
    LONGEST_DELAY_NS,
    LONGEST_NAME,
    Guessing,
)

SECOND = 1_000_000_000


def test_a_few_failures_cost_nothing_and_more_cost_more() -> None:
    guessing = Guessing()
    delays = [guessing.failed("10.0.0.1", "ann", 0) for _ in range(12)]
    assert delays[: FREE - 1] == [0] * (FREE - 1)
    assert delays == sorted(delays)
    assert delays[-1] == LONGEST_DELAY_NS


def test_attempts_from_one_address_stand_in_line_and_the_line_has_an_end() -> None:
    guessing = Guessing()
    for _ in range(20):
        guessing.failed("10.0.0.1", "ann", 0)
    waits = [guessing.wait_ns("10.0.0.1", 0) for _ in range(8)]
    assert waits[:5] == [2 * SECOND, 4 * SECOND, 6 * SECOND, 8 * SECOND, 10 * SECOND]
    assert waits[5:] == [None] * 3
    assert guessing.wait_ns("10.0.0.2", 0) == 0


def test_failures_are_forgotten() -> None:
    guessing = Guessing()
    for _ in range(20):
        guessing.failed("10.0.0.1", "ann", 0)
    assert guessing.wait_ns("10.0.0.1", FORGOTTEN_NS + 1) == 0
    assert guessing.failed("10.0.0.1", "ann", FORGOTTEN_NS + 1) == 0


def test_a_user_who_logs_in_has_no_failures_but_the_address_has() -> None:
    guessing = Guessing()
    for _ in range(20):
        guessing.failed("10.0.0.1", "ann", 0)
    guessing.succeeded("ann")
    assert guessing.failed("10.0.0.2", "ann", 0) == 0
    assert guessing.wait_ns("10.0.0.1", 0)


def test_what_is_remembered_is_bounded() -> None:
    guessing = Guessing()
    for number in range(CAPACITY + 10):
        guessing.failed(f"address {number}", f"user {number}", 0)
    assert len(guessing._addresses) == len(guessing._users) == CAPACITY
    guessing.failed("10.0.0.1", "x" * 60_000, 0)
    assert max(map(len, guessing._users)) <= LONGEST_NAME


def test_while_an_answer_waits_the_connection_takes_no_request(secure: Any, kit: Any) -> None:
    async def guess() -> None:
        client = secure().client()
        for _ in range(FREE - 1):
            assert client.login("admin", "guess").result_code == ResultCode.CREDENTIAL_INVALID
        wire = client.wire
        before = asyncio.get_running_loop().time()
        assert wire.send(login_frame("guess")) == b""
        assert wire.send(kit.get(1)) == b""
        while len(wire.transport.written) < 40:
            await asyncio.sleep(0.01)
        assert asyncio.get_running_loop().time() - before > 0.09
        assert wire.transport.written[9] == ResultCode.CREDENTIAL_INVALID

    def login_frame(password: str) -> bytes:
        from aerospike_common.wire.admin import AdminCommand, AdminField, encode_admin
        from aerospike_common.wire.frame import frame

        fields = {AdminField.USER: b"admin", AdminField.CREDENTIAL: password.encode()}
        return frame(2, encode_admin(AdminCommand.LOGIN, fields))

    asyncio.run(guess())
