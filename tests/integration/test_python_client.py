"""The single-record interface as an application sees it: the official client, a whole server.

Read from top to bottom, this is a tour of what can be done with one record. How records end is in
`test_python_client_expiry.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import aerospike
import pytest
from aerospike import exception as ex
from aerospike_helpers import cdt_ctx
from aerospike_helpers import expressions as exp
from aerospike_helpers.operations import bitwise_operations as bit_ops
from aerospike_helpers.operations import expression_operations as exp_ops
from aerospike_helpers.operations import hll_operations as hll_ops
from aerospike_helpers.operations import list_operations as list_ops
from aerospike_helpers.operations import map_operations as map_ops
from aerospike_helpers.operations import operations as ops

from asd import Server

# The client announces what its next release will drop; that says nothing about this server.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

KEY = ("test", "people", "ada")

Client = Any
"""The client is a C extension without useful types."""


@pytest.fixture
def client(aerospike_client: Client) -> Client:
    """A connected client and an empty server."""
    return aerospike_client


def bins_of(client: Client, key: tuple[str, str, Any] = KEY) -> dict[str, Any]:
    return client.get(key)[2]


def generation_of(client: Client) -> int:
    return client.exists(KEY)[1]["gen"]


# ------------------------------------------------------------------- put and get


def test_put_then_get(client: Client) -> None:
    client.put(KEY, {"name": "Ada", "born": 1815})

    _, meta, bins = client.get(KEY)

    assert bins == {"name": "Ada", "born": 1815}
    assert meta["gen"] == 1


@pytest.mark.parametrize(
    "value",
    [
        0,
        -1,
        2**63 - 1,
        -(2**63),
        3.25,
        float("inf"),
        "",
        "Grüße, 世界 🌍",
        bytearray(b""),
        bytearray(range(256)),
        True,
        False,
        [],
        [1, "two", 3.0, [4, [5]], {"six": 7}, None, True],
        {},
        {"a": 1, "b": {"c": [1, 2, {"d": None}]}, "e": 2.5},
        {1: "integer keys", 2: "are kept"},
        "x" * 100_000,
    ],
    ids=lambda value: f"{type(value).__name__}-{str(value)[:16]}",
)
def test_every_type_of_value_comes_back_as_it_went(client: Client, value: Any) -> None:
    client.put(KEY, {"value": value})

    assert bins_of(client) == {"value": value}
    assert type(bins_of(client)["value"]) is (
        bytes if isinstance(value, bytearray) else type(value)
    )


def test_a_place_on_earth(client: Client) -> None:
    client.put(KEY, {"where": aerospike.geojson('{"type":"Point","coordinates":[-0.14,51.51]}')})

    assert bins_of(client)["where"].unwrap() == {"type": "Point", "coordinates": [-0.14, 51.51]}


def test_a_place_that_is_none_is_refused(client: Client) -> None:
    with pytest.raises(ex.AerospikeError) as refusal:
        client.put(KEY, {"where": aerospike.geojson('{"type":"Point","coordinates":[-0.14,91.0]}')})

    assert refusal.value.code == 160


def test_put_changes_the_bins_it_names_and_keeps_the_others(client: Client) -> None:
    client.put(KEY, {"a": 1, "b": 2})
    client.put(KEY, {"b": 3, "c": 4})

    assert bins_of(client) == {"a": 1, "b": 3, "c": 4}


def test_select_reads_some_bins(client: Client) -> None:
    client.put(KEY, {"a": 1, "b": 2, "c": 3})

    assert client.select(KEY, ["a", "c", "none"])[2] == {"a": 1, "c": 3}


def test_a_record_that_is_not_there(client: Client) -> None:
    with pytest.raises(ex.RecordNotFound):
        client.get(KEY)
    with pytest.raises(ex.RecordNotFound):
        client.remove(KEY)
    assert client.exists(KEY)[1] is None


def test_a_namespace_that_is_not_there(client: Client) -> None:
    with pytest.raises(ex.AerospikeError):
        client.put(("nowhere", "people", "ada"), {"a": 1})


@pytest.mark.parametrize(
    "user_key",
    ["text", "", 42, -1, 2**62, bytearray(b"\x00\xff"), "日本"],
    ids=repr,
)
def test_every_type_of_key(client: Client, user_key: Any) -> None:
    key = ("test", "people", user_key)
    client.put(key, {"a": 1})

    assert bins_of(client, key) == {"a": 1}
    client.remove(key)
    assert client.exists(key)[1] is None


def test_the_same_key_in_two_sets_is_two_records(client: Client) -> None:
    client.put(("test", "people", "ada"), {"a": 1})
    client.put(("test", "ships", "ada"), {"a": 2})
    client.put(("test", None, "ada"), {"a": 3})

    assert bins_of(client, ("test", "people", "ada")) == {"a": 1}
    assert bins_of(client, ("test", "ships", "ada")) == {"a": 2}
    assert client.get(("test", None, "ada"))[2] == {"a": 3}


# ------------------------------------------------------------ exists, remove, bins


def test_exists_and_remove(client: Client) -> None:
    client.put(KEY, {"a": 1})
    assert client.exists(KEY)[1]["gen"] == 1

    client.remove(KEY)

    assert client.exists(KEY)[1] is None


def test_the_last_bin_takes_the_record_with_it(client: Client) -> None:
    client.put(KEY, {"a": 1, "b": 2})

    client.remove_bin(KEY, ["a"])
    assert bins_of(client) == {"b": 2}

    client.remove_bin(KEY, ["b"])
    assert client.exists(KEY)[1] is None


def test_a_bin_name_has_at_most_15_bytes(client: Client) -> None:
    client.put(KEY, {"x" * 15: 1})
    with pytest.raises(ex.AerospikeError):
        client.put(KEY, {"x" * 16: 1})


def test_a_record_has_at_most_a_mebibyte(client: Client) -> None:
    client.put(KEY, {"a": 1})

    with pytest.raises(ex.RecordTooBig):
        client.put(KEY, {"b": b"x" * (1 << 20)})

    assert bins_of(client) == {"a": 1}


# ------------------------------------------------- increment, append, prepend, touch


def test_increment_makes_and_adds(client: Client) -> None:
    client.increment(KEY, "visits", 5)
    client.increment(KEY, "visits", -2)
    client.increment(KEY, "weight", 0.5)
    client.increment(KEY, "weight", 0.25)

    assert bins_of(client) == {"visits": 3, "weight": 0.75}


def test_an_integer_wraps_around(client: Client) -> None:
    client.put(KEY, {"n": 2**63 - 1})
    client.increment(KEY, "n", 1)

    assert bins_of(client) == {"n": -(2**63)}


def test_only_numbers_are_incremented(client: Client) -> None:
    client.put(KEY, {"name": "Ada"})

    with pytest.raises(ex.BinIncompatibleType):
        client.increment(KEY, "name", 1)


def test_append_and_prepend(client: Client) -> None:
    client.put(KEY, {"text": "b", "blob": bytearray(b"b")})

    client.append(KEY, "text", "c")
    client.prepend(KEY, "text", "a")
    client.append(KEY, "blob", bytearray(b"c"))
    client.prepend(KEY, "blob", bytearray(b"a"))
    client.append(KEY, "new", "x")

    assert bins_of(client) == {"text": "abc", "blob": b"abc", "new": "x"}


def test_touch_moves_the_generation_and_nothing_else(client: Client) -> None:
    client.put(KEY, {"a": 1})
    client.touch(KEY)

    assert bins_of(client) == {"a": 1}
    assert generation_of(client) == 2


def test_touch_needs_a_record(client: Client) -> None:
    with pytest.raises(ex.RecordNotFound):
        client.touch(KEY)


# ------------------------------------------------------------------------- operate


def test_operate_does_several_things_in_one_go(client: Client) -> None:
    client.put(KEY, {"name": "Ada", "visits": 1})

    _, meta, bins = client.operate(
        KEY,
        [
            ops.increment("visits", 1),
            ops.append("name", " Lovelace"),
            ops.write("title", "Countess"),
            ops.read("visits"),
            ops.read("name"),
        ],
    )

    assert bins == {"visits": 2, "name": "Ada Lovelace"}
    assert meta["gen"] == 2
    assert bins_of(client)["title"] == "Countess"


def test_operate_ordered_answers_each_op_in_its_place(client: Client) -> None:
    client.put(KEY, {"n": 1})

    _, _, answers = client.operate_ordered(
        KEY, [ops.read("n"), ops.increment("n", 10), ops.read("n")]
    )

    assert answers == [("n", 1), ("n", 11)]


def test_operate_is_all_or_nothing(client: Client) -> None:
    client.put(KEY, {"n": 1, "name": "Ada"})

    with pytest.raises(ex.BinIncompatibleType):
        client.operate(KEY, [ops.increment("n", 1), ops.increment("name", 1)])

    assert bins_of(client) == {"n": 1, "name": "Ada"}
    assert generation_of(client) == 1


def test_operate_can_delete(client: Client) -> None:
    client.put(KEY, {"n": 1})

    assert client.operate(KEY, [ops.read("n"), ops.delete()])[2] == {"n": 1}
    assert client.exists(KEY)[1] is None


def test_lists(client: Client) -> None:
    client.put(KEY, {"scores": [3, 1, 2]})

    _, _, bins = client.operate(
        KEY,
        [
            list_ops.list_append("scores", 9),
            list_ops.list_sort("scores"),
            list_ops.list_get_by_rank("scores", -1, aerospike.LIST_RETURN_VALUE),
        ],
    )

    assert bins == {"scores": 9}
    assert bins_of(client) == {"scores": [1, 2, 3, 9]}


def test_maps(client: Client) -> None:
    _, _, bins = client.operate(
        KEY,
        [
            map_ops.map_put_items("by_name", {"ada": 36, "grace": 85, "alan": 41}),
            map_ops.map_increment("by_name", "ada", 1),
            map_ops.map_get_by_value_range("by_name", 37, 50, aerospike.MAP_RETURN_KEY),
        ],
    )

    assert sorted(bins["by_name"]) == ["ada", "alan"]
    assert bins_of(client) == {"by_name": {"ada": 37, "grace": 85, "alan": 41}}


def test_deep_inside_a_value(client: Client) -> None:
    client.put(KEY, {"tree": {"left": [1, [2, 3]], "right": []}})
    inner = [cdt_ctx.cdt_ctx_map_key("left"), cdt_ctx.cdt_ctx_list_index(1)]

    client.operate(KEY, [list_ops.list_append("tree", 4, ctx=inner)])

    assert bins_of(client) == {"tree": {"left": [1, [2, 3, 4]], "right": []}}


def test_a_failing_list_op_leaves_the_record_alone(client: Client) -> None:
    client.put(KEY, {"scores": [1]})

    with pytest.raises(ex.OpNotApplicable):
        client.operate(
            KEY,
            [
                list_ops.list_append("scores", 2),
                list_ops.list_get("scores", 5),
            ],
        )

    assert bins_of(client) == {"scores": [1]}


def test_bits_of_a_blob(client: Client) -> None:
    client.put(KEY, {"flags": bytearray(b"\x00\x00")})

    _, _, bins = client.operate(
        KEY,
        [
            bit_ops.bit_set("flags", 4, 8, 1, bytearray(b"\xff")),
            bit_ops.bit_count("flags", 0, 16),
        ],
    )

    assert bins == {"flags": 8}
    assert bins_of(client) == {"flags": b"\x0f\xf0"}


def test_counting_distinct_values(client: Client) -> None:
    visitors = [f"visitor {n}" for n in range(1000)]

    _, _, bins = client.operate(
        KEY,
        [hll_ops.hll_add("seen", visitors, index_bit_count=12), hll_ops.hll_get_count("seen")],
    )

    assert bins["seen"] == pytest.approx(1000, rel=0.05)


# --------------------------------------------------------------------- expressions


def test_a_filter_lets_a_command_through_or_not(client: Client) -> None:
    client.put(KEY, {"age": 36})
    adult = exp.GE(exp.IntBin("age"), 18).compile()
    minor = exp.LT(exp.IntBin("age"), 18).compile()

    assert client.get(KEY, {"expressions": adult})[2] == {"age": 36}
    client.put(KEY, {"seen": True}, policy={"expressions": adult})
    for refused in (
        lambda: client.get(KEY, {"expressions": minor}),
        lambda: client.put(KEY, {"seen": False}, policy={"expressions": minor}),
        lambda: client.remove(KEY, policy={"expressions": minor}),
    ):
        with pytest.raises(ex.FilteredOut):
            refused()

    assert bins_of(client) == {"age": 36, "seen": True}


def test_expressions_read_and_write_bins(client: Client) -> None:
    client.put(KEY, {"width": 3, "height": 4})
    area = exp.Mul(exp.IntBin("width"), exp.IntBin("height")).compile()

    _, _, bins = client.operate(
        KEY, [exp_ops.expression_write("area", area), exp_ops.expression_read("now", area)]
    )

    assert bins["now"] == 12
    assert bins_of(client) == {"width": 3, "height": 4, "area": 12}


# -------------------------------------------------------- generations and policies


def test_a_write_may_insist_on_the_generation_it_has_read(client: Client) -> None:
    insist = {"gen": aerospike.POLICY_GEN_EQ}
    client.put(KEY, {"n": 1})
    client.put(KEY, {"n": 2})

    client.put(KEY, {"n": 3}, {"gen": 2}, insist)
    with pytest.raises(ex.RecordGenerationError):
        client.put(KEY, {"n": 4}, {"gen": 2}, insist)
    with pytest.raises(ex.RecordGenerationError):
        client.remove(KEY, {"gen": 2}, insist)

    assert bins_of(client) == {"n": 3}


def test_create_only(client: Client) -> None:
    create = {"exists": aerospike.POLICY_EXISTS_CREATE}
    client.put(KEY, {"a": 1}, policy=create)

    with pytest.raises(ex.RecordExistsError):
        client.put(KEY, {"a": 2}, policy=create)

    assert bins_of(client) == {"a": 1}


@pytest.mark.parametrize("policy", ["POLICY_EXISTS_UPDATE", "POLICY_EXISTS_REPLACE"])
def test_update_only_and_replace_only(client: Client, policy: str) -> None:
    with pytest.raises(ex.RecordNotFound):
        client.put(KEY, {"a": 1}, policy={"exists": getattr(aerospike, policy)})

    assert client.exists(KEY)[1] is None


def test_replace_drops_the_bins_it_does_not_name(client: Client) -> None:
    client.put(KEY, {"a": 1, "b": 2})
    client.put(KEY, {"c": 3}, policy={"exists": aerospike.POLICY_EXISTS_CREATE_OR_REPLACE})

    assert bins_of(client) == {"c": 3}


def test_a_key_is_kept_when_it_is_sent(client: Client) -> None:
    client.put(KEY, {"a": 1}, policy={"key": aerospike.POLICY_KEY_SEND})

    # `operate` by digest alone: the client can know the key only from the server.
    by_digest = ("test", "people", None, aerospike.calc_digest(*KEY))
    stored_key = exp.KeyStr().compile()
    _, _, bins = client.operate(by_digest, [exp_ops.expression_read("key", stored_key)])

    assert bins == {"key": "ada"}


# ------------------------------------------------------------------------ the node


def test_what_the_node_says_of_itself(client: Client) -> None:
    for i in range(10):
        client.put(("test", "people", i), {"i": i})

    (error, sets), *others = client.info_all("sets/test").values()

    assert not others
    assert error is None
    assert "objects=10:" in sets
    assert "set=people" in sets
    assert client.is_connected()
    assert len(client.get_node_names()) == 1


@pytest.fixture
def community_client() -> Iterator[Client]:
    with Server(edition="community") as server:
        client = aerospike.client({"hosts": [server.address]}).connect()
        yield client
        client.close()


def test_the_community_edition_refuses_what_it_does_not_have(community_client: Client) -> None:
    community_client.put(KEY, {"a": 1})

    with pytest.raises(ex.AerospikeError) as refusal:
        community_client.remove(KEY, policy={"durable_delete": True})

    assert refusal.value.code == 25
    assert bins_of(community_client) == {"a": 1}
