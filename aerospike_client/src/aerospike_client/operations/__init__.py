"""Operations for `operate`: several on one record, in their order, all of them or none.

    client.operate(key, [
        operations.add("visits", 1),
        lists.append("pages", "/home", ListPolicy(flags=ListWriteFlags.ADD_UNIQUE)),
        maps.get_by_rank_range("scores", -3, returning=MapReturnType.KEY_VALUE),
    ])

Whole bins are dealt with by the functions here; `lists`, `maps`, `bits`, `hlls` and `texts` have
those of each type of value, `paths` those on all elements a path leads to, and `context` the steps
that lead inside a value. Each gives an `aerospike_common.wire.Op`, with the bytes of the official
clients.
"""

from aerospike_client.operations import bits, context, hlls, lists, maps, paths, texts
from aerospike_client.operations.codes import (
    INFINITY,
    WILDCARD,
    BitOverflow,
    BitResizeFlags,
    BitWriteFlags,
    ExpressionReadFlags,
    ExpressionWriteFlags,
    HllWriteFlags,
    ListOrder,
    ListReturnType,
    ListSortFlags,
    ListWriteFlags,
    MapOrder,
    MapReturnType,
    MapWriteFlags,
    NumericType,
    SelectMode,
    StrRegexFlags,
    StrWriteFlags,
)
from aerospike_client.operations.policies import ListPolicy, MapPolicy
from aerospike_client.operations.scalars import (
    add,
    append,
    delete,
    prepend,
    read,
    read_all,
    read_expression,
    touch,
    write,
    write_expression,
)

__all__ = [
    # whole bins and the record
    "read",
    "read_all",
    "write",
    "add",
    "append",
    "prepend",
    "touch",
    "delete",
    "read_expression",
    "write_expression",
    # types of values
    "lists",
    "maps",
    "bits",
    "hlls",
    "texts",
    "paths",
    "context",
    # how
    "ListPolicy",
    "MapPolicy",
    "ListOrder",
    "MapOrder",
    "ListReturnType",
    "MapReturnType",
    "ListWriteFlags",
    "MapWriteFlags",
    "ListSortFlags",
    "BitWriteFlags",
    "BitResizeFlags",
    "BitOverflow",
    "HllWriteFlags",
    "ExpressionReadFlags",
    "ExpressionWriteFlags",
    "StrWriteFlags",
    "StrRegexFlags",
    "NumericType",
    "SelectMode",
    "WILDCARD",
    "INFINITY",
]
