"""Single records through both faces and a whole server."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from aerospike_client import (
    TTL_NEVER_EXPIRE,
    BinTypeMismatch,
    Exists,
    Generation,
    GenerationMismatch,
    InvalidParameter,
    Key,
    NodeUnavailable,
    OperatePolicy,
    ReadPolicy,
    RecordExists,
    RecordNotFound,
    SendKey,
    UdfFailed,
    WritePolicy,
)
from aerospike_common import AsBytes, AsGeojson
from aerospike_common.wire import Op, OpType, ParticleType

KEY = Key("test", "people", "ada")

VALUES = [
    *(0, -1, 2**63 - 1, -(2**63), 3.25, float("inf"), "", "Grüße, 世界", b"", bytes(range(256))),
    *(True, False, [], [1, "two", 3.0, [4, [5]], {"six": 7}, None, True, b"raw"], {}),
    *({"a": 1, "b": {"c": [1, 2, {"d": None}]}, "e": 2.5}, {1: "integer", b"k": "bytes"}),
    AsGeojson('{"type": "Point", "coordinates": [8.5, 47.4]}'),
    AsBytes(b"pickled", ParticleType.PYTHON_BLOB),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_every_kind_of_value_comes_back(client: Any, value: object) -> None:
    client.put(KEY, {"bin": value})
    record = client.get(KEY)
    assert record.bins == {"bin": value}
    assert type(record.bins["bin"]) is type(value)
    assert (record.key, record.generation) == (KEY, 1)


@pytest.mark.parametrize("key", [1, -5, "text", b"bytes", 2.5])
def test_every_kind_of_key_finds_its_record(client: Any, key: Any) -> None:
    client.put(Key("test", "keys", key), {"a": 1})
    assert client.exists(Key("test", "keys", key))
    assert not client.exists(Key("test", "other", key))


def test_put_adds_replaces_and_removes_bins(client: Any) -> None:
    client.put(KEY, {"a": 1, "b": 2})
    client.put(KEY, {"b": None, "c": 3})
    assert client.get(KEY).bins == {"a": 1, "c": 3}


def test_select_and_head_read_less(client: Any) -> None:
    client.put(KEY, {"a": 1, "b": 2, "c": 3})
    assert client.select(KEY, ["a", "c", "none"]).bins == {"a": 1, "c": 3}
    assert client.head(KEY).bins == {}
    assert client.head(KEY).generation == 1


def test_append_prepend_increment(client: Any) -> None:
    client.put(KEY, {"text": "b", "raw": b"b", "n": 5, "x": 1.5})
    client.append(KEY, {"text": "c", "raw": b"c"})
    client.prepend(KEY, {"text": "a", "raw": b"a"})
    client.increment(KEY, {"n": -7, "x": 0.5, "new": 3})
    assert client.get(KEY).bins == {"text": "abc", "raw": b"abc", "n": -2, "x": 2.0, "new": 3}
    with pytest.raises(BinTypeMismatch):
        client.increment(KEY, {"text": 1})


def test_touch_renews_and_needs_a_record(client: Any) -> None:
    client.put(KEY, {"a": 1})
    client.touch(KEY, WritePolicy(ttl=1000))
    assert 990 < client.head(KEY).ttl() <= 1000
    client.touch(KEY, WritePolicy(ttl=TTL_NEVER_EXPIRE))
    assert client.head(KEY).ttl() is None
    with pytest.raises(RecordNotFound):
        client.touch(Key("test", "people", "nobody"))


def test_remove_says_whether_there_was_a_record(client: Any) -> None:
    client.put(KEY, {"a": 1})
    assert client.remove(KEY) is True
    assert client.remove(KEY) is False
    with pytest.raises(RecordNotFound) as caught:
        client.get(KEY)
    assert caught.value.code == 2
    assert caught.value.node
    assert caught.value.attempts == 1
    assert not caught.value.in_doubt


def test_existence_policies(client: Any) -> None:
    for exists in (Exists.UPDATE, Exists.REPLACE):
        with pytest.raises(RecordNotFound):
            client.put(KEY, {"a": 1}, WritePolicy(exists=exists))
    client.put(KEY, {"a": 1, "b": 1}, WritePolicy(exists=Exists.CREATE))
    with pytest.raises(RecordExists) as caught:
        client.put(KEY, {"a": 2}, WritePolicy(exists=Exists.CREATE))
    assert not caught.value.in_doubt
    client.put(KEY, {"a": 3}, WritePolicy(exists=Exists.CREATE_OR_REPLACE))
    assert client.get(KEY).bins == {"a": 3}


def test_generation_policies(client: Any) -> None:
    client.put(KEY, {"a": 1})
    client.put(KEY, {"a": 2}, WritePolicy(gen=Generation.EQ, generation=1))
    with pytest.raises(GenerationMismatch):
        client.put(KEY, {"a": 3}, WritePolicy(gen=Generation.EQ, generation=1))
    client.put(KEY, {"a": 4}, WritePolicy(gen=Generation.GT, generation=9))
    with pytest.raises(GenerationMismatch):
        client.remove(KEY, WritePolicy(gen=Generation.EQ, generation=1))


def test_operate_answers_in_order(client: Any) -> None:
    client.put(KEY, {"n": 1, "s": "x"})
    ops = [
        Op(OpType.INCR, ParticleType.INTEGER, b"n", (5).to_bytes(8, "big")),
        Op(OpType.READ, 0, b"n", b""),
        Op(OpType.APPEND, ParticleType.STRING, b"s", b"y"),
        Op(OpType.READ, 0, b"s", b""),
    ]
    record = client.operate(KEY, ops)
    assert record.results == (("n", 6), ("s", "xy"))
    assert record.bins == {"n": 6, "s": "xy"}
    everything = client.operate(KEY, ops, OperatePolicy(respond_all_ops=True))
    assert everything.results == (("n", None), ("n", 11), ("s", None), ("s", "xyy"))
    assert client.operate(KEY, [Op(OpType.READ, 0, b"", b"")]).bins == {"n": 11, "s": "xyy"}


def test_a_key_that_was_sent_is_stored(client: Any) -> None:
    client.put(KEY, {"a": 1}, WritePolicy(key=SendKey.SEND))
    client.put(Key("test", "people", "bob"), {"a": 1})
    assert {record.key.user_key for record in client.query("test", "people")} == {"ada", None}
    assert client.get(KEY, ReadPolicy(key=SendKey.SEND)).bins == {"a": 1}


def test_apply_calls_a_function(client: Any) -> None:
    source = """
    function add(rec, bin, n)
        rec[bin] = (rec[bin] or 0) + n
        if aerospike:exists(rec) then aerospike:update(rec) else aerospike:create(rec) end
        return rec[bin]
    end
    function fail(rec) error("on purpose") end
    """
    client.udf_put("adder.lua", source).wait(5000)
    assert client.apply(KEY, "adder", "add", ["n", 5]) == 5
    assert client.apply(KEY, "adder", "add", ["n", 2]) == 7
    assert client.get(KEY).bins == {"n": 7}
    with pytest.raises(UdfFailed, match="on purpose"):
        client.apply(KEY, "adder", "fail")


@pytest.mark.parametrize(
    ("bins", "message"),
    [
        ({"x" * 16: 1}, "1 to 15 bytes"),
        ({"": 1}, "1 to 15 bytes"),
        ({"a": 1 << 63}, "64 bits"),
        ({"a": object()}, "no object"),
        ({"a": [object()]}, "no object"),
        ({}, "nothing to write"),
    ],
)
def test_what_cannot_be_sent_is_refused_at_once(client: Any, bins: Any, message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        client.put(KEY, bins)


def test_an_unknown_namespace_is_named_with_the_known_ones(client: Any) -> None:
    with pytest.raises(
        NodeUnavailable, match="no node has the namespace 'none'; known are: bar, t"
    ):
        client.get(Key("none", "s", 1))


def test_metrics_count_what_was_answered(client: Any) -> None:
    client.put(KEY, {"a": 1})
    client.get(KEY)
    client.exists(Key("test", "people", "nobody"))
    (node,) = client.nodes
    assert (node.metrics.write.count, node.metrics.read.count) == (1, 2)
    assert node.metrics.read.percentile(50) > 0


def test_policies_derive_from_one_another() -> None:
    assert attrs.evolve(ReadPolicy(), total_timeout=5) == ReadPolicy(total_timeout=5)
