"""Every call on collections, blobs and sketches has the official client's bytes."""

from __future__ import annotations

import base64
from typing import Any

import aerospike
import pytest
from aerospike_helpers import cdt_ctx
from aerospike_helpers import expressions as official

from aerospike_client import expressions as exp
from aerospike_client.expressions import Bin, Float, Int, Str
from aerospike_client.operations import context as ctx
from aerospike_client.operations.codes import (
    INFINITY,
    BitOverflow,
    BitResizeFlags,
    BitWriteFlags,
    HllWriteFlags,
    ListOrder,
    ListSortFlags,
    ListWriteFlags,
    MapOrder,
    MapWriteFlags,
)
from aerospike_client.operations.policies import ListPolicy, MapPolicy

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

A, B = Bin("a").int(), Bin("b").blob()
LST, MP, H = Bin("l").list(), Bin("m").map(), Bin("h").hll()
OA, OB = official.IntBin("a"), official.BlobBin("b")
OL, OM, OH = official.ListBin("l"), official.MapBin("m"), official.HLLBin("h")

POLICY = ListPolicy(ListOrder.ORDERED, ListWriteFlags.ADD_UNIQUE | ListWriteFlags.INSERT_BOUNDED)
O_POLICY = {"list_order": 1, "write_flags": 3}
MAP_POLICY = MapPolicy(MapOrder.KEY_ORDERED, MapWriteFlags.UPDATE_ONLY)
O_MAP_POLICY = {"map_order": 1, "map_write_flags": 2}
STEPS = ctx.map_key("k"), ctx.list_index(-1)
O_STEPS = [cdt_ctx.cdt_ctx_map_key("k"), cdt_ctx.cdt_ctx_list_index(-1)]
INF = aerospike.CDTInfinite()
VALUE, INVERTED = 7, 0x10000

