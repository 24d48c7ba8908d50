"""Users' functions as an application sees them: the official client, a whole server.

The server is a process of its own: the client waits for a module to arrive without letting other
threads of its process run.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen, run
from typing import Any

import aerospike
import pytest
from aerospike import exception as ex
from aerospike_helpers import expressions as exp
from aerospike_helpers.batch import records as batch

# The client announces what its next release will drop; that says nothing about this server.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

Client = Any
"""The client is a C extension without useful types."""

Key = tuple[str, str, Any]

MODULE = """
function add(rec, name, amount)
  if not aerospike:exists(rec) then
    rec[name] = amount
    aerospike:create(rec)
  else
    rec[name] = (rec[name] or 0) + amount
    aerospike:update(rec)
  end
  return rec[name]
end

function echo(rec, ...)
  return list{...}
end

function wrong(rec)
  local nothing = nil
  return nothing.field
end

function forever(rec)
  while true do end
end

local function add_up(a, b) return a + b end

function total(stream, name)
  return stream : map(function(rec) return rec[name] or 0 end) : reduce(add_up)
end

function by_group(stream)
  local function gather(groups, rec)
    groups[rec.group] = (groups[rec.group] or 0) + 1
    return groups
  end
  local function join(a, b) return map.merge(a, b, add_up) end
  return stream : aggregate(map(), gather) : reduce(join)
end
"""


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    """Where a server listens."""
    command = [sys.executable, "-m", "asd", "--service-port", "0", "--namespace", "test"]
    with Popen(command, stdout=PIPE, stderr=DEVNULL, text=True) as process:
        assert process.stdout is not None
        host, _, port = process.stdout.readline().split()[-1].rpartition(":")
        yield host, int(port)
        process.terminate()


@pytest.fixture(scope="module")
def client(address: tuple[str, int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client with the module `accounts`, at the server and in its own directory: it runs the last
    part of aggregations itself."""
    directory = tmp_path_factory.mktemp("sources")
    (directory / "accounts.lua").write_text(MODULE)
    own = tmp_path_factory.mktemp("own")
    made = aerospike.client({"hosts": [address], "lua": {"user_path": str(own)}}).connect()
    made.udf_put(str(directory / "accounts.lua"), aerospike.UDF_TYPE_LUA)
    yield made
    made.close()


@pytest.fixture
def key(request: pytest.FixtureRequest) -> Key:
    """A key in a set of the test's own."""
    return ("test", request.node.name[:60], "ada")


def fill(client: Client, key: Key, count: int) -> list[Key]:
    """Records with a number and a group each; their keys."""
    keys = [(*key[:2], number) for number in range(count)]
    for number, each in enumerate(keys):
        client.put(each, {"n": number, "group": f"g{number % 3}"})
    return keys


def test_modules_are_listed_and_read_back(client: Client) -> None:
    (module,) = client.udf_list()
    assert module["name"] == "accounts.lua"
    assert client.udf_get("accounts.lua").strip() == MODULE.strip()


def test_a_module_that_does_not_compile(client: Client, tmp_path: Path) -> None:
    file = tmp_path / "broken.lua"
    file.write_text("function f(rec) retrun 1 end")
    with pytest.raises(ex.AerospikeError):
        client.udf_put(str(file), aerospike.UDF_TYPE_LUA)
    assert len(client.udf_list()) == 1


def test_a_function_creates_and_updates_a_record(client: Client, key: Key) -> None:
    assert client.apply(key, "accounts", "add", ["balance", 5]) == 5
    assert client.apply(key, "accounts", "add", ["balance", 7]) == 12
    _, meta, bins = client.get(key)
    assert bins == {"balance": 12}
    assert meta["gen"] == 2


def test_values_of_all_types_go_there_and_back(client: Client, key: Key) -> None:
    values = [1, -1, 2.5, "text", b"bytes", True, [1, ["a"]], {"k": {"v": [None]}}]
    assert client.apply(key, "accounts", "echo", values) == values


