"""Wall clocks that are wrong, or jump."""

from __future__ import annotations

import logging
import struct
from typing import Any

import pytest

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import Info1, Info2, OpType, ParticleType
from aerospike_common.wire.message import Op
from asd.info.ticker import Ticker
from citrusleaf.cf_clock import VirtualClock

BIN = (b"a", ParticleType.INTEGER, struct.pack(">q", 5))
Y2001, Y2009, Y2020 = 10**9, 1_262_303_000, 1_577_836_800
Y2044, Y2100 = 2_361_815_400, 4_102_444_800


def requests(attack: Any, number: int) -> list[bytes]:
    kit = attack.kit
    increment = Op(OpType.INCR, ParticleType.INTEGER, b"a", BIN[2])
    return [
        kit.put(number, BIN),
        kit.put(number, BIN, record_ttl=100),
        kit.put(number, BIN, record_ttl=3600 * 24 * 3650),
        kit.get(number),
        attack.operate(number, increment),
        attack.operate(number, Op(OpType.TOUCH, 0, b"", b""), info1=0),
        attack.operate(number, attack.compute([67])),
        kit.get(number, fields={43: as_msgpack.pack([4, [68], 0])}),
        kit.request(number, info1=Info1.READ | Info1.GET_NO_BINS),
        kit.request(number, info2=Info2.WRITE | Info2.DELETE),
        kit.put(number, BIN),
        kit.put(number, BIN),
    ]


@pytest.mark.parametrize("jumps", [(Y2001,), (Y2020, Y2001, Y2009, Y2020, Y2044, Y2100, Y2020)])
def test_no_request_ends_in_a_traceback(attack: Any, caplog: Any, jumps: tuple[int, ...]) -> None:
    clock = VirtualClock(jumps[0])
    target = attack.Target(clock)
    for wall_s in jumps:
        clock.set_wall_s(wall_s)
        for number in range(3):
            for request in requests(attack, number):
                assert attack.code(target.wire.send(request)) in (0, 2, 27)
        target.node.turns.end()
    assert not [record for record in caplog.records if record.exc_info]


def test_a_clock_that_jumps_is_said_once(attack: Any, caplog: Any) -> None:
    clock = VirtualClock()
    ticker = Ticker(attack.Target(clock).node)
    with caplog.at_level(logging.WARNING):
        for wall_s in (Y2020, Y2009, Y2009, Y2020, Y2020):
            clock.set_wall_s(wall_s)
            ticker.watch_clock()
    said = [record.getMessage() for record in caplog.records]
    assert [text.partition(" by ")[0].partition(":")[0] for text in said] == [
        "the wall clock was set",
        "the wall clock is before 2010",
        "the wall clock was set",
        "the wall clock is past 2010 again",
    ]
