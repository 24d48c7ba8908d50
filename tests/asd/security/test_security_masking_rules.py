"""Masking rules: how they are put and listed, and what their functions show."""

from __future__ import annotations

from typing import Any

import pytest

from aerospike_common.wire.admin import WirePrivilege
from aerospike_common.wire.codes import ParticleType
from asd.security.permissions import PrivilegeCode

STRING, INTEGER, BLOB = ParticleType.STRING, ParticleType.INTEGER, ParticleType.BLOB
RULE = "masking:namespace=test;set=demo;bin=ssn;type=string;function=redact;position=0;length=7"


def test_rules_are_put_listed_and_removed(masked: Any) -> None:
    assert masked.info("dba", RULE) == "ok"  # again, which changes nothing
    place = "namespace=test;set=demo;bin=%s;type=%s;function=%s"
    ssn = place % ("ssn", "string", "redact") + ";position=0;length=7"
    age = place % ("age", "integer", "constant") + ";value=-1"
    assert masked.info("dba", "masking;" + age) == "ok"
    assert masked.info("analyst", "masking-show") == f"{age}:{ssn}"
    assert masked.info("analyst", "masking-show:ns=test;set=demo") == f"{age}:{ssn}"
    assert masked.info("analyst", "masking-show:namespace=test;set=other") == ""
    assert masked.info("analyst", "masking-show:namespace=bar") == ""
    for _ in range(2):
        gone = place % ("age", "integer", "remove")
        assert masked.info("dba", "masking:" + gone) == "ok"
    assert masked.info("analyst", "masking-show") == ssn


WRONG = {
    "namespace=none;set=demo;bin=a;function=redact": "20:namespace not found on node",
    "namespace=test;bin=a;function=redact": "4:missing 'set'",
    "namespace=test;set=demo;function=redact": "4:missing 'bin'",
    "namespace=test;set=demo;bin=a": "4:missing 'function'",
    "namespace=test;set=demo;bin=0123456789abcdef;function=redact": "4:'bin' value too long",
    "namespace=test;set=demo;bin=a;function=shred": "4:bad 'function' - must be one of "
    "'redact', 'constant', 'remove'",
    "namespace=test;set=demo;bin=a;type=list;function=redact": "4:bad 'type' - must be one of "
    "'string', 'integer'",
    "namespace=test;set=demo;bin=a;type=integer;function=redact": "4:'redact' is for strings",
    "namespace=test;set=demo;bin=a;function=redact;value=xy": "4:bad 'value' - must be one "
    "character",
    "namespace=test;set=demo;bin=a;function=redact;position=x": "4:bad 'position'",
    "namespace=test;set=demo;bin=a;function=redact;length=-1": "4:bad 'length'",
    "namespace=test;set=demo;bin=a;function=redact;size=1": "4:'redact' has no parameter 'size'",
    "namespace=test;set=demo;bin=a;function=constant": "4:missing 'value'",
    "namespace=test;set=demo;bin=a;function=constant;value=a:b": "4:no ':' can be in a masking "
    "rule",
    "namespace=test;set=demo;bin=a;type=integer;function=constant;value=x": "4:bad 'value'",
}


@pytest.mark.parametrize("arguments", WRONG)
def test_what_is_no_rule_is_refused(masked: Any, arguments: str) -> None:
    assert masked.info("dba", "masking:" + arguments) == "ERROR:" + WRONG[arguments]


def test_rules_have_a_scope_and_are_kept(masked: Any) -> None:
    admin = masked.secure.client("admin")
    admin.create_role("of demo", [WirePrivilege(PrivilegeCode.MASKING_ADMIN, b"test", b"demo")])
    admin.create_user("bob", "of demo")
    masked.clients["bob"] = masked.secure.client("bob").wire
    rule = "masking:namespace=test;set=%s;bin=b;function=redact"
    assert masked.info("bob", rule % "demo") == "ok"
    refused = "ERROR:81:role violation - requires permission 'masking-admin'"
    assert masked.info("bob", rule % "other") == refused
    assert masked.info("analyst", rule % "demo") == refused
    items = masked.secure.node.metadata.items("masking")
    assert sorted(items) == ["test|demo|b|string", "test|demo|ssn|string"]


FUNCTIONS = [
    ("function=redact", "secret", "******"),
    ("function=redact;value=#", "secret", "######"),
    ("function=redact;position=2", "secret", "se****"),
    ("function=redact;position=-2", "secret", "secr**"),
    ("function=redact;position=-9;length=3", "secret", "***ret"),
    ("function=redact;position=9", "secret", "secret"),
    ("function=redact;length=0", "secret", "secret"),
    ("function=redact;position=1;length=2", "äöüß", "ä**ß"),
    ("function=redact", "", ""),
    ("function=constant;value=HIDDEN", "secret", "HIDDEN"),
]


@pytest.mark.parametrize(("function", "value", "shown"), FUNCTIONS)
def test_what_functions_show(masked: Any, kit: Any, function: str, value: str, shown: str) -> None:
    assert masked.info("dba", f"masking:namespace=test;set=demo;bin=name;{function}") == "ok"
    masked.send("app", kit.put(1, (b"name", STRING, value.encode())))
    assert masked.read("analyst")[b"name"] == shown.encode()
    assert masked.read("app")[b"name"] == value.encode()


def test_a_rule_is_of_one_type_of_value(masked: Any, kit: Any) -> None:
    masked.info(
        "dba", "masking:namespace=test;set=demo;bin=age;type=integer;function=constant;value=0"
    )
    age = (42).to_bytes(8, "big")
    masked.send("app", kit.put(1, (b"age", INTEGER, age), (b"ssn", BLOB, b"raw")))
    assert masked.read("analyst") == {b"age": bytes(8), b"ssn": b"raw", b"name": b"Ada"}
