"""How much a second a user may do."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerospike_common.wire.admin import AdminCommand, AdminField, WirePrivilege
from aerospike_common.wire.codes import (
    FieldType,
    Info1,
    Info2,
    Info3,
    OpType,
    ParticleType,
    ResultCode,
)
from aerospike_common.wire.frame import frame
from aerospike_common.wire.message import Op, encode_message
from asd.security.permissions import PrivilegeCode
from asd.security.quotas import FLOOR, Meter

SECOND = 1_000_000_000
BIN = (b"a", ParticleType.BLOB, b"x")


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 50), st.integers(2, 20))
def test_in_the_long_run_a_user_gets_the_quota(quota: int, weight: int) -> None:
    meter, done = Meter(), 0
    for second in range(10 * weight):
        done = 0
        while meter.admits(quota, second * SECOND, weight):
            meter.count(second * SECOND, weight)
            done += 1
    assert abs(done - quota) <= 1


@given(st.integers(2, 20))
def test_whoever_was_idle_may_do_more_at_first(weight: int) -> None:
    meter = Meter()
    done = 0
    while meter.admits(100, 0, weight):
        meter.count(0, weight)
        done += 1
    assert done == 100 * weight


def test_a_rate_follows_and_fades() -> None:
    meter = Meter()
    for second in range(20):
        for _ in range(50):
            meter.count(second * SECOND, 2)
    assert meter.rate(20 * SECOND, 2) == pytest.approx(50, rel=0.01)
    assert meter.rate(23 * SECOND, 2) == pytest.approx(50 / 8, rel=0.01)
    assert meter.rate(200 * SECOND, 2) == 0


def test_queries_count_by_what_they_ask_for() -> None:
    meter = Meter()
    assert not meter.admits_query(1000, 0, 0, 2)
    assert meter.admits_query(0, 0, 0, 2)
    assert meter.admits_query(1000, 950, 0, 2)
    meter.begin(950)
    assert not meter.admits_query(1000, 1, 0, 2)  # counts as FLOOR
    assert meter.limited == 950
    meter.begin(1)
    assert meter.limited == 950 + FLOOR
    meter.end(1)
    meter.end(950)
    assert meter.limited == 0


def test_a_user_over_the_quota_is_refused_and_the_connection_stays(secure: Any, kit: Any) -> None:
    node = secure(enable_quotas=True)
    admin = node.client("admin")
    admin.create_role("slow", [WirePrivilege(PrivilegeCode.READ_WRITE)], read_quota=3)
    admin.create_user("ann", "slow")
    ann = node.client("ann").wire
    assert ann.call(kit.put(1, BIN)).result_code == 0
    codes = [ann.call(kit.get(1)).result_code for _ in range(20)]
    assert set(codes) == {0, ResultCode.QUOTA_EXCEEDED}
    assert codes.count(0) == 6
    assert ann.call(kit.put(1, BIN)).result_code == 0  # writes have none
    node.clock.advance(10)
    assert ann.call(kit.get(1)).result_code == 0


def test_a_quota_that_is_not_sent_stays_as_it_is(secure: Any) -> None:
    admin = secure(enable_quotas=True).client("admin")
    admin.create_role("slow", [WirePrivilege(PrivilegeCode.READ)], read_quota=3, write_quota=4)
    name = {AdminField.ROLE: b"slow"}
    for fields, quotas in [
        ({AdminField.READ_QUOTA: b"\0\0\0\5"}, (5, 4)),
        ({AdminField.READ_QUOTA: b"\xff" * 4, AdminField.WRITE_QUOTA: b"\0\0\0\0"}, (5, 0)),
    ]:
        assert admin.do(AdminCommand.SET_QUOTAS, {**name, **fields}) == 0
        found = admin.ask(AdminCommand.QUERY_ROLES, name)[0].fields
        read, write = found[AdminField.READ_QUOTA], found[AdminField.WRITE_QUOTA]
        assert (int.from_bytes(read, "big"), int.from_bytes(write, "big")) == quotas


def test_quotas_need_to_be_enabled(secure: Any) -> None:
    admin = secure().client("admin")
    code = admin.create_role("slow", [WirePrivilege(PrivilegeCode.READ)], read_quota=3)
    assert code == ResultCode.QUOTAS_NOT_ENABLED


def figures(admin: Any, user: str, field: AdminField) -> tuple[int, ...]:
    """Quota, single records a second, limited and limitless queries, as tools show them."""
    data = admin.ask(AdminCommand.QUERY_USERS, {AdminField.USER: user.encode()})[0].fields[field]
    return struct.unpack(f">{data[0]}I", data[1:])


def query(rps: int, *, background: bool = False) -> bytes:
    fields = {FieldType.NAMESPACE: b"test", FieldType.RECORDS_PER_SECOND: struct.pack(">I", rps)}
    if background:
        op = Op(OpType.WRITE, ParticleType.BLOB, b"a", b"x")
        return frame(3, encode_message(0, Info2.WRITE, fields=fields, ops=[op]))
    fields[FieldType.PARTITION_IDS] = struct.pack("<H", 7)
    info1 = Info1.READ | Info1.GET_ALL
    return frame(3, encode_message(info1, 0, Info3.PARTITION_DONE, fields=fields))


READS, WRITES = AdminField.READ_INFO, AdminField.WRITE_INFO


@pytest.mark.parametrize(("rps", "limited", "limitless"), [(500, 500, 0), (1, FLOOR, 0), (0, 0, 1)])
def test_background_queries_are_counted_as_long_as_they_run(
    secure: Any, rps: int, limited: int, limitless: int
) -> None:
    node = secure(enable_quotas=True)
    admin = node.client("admin")
    admin.create_user("ann", "read-write")

    async def ask() -> None:
        ann = node.client("ann").wire
        ann.send(query(rps, background=True))
        assert figures(admin, "ann", WRITES) == (0, 0, limited, limitless)
        assert figures(admin, "ann", READS) == (0, 0, 0, 0)
        while node.node.queries._active:
            node.clock.advance(0.01)
            await asyncio.sleep(0)
        assert figures(admin, "ann", WRITES) == (0, 0, 0, 0)
        await node.node.queries.stop()

    asyncio.run(ask())


@pytest.mark.parametrize("background", [False, True])
def test_limitless_queries_are_refused_where_there_is_a_quota(
    secure: Any, background: bool
) -> None:
    node = secure(enable_quotas=True)
    admin = node.client("admin")
    quota = {"write_quota" if background else "read_quota": 1000}
    admin.create_role("slow", [WirePrivilege(PrivilegeCode.READ_WRITE)], **quota)
    admin.create_user("ann", "slow")

    async def codes() -> list[int]:
        found = []
        for rps in (0, 1001, 600):
            ann = node.client("ann").wire
            reply = ann.send(query(rps, background=background))
            while not reply:
                await asyncio.sleep(0)
                reply = ann.transport.written
            found.append(reply[13])
        await node.node.queries.stop()
        return found

    assert asyncio.run(codes()) == [ResultCode.QUOTA_EXCEEDED, ResultCode.QUOTA_EXCEEDED, 0]
