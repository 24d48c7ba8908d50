"""What other nodes ask to be carried out is answered, whatever fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aerospike_common.wire.codes import ResultCode
from asd.replication.carrier import Carrier
from asd.replication.envelope import unpack_outcome
from cluster import CarriedOut, CarryOut

ME = 0xA1
DIGEST = bytes(20)


class EveryOneIsWanted:
    """The library's transactions: nothing has been broken off."""

    def is_wanted(self, token: object) -> bool:
        return True


class OnAMedium:
    """A store whose record must be read first."""

    def __init__(self, load: Callable[[], None]) -> None:
        self._load = load

    def missing(self, digests: tuple[bytes, ...]) -> list[Callable[[], None]]:
        return [self._load]


def test_a_record_that_cannot_be_read_is_answered(kit: Any) -> None:
    """The answer was left out: the record's line, and the client, waited for the next cluster."""

    def fail() -> None:
        raise OSError("the medium is gone")

    node = kit.make_node()
    stores: Any = {"test": OnAMedium(fail)}
    transactions: Any = EveryOneIsWanted()
    carrier = Carrier(node, ME, transactions, stores, {})
    asked = CarryOut("test", ("transactions", 1), DIGEST, b"", None)

    async def answer() -> CarriedOut:
        told: asyncio.Future[CarriedOut] = asyncio.get_running_loop().create_future()
        carrier.carry_out(asked, told.set_result)
        return await asyncio.wait_for(told, 10)

    try:
        answered = asyncio.run(answer())
    finally:
        node.transaction_threads.stop()
    assert answered.token == asked.token
    assert answered.rows == ()
    assert unpack_outcome(answered.answer).code == ResultCode.SERVER_ERROR
