"""Faults as commands order them."""

from __future__ import annotations

from typing import Any

import pytest

from asd.control.arguments import Arguments, BadRequest
from asd.control.injection import fault_of, shown
from citrusleaf.cf_digest import key_digest


def ordered(**given: Any) -> dict[str, Any]:
    return shown(1, fault_of(Arguments("inject", given)))


def test_everything_that_can_be_said() -> None:
    assert ordered(
        kind=["write", "delete"],
        namespace="test",
        set="people",
        key="ada",
        bin="a",
        times=3,
        reply="lost",
        delay_ms=20,
    ) == {
        "id": 1,
        "hits": 0,
        "times": 3,
        "kind": ["write", "delete"],
        "namespace": "test",
        "set": "people",
        "digest": key_digest("people", "ada").hex(),
        "bin": "a",
        "delay_ms": 20.0,
        "reply": "lost",
    }


@pytest.mark.parametrize("code", [18, "DEVICE_OVERLOAD"])
def test_a_code_by_name_or_number(code: Any) -> None:
    said = ordered(code=code)
    assert said["code"] == "DEVICE_OVERLOAD"
    assert said["kind"] == ["read", "write", "delete", "udf", "query"]
    assert said["times"] == 1


def test_a_ready_made_one_gives_way_to_what_is_said() -> None:
    assert ordered(fault="stop-writes")["times"] == 0
    said = ordered(fault="stop-writes", times=2, kind="write")
    assert (said["times"], said["kind"], said["code"]) == (2, ["write"], "OUT_OF_SPACE")


@pytest.mark.parametrize(("key", "of"), [("ada", "ada"), (7, 7), ({"$bytes": "AAEC"}, b"\0\1\2")])
def test_keys(key: Any, of: Any) -> None:
    assert ordered(code=9, set="s", key=key)["digest"] == key_digest("s", of).hex()
    assert ordered(code=9, key=key)["digest"] == key_digest("", of).hex()


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"fault": "slow"}, "there are: hot-key, device-overload, .*clock-skew"),
        ({"kind": "put", "code": 9}, "'kind' is to be one, or a list, of read, write"),
        ({"kind": [], "code": 9}, "'kind' is to be"),
        ({"code": 0}, "a result code other than 0"),
        ({"code": "SLOW"}, "not 'SLOW'"),
        ({"code": True}, "'code' is to be|say what happens"),
        ({"reply": "late"}, "lost or cut, not 'late'"),
        ({}, "say what happens"),
        ({"times": -1, "code": 9}, "not negative"),
        ({"delay_ms": -1}, "not negative"),
        ({"code": 9, "reply": "lost"}, "say one of 'code' and 'reply'"),
        ({"fault": "hot-key", "set": "s"}, "a hot-key has a 'key'"),
        ({"kind": "info", "set": "s", "code": 9}, "about no record"),
        ({"kind": "connect", "key": 1}, "about no record"),
        ({"key": 1, "digest": "00" * 20, "code": 9}, "say one of 'key' and 'digest'"),
        ({"digest": "00", "code": 9}, "40 hex digits"),
        ({"digest": "xx" * 20, "code": 9}, "40 hex digits"),
        ({"key": 1.5, "code": 9}, "'key' is to be"),
        ({"key": {"$bytes": "?"}, "code": 9}, "'key' is to be"),
        ({"code": 9, "delay": 5}, "no argument 'delay'"),
    ],
)
def test_what_does_not_go_together(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadRequest, match=complaint):
        ordered(**given)
