"""Every command by users of every role, against a table; and that nobody has a way around it."""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerospike_common.wire.admin import AdminCommand, WirePrivilege
from aerospike_common.wire.batch import RESPOND_ALL
from aerospike_common.wire.codes import FieldType, Info1, Info2, Info3, OpType, ParticleType
from aerospike_common.wire.codes import ResultCode as Code
from aerospike_common.wire.frame import deflate, frame
from aerospike_common.wire.message import Op, encode_message
from asd.info.commands import COMMANDS
from asd.security.permissions import PREDEFINED, PrivilegeCode, info_permission

BLOB = ParticleType.BLOB
PUT = Op(OpType.WRITE, BLOB, b"a", b"x")
GET = Op(OpType.READ, 0, b"a", b"")
HEADS = {FieldType.NAMESPACE: b"test", FieldType.SET: b"demo"}
PARTITION_IDS = {FieldType.PARTITION_IDS: struct.pack("<H", 7)}
FUNCTION = {FieldType.UDF_PACKAGE: b"m", FieldType.UDF_FUNCTION: b"f", FieldType.UDF_ARGS: b"\x90"}


def query(info1: int, info2: int, fields: dict[int, bytes], *ops: Op) -> bytes:
    body = encode_message(
        info1, info2, Info3.PARTITION_DONE, fields={**HEADS, **fields}, ops=list(ops)
    )
    return frame(3, body)


def commands(kit: Any) -> dict[str, bytes]:
    """What a client may ask of records, one of each kind."""
    read, write = Info1.READ, Info2.WRITE
    return {
        "get": kit.get(1),
        "exists": kit.request(1, info1=read | Info1.GET_NO_BINS),
        "select": kit.request(1, info1=read, ops=[GET]),
        "put": kit.put(1, (b"a", BLOB, b"x")),
        "touch": kit.request(1, info2=write, ops=[Op(OpType.TOUCH, 0, b"", b"")]),
        "delete": kit.request(1, info2=write | Info2.DELETE),
        "operate": kit.request(1, info1=read, info2=write, ops=[PUT, GET]),
        "udf": kit.request(1, info2=write, fields=FUNCTION),
        "query": query(read | Info1.GET_ALL, 0, PARTITION_IDS),
        "background ops": query(0, write, {}, PUT),
        "background udf": query(0, write, {**FUNCTION, FieldType.UDF_OP: b"\2"}),
        "aggregation": query(read, 0, {**FUNCTION, FieldType.UDF_OP: b"\1"}),
        "row get": batch(read | Info1.GET_ALL, 0),
        "row put": batch(0, write, PUT),
        "row delete": batch(0, write | Info2.DELETE),
    }


def batch(info1: int, info2: int, *ops: Op) -> bytes:
    """A batch of one row."""
    fields = b"".join(
        struct.pack(">IB", len(data) + 1, kind) + data for kind, data in HEADS.items()
    )
    wire_ops = b"".join(
        struct.pack(">IBBBB", 4 + len(op.name) + len(op.value), op.type, op.particle_type, 0,
                    len(op.name)) + op.name + op.value
        for op in ops
    )  # fmt: skip
    # index, digest, flags: info1, info2, info3, info4, generation, ttl follow
    row = struct.pack(">I", 0) + bytes(20) + bytes((2 | 4 | 8, info1, info2, 0))
    row += struct.pack(">HIHH", 0, 0, 2, len(ops)) + fields + wire_ops
    data = struct.pack(">IB", 1, RESPOND_ALL) + row
    return frame(3, encode_message(Info1.READ | Info1.BATCH, fields={FieldType.BATCH: data}))


READS = {"get", "exists", "select", "query", "row get"}
WRITES = {"put", "touch", "delete", "background ops", "row put", "row delete"}
BOTH = READS | WRITES | {"operate"}
ALL = BOTH | {"udf", "background udf", "aggregation"}

