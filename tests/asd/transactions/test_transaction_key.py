"""The key field of a request: what may be stored, and when it is looked at."""

from __future__ import annotations

from typing import Any

import pytest

from aerospike_common.wire.codes import FieldType, Info1, Info2, Info3, OpType, ResultCode
from aerospike_common.wire.message import Op

NAMES = [Op(OpType.WRITE, 3, b"b", b"x")]
INT1, DOUBLE1 = b"\x01\x00", b"\x02\x00"


@pytest.fixture
def wire(kit: Any) -> Any:
    return kit.Wire(kit.make_node())


@pytest.fixture
def put(wire: Any, kit: Any) -> Any:
    def call(key: bytes | None, **more: Any) -> int:
        fields = {} if key is None else {FieldType.KEY: key}
        # Twice, so that a short cut learned from the first is asked as well.
        codes = {
            wire.call(kit.put(1, (b"b", 3, b"x"), fields=fields, **more)).result_code
            for _ in range(2)
        }
        assert len(codes) == 1
        return int(codes.pop())

    return call


def whole(wire: Any, kit: Any, key: bytes | None = None) -> Any:
    return wire.call(kit.get(1, fields={} if key is None else {FieldType.KEY: key}))


@pytest.mark.parametrize("key", [b"", b"\x01", INT1, b"\x01" + bytes(9)])
def test_a_key_that_cannot_be_stored(wire: Any, kit: Any, put: Any, key: bytes) -> None:
    assert put(key) == ResultCode.UNSUPPORTED_FEATURE
    assert whole(wire, kit).result_code == ResultCode.NOT_FOUND
    assert put(None) == 0
    assert put(key) == ResultCode.UNSUPPORTED_FEATURE


@pytest.mark.parametrize(
    "key", [b"\x02", DOUBLE1, b"\x02" + bytes(8), b"\x03", b"\x03k", b"\x04\0"]
)
def test_a_key_is_stored_as_it_came(wire: Any, kit: Any, put: Any, key: bytes) -> None:
    assert put(key) == 0
    request = kit.request(1, info1=Info1.READ | Info1.GET_ALL, fields={FieldType.KEY: key})
    assert wire.call(request).result_code == 0
    other = {FieldType.KEY: b"\x03other"}
    assert wire.call(kit.get(1, fields=other)).result_code == ResultCode.KEY_MISMATCH


def test_existence_and_another_key_are_looked_at_first(wire: Any, kit: Any, put: Any) -> None:
    assert put(b"", info3=Info3.UPDATE_ONLY) == ResultCode.NOT_FOUND
    assert put(b"\x03k") == 0
    assert put(b"") == ResultCode.KEY_MISMATCH
    assert put(b"", info2=Info2.CREATE_ONLY) == ResultCode.RECORD_EXISTS


def test_reads_and_deletes_do_not_look_at_an_empty_key(wire: Any, kit: Any, put: Any) -> None:
    assert put(None) == 0
    assert whole(wire, kit, b"").result_code == 0
    assert whole(wire, kit, INT1).result_code == 0
    delete = kit.request(1, info2=Info2.WRITE | Info2.DELETE, fields={FieldType.KEY: b""})
    assert wire.call(delete).result_code == 0


def test_an_empty_key_is_another_one_than_any_stored(wire: Any, kit: Any, put: Any) -> None:
    assert put(b"\x03k") == 0
    assert whole(wire, kit, b"").result_code == ResultCode.KEY_MISMATCH
    delete = kit.request(1, info2=Info2.WRITE | Info2.DELETE, fields={FieldType.KEY: b""})
    assert wire.call(delete).result_code == ResultCode.KEY_MISMATCH
