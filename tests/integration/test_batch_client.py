"""Batches as an application sees them: the official client, a whole server."""

from __future__ import annotations

import base64
from typing import Any

import pytest

aerospike = pytest.importorskip("aerospike", reason="the official client is not installed")
exp = pytest.importorskip("aerospike_helpers.expressions")
br = pytest.importorskip("aerospike_helpers.batch.records")
exp_ops = pytest.importorskip("aerospike_helpers.operations.expression_operations")
list_ops = pytest.importorskip("aerospike_helpers.operations.list_operations")
map_ops = pytest.importorskip("aerospike_helpers.operations.map_operations")
ops = pytest.importorskip("aerospike_helpers.operations.operations")

# The client announces what its next release will drop; that says nothing about this server.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

OK, NOT_FOUND, GENERATION, EXISTS, FILTERED_OUT, UDF_FAILED = 0, 2, 3, 5, 27, 100

Client = Any
"""The client is a C extension without useful types."""


def key(number: int) -> tuple[str, str, int]:
    return ("test", "batch", number)


def codes(batch: Any) -> list[int]:
    return [row.result for row in batch.batch_records]


def bins(batch: Any) -> list[Any]:
    return [row.record and row.record[2] for row in batch.batch_records]


@pytest.fixture
def client(aerospike_client: Client) -> Client:
    """A connected client; records 0..9 with the bins `number`, `name` and `list`."""
    for number in range(10):
        aerospike_client.put(
            key(number), {"number": number, "name": f"n{number}", "list": [number, 1]}
        )
    return aerospike_client


# --------------------------------------------------------------------- reading


def test_read_whole_records(client: Client) -> None:
    batch = client.batch_read([key(number) for number in range(12)])
    assert codes(batch) == [OK] * 10 + [NOT_FOUND] * 2
    assert bins(batch)[3] == {"number": 3, "name": "n3", "list": [3, 1]}
    assert batch.batch_records[3].record[1]["gen"] == 1


def test_read_some_bins(client: Client) -> None:
    batch = client.batch_read([key(1), key(2)], ["number", "missing"])
    assert bins(batch) == [{"number": 1}, {"number": 2}]


def test_read_no_bins(client: Client) -> None:
    batch = client.batch_read([key(1), key(99)], [])
    assert codes(batch) == [OK, NOT_FOUND]
    _, meta = batch.batch_records[0].record
    assert meta["gen"] == 1


def test_five_thousand_keys(client: Client) -> None:
    batch = client.batch_read([key(number % 11) for number in range(5000)])
    assert len(batch.batch_records) == 5000
    for index, row in enumerate(batch.batch_records):
        assert row.result == (NOT_FOUND if index % 11 == 10 else OK)
        if row.result == OK:
            assert row.record[2]["number"] == index % 11


def test_replies_larger_than_a_frame(client: Client) -> None:
    client.put(key(50), {"blob": b"x" * 300_000})
    batch = client.batch_read([key(50), key(1)] * 20)
    assert [len(row.record[2].get("blob", b"")) for row in batch.batch_records] == [300_000, 0] * 20


def test_a_filter_for_all_rows(client: Client) -> None:
    policy = {"expressions": exp.GE(exp.IntBin("number"), 8).compile()}
    batch = client.batch_read([key(number) for number in range(10)], policy=policy)
    assert codes(batch) == [FILTERED_OUT] * 8 + [OK] * 2


def test_read_with_operations(client: Client) -> None:
    double = exp.Mul(exp.IntBin("number"), 2).compile()
    operations = [list_ops.list_size("list"), exp_ops.expression_read("twice", double)]
    batch = client.batch_operate([key(4), key(5)], operations)
    assert bins(batch) == [{"list": 2, "twice": 8}, {"list": 2, "twice": 10}]


# --------------------------------------------------------------------- writing


def test_operate_on_many_records(client: Client) -> None:
    operations = [
        ops.increment("number", 100),
        list_ops.list_append("list", 7),
        map_ops.map_put("map", "k", 1),
        ops.read("number"),
    ]
    batch = client.batch_operate([key(number) for number in range(10)], operations)
    assert codes(batch) == [OK] * 10
    assert [row["number"] for row in bins(batch)] == list(range(100, 110))
    assert client.get(key(3))[2] == {
        "number": 103,
        "name": "n3",
        "list": [3, 1, 7],
        "map": {"k": 1},
    }


def test_put_one_bin_of_many_records(client: Client) -> None:
    keys = [("test", "single", number) for number in range(300)]
    for value in (1, 2):
        batch = client.batch_operate(keys, [ops.write("value", value)])
        assert codes(batch) == [OK] * 300
        read = client.batch_read(keys)
        assert bins(read) == [{"value": value}] * 300
        assert {row.record[1]["gen"] for row in read.batch_records} == {value}


def test_strings_of_many_lengths(client: Client) -> None:
    rows = [br.Write(key(n), [ops.write("s", "x" * (n % 17))]) for n in range(100, 200)]
    assert client.batch_write(br.BatchRecords(rows)).result == OK
    batch = client.batch_read([key(n) for n in range(100, 200)])
    assert [len(row["s"]) for row in bins(batch)] == [n % 17 for n in range(100, 200)]


