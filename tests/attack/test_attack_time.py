"""Requests of many heavy parts: the time is looked at between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import Info2, ResultCode
from citrusleaf.cf_clock import VirtualClock

EQ, AND, BIN, CALL, REGEX = 1, 16, 81, 127, 7
LIST, INT, STR = 4, 2, 3
COUNT = 5


def ticking(step_s: float) -> VirtualClock:
    """A clock that goes on by each look at it, so that looks are counted and not seconds."""
    return VirtualClock(auto_advance_s=step_s)


def test_a_command_of_heavy_ops_ends_when_its_time_is_over(attack: Any) -> None:
    target = attack.Target(ticking(0.01))
    target.store(1, a=attack.integers(5_000))
    ops = [attack.look(b"a", 25, COUNT, at) for at in range(1000)]
    assert target.operate(1, *ops).result_code == ResultCode.TIMEOUT
    assert target.operate(1, *ops[:10]).result_code == 0
    assert target.operate(1, *ops[:50], transaction_ttl=100).result_code == ResultCode.TIMEOUT
    assert target.operate(1, *ops, transaction_ttl=30_000).result_code == ResultCode.TIMEOUT


def test_an_expression_of_heavy_parts_ends_when_its_time_is_over(attack: Any) -> None:
    target = attack.Target(ticking(0.01))
    nested = [[number] for number in range(5_000)]
    target.store(1, a=nested, b=nested)
    equal = [EQ, [BIN, LIST, "a"], [BIN, LIST, "b"]]
    filtered = attack.kit.get(1, fields={43: as_msgpack.pack([AND, *[equal] * 100])})
    for _ in range(3):  # the third takes a fast path, if there is one
        assert attack.code(target.wire.send(filtered)) == ResultCode.TIMEOUT
    few = attack.kit.get(1, fields={43: as_msgpack.pack([AND, *[equal] * 2])})
    for _ in range(3):
        assert attack.code(target.wire.send(few)) == 0


def test_a_write_that_runs_out_of_time_changes_nothing(attack: Any) -> None:
    target = attack.Target(ticking(0.01))
    target.store(1, a=attack.integers(5_000))
    ops = [attack.modify(b"a", 1, at) for at in range(1000)]
    assert target.operate(1, *ops).result_code == ResultCode.TIMEOUT
    assert target.operate(1, attack.look(b"a", 16)).ops[0].value == (5_000).to_bytes(8, "big")


def test_path_expressions_look_at_the_clock_between_elements(attack: Any) -> None:
    target = attack.Target(ticking(0.1))
    target.store(1, a=list(range(50_000)))
    path = [0xFE, [0x04, [EQ, [122, INT, 1], 7]], 1]
    assert target.operate(1, attack.look(b"a", *path)).result_code == ResultCode.TIMEOUT


def regex(pattern: str) -> list[Any]:
    return [REGEX, 1, pattern, [BIN, STR, "s"]]


def test_regexes_of_many_states_over_long_strings_are_unknown(attack: Any, unit: float) -> None:
    target = attack.Target()
    target.store(1, s="ab" * 520_000)
    blown = regex("[ab]*a[ab]{250}[ab]{250}c")
    held, answer = target.held(attack.operate(1, attack.compute(blown)))
    assert attack.code(answer) == ResultCode.OP_NOT_APPLICABLE
    assert held < 10 * unit
    assert attack.code(target.held(attack.operate(1, attack.compute(regex("b+a+b+$"))))[1]) == 0
    target.store(2, s="ab" * 1000)
    assert attack.code(target.held(attack.operate(2, attack.compute(blown)))[1]) == 0


def test_many_regexes_in_one_expression_are_too_large(attack: Any) -> None:
    target = attack.Target()
    target.store(1, s="a")
    many = [AND, *(regex(f"({number}|[ab]{{200}}c)") for number in range(200))]
    assert target.operate(1, attack.compute(many)).result_code == ResultCode.PARAMETER


class Turning:
    """The end of a turn, by hand."""

    def __init__(self, target: Any) -> None:
        self.calls: list[Callable[[], None]] = []
        target.node.turns._call_soon = self.calls.append

    def turn(self) -> None:
        calls, self.calls[:] = self.calls[:], []
        for call in calls:
            call()


def test_pipelined_heavy_requests_let_others_have_their_turn(attack: Any) -> None:
    clock = ticking(0.0001)
    target = attack.Target(clock)
    target.store(1, a=attack.integers(5_000))
    turning = Turning(target)
    heavy = attack.operate(1, *[attack.look(b"a", 25, COUNT, at) for at in range(100)])
    connection, transport = target.wire.connection, target.wire.transport
    for _ in range(3):
        connection.data_received(heavy)
        turning.turn()
    transport.written = b""
    connection.data_received(heavy * 50)
    first = len(transport.written)
    assert 0 < first < 10 * len(heavy)
    turns = 0
    while turning.calls and turns < 200:
        turning.turn()
        turns += 1
    assert 10 < turns < 200
    count, data = 0, transport.written
    while data:
        data = data[8 + int.from_bytes(data[2:8], "big") :]
        count += 1
    assert count == 50


def test_heavy_requests_take_no_fast_path(attack: Any) -> None:
    target = attack.Target()
    target.store(1, a=attack.integers(5_000), b=[1])
    heavy = attack.operate(1, attack.modify(b"a", 1, 5), attack.modify(b"b", 1, 5))
    for _ in range(3):
        target.wire.send(heavy)
    assert not any(heavy.startswith(head) for head in target.node.paths.table)


def test_a_function_has_no_more_than_transaction_max_ms(attack: Any) -> None:
    target = attack.Target(ticking(0.01))
    target.node.udf.put("m.lua", b"function spin(rec) while true do local s = ('x'):rep(9) end end")
    started = target.node.clock.monotonic_ms()
    reply = target.wire.call(
        attack.kit.request(
            1,
            info2=Info2.WRITE,
            fields={30: b"m", 31: b"spin", 32: b"\x90", 33: b"\x02"},
            transaction_ttl=20_000,
        )
    )
    assert reply.result_code == ResultCode.UDF_EXECUTION
    assert target.node.clock.monotonic_ms() - started < 3_000


def test_many_info_commands_let_others_have_their_turn(attack: Any) -> None:
    target = attack.Target(ticking(0.002))
    body = b"".join(b"truncate:namespace=test;set=s%d\n" % number for number in range(200))
    turns = 0

    async def serve() -> None:
        nonlocal turns
        target.wire.connection.data_received(b"\x02\x01" + len(body).to_bytes(6, "big") + body)
        while target.wire.connection.busy:
            turns += 1
            await asyncio.sleep(0)

    asyncio.run(serve())
    assert turns > 50
    assert target.wire.transport.written.count(b"\tok\n") == 200


def test_elements_are_moved_in_pieces(attack: Any) -> None:
    target = attack.Target(ticking(0.00001))
    source = """
    function shift(rec)
      local from = {}
      for at = 1, 200000 do from[at] = at end
      table.move(from, 1, 200000, 3)
      local up = from[3] == 1 and from[200002] == 200000 and from[100000] == 99998
      table.move(from, 3, 200002, 2)
      local down = from[2] == 1 and from[200001] == 200000 and from[100000] == 99999
      local copied = table.move(from, 2, 200001, 1, {})
      return up and down and copied[1] == 1 and copied[200000] == 200000 and #copied == 200000
    end
    """
    target.node.udf.put("moves.lua", source.encode())
    fields = {30: b"moves", 31: b"shift", 32: b"\x90", 33: b"\x02"}
    reply = target.wire.call(attack.kit.request(1, info2=Info2.WRITE, fields=fields))
    assert reply.result_code == 0
    assert [op.value for op in reply.ops] == [b"\x01"]
