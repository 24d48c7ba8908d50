"""Every operation has the official client's bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import aerospike
import pytest
from aerospike_helpers import HyperLogLog, cdt_ctx
from aerospike_helpers import expressions as exp
from aerospike_helpers.operations import bitwise_operations as o_bits
from aerospike_helpers.operations import expression_operations as o_expressions
from aerospike_helpers.operations import hll_operations as o_hlls
from aerospike_helpers.operations import list_operations as o_lists
from aerospike_helpers.operations import map_operations as o_maps
from aerospike_helpers.operations import operations as o
from aerospike_helpers.operations import string_operations as o_texts
from aerospike_helpers.string_helpers import StringPolicy

from aerospike_client import expressions, operations
from aerospike_client.commands.single import operate_info
from aerospike_client.expressions import Bin, Int
from aerospike_client.operations import (
    BitOverflow,
    BitResizeFlags,
    BitWriteFlags,
    ExpressionWriteFlags,
    HllWriteFlags,
    ListOrder,
    ListPolicy,
    ListReturnType,
    ListSortFlags,
    ListWriteFlags,
    MapOrder,
    MapPolicy,
    MapReturnType,
    MapWriteFlags,
    SelectMode,
    StrWriteFlags,
    bits,
    hlls,
    lists,
    maps,
    paths,
    texts,
)
from aerospike_client.operations import context as ctx
from aerospike_common import AsGeojson, as_msgpack
from aerospike_common.wire import Info2, Op, ParticleType

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

V, COUNT, NONE = ListReturnType.VALUE, ListReturnType.COUNT, ListReturnType.NONE
KV, KEY = MapReturnType.KEY_VALUE, MapReturnType.KEY
POLICY = ListPolicy(ListOrder.ORDERED, ListWriteFlags.ADD_UNIQUE | ListWriteFlags.INSERT_BOUNDED)
O_POLICY = {"list_order": 1, "write_flags": 3}
STEPS = [ctx.map_key("k"), ctx.list_index(-1)]
O_STEPS = [cdt_ctx.cdt_ctx_map_key("k"), cdt_ctx.cdt_ctx_list_index(-1)]

SCALARS = {
    "read": (operations.read("b"), o.read("b")),
    "write int": (operations.write("b", 1), o.write("b", 1)),
    "write negative": (operations.write("b", -1), o.write("b", -1)),
    "write float": (operations.write("b", 1.5), o.write("b", 1.5)),
    "write str": (operations.write("b", "ä"), o.write("b", "ä")),
    "write bytes": (operations.write("b", b"\xff"), o.write("b", b"\xff")),
    "write bool": (operations.write("b", True), o.write("b", True)),
    "write nil": (operations.write("b", None), o.write("b", None)),
    "write list": (operations.write("b", [1, "a", b"b"]), o.write("b", [1, "a", b"b"])),
    "write geojson": (
        operations.write("b", AsGeojson('{"type": "Point", "coordinates": [1.0, 2.0]}')),
        o.write("b", aerospike.GeoJSON({"type": "Point", "coordinates": [1.0, 2.0]})),
    ),
    "add": (operations.add("b", 1), o.increment("b", 1)),
    "add float": (operations.add("b", 1.5), o.increment("b", 1.5)),
    "append": (operations.append("b", "x"), o.append("b", "x")),
    "prepend": (operations.prepend("b", "x"), o.prepend("b", "x")),
    "touch": (operations.touch(), o.touch()),
    "delete": (operations.delete(), o.delete()),
    "read expression": (
        operations.read_expression("b", Bin("a").int()),
        o_expressions.expression_read("b", exp.IntBin("a").compile()),
    ),
    "write expression": (
        operations.write_expression("b", Bin("a") + 1, ExpressionWriteFlags.ALLOW_DELETE),
        o_expressions.expression_write("b", (exp.IntBin("a") + 1).compile(), 4),
    ),
    "select by path": (
        paths.select("b", [ctx.all_children()], SelectMode.TREE, no_fail=True),
        o.select_by_path("b", [cdt_ctx.cdt_ctx_all_children()], 0x10),
    ),
    "modify by path": (
        paths.modify("b", [ctx.all_children()], expressions.element_value(Int) + 1),
        o.modify_by_path(
            "b", [cdt_ctx.cdt_ctx_all_children()], exp.Add(exp.LoopVarInt(1), 1).compile(), 0
        ),
    ),
}

LISTS = {
    "create": (lists.create("b", ListOrder.ORDERED), o_lists.list_create("b", 1, False, False)),
    "create persistent": (
        lists.create("b", ListOrder.ORDERED, persist_index=True),
        o_lists.list_create("b", 1, False, True),
    ),
    "create inside": (
        lists.create("b", ListOrder.ORDERED, context=STEPS),
        o_lists.list_create("b", 1, False, False, O_STEPS),
    ),
    "create inside padded": (
        lists.create("b", ListOrder.UNORDERED, pad=True, context=STEPS),
        o_lists.list_create("b", 0, True, False, O_STEPS),
    ),
    "create inside unordered": (
        lists.create("b", ListOrder.UNORDERED, context=STEPS),
        o_lists.list_create("b", 0, False, False, O_STEPS),
    ),
    "set order": (lists.set_order("b", ListOrder.ORDERED), o_lists.list_set_order("b", 1)),
    "append": (lists.append("b", 1), o_lists.list_append("b", 1)),
    "append policy": (lists.append("b", 1, POLICY), o_lists.list_append("b", 1, O_POLICY)),
    "append inside": (
        lists.append("b", [1], context=STEPS),
        o_lists.list_append("b", [1], None, O_STEPS),
    ),
    "append items": (lists.append_items("b", [1, "a"]), o_lists.list_append_items("b", [1, "a"])),
    "append items policy": (
        lists.append_items("b", [1], POLICY),
        o_lists.list_append_items("b", [1], O_POLICY),
    ),
    "insert": (lists.insert("b", 0, 1), o_lists.list_insert("b", 0, 1)),
    "insert policy": (lists.insert("b", 0, 1, POLICY), o_lists.list_insert("b", 0, 1, O_POLICY)),
    "insert items": (lists.insert_items("b", 0, [1]), o_lists.list_insert_items("b", 0, [1])),
    "increment": (lists.increment("b", 0, 2), o_lists.list_increment("b", 0, 2)),
    "increment policy": (
        lists.increment("b", 0, 2, POLICY),
        o_lists.list_increment("b", 0, 2, O_POLICY),
    ),
    "set": (lists.set("b", 0, 1), o_lists.list_set("b", 0, 1)),
    "set policy": (lists.set("b", 0, 1, POLICY), o_lists.list_set("b", 0, 1, O_POLICY)),
    "pop": (lists.pop("b", -1), o_lists.list_pop("b", -1)),
    "pop range": (lists.pop_range("b", 0, 2), o_lists.list_pop_range("b", 0, 2)),
    "remove": (lists.remove("b", 0), o_lists.list_remove("b", 0)),
    "remove range": (lists.remove_range("b", 0, 2), o_lists.list_remove_range("b", 0, 2)),
    "trim": (lists.trim("b", 0, 2), o_lists.list_trim("b", 0, 2)),
    "clear": (lists.clear("b"), o_lists.list_clear("b")),
    "sort": (lists.sort("b"), o_lists.list_sort("b")),
    "sort flags": (lists.sort("b", ListSortFlags.DROP_DUPLICATES), o_lists.list_sort("b", 2)),
    "size": (lists.size("b", context=STEPS), o_lists.list_size("b", O_STEPS)),
    "get": (lists.get("b", 0), o_lists.list_get("b", 0)),
    "get range": (lists.get_range("b", 0, 2), o_lists.list_get_range("b", 0, 2)),
    "get by value range to": (
        lists.get_by_value_range("b", None, 2),
        o_lists.list_get_by_value_range("b", V, None, 2),
    ),
    "get by value range from": (
        lists.get_by_value_range("b", 1, None),
        o_lists.list_get_by_value_range("b", V, 1, None),
    ),
}


def both_ways(
    ours: Any, name: str, arguments: tuple[Any, ...], theirs: Any, official: str, rest: Any
) -> dict[str, tuple[Op, Any]]:
    """A selection read, removed, and removed inverted if it may be; `rest(official, type)`."""
    read = getattr(ours, f"get_{name}")
    removes = getattr(ours, f"remove_{name}")
    many = "inverted" in read.__annotations__
    inverted = {"inverted": True} if many else {}
    kind = "list" if ours is lists else "map"
    get, remove = (getattr(theirs, f"{kind}_{verb}_{official}") for verb in ("get", "remove"))
    return {
        f"get {name}": (read("b", *arguments, V), rest(get, V)),
        f"remove {name}": (removes("b", *arguments), rest(remove, NONE)),
        f"remove {name}, others": (
            removes("b", *arguments, COUNT, **inverted, context=STEPS),
            rest(remove, COUNT, ctx=O_STEPS, **inverted),
        ),
    }


LIST_SELECTIONS = {
    **both_ways(lists, "by_index", (1,), o_lists, "by_index",
                lambda f, r, **k: f("b", 1, r, **k)),
    **both_ways(lists, "by_rank", (-1,), o_lists, "by_rank",
                lambda f, r, **k: f("b", -1, r, **k)),
    **both_ways(lists, "by_value", ("x",), o_lists, "by_value",
                lambda f, r, **k: f("b", "x", r, **k)),
    **both_ways(lists, "by_value_list", ([1, 2],), o_lists, "by_value_list",
                lambda f, r, **k: f("b", [1, 2], r, **k)),
    **both_ways(lists, "by_index_range", (1, 2), o_lists, "by_index_range",
                lambda f, r, **k: f("b", 1, r, 2, **k)),
    **both_ways(lists, "by_rank_range", (1, None), o_lists, "by_rank_range",
                lambda f, r, **k: f("b", 1, r, **k)),
    **both_ways(lists, "by_value_range", (1, 2), o_lists, "by_value_range",
                lambda f, r, **k: f("b", r, 1, 2, **k)),
    **both_ways(lists, "by_value_rel_rank_range", (1, 0, 2), o_lists,
                "by_value_rank_range_relative", lambda f, r, **k: f("b", 1, 0, r, 2, **k)),
}  # fmt: skip

MAP_SELECTIONS = {
    **both_ways(maps, "by_key", ("x",), o_maps, "by_key",
                lambda f, r, **k: f("b", "x", r, **k)),
    **both_ways(maps, "by_index", (1,), o_maps, "by_index",
                lambda f, r, **k: f("b", 1, r, **k)),
    **both_ways(maps, "by_rank", (-1,), o_maps, "by_rank",
                lambda f, r, **k: f("b", -1, r, **k)),
    **both_ways(maps, "by_value", ("x",), o_maps, "by_value",
                lambda f, r, **k: f("b", "x", r, **k)),
    **both_ways(maps, "by_key_list", ([1, 2],), o_maps, "by_key_list",
                lambda f, r, **k: f("b", [1, 2], r, **k)),
    **both_ways(maps, "by_value_list", ([1, 2],), o_maps, "by_value_list",
                lambda f, r, **k: f("b", [1, 2], r, **k)),
    **both_ways(maps, "by_key_range", ("a", "b"), o_maps, "by_key_range",
                lambda f, r, **k: f("b", "a", "b", r, **k)),
    **both_ways(maps, "by_value_range", (1, 2), o_maps, "by_value_range",
                lambda f, r, **k: f("b", 1, 2, r, **k)),
    **both_ways(maps, "by_index_range", (1, 2), o_maps, "by_index_range",
                lambda f, r, **k: f("b", 1, 2, r, **k)),
    **both_ways(maps, "by_rank_range", (1, 2), o_maps, "by_rank_range",
                lambda f, r, **k: f("b", 1, 2, r, **k)),
    **both_ways(maps, "by_key_rel_index_range", ("a", 0, 2), o_maps,
                "by_key_index_range_relative", lambda f, r, **k: f("b", "a", 0, r, 2, **k)),
    **both_ways(maps, "by_value_rel_rank_range", (1, 0, None), o_maps,
                "by_value_rank_range_relative", lambda f, r, **k: f("b", 1, 0, r, **k)),
}  # fmt: skip

PLAIN = MapPolicy(MapOrder.KEY_ORDERED)
KEEPING = MapPolicy(MapOrder.KEY_ORDERED, persist_index=True)
UPDATING = MapPolicy(MapOrder.KEY_ORDERED, MapWriteFlags.UPDATE_ONLY)
O_PLAIN = {"map_order": 1}
O_KEEPING = {"map_order": 1, "persist_index": True}
O_UPDATING = {"map_order": 1, "map_write_flags": 2}

MAPS = {
    "create": (maps.create("b", MapOrder.KEY_ORDERED), o_maps.map_create("b", 1, False)),
    "create persistent": (
        maps.create("b", MapOrder.KEY_ORDERED, persist_index=True),
        o_maps.map_create("b", 1, True),
    ),
    "create inside": (
        maps.create("b", MapOrder.KEY_VALUE_ORDERED, context=STEPS),
        o_maps.map_create("b", 3, False, O_STEPS),
    ),
    "create inside unordered": (
        maps.create("b", MapOrder.UNORDERED, context=STEPS),
        o_maps.map_create("b", 0, False, O_STEPS),
    ),
    "set policy": (maps.set_policy("b", UPDATING), o_maps.map_set_policy("b", O_UPDATING)),
    "set policy persistent": (maps.set_policy("b", KEEPING), o_maps.map_set_policy("b", O_KEEPING)),
    "set policy inside": (
        maps.set_policy("b", KEEPING, context=STEPS),
        o_maps.map_set_policy("b", O_KEEPING, O_STEPS),
    ),
    "put": (maps.put("b", "a", 1), o_maps.map_put("b", "a", 1)),
    "put order": (maps.put("b", "a", 1, PLAIN), o_maps.map_put("b", "a", 1, O_PLAIN)),
    "put persistent": (maps.put("b", "a", 1, KEEPING), o_maps.map_put("b", "a", 1, O_KEEPING)),
    "put flags": (maps.put("b", "a", 1, UPDATING), o_maps.map_put("b", "a", 1, O_UPDATING)),
    "put inside": (
        maps.put("b", 5, {"z": 1, "a": [2]}, context=STEPS),
        o_maps.map_put("b", 5, {"z": 1, "a": [2]}, None, O_STEPS),
    ),
    "put items": (maps.put_items("b", {"b": 1, 2: 3}), o_maps.map_put_items("b", {"b": 1, 2: 3})),
    "put items flags": (
        maps.put_items("b", {"a": 1}, UPDATING),
        o_maps.map_put_items("b", {"a": 1}, O_UPDATING),
    ),
    "increment": (maps.increment("b", "a", 2), o_maps.map_increment("b", "a", 2)),
    "increment policy": (
        maps.increment("b", "a", 2, UPDATING),
        o_maps.map_increment("b", "a", 2, O_UPDATING),
    ),
    "decrement": (maps.decrement("b", "a", 2), o_maps.map_decrement("b", "a", 2)),
    "clear": (maps.clear("b"), o_maps.map_clear("b")),
    "size": (maps.size("b", context=STEPS), o_maps.map_size("b", O_STEPS)),
    "get pairs": (maps.get_by_index("b", 0, KV), o_maps.map_get_by_index("b", 0, 8)),
    "get key": (maps.get_by_rank("b", 0, KEY), o_maps.map_get_by_rank("b", 0, 6)),
}

UPDATE = BitWriteFlags.UPDATE_ONLY
O_UPDATE = {"bit_write_flags": 2}

# These are made inside of the test, since some of them warn.
BITS = {
    "resize": (bits.resize("b", 10), lambda: o_bits.bit_resize("b", 10)),
    "resize flags": (
        bits.resize("b", 10, BitResizeFlags.FROM_FRONT, UPDATE),
        lambda: o_bits.bit_resize("b", 10, O_UPDATE, 1),
    ),
    "insert": (bits.insert("b", 0, b"x"), lambda: o_bits.bit_insert("b", 0, 1, b"x")),
    "remove": (bits.remove("b", 0, 1, UPDATE), lambda: o_bits.bit_remove("b", 0, 1, O_UPDATE)),
    "set": (bits.set("b", 0, 8, b"x"), lambda: o_bits.bit_set("b", 0, 8, 1, b"x")),
    "or": (bits.or_("b", 0, 8, b"x"), lambda: o_bits.bit_or("b", 0, 8, 1, b"x")),
    "xor": (bits.xor("b", 0, 8, b"x"), lambda: o_bits.bit_xor("b", 0, 8, 1, b"x")),
    "and": (bits.and_("b", 0, 8, b"x"), lambda: o_bits.bit_and("b", 0, 8, 1, b"x")),
    "not": (bits.not_("b", 0, 8), lambda: o_bits.bit_not("b", 0, 8)),
    "lshift": (bits.lshift("b", 0, 8, 1), lambda: o_bits.bit_lshift("b", 0, 8, 1)),
    "rshift": (bits.rshift("b", 0, 8, 1), lambda: o_bits.bit_rshift("b", 0, 8, 1)),
    "add": (bits.add("b", 0, 8, 1), lambda: o_bits.bit_add("b", 0, 8, 1, False, 0)),
    "add wrapping": (
        bits.add("b", 0, 8, 1, signed=True, overflow=BitOverflow.WRAP),
        lambda: o_bits.bit_add("b", 0, 8, 1, True, 4),
    ),
    "subtract": (
        bits.subtract("b", 0, 8, 1, overflow=BitOverflow.SATURATE, flags=UPDATE),
        lambda: o_bits.bit_subtract("b", 0, 8, 1, False, 2, O_UPDATE),
    ),
    "set int": (bits.set_int("b", 0, 8, 1), lambda: o_bits.bit_set_int("b", 0, 8, 1)),
    "get": (bits.get("b", 0, 8), lambda: o_bits.bit_get("b", 0, 8)),
    "count": (bits.count("b", 0, 8), lambda: o_bits.bit_count("b", 0, 8)),
    "lscan": (bits.lscan("b", 0, 8, True), lambda: o_bits.bit_lscan("b", 0, 8, True)),
    "rscan": (bits.rscan("b", 0, 8, False), lambda: o_bits.bit_rscan("b", 0, 8, False)),
    "get int": (bits.get_int("b", 0, 8), lambda: o_bits.bit_get_int("b", 0, 8, False)),
    "get int signed": (
        bits.get_int("b", 0, 8, signed=True),
        lambda: o_bits.bit_get_int("b", 0, 8, True),
    ),
}

SKETCH = bytes([0, 4, 0]) + bytes(8 + 12)
O_SKETCH = HyperLogLog(SKETCH)

SKETCHES = {
    "init": (hlls.init("b", 4), o_hlls.hll_init("b", 4)),
    "init minhash": (hlls.init("b", 4, 4), o_hlls.hll_init("b", 4, 4)),
    "init nothing": (hlls.init("b"), o_hlls.hll_init("b")),
    "add": (hlls.add("b", [1, "a"], 4), o_hlls.hll_add("b", [1, "a"], 4)),
    "add flags": (
        hlls.add("b", [1], flags=HllWriteFlags.CREATE_ONLY),
        o_hlls.hll_add("b", [1], policy={"flags": 1}),
    ),
    "set union": (
        hlls.set_union("b", [SKETCH], HllWriteFlags.ALLOW_FOLD),
        o_hlls.hll_set_union("b", [O_SKETCH], {"flags": 8}),
    ),
    "refresh count": (hlls.refresh_count("b"), o_hlls.hll_refresh_count("b")),
    "fold": (hlls.fold("b", 4), o_hlls.hll_fold("b", 4)),
    "get count": (hlls.get_count("b"), o_hlls.hll_get_count("b")),
    "get union": (hlls.get_union("b", [SKETCH]), o_hlls.hll_get_union("b", [O_SKETCH])),
    "union count": (
        hlls.get_union_count("b", [SKETCH]),
        o_hlls.hll_get_union_count("b", [O_SKETCH]),
    ),
    "intersect count": (
        hlls.get_intersect_count("b", [SKETCH]),
        o_hlls.hll_get_intersect_count("b", [O_SKETCH]),
    ),
    "similarity": (
        hlls.get_similarity("b", [SKETCH]),
        o_hlls.hll_get_similarity("b", [O_SKETCH]),
    ),
    "describe": (hlls.describe("b"), o_hlls.hll_describe("b")),
}

TEXTS = {
    "strlen": (texts.strlen("b"), o_texts.strlen("b")),
    "strlen inside": (texts.strlen("b", context=STEPS), o_texts.strlen("b", O_STEPS)),
    "substr": (texts.substr("b", 1), o_texts.substr("b", 1)),
    "substr range": (texts.substr("b", 1, 2), o_texts.substr_range("b", 1, 2)),
    "char at": (texts.char_at("b", 0), o_texts.char_at("b", 0)),
    "find": (texts.find("b", "a"), o_texts.find("b", "a")),
    "contains": (texts.contains("b", "a"), o_texts.contains("b", "a")),
    "starts with": (texts.starts_with("b", "a"), o_texts.starts_with("b", "a")),
    "ends with": (texts.ends_with("b", "a"), o_texts.ends_with("b", "a")),
    "to integer": (texts.to_integer("b"), o_texts.to_integer("b")),
    "to double": (texts.to_double("b"), o_texts.to_double("b")),
    "byte length": (texts.byte_length("b"), o_texts.byte_length("b")),
    "is numeric": (texts.is_numeric("b"), o_texts.is_numeric("b")),
    "is upper": (texts.is_upper("b"), o_texts.is_upper("b")),
    "is lower": (texts.is_lower("b"), o_texts.is_lower("b")),
    "to blob": (texts.to_blob("b"), o_texts.to_blob("b")),
    "split": (texts.split("b"), o_texts.split("b")),
    "split at": (texts.split("b", ","), o_texts.split_separator("b", ",")),
    "base64": (texts.b64_decode("b"), o_texts.base64_decode("b")),
    "regex": (texts.regex_compare("b", "a"), o_texts.regex_compare("b", "a")),
    "insert": (texts.insert("b", 0, "x"), o_texts.insert("b", 0, "x")),
    "overwrite": (texts.overwrite("b", 0, "x"), o_texts.overwrite("b", 0, "x")),
    "concat": (texts.concat("b", ["a", "b"]), o_texts.concat("b", ["a", "b"])),
    "append": (texts.append("b", "x"), o_texts.append("b", "x")),
    "prepend": (texts.prepend("b", "x"), o_texts.prepend("b", "x")),
    "replace": (texts.replace("b", "a", "b"), o_texts.replace("b", "a", "b")),
    "replace all": (texts.replace_all("b", "a", "b"), o_texts.replace_all("b", "a", "b")),
    "regex replace": (texts.regex_replace("b", "a", "b"), o_texts.regex_replace("b", "a", "b")),
    "upper": (
        texts.upper("b", StrWriteFlags.NO_FAIL, context=STEPS),
        o_texts.upper("b", StringPolicy(4), O_STEPS),
    ),
    "lower": (texts.lower("b"), o_texts.lower("b")),
    "case fold": (texts.case_fold("b"), o_texts.casefold("b")),
    "normalize": (texts.normalize_nfc("b"), o_texts.normalize_nfc("b")),
    "trim": (texts.trim("b"), o_texts.trim("b")),
    "trim start": (texts.trim_start("b"), o_texts.trim_start("b")),
    "trim end": (texts.trim_end("b"), o_texts.trim_end("b")),
    "pad start": (texts.pad_start("b", 5, "x"), o_texts.pad_start("b", 5, "x")),
    "pad end": (texts.pad_end("b", 5, "x"), o_texts.pad_end("b", 5, "x")),
    "repeat": (texts.repeat("b", 2), o_texts.repeat("b", 2)),
    "snip": (texts.snip("b", 0, 2), o_texts.snip("b", 0, 2)),
    "snip rest": (texts.snip("b", 0), o_texts.snip("b", 0)),
    "to string": (texts.to_string("b"), o_texts.to_string("b")),
    "join": (lists.join("b", ","), o_lists.list_join("b", ",")),
    "base64 encode": (bits.b64_encode("b", 1, 2), o_bits.bit_b64_encode("b", 1, 2)),
}

TABLES = {
    "scalar": SCALARS,
    "list": {**LISTS, **LIST_SELECTIONS},
    "map": {**MAPS, **MAP_SELECTIONS},
    "bits": BITS,
    "sketch": SKETCHES,
    "text": TEXTS,
}
CASES = [
    pytest.param(ours, theirs, id=f"{table}: {name}")
    for table, cases in TABLES.items()
    for name, (ours, theirs) in cases.items()
]


@pytest.mark.parametrize(("ours", "theirs"), CASES)
def test_bytes_are_the_official_client_s(
    official_op: Callable[[Any], Op], ours: Op, theirs: Any
) -> None:
    expected = official_op(theirs() if callable(theirs) else theirs)

    assert ours == expected, readable(expected)


def readable(op: Op) -> Any:
    return as_msgpack.unpack(op.value) if op.particle_type == ParticleType.BLOB else op


@pytest.mark.parametrize(
    ("ours", "all_answer"),
    [
        (paths.select("b", [ctx.all_children()]), False),
        (paths.modify("b", [ctx.all_children()], expressions.element_value(Int) + 1), False),
        (lists.size("b", context=STEPS), False),
        (maps.size("b"), True),
        (maps.size("b", context=STEPS), True),
        (bits.count("b", 0, 1), True),
        (hlls.describe("b"), True),
        (operations.read_expression("b", Bin("a").int()), True),
        (operations.read("b"), False),
        (texts.strlen("b"), True),
        (texts.upper("b"), True),
        (texts.to_string("b"), True),
    ],
)
def test_operations_that_the_official_client_has_all_answered(ours: Op, all_answer: bool) -> None:
    expected = Info2.RESPOND_ALL_OPS if all_answer else 0

    assert operate_info([ours], False) == (0, expected)