def test_a_failure_tells_its_place(client: Client, key: Key) -> None:
    with pytest.raises(ex.UDFError, match=r"accounts\.lua:19: attempt to index a nil value"):
        client.apply(key, "accounts", "wrong", [])
    with pytest.raises(ex.UDFError, match="function not found"):
        client.apply(key, "accounts", "absent", [])


def test_a_runaway_is_stopped_and_the_server_goes_on(client: Client, key: Key) -> None:
    policy = {"total_timeout": 3000, "max_retries": 0}
    with pytest.raises(ex.UDFError, match=r"accounts\.lua:23: UDF Execution Timeout"):
        client.apply(key, "accounts", "forever", [], policy)
    assert client.apply(key, "accounts", "add", ["balance", 1]) == 1


def test_a_filter_decides_whether_a_function_is_called(client: Client, key: Key) -> None:
    client.put(key, {"balance": 5})
    rich = exp.GT(exp.IntBin("balance"), 100).compile()
    with pytest.raises(ex.FilteredOut):
        client.apply(key, "accounts", "add", ["balance", 1], {"expressions": rich})
    assert client.get(key)[2] == {"balance": 5}


def test_functions_in_a_batch(client: Client, key: Key) -> None:
    keys = [(*key[:2], number) for number in range(5)]
    answers = client.batch_apply(keys, "accounts", "add", ["n", 3])
    assert answers.result == 0
    assert [row.record[2]["SUCCESS"] for row in answers.batch_records] == [3] * 5
    mixed = batch.BatchRecords(
        [
            batch.Apply(keys[0], "accounts", "add", ["n", 1]),
            batch.Apply(keys[1], "accounts", "absent", []),
            batch.Read(keys[2], None),
        ]
    )
    client.batch_write(mixed)
    assert [row.result for row in mixed.batch_records] == [0, 100, 0]
    assert mixed.batch_records[0].record[2] == {"SUCCESS": 4}


def test_a_function_on_every_record_in_the_background(client: Client, key: Key) -> None:
    keys = fill(client, key, 50)
    job = client.scan_apply(*key[:2], "accounts", "add", ["n", 1000])
    wait_for(client, job)
    assert {client.get(each)[2]["n"] for each in keys} == set(range(1000, 1050))


def wait_for(client: Client, job: int) -> None:
    deadline = time.monotonic() + 10
    while client.job_info(job, "scan")["status"] == aerospike.JOB_STATUS_INPROGRESS:
        assert time.monotonic() < deadline
        time.sleep(0.02)


AGGREGATE = """
import json, sys, aerospike
host, port, own, set_name = sys.argv[1:]
client = aerospike.client({"hosts": [(host, int(port))], "lua": {"user_path": own}}).connect()
for function, arguments in (("total", ["n"]), ("by_group", [])):
    query = client.query("test", set_name)
    query.apply("accounts", function, arguments)
    print(json.dumps(query.results()))
"""


def test_aggregations(address: tuple[str, int], client: Client, key: Key, tmp_path: Path) -> None:
    fill(client, key, 30)
    # In a process of its own: the client takes the directory of its modules from the first
    # connection that the process made, which may be another test's.
    (tmp_path / "accounts.lua").write_text(MODULE)
    command = [sys.executable, "-c", AGGREGATE, address[0], str(address[1]), str(tmp_path), key[1]]
    done = run(command, capture_output=True, text=True, check=True)
    total, groups = (json.loads(line) for line in done.stdout.splitlines())
    assert total == [sum(range(30))]
    assert groups == [{"g0": 10, "g1": 10, "g2": 10}]


def test_a_failing_aggregation(client: Client, key: Key) -> None:
    fill(client, key, 3)
    query = client.query(*key[:2])
    query.apply("accounts", "absent", [])
    with pytest.raises(ex.AerospikeError):
        query.results()
