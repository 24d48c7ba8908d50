"""Applications' functions (UDFs): registered, listed, fetched, removed."""

from __future__ import annotations

import base64

import attrs

from aerospike_client.core.view import ClusterView
from aerospike_client.errors import BadReply, InvalidParameter
from aerospike_client.scripts.effects import Script
from aerospike_client.scripts.info import ask_ok, named_node, nodes_of, pairs


@attrs.frozen
class Module:
    """A registered file."""

    name: str
    #: SHA-1 of what is stored, 40 hexadecimal digits.
    hash: str
    kind: str = "LUA"


def put(view: ClusterView, name: str, source: str | bytes, timeout_ms: int) -> Script[None]:
    """Register a file; the server compiles it first. UdfFailed when that does not work."""
    if "." not in name or set(name) & set(";:=\n\t/"):
        raise InvalidParameter(f"a module is called NAME.lua: {name!r}")
    data = source.encode() if isinstance(source, str) else source
    content = base64.b64encode(data).decode()
    command = f"udf-put:filename={name};content={content};content-len={len(content)};udf-type=LUA;"
    yield from ask_ok(named_node(view, None), command, timeout_ms)


def remove(view: ClusterView, name: str, timeout_ms: int) -> Script[None]:
    """Remove a file; nothing happens when there is none."""
    yield from ask_ok(named_node(view, None), f"udf-remove:filename={name};", timeout_ms)


def listed(view: ClusterView, timeout_ms: int) -> Script[list[Module]]:
    """The registered files."""
    answer = yield from ask_ok(named_node(view, None), "udf-list", timeout_ms)
    return _modules(answer)


def _modules(answer: str) -> list[Module]:
    found = [pairs(row, ",") for row in answer.split(";") if row]
    if any("filename" not in row for row in found):
        raise BadReply(f"the list of modules cannot be read: {answer[:100]!r}")
    return [Module(row["filename"], row.get("hash", ""), row.get("type", "LUA")) for row in found]


def is_everywhere(view: ClusterView, name: str, there: bool, timeout_ms: int) -> Script[bool]:
    """Whether all nodes have the file (`there`), or none has."""
    for node in nodes_of(view):
        answer = yield from ask_ok(node, "udf-list", timeout_ms)
        if any(module.name == name for module in _modules(answer)) != there:
            return False
    return True


def source_of(view: ClusterView, name: str, timeout_ms: int) -> Script[bytes]:
    """A registered file's content. UdfFailed when there is none."""
    answer = yield from ask_ok(named_node(view, None), f"udf-get:filename={name};", timeout_ms)
    try:
        return base64.b64decode(pairs(answer)["content"], validate=True)
    except (KeyError, ValueError):
        raise BadReply(f"the source of {name!r} cannot be read") from None
