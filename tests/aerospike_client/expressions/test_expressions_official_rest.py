"""What the tables beside this one leave: ranges from the other end, loop variables of every type;
and that nothing of the official client's instruction set is left out of all of them."""

from __future__ import annotations

import ast
import base64
import inspect
from pathlib import Path
from typing import Any

import pytest
from aerospike_helpers import expressions as official

from aerospike_client import expressions as exp
from aerospike_client.expressions import Bin, Int

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

A, LST, MP = Bin("a").int(), Bin("l").list(), Bin("m").map()
OA, OL, OM = official.IntBin("a"), official.ListBin("l"), official.MapBin("m")
VALUE = 7

CASES = {
    "product": (A * A * 2, official.Mul(OA, OA, 2)),
    "list rank to end": (
        LST.by_rank_range(1).values(),
        official.ListGetByRankRangeToEnd(None, VALUE, 1, OL),
    ),
    "list index to end remove": (
        LST.by_index_range(1).remove(),
        official.ListRemoveByIndexRangeToEnd(None, 1, OL),
    ),
    "list rank remove": (
        LST.by_rank_range(1, 2).remove(),
        official.ListRemoveByRankRange(None, 1, 2, OL),
    ),
    "list value rel rank remove": (
        LST.by_value_rel_rank_range(2, 0, 3).remove(),
        official.ListRemoveByValueRelRankRange(None, 2, 0, 3, OL),
    ),
    "map index to end": (
        MP.by_index_range(1).values(),
        official.MapGetByIndexRangeToEnd(None, VALUE, 1, OM),
    ),
    "map index remove": (
        MP.by_index_range(1, 2).remove(),
        official.MapRemoveByIndexRange(None, 1, 2, OM),
    ),
    "map key rel index": (
        MP.by_key_rel_index_range("a", 0, 2).values(),
        official.MapGetByKeyRelIndexRange(None, VALUE, "a", 0, 2, OM),
    ),
    "map key rel index to end remove": (
        MP.by_key_rel_index_range("a", 1).remove(),
        official.MapRemoveByKeyRelIndexRangeToEnd(None, "a", 1, OM),
    ),
    "map rank to end": (
        MP.by_rank_range(1).values(),
        official.MapGetByRankRangeToEnd(None, VALUE, 1, OM),
    ),
    "map rank to end remove": (
        MP.by_rank_range(1).remove(),
        official.MapRemoveByRankRangeToEnd(None, 1, OM),
    ),
    "map value rel rank": (
        MP.by_value_rel_rank_range(1, 0, 2).values(),
        official.MapGetByValueRelRankRange(None, VALUE, 1, 0, 2, OM),
    ),
    "map value rel rank to end remove": (
        MP.by_value_rel_rank_range(1, 0).remove(),
        official.MapRemoveByValueRelRankRangeToEnd(None, 1, 0, OM),
    ),
    "element int": (exp.element_value(Int), official.LoopVarInt(1)),
    "element bool": (exp.element_value(exp.Bool), official.LoopVarBool(1)),
    "element float": (exp.element_value(exp.Float), official.LoopVarFloat(1)),
    "element str": (exp.element_value(exp.Str), official.LoopVarStr(1)),
    "element blob": (exp.element_value(exp.Blob), official.LoopVarBlob(1)),
    "element list": (exp.element_value(exp.List), official.LoopVarList(1)),
    "element map": (exp.element_value(exp.Map), official.LoopVarMap(1)),
    "element geo": (exp.element_value(exp.Geo), official.LoopVarGeoJson(1)),
    "element hll": (exp.element_value(exp.Hll), official.LoopVarHLL(1)),
    "element nil": (exp.element_value(exp.Nil), official.LoopVarNil(1)),
}


@pytest.mark.parametrize(("ours", "theirs"), CASES.values(), ids=CASES)
def test_bytes_are_the_official_client_s(
    official_client: Any, ours: exp.Expression, theirs: Any
) -> None:
    reference = base64.b64decode(official_client.get_expression_base64(theirs.compile()))

    assert ours.compile() == reference, exp.explain(reference)


def test_every_expression_of_the_official_client_is_in_a_table() -> None:
    base = official.Eq.__mro__[1]
    theirs = {
        name
        for name, kind in inspect.getmembers(official, inspect.isclass)
        if issubclass(kind, base) and kind is not base
    }
    compared: set[str] = set()
    for path in Path(__file__).parent.glob("test_expressions_official_*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute):
                compared.add(node.attr)

    assert len(theirs) > 200
    assert theirs - compared - NEVER_SENT == set()


NEVER_SENT = {"LoopVar"}
"""What others are made of."""
