"""Our client beside the official one: users, roles, indexes and functions are asked for in the same
bytes. (The clients' own looks at the cluster are left out. So is truncation: the official client
keeps the interpreter's lock meanwhile, and the tap has to wait for it.)"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aerospike
import pytest
from aerospike_helpers import cdt_ctx
from aerospike_helpers import expressions as official_expressions
from tap import Tap

from aerospike_client import (
    Client,
    ClientError,
    ClientPolicy,
    IndexKind,
    IndexType,
    Permission,
    Privilege,
)
from aerospike_client.expressions import Bin
from aerospike_client.operations import context
from aerospike_common.wire import MessageType
from aerospike_common.wire.admin import AdminCommand
from asd import Server

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

Call = Callable[[Any], object]
ADMIN = "admin", "admin"
MODULE = "function one(rec)\n  return 1\nend\n"
ON_SET = {"code": aerospike.PRIV_READ_WRITE, "ns": "test", "set": "demo"}
ON_ALL = {"code": aerospike.PRIV_DATA_ADMIN}


@pytest.fixture(scope="module")
def tap() -> Iterator[Tap]:
    """A server with users behind a tap that keeps what is not about records."""
    with Server(security=True) as server:
        tapped = Tap(server.address, (MessageType.INFO, MessageType.ADMIN))
        yield tapped
        tapped.close()


@pytest.fixture(scope="module")
def official(tap: Tap) -> Iterator[Any]:
    config = {"hosts": [tap.address], "user": ADMIN[0], "password": ADMIN[1]}
    client = aerospike.client(config).connect()
    client.admin_create_user("known", "secret", ["read"])
    client.admin_create_role("clerk", [ON_SET])
    yield client
    client.close()


@pytest.fixture(scope="module")
def ours(tap: Tap) -> Iterator[Client]:
    policy = ClientPolicy(user=ADMIN[0], password=ADMIN[1], connect_timeout=20_000)
    with Client([tap.address], policy) as client:
        yield client


USERS: dict[str, tuple[Call, Call]] = {
    "create user": (
        lambda c: c.admin_create_user("new", "a password", ["read", "write"]),
        lambda c: c.create_user("new", "a password", ["read", "write"]),
    ),
    "set password": (
        lambda c: c.admin_set_password("known", "other"),
        lambda c: c.set_password("known", "other"),
    ),
    "change password": (
        lambda c: c.admin_change_password("admin", "admin"),
        lambda c: c.change_password("admin", "admin", "admin"),
    ),
    "grant roles": (
        lambda c: c.admin_grant_roles("known", ["write", "clerk"]),
        lambda c: c.grant_roles("known", ["write", "clerk"]),
    ),
    "revoke roles": (
        lambda c: c.admin_revoke_roles("known", ["write"]),
        lambda c: c.revoke_roles("known", ["write"]),
    ),
    "one user": (lambda c: c.admin_query_user_info("known"), lambda c: c.users("known")),
    "all users": (lambda c: c.admin_query_users_info(), lambda c: c.users()),
    "drop user": (lambda c: c.admin_drop_user("new"), lambda c: c.drop_user("new")),
}
ROLES: dict[str, tuple[Call, Call]] = {
    "create role": (
        lambda c: c.admin_create_role("boss", [ON_SET, ON_ALL], whitelist=["127.0.0.1"]),
        lambda c: c.create_role(
            "boss",
            [Privilege(Permission.READ_WRITE, "test", "demo"), Privilege(Permission.DATA_ADMIN)],
            ["127.0.0.1"],
        ),
    ),
    "grant privileges": (
        lambda c: c.admin_grant_privileges("clerk", [{"code": aerospike.PRIV_READ, "ns": "test"}]),
        lambda c: c.grant_privileges("clerk", [Privilege(Permission.READ, "test")]),
    ),
    "revoke privileges": (
        lambda c: c.admin_revoke_privileges("clerk", [ON_SET]),
        lambda c: c.revoke_privileges("clerk", [Privilege(Permission.READ_WRITE, "test", "demo")]),
    ),
    "whitelist": (
        lambda c: c.admin_set_whitelist("clerk", ["127.0.0.1", "10.0.0.0/8"]),
        lambda c: c.set_whitelist("clerk", ["127.0.0.1", "10.0.0.0/8"]),
    ),
    "no whitelist": (
        lambda c: c.admin_set_whitelist("clerk", None),
        lambda c: c.set_whitelist("clerk", []),
    ),
    "quotas": (
        lambda c: c.admin_set_quotas("clerk", 10, 20),
        lambda c: c.set_quotas("clerk", 10, 20),
    ),
    "one role": (lambda c: c.admin_get_role("clerk"), lambda c: c.roles("clerk")),
    "all roles": (lambda c: c.admin_get_roles(), lambda c: c.roles()),
    "drop role": (lambda c: c.admin_drop_role("boss"), lambda c: c.drop_role("boss")),
}
"""In this order, in which each has what it needs."""

BY_NAME: dict[str, tuple[Call, Call]] = {
    "numeric index": (
        lambda c: c.index_integer_create("test", "demo", "n", "by-n"),
        lambda c: c.create_index("by-n", "test", "demo", "n", IndexKind.NUMERIC),
    ),
    "text index of a namespace": (
        lambda c: c.index_string_create("test", None, "s", "by-s"),
        lambda c: c.create_index("by-s", "test", "", "s", IndexKind.STRING),
    ),
    "index on elements": (
        lambda c: c.index_list_create("test", "demo", "l", aerospike.INDEX_NUMERIC, "by-l"),
        lambda c: c.create_index(
            "by-l", "test", "demo", "l", IndexKind.NUMERIC, index_type=IndexType.LIST
        ),
    ),
    "index on keys, inside": (
        lambda c: c.index_cdt_create(
            *("test", "demo", "m", aerospike.INDEX_TYPE_MAPKEYS, aerospike.INDEX_STRING, "by-m"),
            [cdt_ctx.cdt_ctx_map_key("tags")],
        ),
        lambda c: c.create_index(
            *("by-m", "test", "demo", "m", IndexKind.STRING),
            index_type=IndexType.MAP_KEYS,
            context=context.pack([context.map_key("tags")]),
        ),
    ),
    "region index": (
        lambda c: c.index_geo2dsphere_create("test", "demo", "g", "by-g"),
        lambda c: c.create_index("by-g", "test", "demo", "g", IndexKind.GEO2DSPHERE),
    ),
    "drop index": (
        lambda c: c.index_remove("test", "by-n"),
        lambda c: c.drop_index("test", "by-n"),
    ),
    "blob index": (
        lambda c: c.index_blob_create("test", "demo", "b", "by-b"),
        lambda c: c.create_index("by-b", "test", "demo", "b", IndexKind.BLOB),
    ),
    "index on an expression": (
        lambda c: c.index_expr_create(
            *("test", "demo", aerospike.INDEX_TYPE_DEFAULT, aerospike.INDEX_NUMERIC),
            official_expressions.Add(official_expressions.IntBin("a"), 1).compile(),
            "by-e",
        ),
        lambda c: c.create_index(
            "by-e", "test", "demo", "", IndexKind.NUMERIC, expression=Bin("a").int() + 1
        ),
    ),
    "functions": (lambda c: c.udf_list(), lambda c: c.udf_list()),
}
WANTED = b"sindex", b"udf-"


def sent(tap: Tap, call: Call, client: Any) -> list[bytes]:
    """What a call sends; whether it is granted is another test's matter."""
    tap.taken()
    with contextlib.suppress(aerospike.exception.AerospikeError, ClientError):
        call(client)
    return tap.taken()


