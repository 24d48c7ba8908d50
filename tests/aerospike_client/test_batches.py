"""Batches through both faces and a whole server."""

from __future__ import annotations

from typing import Any

import pytest

from aerospike_client import (
    BatchApply,
    BatchOperate,
    BatchPolicy,
    BatchPut,
    BatchRead,
    BatchRemove,
    BatchWritePolicy,
    Exists,
    FilteredOut,
    InvalidParameter,
    Key,
    RecordExists,
    RecordNotFound,
    SendKey,
    UdfFailed,
)
from aerospike_client.expressions import Bin
from aerospike_common.wire import Op, OpType, ParticleType

KEYS = [Key("test", "batch", number) for number in range(20)]
INCREMENT = Op(OpType.INCR, ParticleType.INTEGER, b"n", (10).to_bytes(8, "big"))
READ_N = Op(OpType.READ, 0, b"n", b"")


@pytest.fixture
def filled(client: Any) -> Any:
    """A client of a server with a record for each key."""
    rows = [BatchPut(key, {"n": number, "s": f"text {number}"}) for number, key in enumerate(KEYS)]
    assert all(result.ok for result in client.batch(rows))
    return client


def test_get_many_keeps_the_keys_order(filled: Any) -> None:
    keys = [KEYS[3], Key("test", "batch", "none"), KEYS[1], KEYS[3]]
    records = filled.get_many(keys)
    assert [record and record.bins["n"] for record in records] == [3, None, 1, 3]
    assert records[0].key == KEYS[3]


def test_get_many_reads_some_bins_or_none(filled: Any) -> None:
    assert [record.bins for record in filled.get_many(KEYS[:2], ["n"])] == [{"n": 0}, {"n": 1}]
    assert [record.bins for record in filled.get_many(KEYS[:2], ())] == [{}, {}]


def test_exists_many_and_remove_many(filled: Any) -> None:
    assert filled.remove_many([KEYS[0], Key("test", "batch", "none")]) == [True, False]
    assert filled.exists_many(KEYS[:2]) == [False, True]


def test_keys_of_several_sets_and_namespaces(filled: Any) -> None:
    keys = [Key("test", "other", 1), Key("bar", "batch", 1), Key("bar", None, 1), KEYS[1]]
    filled.batch([BatchPut(key, {"where": str(key)}) for key in keys])
    assert [record.bins["where"] for record in filled.get_many(keys)] == [str(key) for key in keys]


def test_any_mix_of_rows(filled: Any) -> None:
    filled.udf_put("mix.lua", "function answer(rec, a) return a + rec.n end").wait(5000)
    results = filled.batch(
        [
            BatchRead(KEYS[0]),
            BatchRead(KEYS[1], ["n"]),
            BatchRead(KEYS[2], ops=[READ_N]),
            BatchPut(KEYS[3], {"new": 1}),
            BatchOperate(KEYS[4], [INCREMENT, READ_N]),
            BatchRemove(KEYS[5]),
            BatchApply(KEYS[6], "mix", "answer", [100]),
            BatchRead(Key("test", "batch", "none")),
            BatchApply(KEYS[6], "mix", "missing"),
            BatchPut(KEYS[7], {"n": 1}, BatchWritePolicy(exists=Exists.CREATE)),
        ]
    )
    assert [result.ok for result in results] == [True] * 7 + [False] * 3
    assert results[0].unwrap().bins == {"n": 0, "s": "text 0"}
    assert results[1].unwrap().bins == {"n": 1}
    assert results[2].unwrap().results == (("n", 2),)
    assert results[4].unwrap().results == (("n", None), ("n", 14))
    assert results[6].value == 106
    assert isinstance(results[7].error, RecordNotFound)
    assert isinstance(results[8].error, UdfFailed)
    assert isinstance(results[9].error, RecordExists)
    with pytest.raises(RecordExists):
        results[9].unwrap()
    assert filled.get(KEYS[3]).bins == {"n": 3, "s": "text 3", "new": 1}
    assert not filled.exists(KEYS[5])


def test_keys_are_sent_row_by_row(client: Any) -> None:
    policy = BatchWritePolicy(key=SendKey.SEND)
    assert all(r.ok for r in client.batch([BatchPut(key, {"a": 1}, policy) for key in KEYS]))
    assert {r.key.user_key for r in client.query("test", "batch")} == set(range(20))


def test_a_batch_of_many_rows_comes_in_several_frames(client: Any) -> None:
    keys = [Key("test", "big", number) for number in range(3000)]
    client.batch([BatchPut(key, {"b": b"x" * 500}) for key in keys])
    records = client.get_many(keys)
    assert all(record.bins == {"b": b"x" * 500} for record in records)


def test_without_respond_all_keys_the_first_failure_ends_the_batch(filled: Any) -> None:
    rows = [BatchPut(key, {"n": 1}, BatchWritePolicy(exists=Exists.CREATE)) for key in KEYS]
    results = filled.batch(rows, BatchPolicy(respond_all_keys=False, max_retries=0))
    assert all(isinstance(result.error, RecordExists) for result in results)


def test_what_makes_no_batch_is_refused(client: Any) -> None:
    with pytest.raises(InvalidParameter, match="at least one row"):
        client.batch([])
    with pytest.raises(InvalidParameter, match="BatchOperate for what writes"):
        client.batch([BatchRead(KEYS[0], ops=[INCREMENT])])


def test_a_batch_has_a_filter(client: Any) -> None:
    keys = [Key("test", "s", number) for number in range(4)]
    client.batch([BatchPut(key, {"n": number}) for number, key in enumerate(keys)])
    policy = BatchPolicy(filter_expression=Bin("n") >= 2)
    results = client.batch([BatchRead(key) for key in keys], policy)
    assert [result.ok for result in results] == [False, False, True, True]
    assert all(isinstance(result.error, FilteredOut) for result in results[:2])