LISTS = {
    "append": (LST.append(3), official.ListAppend(None, None, 3, OL)),
    "append policy": (LST.append(3, POLICY), official.ListAppend(None, O_POLICY, 3, OL)),
    "append inside": (
        MP.at(*STEPS).list().append([1, 2], POLICY),
        official.ListAppend(O_STEPS, O_POLICY, [1, 2], OM),
    ),
    "append items": (LST.append_items([3]), official.ListAppendItems(None, None, [3], OL)),
    "append items policy": (
        LST.append_items([3], POLICY),
        official.ListAppendItems(None, O_POLICY, [3], OL),
    ),
    "insert": (LST.insert(0, 3), official.ListInsert(None, None, 0, 3, OL)),
    "insert policy": (LST.insert(0, 3, POLICY), official.ListInsert(None, O_POLICY, 0, 3, OL)),
    "insert items": (
        LST.insert_items(0, [3], POLICY),
        official.ListInsertItems(None, O_POLICY, 0, [3], OL),
    ),
    "increment": (LST.increment(0, 3), official.ListIncrement(None, None, 0, 3, OL)),
    "increment policy": (
        LST.increment(0, 3, POLICY),
        official.ListIncrement(None, O_POLICY, 0, 3, OL),
    ),
    "set": (LST.set(0, 3), official.ListSet(None, None, 0, 3, OL)),
    "set policy": (LST.set(0, 3, POLICY), official.ListSet(None, O_POLICY, 0, 3, OL)),
    "clear": (LST.clear(), official.ListClear(None, OL)),
    "sort": (LST.sort(ListSortFlags.DROP_DUPLICATES), official.ListSort(None, 2, OL)),
    "size": (LST.size(), official.ListSize(None, OL)),
    "size inside": (MP.at(*STEPS).list().size(), official.ListSize(O_STEPS, OM)),
    "size of appended": (
        LST.append(3).size(),
        official.ListSize(None, official.ListAppend(None, None, 3, OL)),
    ),
    "contains": (LST.contains("x"), official.ListGetByValue(None, 13, "x", OL)),
    "by value count": (LST.by_value(3).count(), official.ListGetByValue(None, 5, 3, OL)),
    "by value index": (LST.by_value(3).indexes(), official.ListGetByValue(None, 1, 3, OL)),
    "by value rank": (LST.by_value(3).ranks(), official.ListGetByValue(None, 3, 3, OL)),
    "by value reverse": (
        LST.by_value(3).reverse_indexes(),
        official.ListGetByValue(None, 2, 3, OL),
    ),
    "by value reverse rank": (
        LST.by_value(3).reverse_ranks(),
        official.ListGetByValue(None, 4, 3, OL),
    ),
    "by value remove": (LST.by_value(3).remove(), official.ListRemoveByValue(None, 3, OL)),
    "by value list": (
        LST.by_value_list([3]).count(),
        official.ListGetByValueList(None, 5, [3], OL),
    ),
    "by value list of a bin": (
        LST.by_value_list(Bin("m").list()).count(),
        official.ListGetByValueList(None, 5, official.ListBin("m"), OL),
    ),
    "by value list remove": (
        LST.by_value_list([3]).remove(),
        official.ListRemoveByValueList(None, [3], OL),
    ),
    "by value range": (
        LST.by_value_range(1, 3).values(),
        official.ListGetByValueRange(None, VALUE, 1, 3, OL),
    ),
    "by value range from": (
        LST.by_value_range(1, INFINITY).values(),
        official.ListGetByValueRange(None, VALUE, 1, INF, OL),
    ),
    "by value range to": (
        LST.by_value_range(None, 3).values(),
        official.ListGetByValueRange(None, VALUE, None, 3, OL),
    ),
    "by value range remove": (
        LST.by_value_range(2, 3).remove(),
        official.ListRemoveByValueRange(None, 2, 3, OL),
    ),
    "by value rel rank": (
        LST.by_value_rel_rank_range(1, 0).values(),
        official.ListGetByValueRelRankRangeToEnd(None, VALUE, 1, 0, OL),
    ),
    "by value rel rank range": (
        LST.by_value_rel_rank_range(1, 0, 2).values(),
        official.ListGetByValueRelRankRange(None, VALUE, 1, 0, 2, OL),
    ),
    "by value rel rank remove": (
        LST.by_value_rel_rank_range(2, 0).remove(),
        official.ListRemoveByValueRelRankToEnd(None, 2, 0, OL),
    ),
    "by index": (LST.get(0, Int), official.ListGetByIndex(None, VALUE, 2, 0, OL)),
    "by index rank": (LST.by_index(0).rank(), official.ListGetByIndex(None, 3, 2, 0, OL)),
    "by index expression": (
        LST.get(A, Str),
        official.ListGetByIndex(None, VALUE, 3, OA, OL),
    ),
    "by index remove": (LST.by_index(0).remove(), official.ListRemoveByIndex(None, 0, OL)),
    "by index range": (
        LST.by_index_range(0, 2).values(),
        official.ListGetByIndexRange(None, VALUE, 0, 2, OL),
    ),
    "by index range inverted": (
        LST.by_index_range(0, 2).inverted().values(),
        official.ListGetByIndexRange(None, VALUE | INVERTED, 0, 2, OL),
    ),
    "by index range to end": (
        LST.by_index_range(0).values(),
        official.ListGetByIndexRangeToEnd(None, VALUE, 0, OL),
    ),
    "by index range exists": (
        LST.by_index_range(0, 2).exists(),
        official.ListGetByIndexRange(None, 13, 0, 2, OL),
    ),
    "by index range remove": (
        LST.by_index_range(0, 1).remove(),
        official.ListRemoveByIndexRange(None, 0, 1, OL),
    ),
    "by rank": (LST.by_rank(-1).value(Float), official.ListGetByRank(None, VALUE, 7, -1, OL)),
    "by rank remove": (LST.by_rank(0).remove(), official.ListRemoveByRank(None, 0, OL)),
    "by rank range": (
        LST.by_rank_range(0, 2).values(),
        official.ListGetByRankRange(None, VALUE, 0, 2, OL),
    ),
    "by rank range remove": (
        LST.by_rank_range(0).remove(),
        official.ListRemoveByRankRangeToEnd(None, 0, OL),
    ),
}