@pytest.mark.parametrize("name", [*USERS, *ROLES])
def test_the_same_bytes_for_users_and_roles(
    name: str, official: Any, ours: Client, tap: Tap
) -> None:
    theirs, our = (USERS | ROLES)[name]
    reference = [each for each in sent(tap, theirs, official) if not is_a_look(each)]
    assert len(reference) == 1
    assert [each for each in sent(tap, our, ours) if not is_a_look(each)] == reference


def is_a_look(body: bytes) -> bool:
    """An info request of the tend, or the login of a new connection."""
    return body[:1] != b"\0" or body[2] in (AdminCommand.AUTHENTICATE, AdminCommand.LOGIN)


@pytest.mark.parametrize("name", BY_NAME)
def test_the_same_bytes_for_indexes(name: str, official: Any, ours: Client, tap: Tap) -> None:
    theirs, our = BY_NAME[name]
    reference = [each for each in sent(tap, theirs, official) if each.startswith(WANTED)][:1]
    assert reference
    assert [each for each in sent(tap, our, ours) if each.startswith(WANTED)][:1] == reference


def test_the_same_bytes_for_functions(
    official: Any, ours: Client, tap: Tap, tmp_path: Path
) -> None:
    path = tmp_path / "one.lua"
    path.write_text(MODULE)
    calls: list[tuple[Call, Call]] = [
        (lambda c: c.udf_put(str(path)), lambda c: c.udf_put("one.lua", MODULE)),
        (lambda c: c.udf_get("one.lua"), lambda c: c.udf_get("one.lua")),
        (lambda c: c.udf_remove("one.lua"), lambda c: c.udf_remove("one.lua")),
    ]
    for theirs, our in calls:
        reference = [each for each in sent(tap, theirs, official) if each.startswith(WANTED)][:1]
        assert reference
        assert [each for each in sent(tap, our, ours) if each.startswith(WANTED)][:1] == reference
