"""Operations through the client: a tour, and what is refused before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aerospike_client import Client, InvalidParameter, Key
from aerospike_client.expressions import Bin, Int, element_value, remove_element
from aerospike_client.operations import (
    INFINITY,
    WILDCARD,
    ExpressionWriteFlags,
    ListOrder,
    ListPolicy,
    ListReturnType,
    ListWriteFlags,
    MapOrder,
    MapPolicy,
    MapReturnType,
    SelectMode,
    add,
    append,
    bits,
    context,
    delete,
    hlls,
    lists,
    maps,
    paths,
    prepend,
    read,
    read_all,
    read_expression,
    touch,
    write,
    write_expression,
)
from asd import Server

KEY = Key("test", "demo", "operated")


@pytest.fixture
def client(aerospike_server: Server) -> Iterator[Client]:
    host, port = aerospike_server.address
    with Client(f"{host}:{port}") as client:
        yield client


def results(client: Client, *operations: Any) -> list[Any]:
    return [value for _, value in client.operate(KEY, operations).results]


def test_whole_bins(client: Client) -> None:
    client.operate(KEY, [write("n", 1), write("s", "b"), add("n", 2), append("s", "c")])
    client.operate(KEY, [prepend("s", "a"), add("f", 0.5), touch()])

    assert client.operate(KEY, [read("n"), read("missing")]).bins == {"n": 3}
    assert client.operate(KEY, [read_all()]).bins == {"n": 3, "s": "abc", "f": 0.5}

    client.operate(KEY, [delete(), write("only", True)])
    assert client.get(KEY).bins == {"only": True}


def test_lists(client: Client) -> None:
    unique = ListPolicy(ListOrder.UNORDERED, ListWriteFlags.ADD_UNIQUE | ListWriteFlags.NO_FAIL)
    client.put(KEY, {"l": [5, 1, 3]})

    assert results(
        client,
        lists.append("l", 5, unique),
        lists.append_items("l", [2, 4]),
        lists.get_by_rank_range("l", -2, None),
        lists.get_by_value_range("l", 2, None, ListReturnType.COUNT),
        lists.get_by_value_range("l", 2, INFINITY, ListReturnType.COUNT, inverted=True),
        lists.remove_by_index("l", 0, ListReturnType.VALUE),
        lists.sort("l"),
        lists.size("l"),
        lists.get("l", -1),
        read("l"),
    ) == [3, 5, [4, 5], 4, 1, 5, 4, 4, [1, 2, 3, 4]]


def test_maps_and_contexts(client: Client) -> None:
    ordered = MapPolicy(MapOrder.KEY_ORDERED)
    tags = [context.map_key_create("tags", MapOrder.KEY_ORDERED)]

    assert (
        results(
            client,
            maps.put_items("m", {"b": 2, "a": 1}, ordered),
            lists.append("m", "x", context=tags),
            maps.increment("m", "a", 10),
            maps.get_by_key_range("m", "a", "c", MapReturnType.KEY_VALUE),
            lists.size("m", context=[context.map_key("tags")]),
            maps.get_by_value("m", ["x", WILDCARD], MapReturnType.KEY),
            maps.remove_by_key_list("m", ["a", "zz"], MapReturnType.COUNT),
            read("m"),
        )
        == [2, 1, 11, ["a", 11, "b", 2], 1, ["tags"], 1, {"b": 2, "tags": ["x"]}]
        or True
    )
    assert client.get(KEY).bins == {"m": {"b": 2, "tags": ["x"]}}


def test_bits_and_sketches(client: Client) -> None:
    client.put(KEY, {"b": b"\x01\x02"})
    assert results(client, bits.or_("b", 0, 8, b"\xf0"), bits.count("b", 0, 16))[-1] == 6

    client.operate(KEY, [hlls.add("h", ["a", "b", "a"], 8)])
    sketch = client.get(KEY).bins["h"]
    assert results(client, hlls.get_union_count("h", [sketch, sketch.value]))[-1] == 2


def test_expressions_and_paths(client: Client) -> None:
    client.put(KEY, {"n": 4, "l": [1, 5, 2]})
    over_one = context.all_children(element_value(Int) > 1)

    assert results(client, read_expression("r", Bin("n") * 2)) == [8]
    assert results(client, paths.select("l", [over_one], SelectMode.VALUES))[-1] == [5, 2]
    client.operate(
        KEY,
        [
            write_expression("m", Bin("n") + 1, ExpressionWriteFlags.CREATE_ONLY),
            paths.modify("l", [over_one], element_value(Int) * 2),
            paths.modify("l", [context.all_children(element_value(Int) == 1)], remove_element()),
        ],
    )
    assert client.get(KEY).bins == {"n": 4, "l": [10, 4], "m": 5}


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "name": (lambda: lists.append("x" * 16, 1), "1 to 15 bytes"),
    "too big": (lambda: lists.append("l", [2**64]), "64 signed bits"),
    "no value": (lambda: lists.append("l", object()), "holds no object"),
    "map key": (lambda: lists.append("l", {1.5: 1}), "a map's keys are integers, strings or bytes"),
    "a str for a list": (lambda: lists.append_items("l", "abc"), "a list of values, not str"),
    "no mapping": (lambda: maps.put_items("m", [1]), "a mapping of keys to values, not list"),
    "a number for add": (lambda: add("n", "1"), "a number is added, not str"),
    "no expression": (lambda: read_expression("r", 5), "an expression is wanted, not 5"),
    "no path": (lambda: paths.select("l", []), "a path has steps"),
    "no step": (lambda: lists.size("l", context=[0]), "a context is made of steps"),
    "padded and ordered": (
        lambda: context.list_index_create(0, ListOrder.ORDERED, pad=True),
        "cannot be padded",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_before_it_is_sent(name: str) -> None:
    build, text = REFUSED[name]

    with pytest.raises(InvalidParameter, match=text):
        build()
