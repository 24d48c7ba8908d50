"""Secondary indexes: made, awaited, dropped, listed."""

from __future__ import annotations

import base64
from enum import Enum
from typing import SupportsBytes

import attrs

from aerospike_client.core.view import ClusterView
from aerospike_client.errors import BadReply, IndexNotFound, InvalidParameter
from aerospike_client.queries import IndexType
from aerospike_client.scripts.effects import Script
from aerospike_client.scripts.info import (
    ask,
    ask_ok,
    info_failure,
    joined,
    named_node,
    nodes_of,
    pairs,
    rows,
)
from aerospike_common.wire import ResultCode

_NEW_SYNTAX = (8, 1)
_INDEX_TYPES = {
    IndexType.DEFAULT: "",
    IndexType.LIST: "LIST",
    IndexType.MAP_KEYS: "MAPKEYS",
    IndexType.MAP_VALUES: "MAPVALUES",
}


class IndexKind(Enum):
    """The values that an index holds."""

    NUMERIC = "NUMERIC"
    STRING = "STRING"
    BLOB = "BLOB"
    GEO2DSPHERE = "GEO2DSPHERE"


@attrs.frozen
class Index:
    """What is to be indexed, and the name that the index gets."""

    name: str
    namespace: str
    set_name: str
    #: Empty for an index on an expression.
    bin_name: str
    kind: IndexKind
    index_type: IndexType = IndexType.DEFAULT
    context: SupportsBytes | None = None
    expression: SupportsBytes | None = None


def create(view: ClusterView, index: Index, timeout_ms: int) -> Script[None]:
    """Ask for an index; the nodes then build it. IndexExists when the name means another one."""
    if bool(index.bin_name) == (index.expression is not None):
        raise InvalidParameter("an index is on a bin or on an expression")
    for word in (index.name, index.namespace, index.set_name, index.bin_name):
        if set(word) & set(";:=\n\t"):
            raise InvalidParameter(f"a name with one of ; : = in it: {word!r}")
    node = named_node(view, None)
    command = f"sindex-create:{_definition(index, node.build >= _NEW_SYNTAX)}"
    yield from ask_ok(node, command, timeout_ms)


def _definition(index: Index, new: bool) -> str:
    kind, index_type = index.kind.value, _INDEX_TYPES[index.index_type]
    parts = [
        ("namespace" if new else "ns", index.namespace),
        ("set", index.set_name),
        ("indexname", index.name),
    ]
    if index.expression is not None:
        return joined(
            [*parts, ("exp", _text(index.expression)), ("indextype", index_type), ("type", kind)]
        )
    if index.context is not None:
        parts.append(("context", _text(index.context)))
    parts.append(("indextype", index_type))
    if new:
        return joined([*parts, ("bin", index.bin_name), ("type", kind)])
    return joined([*parts, ("indexdata", f"{index.bin_name},{kind}")])


def _text(data: SupportsBytes) -> str:
    return base64.b64encode(bytes(data)).decode()


def is_ready(view: ClusterView, namespace: str, name: str, timeout_ms: int) -> Script[bool]:
    """Whether the index is complete on all nodes."""
    for node in nodes_of(view):
        answer = yield from ask(node, _stat(node.build, namespace, name), timeout_ms)
        error = info_failure(answer, node)
        if error is not None:
            if error.code in (ResultCode.SINDEX_NOT_FOUND, ResultCode.SINDEX_NOT_READABLE):
                return False
            raise error
        loaded = pairs(answer).get("load_pct", "100")
        if not loaded.isdecimal():
            raise BadReply(f"an index is loaded to {loaded!r} percent", node=str(node))
        if int(loaded) < 100:
            return False
    return True


def _stat(build: tuple[int, ...], namespace: str, name: str) -> str:
    if build >= _NEW_SYNTAX:
        return f"sindex-stat:namespace={namespace};indexname={name}"
    return f"sindex/{namespace}/{name}"


def drop(view: ClusterView, namespace: str, name: str, timeout_ms: int) -> Script[None]:
    """Ask for an index to be removed; nothing happens when there is none."""
    node = named_node(view, None)
    key = "namespace" if node.build >= _NEW_SYNTAX else "ns"
    try:
        yield from ask_ok(node, f"sindex-delete:{key}={namespace};indexname={name}", timeout_ms)
    except IndexNotFound:
        return


def is_gone(view: ClusterView, namespace: str, name: str, timeout_ms: int) -> Script[bool]:
    """Whether no node has the index any more."""
    for node in nodes_of(view):
        answer = yield from ask(node, _stat(node.build, namespace, name), timeout_ms)
        error = info_failure(answer, node)
        if error is None:
            return False
        if error.code != ResultCode.SINDEX_NOT_FOUND:
            raise error
    return True


def listed(
    view: ClusterView, namespace: str | None, timeout_ms: int
) -> Script[list[dict[str, str]]]:
    """The indexes with all that a node says of them."""
    command = f"sindex-list:namespace={namespace};" if namespace else "sindex-list:"
    answer = yield from ask_ok(named_node(view, None), command, timeout_ms)
    return rows(answer)
