"""Data masking: what users see of masked bins, on every way to a record, and what they change."""

from __future__ import annotations

import asyncio
import logging
import pickle
import struct
from typing import Any

import pytest

from aerospike_client import expressions as exp
from aerospike_common.wire.admin import WirePrivilege
from aerospike_common.wire.batch import RESPOND_ALL
from aerospike_common.wire.codes import FieldType, Info1, Info2, Info3, OpType, ParticleType
from aerospike_common.wire.codes import ResultCode as Code
from aerospike_common.wire.frame import frame
from aerospike_common.wire.message import Op, encode_message, parse_message, split_messages
from asd.config import SecurityLogConfig
from asd.records.record import unpack_bins
from asd.replication.carrier import Carrier
from asd.replication.envelope import Outcome, Request, unpack_request
from asd.security.permissions import PrivilegeCode
from asd.sindex import IndexDefinition, KeyType
from asd.space.index_builder import IndexBuilder
from asd.transactions.masked import CONCEALED, GUARDED, OPEN
from asd.transactions.transaction import Transaction
from asd.transactions.worker import Worker
from citrusleaf.cf_digest import partition_id

STRING, INTEGER, BLOB = ParticleType.STRING, ParticleType.INTEGER, ParticleType.BLOB
SSN = b"123-45-6789"
SHOWN = b"*******6789"
RULE = "masking:namespace=test;set=demo;bin=ssn;type=string;function=redact;position=0;length=7"
SEES = {"app": True, "analyst": False, "reader": True, "writer": False}
CHANGES = {"app": True, "analyst": False, "reader": False, "writer": True}

GET_SSN = Op(OpType.READ, 0, b"ssn", b"")
COPY = "function copy(r) r.copy = r.ssn; aerospike:update(r); return r.ssn end\n"
STREAM = "function ssns(s) return s : map(function(r) return r.ssn end) end\n"
FORGE = "function forge(r) r.ssn = 'x'; aerospike:update(r) end\n"
SOURCE = COPY + FORGE + STREAM


def operate(kit: Any, *ops: Op, info2: int = Info2.WRITE, **more: Any) -> bytes:
    data: bytes = kit.request(1, info1=Info1.READ, info2=info2, ops=ops, **more)
    return data


def read_of(expression: exp.Expression) -> Op:
    return Op(OpType.EXP_READ, BLOB, b"e", b"\x92" + expression.compile() + b"\0")


def write_of(name: bytes, expression: exp.Expression) -> Op:
    return Op(OpType.EXP_MODIFY, BLOB, name, b"\x92" + expression.compile() + b"\0")


def filtered(kit: Any, expression: exp.Expression) -> bytes:
    data: bytes = kit.get(1, fields={FieldType.FILTER: expression.compile()})
    return data


def is_ssn(ssn: bytes) -> exp.Expression:
    return exp.Bin("ssn").str() == ssn.decode()


def call(kit: Any, function: bytes) -> bytes:
    fields = {
        FieldType.UDF_PACKAGE: b"m",
        FieldType.UDF_FUNCTION: function,
        FieldType.UDF_ARGS: b"\x90",
    }
    data: bytes = kit.request(1, info2=Info2.WRITE, fields=fields)
    return data


def row(kit: Any, info1: int, *ops: Op) -> bytes:
    """A batch of one row."""
    fields = {FieldType.NAMESPACE: b"test", FieldType.SET: b"demo"}
    wire = b"".join(struct.pack(">IB", len(v) + 1, k) + v for k, v in fields.items())
    for op in ops:
        head = (4 + len(op.name) + len(op.value), op.type, op.particle_type, 0, len(op.name))
        wire += struct.pack(">IBBBB", *head) + op.name + op.value
    data = struct.pack(">IBI", 1, RESPOND_ALL, 0) + kit.digest(1) + bytes((2 | 4 | 8, info1, 0, 0))
    data += struct.pack(">HIHH", 0, 0, 2, len(ops)) + wire
    return frame(3, encode_message(Info1.READ | Info1.BATCH, fields={FieldType.BATCH: data}))


