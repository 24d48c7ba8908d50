"""Expressions: computed on the server, written in Python.

    (Bin("age") >= 21) & (Bin("tags").list().contains("x"))

Filters of every command and query, values that operations read or write, conditions of paths, and
what an index is built on are expressions. A type of value is a class; `docs/expressions.md` is a
tour, `explain` gives the text of an expression's bytes.
"""

from aerospike_client.expressions.containers import (  # isort: skip - it has to be the first
    Inside,
    List,
    Map,
    NestedList,
    NestedMap,
    Path,
)
from aerospike_client.expressions.bins import Bin
from aerospike_client.expressions.blobs import Blob
from aerospike_client.expressions.codes import ExpType, RegexFlags
from aerospike_client.expressions.control import (
    all_of,
    any_of,
    cond,
    element_index,
    element_key,
    element_value,
    exclusive,
    let,
    literal,
    maximum,
    minimum,
    remove_element,
    unknown,
    var,
)
from aerospike_client.expressions.explain import explain
from aerospike_client.expressions.expression import Expression, ExpressionError
from aerospike_client.expressions.record import (
    device_size,
    digest_modulo,
    is_tombstone,
    key,
    key_exists,
    last_update,
    memory_size,
    record_size,
    set_name,
    since_update,
    ttl,
    void_time,
)
from aerospike_client.expressions.scalars import Bool, Float, Geo, Int, Nil
from aerospike_client.expressions.sketches import Hll
from aerospike_client.expressions.texts import Str, b64_encode, join, to_str

__all__ = [
    "Bin",
    # types
    "Expression",
    "ExpType",
    "Nil",
    "Bool",
    "Int",
    "Float",
    "Str",
    "Blob",
    "List",
    "Map",
    "Geo",
    "Hll",
    # places inside
    "Inside",
    "NestedList",
    "NestedMap",
    "Path",
    "element_index",
    "element_key",
    "element_value",
    "remove_element",
    # the record
    "key",
    "key_exists",
    "set_name",
    "ttl",
    "void_time",
    "last_update",
    "since_update",
    "record_size",
    "device_size",
    "memory_size",
    "is_tombstone",
    "digest_modulo",
    # building
    "literal",
    "all_of",
    "any_of",
    "exclusive",
    "minimum",
    "maximum",
    "cond",
    "let",
    "var",
    "unknown",
    "to_str",
    "join",
    "b64_encode",
    "RegexFlags",
    # reading
    "ExpressionError",
    "explain",
]