def test_policies_of_a_batch_of_writes(client: Client) -> None:
    policy = {"exists": aerospike.POLICY_EXISTS_CREATE}
    batch = client.batch_operate(
        [key(1), key(60)], [ops.write("number", 1)], policy_batch_write=policy
    )
    assert codes(batch) == [EXISTS, OK]
    policy = {"gen": aerospike.POLICY_GEN_EQ, "key": aerospike.POLICY_KEY_SEND}
    rows = [
        br.Write(key(1), [ops.write("number", 2)], policy=policy, meta={"gen": gen, "ttl": 100})
        for gen in (5, 1, 1)
    ]
    batch = br.BatchRecords(rows)
    client.batch_write(batch)
    assert codes(batch) == [GENERATION, OK, GENERATION]
    _, meta, record = client.get(key(1))
    assert (meta["gen"], record["number"]) == (2, 2)
    assert 90 <= meta["ttl"] <= 100


def test_rows_of_different_kinds(client: Client) -> None:
    rows = br.BatchRecords(
        [
            br.Read(key(1), [ops.read("name")]),
            br.Write(key(2), [ops.write("name", "changed"), ops.read("name")]),
            br.Remove(key(3)),
            br.Read(key(4), None, read_all_bins=True),
            br.Write(key(70), [ops.write("number", 70)], {"key": aerospike.POLICY_KEY_SEND}),
            br.Read(key(70), None, read_all_bins=True),
            br.Remove(key(71)),
            br.Read(("test", "other", 1), None, read_all_bins=True),
        ]
    )
    client.batch_write(rows)
    assert codes(rows) == [OK, OK, OK, OK, OK, OK, NOT_FOUND, NOT_FOUND]
    assert bins(rows)[0] == {"name": "n1"}
    assert bins(rows)[1] == {"name": "changed"}
    assert bins(rows)[3] == {"number": 4, "name": "n4", "list": [4, 1]}
    assert client.exists(key(3))[1] is None


def test_a_row_that_fails_leaves_the_others_alone(client: Client) -> None:
    rows = br.BatchRecords(
        [
            br.Write(key(1), [ops.append("number", "text")]),
            br.Write(key(2), [ops.write("number", 20), ops.append("number", "text")]),
            br.Write(key(3), [ops.write("number", 30)]),
        ]
    )
    client.batch_write(rows)
    assert [code == OK for code in codes(rows)] == [False, False, True]
    read = client.batch_read([key(number) for number in (1, 2, 3)], ["number"])
    assert [row["number"] for row in bins(read)] == [1, 2, 30]


def test_functions_on_many_records(client: Client) -> None:
    module = (
        b"function add(record, bin, n)\n"
        b"  if not aerospike:exists(record) then error('nothing to add to') end\n"
        b"  record[bin] = record[bin] + n\n"
        b"  aerospike:update(record)\n"
        b"  return record[bin]\n"
        b"end\n"
    )
    # Not by udf_put: it keeps the interpreter to itself while it waits for the server, which runs
    # on another thread of this process.
    content = base64.b64encode(module).decode()
    put = f"udf-put:filename=batch_math.lua;content={content};content-len={len(content)}"
    assert client.info_random_node(f"{put};udf-type=LUA;").strip().endswith("ok")
    batch = client.batch_apply([key(1), key(99), key(2)], "batch_math", "add", ["number", 5])
    assert codes(batch) == [OK, UDF_FAILED, OK]
    assert [row.record[2].get("SUCCESS") for row in batch.batch_records[::2]] == [6, 7]
    assert client.get(key(2))[2]["number"] == 7


def test_remove_many_records(client: Client) -> None:
    batch = client.batch_remove([key(number) for number in (1, 2, 99)])
    assert codes(batch) == [OK, OK, NOT_FOUND]
    assert codes(client.batch_read([key(1), key(2), key(3)])) == [NOT_FOUND, NOT_FOUND, OK]


def test_without_respond_all_keys(client: Client) -> None:
    rows = br.BatchRecords(
        [
            br.Write(key(1), [ops.append("number", "text")]),
            br.Read(key(2), None, read_all_bins=True),
        ]
    )
    client.batch_write(rows, {"respond_all_keys": False})
    assert rows.result != OK


def test_a_namespace_that_is_not_there(client: Client) -> None:
    rows = br.BatchRecords([br.Read(("nowhere", "s", 1), None, read_all_bins=True)])
    client.batch_write(rows)
    assert codes(rows) != [OK]


def test_what_is_counted(client: Client) -> None:
    client.batch_read([key(number) for number in range(10)])
    (answer,) = client.info_all("statistics").values()
    figures = dict(pair.split("=", 1) for pair in answer[1].strip().split(";"))
    assert int(figures["batch_index_complete"]) >= 1
    (answer,) = client.info_all("namespace/test").values()
    figures = dict(pair.split("=", 1) for pair in answer[1].strip().split(";"))
    assert int(figures["batch_sub_read_success"]) == 10