# ------------------------------------------------------------------------------ reading


@pytest.mark.parametrize("user", SEES)
def test_every_way_to_read(masked: Any, kit: Any, user: str) -> None:
    ssn = SSN if SEES[user] else SHOWN
    for _ in range(3):  # the general way, and a fast path where there may be one
        assert masked.read(user) == {b"ssn": ssn, b"name": b"Ada"}
        assert masked.read(user, kit.get(1, set_name=None))[b"ssn"] == ssn
        assert masked.read(user, operate(kit, GET_SSN, info2=0)) == {b"ssn": ssn}
        assert masked.read(user, row(kit, Info1.READ | Info1.GET_ALL))[b"ssn"] == ssn
        assert masked.read(user, row(kit, Info1.READ, GET_SSN)) == {b"ssn": ssn}
    whole = operate(kit, write_of(b"x", exp.Int(1)), GET_SSN)
    assert masked.read(user, whole)[b"ssn"] == ssn
    everything = kit.request(
        1,
        info1=Info1.READ | Info1.GET_ALL,
        info2=Info2.WRITE,
        ops=[Op(OpType.TOUCH, 0, b"", b""), Op(OpType.READ, 0, b"", b"")],
    )
    assert masked.read(user, everything)[b"ssn"] == ssn


@pytest.mark.parametrize("user", SEES)
def test_what_is_worked_out_of_what_is_shown(masked: Any, kit: Any, user: str) -> None:
    """Filters, expressions and functions tell nothing that a read would not."""
    ssn, other = (SSN, SHOWN) if SEES[user] else (SHOWN, SSN)
    assert masked.send(user, filtered(kit, is_ssn(ssn))).result_code == Code.OK
    assert masked.send(user, filtered(kit, is_ssn(other))).result_code == Code.FILTERED_OUT
    seen = read_of(exp.Bin("ssn").str())
    assert masked.read(user, operate(kit, seen, info2=0))[b"e"] == ssn
    copied = operate(kit, write_of(b"copy", exp.Bin("ssn").str()), seen)
    assert masked.read(user, copied)[b"e"] == ssn
    assert masked.read("app")[b"copy"] == ssn
    masked.secure.node.udf.put("m.lua", SOURCE.encode())
    assert masked.read(user, call(kit, b"copy"))[b"SUCCESS"] == ssn
    assert masked.read("app") == {b"ssn": SSN, b"name": b"Ada", b"copy": ssn}


def test_the_record_s_own_set_has_the_mask(masked: Any, kit: Any) -> None:
    """Whoever may read all of a set's values sees them only where the set is named."""
    admin = masked.secure.client("admin")
    privileges = [WirePrivilege(PrivilegeCode.READ, b"test")]
    privileges.append(WirePrivilege(PrivilegeCode.READ_MASKED, b"test", b"demo"))
    admin.create_role("of demo", privileges)
    admin.create_user("bob", "of demo")
    masked.clients["bob"] = masked.secure.client("bob").wire
    for _ in range(2):
        assert masked.read("bob")[b"ssn"] == SSN
        assert masked.read("bob", kit.get(1, set_name=None))[b"ssn"] == SHOWN


def test_fast_paths_go_when_rules_or_rights_do(masked: Any, kit: Any) -> None:
    paths = masked.secure.node.paths
    rule = "masking:namespace=test;set=demo;bin=%s;function=%s"
    for _ in range(3):
        assert masked.read("analyst")[b"name"] == b"Ada"
        assert masked.read("app")[b"ssn"] == SSN
    assert not paths.of(masked.clients["analyst"].connection.rights).table
    assert paths.of(masked.clients["app"].connection.rights).table
    masked.secure.client("admin").grant("app", "read-masked", revoke=True)
    assert masked.read("app")[b"ssn"] == SHOWN
    masked.info("dba", rule % ("ssn", "remove"))
    for _ in range(3):
        assert masked.read("analyst")[b"ssn"] == SSN
    assert paths.of(masked.clients["analyst"].connection.rights).table
    masked.info("dba", rule % ("name", "redact"))
    assert masked.read("analyst") == {b"ssn": SSN, b"name": b"***"}


