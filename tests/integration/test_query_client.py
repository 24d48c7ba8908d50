"""Queries, secondary indexes and sets as an application sees them: the official client."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import aerospike
import pytest
from aerospike import exception as ex
from aerospike import predicates as p
from aerospike_helpers import cdt_ctx
from aerospike_helpers import expressions as exp
from aerospike_helpers.operations import list_operations as list_ops
from aerospike_helpers.operations import operations as ops

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

Client = Any
Records = dict[int, dict[str, Any]]

PEOPLE = 200


@pytest.fixture
def client(aerospike_client: Client) -> Client:
    """A connected client, and a server with two hundred people in one set, two in another."""
    for i in range(PEOPLE):
        bins = {
            "i": i,
            "name": f"n{i % 10}",
            "blob": bytes([i % 5]),
            "tags": [i % 7, f"t{i % 3}", i],
            "map": {f"k{i % 4}": i % 6, "deep": {"x": i % 8}},
            "place": aerospike.GeoJSON({"type": "Point", "coordinates": [i / 10, i / 20]}),
        }
        aerospike_client.put(("test", "people", i), bins)
    for i in range(2):
        aerospike_client.put(("test", "others", i), {"i": i})
    return aerospike_client


def index(client: Client, name: str, definition: str) -> None:
    """Create an index and wait until it can be read.

    Not by the client's own functions: these sleep for whole seconds (see the last test).
    """
    command = f"sindex-create:namespace=test;set=people;indexname={name};{definition}"
    assert all(answer.strip().endswith("ok") for _, answer in client.info_all(command).values())
    for _ in range(200):
        if "load_pct=100" in client.info_random_node(f"sindex-stat:ns=test;indexname={name}"):
            return
        time.sleep(0.01)
    raise AssertionError(f"{name} is not built")


def found(client: Client, *where: Any, set_name: str | None = "people", **more: Any) -> list[int]:
    """The `i` of what a query finds, sorted."""
    query = client.query("test", set_name)
    if where:
        query.where(*where)
    return sorted(bins["i"] for _, _, bins in query.results(**more))


def these(condition: Callable[[int], bool]) -> list[int]:
    return [i for i in range(PEOPLE) if condition(i)]


# ------------------------------------------------------------------ primary index


def test_a_query_finds_every_record_of_a_set_once(client: Client) -> None:
    assert found(client) == these(lambda i: True)
    assert found(client, set_name=None) == sorted([*these(lambda i: True), 0, 1])
    assert found(client, set_name="nobody") == []


def test_a_scan_finds_them_too(client: Client) -> None:
    records = client.scan("test", "people").results()
    assert sorted(bins["i"] for _, _, bins in records) == these(lambda i: True)
    assert all(meta["gen"] == 1 for _, meta, _ in records)


def test_only_some_bins_or_none(client: Client) -> None:
    query = client.query("test", "people")
    query.select("name", "i")
    assert {tuple(sorted(bins)) for _, _, bins in query.results()} == {("i", "name")}
    nothing = client.query("test", "people").results(options={"nobins": True})
    assert len(nothing) == PEOPLE
    assert not any(bins for _, _, bins in nothing)


def test_a_filter(client: Client) -> None:
    policy = {"expressions": exp.LT(exp.IntBin("i"), 5).compile()}
    assert found(client, policy=policy) == [0, 1, 2, 3, 4]


def test_most_records(client: Client) -> None:
    query = client.query("test", "people")
    query.max_records = 10
    assert len(query.results()) == 10


def test_some_partitions_and_going_on_with_the_rest(client: Client) -> None:
    query = client.query("test", "people")
    query.max_records = 30
    query.paginate()
    seen: list[int] = []
    for _ in range(20):
        page = [bins["i"] for _, _, bins in query.results()]
        seen += page
        if query.is_done():
            break
    assert sorted(seen) == these(lambda i: True)
    partitions = {"begin": 0, "count": 2048}
    half = found(client, policy={"partition_filter": partitions})
    partitions = {"begin": 2048, "count": 2048}
    rest = found(client, policy={"partition_filter": partitions})
    assert sorted(half + rest) == these(lambda i: True)
    assert half
    assert rest


# --------------------------------------------------------------- secondary indexes


def test_numbers(client: Client) -> None:
    index(client, "numbers", "bin=i;type=numeric")
    assert found(client, p.equals("i", 17)) == [17]
    assert found(client, p.between("i", 10, 30)) == these(lambda i: 10 <= i <= 30)
    assert found(client, p.between("i", 1000, 2000)) == []


def test_strings_and_blobs(client: Client) -> None:
    index(client, "names", "bin=name;type=string")
    index(client, "blobs", "bin=blob;type=blob")
    assert found(client, p.equals("name", "n3")) == these(lambda i: i % 10 == 3)
    assert found(client, p.equals("blob", b"\x02")) == these(lambda i: i % 5 == 2)


def test_what_lists_and_maps_hold(client: Client) -> None:
    index(client, "elements", "bin=tags;indextype=list;type=numeric")
    index(client, "keys", "bin=map;indextype=mapkeys;type=string")
    index(client, "values", "bin=map;indextype=mapvalues;type=numeric")
    in_list, of_keys = aerospike.INDEX_TYPE_LIST, aerospike.INDEX_TYPE_MAPKEYS
    of_values = aerospike.INDEX_TYPE_MAPVALUES
    assert found(client, p.contains("tags", in_list, 3)) == these(lambda i: 3 in (i % 7, i))
    assert found(client, p.range("tags", in_list, 5, 9)) == these(
        lambda i: 5 <= i % 7 <= 9 or 5 <= i <= 9
    )
    assert found(client, p.contains("map", of_keys, "k2")) == these(lambda i: i % 4 == 2)
    assert found(client, p.contains("map", of_values, 4)) == these(lambda i: i % 6 == 4)


def test_what_lies_deep_in_a_map(client: Client) -> None:
    context = [cdt_ctx.cdt_ctx_map_key("deep"), cdt_ctx.cdt_ctx_map_key("x")]
    encoded = client.get_cdtctx_base64(context)
    index(client, "deep", f"context={encoded};bin=map;type=numeric")
    assert found(client, p.equals("map", 5), context) == these(lambda i: i % 8 == 5)


def test_what_an_expression_gives(client: Client) -> None:
    square = exp.Mul(exp.IntBin("i"), exp.IntBin("i")).compile()
    encoded = client.get_expression_base64(square)
    index(client, "squares", f"exp={encoded};type=numeric")
    query = client.query("test", "people")
    query.where_with_index_name("squares", p.between("", 100, 400))
    assert sorted(bins["i"] for _, _, bins in query.results()) == list(range(10, 21))


def test_places(client: Client) -> None:
    index(client, "places", "bin=place;type=geo2dsphere")
    box = {
        "type": "Polygon",
        "coordinates": [[[0.95, 0.4], [2.05, 0.4], [2.05, 1.2], [0.95, 1.2], [0.95, 0.4]]],
    }
    region = aerospike.GeoJSON(box)
    assert found(client, p.geo_within_geojson_region("place", region.dumps())) == list(
        range(10, 21)
    )


def test_an_index_follows_every_change(client: Client) -> None:
    index(client, "numbers", "bin=i;type=numeric")
    client.put(("test", "people", 5), {"i": 1005})
    client.remove(("test", "people", 6))
    client.increment(("test", "people", 7), "i", 1000)
    client.operate(("test", "people", 8), [ops.delete()])
    client.put(("test", "people", "new"), {"i": 1009})
    client.remove_bin(("test", "people", 9), ["i"])
    assert found(client, p.between("i", 5, 9)) == []
    assert found(client, p.between("i", 1000, 1010)) == [1005, 1007, 1009]


def test_an_index_that_is_not_there(client: Client) -> None:
    with pytest.raises(ex.IndexNotFound):
        found(client, p.equals("i", 1))


# ------------------------------------------------------------------ in the background


def test_ops_in_the_background(client: Client) -> None:
    query = client.query("test", "people")
    query.add_ops([ops.increment("i", 1000), list_ops.list_append("tags", "seen")])
    policy = {"expressions": exp.GE(exp.IntBin("i"), 190).compile()}
    job = query.execute_background(policy)
    for _ in range(200):
        if client.job_info(job, aerospike.JOB_QUERY)["status"] == aerospike.JOB_STATUS_COMPLETED:
            break
        time.sleep(0.01)
    assert found(client) == [*range(190), *range(1190, 1200)]
    assert client.get(("test", "people", 195))[2]["tags"][-1] == "seen"
    row = client.info_random_node(f"query-show:trid={job}")
    assert "job-type=background-ops" in row
    assert "recs-succeeded=10:" in row
    assert "recs-filtered-bins=190:" in row


# ---------------------------------------------------------------------------- sets


def test_truncating_a_set_at_once(client: Client) -> None:
    index(client, "numbers", "bin=i;type=numeric")
    client.info_all("truncate:namespace=test;set=people")
    client.put(("test", "people", "after"), {"i": 1})
    assert client.exists(("test", "people", 1))[1] is None
    assert found(client) == [1]
    assert found(client, p.between("i", 0, PEOPLE)) == [1]
    assert found(client, set_name="others") == [0, 1]


def test_a_set_index_finds_the_same(client: Client) -> None:
    client.info_all("set-config:context=namespace;namespace=test;set=people;enable-index=true")
    for _ in range(200):
        if "index_populating=false" in client.info_random_node("sets/test/people"):
            break
        time.sleep(0.01)
    client.remove(("test", "people", 3))
    client.put(("test", "people", "new"), {"i": 500})
    assert found(client) == [*these(lambda i: i != 3), 500]


def test_a_full_set_takes_no_more(client: Client) -> None:
    command = f"set-config:context=namespace;namespace=test;set=people;stop-writes-count={PEOPLE}"
    client.info_all(command)
    with pytest.raises(ex.ForbiddenError):
        client.put(("test", "people", "one too many"), {"i": 1})
    client.remove(("test", "people", 0))
    client.put(("test", "people", "in its place"), {"i": 1})


def test_the_clients_own_way_to_make_an_index(client: Client) -> None:
    client.index_integer_create("test", "people", "i", "numbers")
    assert found(client, p.equals("i", 17)) == [17]
    client.index_remove("test", "numbers")
    with pytest.raises(ex.IndexNotFound):
        found(client, p.equals("i", 17))