MAPS = {
    "put": (MP.put("a", 1), official.MapPut(None, None, "a", 1, OM)),
    "put policy": (
        MP.put("a", [1], MAP_POLICY),
        official.MapPut(None, O_MAP_POLICY, "a", [1], OM),
    ),
    "put items": (MP.put_items({"a": 1}), official.MapPutItems(None, None, {"a": 1}, OM)),
    "put items policy": (
        MP.put_items({"a": 1}, MAP_POLICY),
        official.MapPutItems(None, O_MAP_POLICY, {"a": 1}, OM),
    ),
    "increment": (MP.increment("a", 2), official.MapIncrement(None, None, "a", 2, OM)),
    "clear": (MP.clear(), official.MapClear(None, OM)),
    "size": (MP.size(), official.MapSize(None, OM)),
    "keys": (MP.keys(), official.MapGetKeys(OM)),
    "values": (MP.values(), official.MapGetValues(OM)),
    "by key": (MP.get("a", Int), official.MapGetByKey(None, VALUE, 2, "a", OM)),
    "by key exists": (MP.contains_key("a"), official.MapGetByKey(None, 13, 1, "a", OM)),
    "by key remove": (MP.by_key("a").remove(), official.MapRemoveByKey(None, "a", OM)),
    "by key list": (
        MP.by_key_list(["a"]).values(),
        official.MapGetByKeyList(None, VALUE, ["a"], OM),
    ),
    "by key list remove": (
        MP.by_key_list(["a"]).remove(),
        official.MapRemoveByKeyList(None, ["a"], OM),
    ),
    "by key range": (
        MP.by_key_range("a", "b").keys(),
        official.MapGetByKeyRange(None, 6, "a", "b", OM),
    ),
    "by key range remove": (
        MP.by_key_range("a", INFINITY).remove(),
        official.MapRemoveByKeyRange(None, "a", INF, OM),
    ),
    "by key rel index": (
        MP.by_key_rel_index_range("a", 0).values(),
        official.MapGetByKeyRelIndexRangeToEnd(None, VALUE, "a", 0, OM),
    ),
    "by key rel index range remove": (
        MP.by_key_rel_index_range("a", 1, 2).remove(),
        official.MapRemoveByKeyRelIndexRange(None, "a", 1, 2, OM),
    ),
    "by value": (MP.by_value(1).values(), official.MapGetByValue(None, VALUE, 1, OM)),
    "by value exists": (MP.contains_value(1), official.MapGetByValue(None, 13, 1, OM)),
    "by value pairs": (MP.by_value(1).pairs(), official.MapGetByValue(None, 8, 1, OM)),
    "by value remove": (MP.by_value(1).remove(), official.MapRemoveByValue(None, 1, OM)),
    "by value list": (
        MP.by_value_list([1]).count(),
        official.MapGetByValueList(None, 5, [1], OM),
    ),
    "by value list remove": (
        MP.by_value_list([1]).remove(),
        official.MapRemoveByValueList(None, [1], OM),
    ),
    "by value range": (
        MP.by_value_range(1, 2).ordered_map(),
        official.MapGetByValueRange(None, 17, 1, 2, OM),
    ),
    "by value range remove": (
        MP.by_value_range(1, 2).remove(),
        official.MapRemoveByValueRange(None, 1, 2, OM),
    ),
    "by value rel rank": (
        MP.by_value_rel_rank_range(1, 0).unordered_map(),
        official.MapGetByValueRelRankRangeToEnd(None, 16, 1, 0, OM),
    ),
    "by value rel rank range remove": (
        MP.by_value_rel_rank_range(1, 0, 2).remove(),
        official.MapRemoveByValueRelRankRange(None, 1, 0, 2, OM),
    ),
    "by index": (MP.by_index(1).key(Str), official.MapGetByIndex(None, 6, 3, 1, OM)),
    "by index pair": (MP.by_index(1).pair(), official.MapGetByIndex(None, 8, 5, 1, OM)),
    "by index remove": (MP.by_index(1).remove(), official.MapRemoveByIndex(None, 1, OM)),
    "by index range": (
        MP.by_index_range(1, 1).count(),
        official.MapGetByIndexRange(None, 5, 1, 1, OM),
    ),
    "by index range remove": (
        MP.by_index_range(1).remove(),
        official.MapRemoveByIndexRangeToEnd(None, 1, OM),
    ),
    "by rank": (MP.by_rank(-1).value(Int), official.MapGetByRank(None, VALUE, 2, -1, OM)),
    "by rank remove": (MP.by_rank(1).remove(), official.MapRemoveByRank(None, 1, OM)),
    "by rank range": (
        MP.by_rank_range(2, 1).values(),
        official.MapGetByRankRange(None, VALUE, 2, 1, OM),
    ),
    "by rank range remove": (
        MP.by_rank_range(2, 1).remove(),
        official.MapRemoveByRankRange(None, 2, 1, OM),
    ),
}

BIT_FLAGS = BitWriteFlags.UPDATE_ONLY
O_BIT_POLICY = {"bit_write_flags": 2}

