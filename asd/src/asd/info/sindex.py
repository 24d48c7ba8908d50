"""Secondary indexes: created, dropped, listed, measured."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from aerospike_common import as_msgpack
from aerospike_common.as_msgpack import Value
from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.bins.cdt import context as cdt_context
from asd.info.request import (
    MAX_SET,
    Handler,
    Request,
    error_value,
    pairs,
    to_bytes,
    to_text,
)
from asd.sindex import IndexDefinition, KeyType, SecondaryIndex, Source
from asd.sindex.keys import Keys
from asd.space.namespace import Namespace

MAX_INDEX_NAME: Final = 63
MAX_BIN_NAME: Final = 15

_TYPES: Final = tuple(key_type.value for key_type in KeyType)
#: By what a step of a context goes down, and into what.
_STEPS: Final = ("index", "rank", "key", "value")
_INTO: Final = ((cdt_context.ON_LIST, "list_"), (cdt_context.ON_MAP, "map_"))

_SOURCES: Final = tuple(source.value for source in Source if source is not Source.SET)


def _create(request: Request) -> str:
    name = _index_name(request)
    namespace = request.namespace_name("ns")
    definition = _definition(request, name)
    found = request.node.namespaces.get(to_bytes(namespace))
    if found is not None:
        request.node.indexes.create(found, definition)
    else:
        request.node.indexes.create_elsewhere(namespace, definition)
    return "ok"


def _definition(request: Request, name: str) -> IndexDefinition:
    """What is to be indexed, as the request says. Raises OperationError."""
    set_name = to_bytes(request.optional("set", max_bytes=MAX_SET) or "")
    source = (request.optional("indextype") or "default").lower()
    if source == Source.SET.value:
        if not set_name:
            raise _bad("missing 'set'")
        return IndexDefinition(name, set_name, b"", KeyType.NUMERIC, Source.SET)
    if source not in _SOURCES:
        raise _bad(f"bad 'indextype' - must be one of {_quoted(_SOURCES)}")
    expression = _expression(request)
    context = _context(request)
    bin_name, key_type = _bin_and_type(request)
    definition = IndexDefinition(
        name, set_name, bin_name, KeyType(key_type), Source(source), context, expression
    )
    Keys(definition)
    return definition


def _expression(request: Request) -> bytes:
    if "exp" not in request.parameters:
        return b""
    if "bin" in request.parameters:
        raise _bad("both 'bin' and 'exp' are specified")
    expression = _base64(request.required("exp"), "bad 'exp'")
    if not _is_full_list(expression):
        raise _bad("bad 'exp'")
    return expression


def _context(request: Request) -> bytes:
    text = request.optional("context")
    if text is None:
        return b""
    context = _base64(text, "'context' invalid base64")
    if not _is_full_list(context):
        raise _bad("'context' invalid cdt context")
    return context


def _bin_and_type(request: Request) -> tuple[bytes, str]:
    """The bin and, in lower case, the type; b"" for no bin."""
    if "indexdata" in request.parameters:
        return _index_data(request.required("indexdata"))
    request.optional("bin", max_bytes=MAX_BIN_NAME)
    if "type" not in request.parameters:
        raise _bad("both 'indexdata' and 'type' are missing")
    key_type = request.required("type").lower()
    if key_type not in _TYPES:
        raise _bad(f"bad 'type' - must be one of {_quoted(_TYPES)}")
    if "exp" in request.parameters:
        return b"", key_type
    return to_bytes(request.required("bin", max_bytes=MAX_BIN_NAME)), key_type


def _index_data(data: str) -> tuple[bytes, str]:
    bin_name, comma, key_type = data.partition(",")
    if not bin_name:
        raise _bad("'indexdata' missing bin name")
    if not comma:
        raise _bad("'indexdata' missing bin type")
    if len(to_bytes(bin_name)) > MAX_BIN_NAME:
        raise _bad("'indexdata' bin name too long")
    if key_type.lower() not in _TYPES:
        raise _bad(f"bad 'indexdata' bin type - must be one of {_quoted(_TYPES)}")
    return to_bytes(bin_name), key_type.lower()


def _base64(text: str, complaint: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _bad(complaint) from None


def _is_full_list(data: bytes) -> bool:
    """Does a msgpack list with elements begin here? Contexts and expressions are such lists."""
    return data[:1] in (b"\xdc", b"\xdd") or b"\x91" <= data[:1] <= b"\x9f"


def _quoted(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def _bad(message: str) -> OperationError:
    return OperationError(ResultCode.PARAMETER, message)


def _index_name(request: Request) -> str:
    return request.required("indexname", max_bytes=MAX_INDEX_NAME)


def _delete(request: Request) -> str:
    complaint = request.glued(lambda: _index_name(request))
    try:
        name = request.namespace_name("ns")
    except OperationError as error:
        return complaint + error_value(error)
    found = request.node.namespaces.get(to_bytes(name))
    if complaint:
        return complaint + "ok"
    if found is not None:
        request.node.indexes.delete(found, _index_name(request))
    else:
        request.node.indexes.delete_elsewhere(name, _index_name(request))
    return "ok"


def _exists(request: Request) -> str:
    complaint = request.glued(lambda: _index_name(request))
    try:
        namespace = request.namespace("ns")
    except OperationError as error:
        return complaint + error_value(error)
    index = None if complaint else namespace.indexes.find(_index_name(request))
    return complaint + ("false" if index is None else "true")


def _stat(request: Request) -> str:
    complaint = request.glued(lambda: _index_name(request))
    try:
        namespace = request.namespace("ns")
        return complaint + _stat_of(namespace, "" if complaint else _index_name(request))
    except OperationError as error:
        return complaint + error_value(error)


def _stat_of(namespace: Namespace, name: str) -> str:
    """The figures of an index. Raises SINDEX_NOT_FOUND."""
    index = namespace.indexes.find(name)
    if index is None:
        raise OperationError(ResultCode.SINDEX_NOT_FOUND, "no index")
    entries = index.entries
    if index.definition.source is Source.SET:
        rows = [("entries", len(entries)), ("used_bytes", entries.memory_bytes)]
        return pairs([*rows, ("load_pct", index.load_pct)])
    per_bval, per_record = entries.density()
    if index.definition.source is Source.DEFAULT and per_record:
        per_record = 1  # a region has an entry for each of its cells, and is one value all the same
    return pairs(
        [
            ("entries", len(entries)),
            ("used_bytes", entries.memory_bytes),
            ("entries_per_bval", per_bval),
            ("entries_per_rec", per_record),
            ("load_pct", index.load_pct),
            ("load_time", index.load_time_s),
            ("stat_gc_recs", 0),
        ]
    )


def _list(request: Request) -> str:
    b64 = request.parameters.get("b64", "false")
    if b64 not in ("true", "false"):
        raise _bad("bad b64")
    if "namespace" not in request.parameters and "ns" not in request.parameters:
        return _rows(request.node.namespaces.values(), b64 == "true")
    try:
        return _rows([request.namespace("ns")], b64 == "true")
    except OperationError as error:
        # Two steps look for the namespace, and each says so.
        return f"{error_value(error)};{error_value(error)}"


def _rows(namespaces: Iterable[Namespace], b64: bool = False) -> str:
    return ";".join(
        _row(namespace.name, index, b64)
        for namespace in namespaces
        for index in namespace.indexes.named
    )


def _row(namespace: str, index: SecondaryIndex, b64: bool) -> str:
    definition = index.definition
    rows = [
        ("ns", namespace),
        ("indexname", definition.name),
        ("set", to_text(definition.set_name) or "null"),
    ]
    if definition.source is Source.SET:
        rows.append(("indextype", "set"))
    else:
        rows += [
            ("bin", to_text(definition.bin_name) or "null"),
            ("type", definition.key_type.value),
            ("indextype", definition.source.value),
            ("context", _shown_context(definition.context, b64)),
            ("exp", base64.b64encode(definition.expression).decode() or "null"),
            ("state", "RW" if index.readable else "WO"),
        ]
    return ":".join(f"{name}={value}" for name, value in rows)


def _shown_context(wire: bytes, b64: bool) -> str:
    """A context in base64, or for people: `[list_index(6), map_key(<string#4>)]`."""
    if not wire:
        return "null"
    if b64:
        return base64.b64encode(wire).decode()
    steps = map(_step, cdt_context.parse(as_msgpack.unpack(wire)))
    return f"[{', '.join(steps)}]"


def _step(step: cdt_context.Item) -> str:
    into = "".join(name for bit, name in _INTO if step.kind & bit)
    return f"{into}{_STEPS[step.kind & 0x0F]}({_shown_value(step.value)})"


def _shown_value(value: Value) -> str:
    """A value of a context: numbers as they are, of what may be long or secret the size."""
    match value:
        case None:
            return "nil"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case str():
            kind = "blob" if value.startswith(as_msgpack.BLOB) else "string"
            typed = value.startswith((as_msgpack.BLOB, as_msgpack.STRING))
            return f"<{kind}#{len(to_bytes(value[typed:]))}>"
        case list():
            return f"<list#{len(as_msgpack.list_items(value))}>"
        case dict():
            return f"<map#{len(as_msgpack.map_items(value))}>"
    return "<inf>" if value is as_msgpack.INF else "<wildcard>"


def _by_path(request: Request) -> str:
    """`sindex/<ns>/<name>`, the older form of sindex-stat; without a name, of sindex-list."""
    namespace, _, name = request.command.arguments.partition("/")
    if not namespace:
        return _rows(request.node.namespaces.values())
    found = request.find_namespace(namespace)
    return _stat_of(found, name) if name else _rows([found])


COMMANDS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        "sindex": _by_path,
        "sindex-create": _create,
        "sindex-delete": _delete,
        "sindex-exists": _exists,
        "sindex-list": _list,
        "sindex-stat": _stat,
    }
)