MAY: dict[str, set[str]] = {
    "read": READS,
    "write": WRITES,
    "read-write": BOTH,
    "read-write-udf": ALL,
    "superuser": ALL,
}
"""What users of a role may do with records; those of others nothing."""

_UDF = {"udf-put", "udf-remove", "udf-clear-cache"}
_SINDEX = {"sindex-create", "sindex-delete", "sindex-exists"}
_TRUNCATE = {"truncate", "truncate-undo", "truncate-namespace", "truncate-namespace-undo"}
_DATA = _UDF | _SINDEX | _TRUNCATE | {"query-abort", "query-abort-all"}
_SYS = _DATA | {
    *("debug-record", "debug-record-meta", "jem-stats", "log-message", "log-set", "set-log"),
    *("set-config", "config-set", "quiesce", "quiesce-undo", "recluster", "revive"),
    *("roster-set", "services-alumni-reset", "tip", "tip-clear", "eviction-reset"),
    *("dump-cluster", "dump-fabric", "dump-hb", "dump-migrates", "dump-rw", "dump-skew"),
    *("dump-wb-summary", "xdr-set-filter"),
}

MAY_TELL: dict[str, set[str]] = {
    "sys-admin": _SYS,
    "superuser": _SYS,
    "data-admin": _DATA,
    "udf-admin": _UDF,
    "sindex-admin": _SINDEX,
    "truncate": _TRUNCATE,
    "masking-admin": {"masking"},
}
"""What users of a role may have done by info commands, besides those that are for everybody."""

RESTRICTED = set().union(*MAY_TELL.values())