BITS = {
    "resize": (B.resize(10), official.BitResize(None, 10, 0, OB)),
    "resize flags": (
        B.resize(10, BitResizeFlags.FROM_FRONT, BIT_FLAGS),
        official.BitResize(O_BIT_POLICY, 10, 1, OB),
    ),
    "insert": (B.insert(0, b"x"), official.BitInsert(None, 0, b"x", OB)),
    "remove": (B.remove(0, 1, BIT_FLAGS), official.BitRemove(O_BIT_POLICY, 0, 1, OB)),
    "set": (B.set_bits(0, 8, b"x"), official.BitSet(None, 0, 8, b"x", OB)),
    "set to a bin": (B.set_bits(0, 8, Bin("b")), official.BitSet(None, 0, 8, OB, OB)),
    "or": (B.or_bits(0, 8, b"x"), official.BitOr(None, 0, 8, b"x", OB)),
    "xor": (B.xor_bits(0, 8, b"x"), official.BitXor(None, 0, 8, b"x", OB)),
    "and": (B.and_bits(0, 8, b"x"), official.BitAnd(None, 0, 8, b"x", OB)),
    "not": (B.not_bits(0, 8), official.BitNot(None, 0, 8, OB)),
    "lshift": (B.lshift_bits(0, 8, 1), official.BitLeftShift(None, 0, 8, 1, OB)),
    "rshift": (B.rshift_bits(0, 8, A), official.BitRightShift(None, 0, 8, OA, OB)),
    "add": (
        B.add_int(0, 8, 1, overflow=BitOverflow.SATURATE),
        official.BitAdd(None, 0, 8, 1, 2, OB),
    ),
    "subtract": (B.subtract_int(0, 8, 1), official.BitSubtract(None, 0, 8, 1, 0, OB)),
    "set int": (B.set_int(0, 8, 1), official.BitSetInt(None, 0, 8, 1, OB)),
    "get": (B.get_bits(0, 8), official.BitGet(0, 8, OB)),
    "count": (B.count_bits(0, 8), official.BitCount(0, 8, OB)),
    "lscan": (B.lscan(0, 8, True), official.BitLeftScan(0, 8, True, OB)),
    "rscan": (B.rscan(0, 8, False), official.BitRightScan(0, 8, False, OB)),
    "get int": (B.get_int(0, 8), official.BitGetInt(0, 8, False, OB)),
    "get int signed": (B.get_int(0, 8, signed=True), official.BitGetInt(0, 8, True, OB)),
}

OTHER, O_OTHER = Bin("i").hll(), official.HLLBin("i")

SKETCHES = {
    "init": (H.init(4, 4), official.HLLInit(None, 4, 4, OH)),
    "init index": (H.init(4), official.HLLInit(None, 4, None, OH)),
    "init nothing": (H.init(), official.HLLInit(None, None, None, OH)),
    "add": (H.add([1, "a"], 4, 4), official.HLLAdd(None, [1, "a"], 4, 4, OH)),
    "add flags": (
        H.add([1], 4, flags=HllWriteFlags.CREATE_ONLY),
        official.HLLAdd({"flags": 1}, [1], 4, None, OH),
    ),
    "count": (H.count(), official.HLLGetCount(OH)),
    "union": (H.union(OTHER), official.HLLGetUnion(O_OTHER, OH)),
    "union count": (H.union_count(OTHER), official.HLLGetUnionCount(O_OTHER, OH)),
    "intersect": (H.intersect_count(OTHER), official.HLLGetIntersectCount(O_OTHER, OH)),
    "similarity": (H.similarity(OTHER), official.HLLGetSimilarity(O_OTHER, OH)),
    "describe": (H.describe(), official.HLLDescribe(OH)),
    "may contain": (H.may_contain([1]), official.HLLMayContain([1], OH)),
    "may contain of a bin": (H.may_contain(LST), official.HLLMayContain(OL, OH)),
}

IS_ONE = exp.element_value(Int) == 1
O_IS_ONE = official.Eq(official.LoopVarInt(1), 1).compile()
LIST_TYPE, MAP_TYPE = official.ResultType.LIST, official.ResultType.MAP