def test_without_access_control_nothing_is_masked(kit: Any) -> None:
    wire = kit.Wire(kit.make_node())
    assert b"\tok\n" in wire.send(frame(1, RULE.encode() + b"\n"))
    wire.call(kit.put(1, (b"ssn", STRING, SSN)))
    for _ in range(2):
        assert wire.call(kit.get(1)).ops[0].value == SSN
    assert wire.connection.paths.table


# ------------------------------------------------------------------------------ writing


def changes(kit: Any) -> dict[str, bytes]:
    value = Op(OpType.WRITE, STRING, b"ssn", b"x")
    other = Op(OpType.WRITE, STRING, b"name", b"x")
    return {
        "put": kit.put(1, (b"ssn", STRING, b"x")),
        "put a blob": kit.put(1, (b"ssn", BLOB, b"x")),
        "append": operate(kit, Op(OpType.APPEND, STRING, b"ssn", b"x")),
        "delete the bin": kit.put(1, (b"ssn", 0, b"")),
        "expression": operate(kit, write_of(b"ssn", exp.Str("x"))),
        "among others": operate(kit, other, value),
        "replace": kit.put(1, (b"ssn", STRING, b"x"), info3=Info3.CREATE_OR_REPLACE),
        "create": kit.put(2, (b"ssn", STRING, b"x")),
        "function": call(kit, b"forge"),
    }


@pytest.mark.parametrize("user", CHANGES)
def test_masked_bins_are_changed_by_who_may(masked: Any, kit: Any, user: str) -> None:
    masked.secure.node.udf.put("m.lua", SOURCE.encode())
    for name, data in changes(kit).items():
        for _ in range(2):
            masked.send("app", kit.put(1, (b"ssn", STRING, SSN), (b"name", STRING, b"Ada")))
            code = masked.send(user, data).result_code
            assert code == (Code.OK if CHANGES[user] else Code.ROLE_VIOLATION), name
        if not CHANGES[user]:
            assert masked.read("app") == {b"ssn": SSN, b"name": b"Ada"}, name


@pytest.mark.parametrize("user", CHANGES)
def test_the_rest_of_a_record_is_changed_by_all(masked: Any, kit: Any, user: str) -> None:
    for value in (b"Bob", b"Eve"):
        assert masked.send(user, kit.put(1, (b"name", STRING, value))).result_code == Code.OK
        assert masked.read("app") == {b"ssn": SSN, b"name": value}
    assert masked.send(user, kit.request(1, info2=Info2.WRITE | Info2.DELETE)).result_code == 0


@pytest.mark.parametrize("user", CHANGES)
def test_what_is_shipped_here_is_written_by_who_may(masked: Any, kit: Any, user: str) -> None:
    for _ in range(3):  # where there may be a path of its own for what is shipped
        assert masked.send(user, kit.shipped(3, (b"name", STRING, b"x"))).result_code == Code.OK
    code = masked.send(user, kit.shipped(3, (b"ssn", STRING, b"x"))).result_code
    assert code == (Code.OK if CHANGES[user] else Code.ROLE_VIOLATION)


def test_an_append_is_to_the_true_value(masked: Any, kit: Any) -> None:
    appended = operate(kit, Op(OpType.APPEND, STRING, b"ssn", b"0"), GET_SSN)
    assert masked.read("writer", appended) == {b"ssn": SHOWN + b"0"}
    assert masked.read("app")[b"ssn"] == SSN + b"0"