@pytest.fixture(params=sorted(PREDEFINED))
def role(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def code_of(reply: bytes) -> int:
    """The result of a command, or the first of a batch's rows."""
    return reply[8 + 5]


def test_every_command_on_records_by_every_role(secure: Any, kit: Any, role: str) -> None:
    node = secure()
    node.client("admin").create_user("ann", role)
    ann = node.client("ann")
    for name, data in commands(kit).items():
        if name in ("query", "aggregation", "background ops", "background udf") and (
            name in MAY.get(role, set())
        ):
            continue  # these need a loop; `test_queries_by_every_role` has them
        refused = code_of(ann.wire.send(data)) == Code.ROLE_VIOLATION
        assert refused == (name not in MAY.get(role, set())), name


def test_every_info_command_by_every_role(secure: Any, role: str) -> None:
    node = secure()
    node.client("admin").create_user("ann", role)
    ann = node.client("ann")
    for name in COMMANDS:
        reply = ann.wire.send(frame(1, name.encode() + b"\n"))[8:].decode()
        violation = f"ERROR:81:role violation - requires permission '{permission(name)}'"
        allowed = name not in RESTRICTED | {"masking"} or name in MAY_TELL.get(role, set())
        assert (violation in reply) == (not allowed), name


def permission(name: str) -> str:
    found = info_permission(name)
    return "" if found is None else found.value


def test_every_admin_command_by_every_role(secure: Any, role: str) -> None:
    node = secure()
    node.client("admin").create_user("ann", role)
    ann = node.client("ann")
    for command in AdminCommand:
        if command in (AdminCommand.LOGIN, AdminCommand.AUTHENTICATE):
            continue
        refused = ann.do(command) == Code.ROLE_VIOLATION
        assert refused == (role not in ("user-admin", "superuser")), command


@pytest.mark.parametrize("name", ["get", "put", "row get", "row put"])
def test_scopes_are_kept_to(secure: Any, kit: Any, name: str) -> None:
    node = secure()
    admin = node.client("admin")
    code = PrivilegeCode.READ_WRITE
    admin.create_role("of demo", [WirePrivilege(code, b"test", b"demo")])
    admin.create_role("of test", [WirePrivilege(code, b"test")])
    admin.create_role("of other", [WirePrivilege(code, b"test", b"other")])
    admin.create_role("of bar", [WirePrivilege(code, b"bar")])
    for role, allowed in [("demo", True), ("test", True), ("other", False), ("bar", False)]:
        admin.create_user(role, f"of {role}")
        found = code_of(node.client(role).wire.send(commands(kit)[name]))
        assert (found != Code.ROLE_VIOLATION) == allowed, role


def test_a_set_scope_counts_only_where_the_set_is_named(secure: Any, kit: Any) -> None:
    node = secure()
    admin = node.client("admin")
    admin.create_role("of demo", [WirePrivilege(PrivilegeCode.READ, b"test", b"demo")])
    admin.create_user("ann", "of demo")
    admin.create_user("bob", "read-write")
    node.client("bob").wire.send(kit.put(1, (b"a", BLOB, b"x"), set_name=b"other"))
    ann = node.client("ann").wire
    assert ann.call(kit.get(1, set_name=b"other")).result_code == Code.ROLE_VIOLATION
    assert ann.call(kit.get(1, set_name=None)).result_code == Code.ROLE_VIOLATION
    reply = ann.call(kit.get(1, set_name=b"demo"))  # the record is in another set than it says
    assert (reply.result_code, reply.ops) == (Code.PARAMETER, [])


def test_truncation_has_a_scope(secure: Any) -> None:
    node = secure()
    admin = node.client("admin")
    admin.create_role("of demo", [WirePrivilege(PrivilegeCode.TRUNCATE, b"test", b"demo")])
    admin.create_user("ann", "of demo")
    ann = node.client("ann").wire
    for arguments, allowed in [
        ("namespace=test;set=demo", True),
        ("namespace=test;set=other", False),
        ("namespace=bar;set=demo", False),
    ]:
        reply = ann.send(frame(1, f"truncate:{arguments}\n".encode()))[8:]
        assert (b"ERROR:81:" not in reply) == allowed, arguments
    assert b"ERROR:81:" in ann.send(frame(1, b"truncate-namespace:namespace=test\n"))


def test_a_stranger_s_compressed_message_is_not_unpacked(secure: Any, kit: Any) -> None:
    wire = secure().client().wire
    assert wire.call(deflate(kit.get(1)[8:])).result_code == Code.NOT_AUTHENTICATED


ROLES = ["read", "write", "read-write"]
STEPS = st.one_of(
    st.tuples(st.sampled_from(["grant", "revoke"]), st.sampled_from(ROLES)),
    st.tuples(st.sampled_from(["get", "put", "row get", "row put"]), st.just("")),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(STEPS, max_size=30))
def test_no_way_to_a_right_one_does_not_have(
    secure: Any, kit: Any, steps: list[tuple[str, str]]
) -> None:
    """A model of the user's rights beside the server, whose fast paths come and go."""
    node, mine = secure(), set()
    admin = node.client("admin")
    admin.create_user("ann")
    admin.create_user("bob", "read-write")
    ann, bob = node.client("ann").wire, node.client("bob").wire
    frames = commands(kit)
    for step, role in steps:
        if role:
            assert admin.grant("ann", role, revoke=step == "revoke") == 0
            mine = mine - {role} if step == "revoke" else mine | {role}
            continue
        allowed = any(step in MAY[role] for role in mine)
        for _ in range(2):
            assert code_of(bob.send(frames[step])) != Code.ROLE_VIOLATION
            assert (code_of(ann.send(frames[step])) != Code.ROLE_VIOLATION) == allowed


JOBS = ("query", "aggregation", "background ops", "background udf")


def test_queries_by_every_role(secure: Any, kit: Any, role: str) -> None:
    """Those that may begin: what they come to is another matter."""

    async def ask() -> None:
        node = secure()
        node.client("admin").create_user("ann", role)
        for name in JOBS:
            ann = node.client("ann").wire
            reply = ann.send(commands(kit)[name])
            while not reply:
                await asyncio.sleep(0)
                reply = ann.transport.written
            allowed = name in MAY.get(role, set())
            assert (code_of(reply) != Code.ROLE_VIOLATION) == allowed, name
        await node.node.queries.stop()

    asyncio.run(ask())