PATHS = {
    "values": (
        MP.path(ctx.map_key("a"), ctx.all_children()).values(),
        official.SelectByPath(
            [cdt_ctx.cdt_ctx_map_key("a"), cdt_ctx.cdt_ctx_all_children()], LIST_TYPE, 1, OM
        ),
    ),
    "condition": (
        MP.path(ctx.all_children(IS_ONE), no_fail=True).values(),
        official.SelectByPath(
            [cdt_ctx.cdt_ctx_all_children_with_filter(O_IS_ONE)], LIST_TYPE, 0x11, OM
        ),
    ),
    "keys in": (
        MP.path(ctx.map_keys_in(["a", "b"]), ctx.and_filter(IS_ONE)).tree(),
        official.SelectByPath(
            [cdt_ctx.cdt_ctx_map_keys_in(["a", "b"]), cdt_ctx.cdt_ctx_and_filter(O_IS_ONE)],
            MAP_TYPE,
            0,
            OM,
        ),
    ),
    "keys": (
        MP.path(ctx.all_children()).keys(),
        official.SelectByPath([cdt_ctx.cdt_ctx_all_children()], LIST_TYPE, 2, OM),
    ),
    "pairs": (
        MP.path(ctx.map_rank(-1)).pairs(),
        official.SelectByPath([cdt_ctx.cdt_ctx_map_rank(-1)], LIST_TYPE, 3, OM),
    ),
    "apply": (
        LST.path(ctx.all_children()).apply(exp.element_value(Int) + 1),
        official.ModifyByPath(
            [cdt_ctx.cdt_ctx_all_children()],
            LIST_TYPE,
            official.Add(official.LoopVarInt(1), 1).compile(),
            0,
            OL,
        ),
    ),
    "remove": (
        MP.path(ctx.all_children(), no_fail=True).apply(exp.remove_element()),
        official.ModifyByPath(
            [cdt_ctx.cdt_ctx_all_children()],
            MAP_TYPE,
            official.RemoveResult().compile(),
            0x10,
            OM,
        ),
    ),
    "element key": (exp.element_key(Str), official.LoopVarStr(0)),
    "element index": (exp.element_index(), official.LoopVarInt(2)),
}

CONTEXTS = {
    "list index create": (
        LST.at(ctx.list_index_create(2)),
        cdt_ctx.cdt_ctx_list_index_create(2),
    ),
    "list index create ordered": (
        LST.at(ctx.list_index_create(2, ListOrder.ORDERED)),
        cdt_ctx.cdt_ctx_list_index_create(2, 1, False),
    ),
    "list index create pad": (
        LST.at(ctx.list_index_create(2, pad=True)),
        cdt_ctx.cdt_ctx_list_index_create(2, 0, True),
    ),
    "list rank": (LST.at(ctx.list_rank(-1)), cdt_ctx.cdt_ctx_list_rank(-1)),
    "list value": (LST.at(ctx.list_value([1, 2])), cdt_ctx.cdt_ctx_list_value([1, 2])),
    "map index": (MP.at(ctx.map_index(1)), cdt_ctx.cdt_ctx_map_index(1)),
    "map rank": (MP.at(ctx.map_rank(1)), cdt_ctx.cdt_ctx_map_rank(1)),
    "map key": (MP.at(ctx.map_key(b"x")), cdt_ctx.cdt_ctx_map_key(b"x")),
    "map value": (MP.at(ctx.map_value({"a": 1})), cdt_ctx.cdt_ctx_map_value({"a": 1})),
    "map key create": (MP.at(ctx.map_key_create("a")), cdt_ctx.cdt_ctx_map_key_create("a", 0)),
    "map key create ordered": (
        MP.at(ctx.map_key_create("a", MapOrder.KEY_ORDERED)),
        cdt_ctx.cdt_ctx_map_key_create("a", 1),
    ),
    "map key create value ordered": (
        MP.at(ctx.map_key_create("a", MapOrder.KEY_VALUE_ORDERED)),
        cdt_ctx.cdt_ctx_map_key_create("a", 3),
    ),
}

TABLES = {
    "list": LISTS,
    "map": MAPS,
    "bits": BITS,
    "sketch": SKETCHES,
    "path": PATHS,
    "context": {
        name: (
            inside.list().append(1),
            official.ListAppend([step], None, 1, OL if "list" in name else OM),
        )
        for name, (inside, step) in CONTEXTS.items()
    },
}

CASES = [
    pytest.param(ours, theirs, id=f"{table}: {name}")
    for table, cases in TABLES.items()
    for name, (ours, theirs) in cases.items()
]


@pytest.mark.parametrize(("ours", "theirs"), CASES)
def test_bytes_are_the_official_client_s(
    official_client: Any, ours: exp.Expression, theirs: Any
) -> None:
    reference = base64.b64decode(official_client.get_expression_base64(theirs.compile()))

    assert ours.compile() == reference, exp.explain(reference)
    assert ours.to_base64() == official_client.get_expression_base64(theirs.compile())