def test_the_audit_log_tells(make_masked: Any, kit: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    config = SecurityLogConfig(report_violation=True, report_sys_admin=True)
    masked = make_masked(log=config)
    masked.send("analyst", kit.put(1, (b"ssn", STRING, b"x")))
    masked.info("analyst", RULE)
    said = [one.getMessage() for one in caplog.records if one.name == "asd.audit"]
    user = "client: 127.0.0.1:4000 | authenticated user:"
    assert said == [
        f"permitted | {user} dba | action: masking | detail: {RULE.partition(':')[2]}",
        f"role violation | {user} analyst | action: write | detail: {{test|demo}} "
        f"[D|{kit.digest(1).hex()}]",
        f"role violation | {user} analyst | action: masking | detail: {RULE.partition(':')[2]}",
    ]


# -------------------------------------------------------------------------- elsewhere


def transaction(masked: Any, data: bytes, access: int) -> Transaction:
    node = masked.secure.node
    namespace = node.namespaces[b"test"]
    counters = namespace.statistics.client
    digest = masked.kit.digest(1)
    return Transaction(
        namespace, parse_message(data[8:]), digest, node.expressions, counters, access
    )


@pytest.mark.parametrize("access", [OPEN, CONCEALED])
def test_workers_see_what_the_loop_would(masked: Any, kit: Any, access: int) -> None:
    ssn = SHOWN if access else SSN
    seen = read_of(exp.Bin("ssn").str())
    work = Worker(masked.secure.clock)
    for data in (
        operate(kit, GET_SSN, seen, info2=0),
        operate(kit, GET_SSN, seen, write_of(b"copy", exp.Bin("ssn").str())),
    ):
        heavy = transaction(masked, data, access)
        heavy.load()
        worked = work(pickle.loads(pickle.dumps(heavy.work())))
        assert [answer[-11:] for answer in worked.answers] == [ssn, ssn]
        assert worked.payload in (b"",) or unpack_bins(worked.payload)[b"ssn"].data == SSN
        matching = transaction(masked, filtered(kit, is_ssn(ssn)), access)
        matching.load()
        assert work(matching.work()).filtered == Code.OK


def test_other_nodes_see_what_the_client_may(masked: Any, kit: Any) -> None:
    node = masked.secure.node
    namespace = node.namespaces[b"test"]
    nobody: Any = None
    carrier = Carrier(node, 1, nobody, {}, {})
    read, write = kit.get(1)[8:], kit.put(1, (b"ssn", STRING, b"x"))[8:]

    def outcome(access: int, body: bytes) -> Outcome:
        request = unpack_request(Request(2, False, access, body).pack())
        return carrier._run_here(namespace, request, parse_message(request.body), kit.digest(1))

    assert SSN in outcome(OPEN, read).ops
    assert SSN in outcome(GUARDED, read).ops
    assert SHOWN in outcome(CONCEALED, read).ops
    assert outcome(GUARDED, write).code == Code.ROLE_VIOLATION
    assert outcome(CONCEALED, write).code == Code.OK


# ------------------------------------------------------------------------------ queries


def query(kit: Any, *ops: Op, info1: int = Info1.READ, info2: int = 0, **more: bytes) -> bytes:
    partition = partition_id(kit.digest(1))
    fields = {FieldType.NAMESPACE: b"test", FieldType.SET: b"demo"}
    if not info2:
        fields[FieldType.PARTITION_IDS] = struct.pack("<H", partition)
    fields.update({FieldType[name.upper()]: data for name, data in more.items()})
    info3 = 0 if info2 else Info3.PARTITION_DONE
    return frame(3, encode_message(info1, info2, info3, fields=fields, ops=list(ops)))


def between(name: bytes, value: bytes) -> bytes:
    """An index range: the values of a bin that are this string."""
    part = struct.pack(">I", len(value)) + value
    return bytes((1, len(name))) + name + bytes((STRING,)) + part + part


async def rows_of(wire: Any, data: bytes) -> list[Any]:
    """The messages of a query's reply."""
    written = wire.send(data)
    while wire.connection.busy:
        await asyncio.sleep(0)
    written = wire.transport.written
    found = []
    while written:
        size = 8 + int.from_bytes(written[2:8], "big")
        found += map(parse_message, split_messages(written[8:size]))
        written = written[size:]
    return found


def asked(masked: Any, user: str, data: bytes) -> list[Any]:
    async def ask() -> list[Any]:
        rows = await rows_of(masked.clients[user], data)
        await masked.secure.node.queries.stop()
        return rows

    return asyncio.run(ask())


@pytest.mark.parametrize("user", SEES)
def test_queries(masked: Any, kit: Any, user: str) -> None:
    ssn, other = (SSN, SHOWN) if SEES[user] else (SHOWN, SSN)
    whole = asked(masked, user, query(kit, info1=Info1.READ | Info1.GET_ALL))
    assert {op.name: op.value for op in whole[0].ops} == {b"ssn": ssn, b"name": b"Ada"}
    some = asked(masked, user, query(kit, GET_SSN))
    assert [op.value for op in some[0].ops] == [ssn]
    for value, found in [(ssn, True), (other, False)]:
        matching = asked(masked, user, query(kit, filter=is_ssn(value).compile()))
        assert (len(matching[0].fields) > 0) == found, value


@pytest.mark.parametrize("user", SEES)
def test_stream_functions(masked: Any, kit: Any, user: str) -> None:
    masked.secure.node.udf.put("m.lua", SOURCE.encode())
    function = {"udf_package": b"m", "udf_function": b"ssns", "udf_args": b"\x90"}
    messages = asked(masked, user, query(kit, udf_op=b"\1", **function))
    assert messages[0].ops[0].value == (SSN if SEES[user] else SHOWN)


@pytest.mark.parametrize("user", SEES)
def test_an_index_of_a_masked_bin_is_for_who_may_see_it(masked: Any, kit: Any, user: str) -> None:
    namespace = masked.secure.node.namespaces[b"test"]
    for name in ("ssn", "name"):
        definition = IndexDefinition(name, b"demo", name.encode(), KeyType.STRING)
        namespace.indexes.create(definition)
        index = namespace.indexes.find(name)
        asyncio.run(IndexBuilder(namespace, masked.secure.node.transaction_threads)._build(index))
    by_name = asked(masked, user, query(kit, index_range=between(b"name", b"Ada")))
    assert by_name[0].result_code == Code.OK
    by_ssn = asked(masked, user, query(kit, index_range=between(b"ssn", SSN)))
    assert by_ssn[0].result_code == (Code.OK if SEES[user] else Code.ROLE_VIOLATION)


@pytest.mark.parametrize("user", CHANGES)
def test_background_queries(masked: Any, kit: Any, user: str) -> None:
    ssn = SSN if SEES[user] else SHOWN
    copied = query(kit, write_of(b"copy", exp.Bin("ssn").str()), info1=0, info2=Info2.WRITE)
    asyncio.run(finished(masked, user, copied))
    assert masked.read("app") == {b"ssn": SSN, b"name": b"Ada", b"copy": ssn}
    forged = query(kit, Op(OpType.WRITE, STRING, b"ssn", b"x"), info1=0, info2=Info2.WRITE)
    code = asyncio.run(finished(masked, user, forged))
    assert code == (Code.OK if CHANGES[user] else Code.ROLE_VIOLATION)
    assert masked.read("app")[b"ssn"] == (b"x" if CHANGES[user] else SSN)


async def finished(masked: Any, user: str, data: bytes) -> int:
    """The result code of the beginning of a background query, once it has ended."""
    code: int = masked.clients[user].call(data).result_code
    queries = masked.secure.node.queries
    for _ in range(10_000):
        if not queries._active:
            break
        await asyncio.sleep(0)
        masked.secure.clock.advance(0.001)
    await queries.stop()
    return code
