"""Secondary indexes. This server has none: parameters are checked, lists are empty."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.info.request import MAX_SET, Handler, Request, error_value, to_bytes

MAX_INDEX_NAME: Final = 63
MAX_BIN_NAME: Final = 15

_TYPES: Final = ("numeric", "string", "blob", "geo2dsphere")
_INDEX_TYPES: Final = ("default", "list", "mapkeys", "mapvalues")


def _create(request: Request) -> str:
    """Checks a definition as it will have to be; a good one is refused all the same."""
    _index_name(request)
    namespace = request.namespace_name("ns")
    has_set = request.optional("set", max_bytes=MAX_SET) is not None
    index_type = (request.optional("indextype") or "default").lower()
    if index_type == "set":
        if not has_set:
            raise _bad("missing 'set'")
    elif index_type not in _INDEX_TYPES:
        raise _bad(f"bad 'indextype' - must be one of {_quoted(_INDEX_TYPES)}")
    else:
        _check_source(request)
    if to_bytes(namespace) not in request.node.namespaces:
        return "ok"
    raise OperationError(ResultCode.UNSUPPORTED_FEATURE, "no secondary indexes")


def _check_source(request: Request) -> None:
    """What is indexed: a bin, a context in it, or an expression."""
    if "exp" in request.parameters:
        if "bin" in request.parameters:
            raise _bad("both 'bin' and 'exp' are specified")
        if not _is_full_list(_base64(request.required("exp"), "bad 'exp'")):
            raise _bad("bad 'exp'")
    context = request.optional("context")
    if context is not None and not _is_full_list(_base64(context, "'context' invalid base64")):
        raise _bad("'context' invalid cdt context")
    if "indexdata" in request.parameters:
        _check_index_data(request.required("indexdata"))
        return
    request.optional("bin", max_bytes=MAX_BIN_NAME)
    if "type" not in request.parameters:
        raise _bad("both 'indexdata' and 'type' are missing")
    if request.required("type").lower() not in _TYPES:
        raise _bad(f"bad 'type' - must be one of {_quoted(_TYPES)}")
    if "exp" not in request.parameters:
        request.required("bin", max_bytes=MAX_BIN_NAME)


def _check_index_data(data: str) -> None:
    bin_name, comma, bin_type = data.partition(",")
    if not bin_name:
        raise _bad("'indexdata' missing bin name")
    if not comma:
        raise _bad("'indexdata' missing bin type")
    if len(bin_name.encode("utf-8", "surrogateescape")) > MAX_BIN_NAME:
        raise _bad("'indexdata' bin name too long")
    if bin_type.lower() not in _TYPES:
        raise _bad(f"bad 'indexdata' bin type - must be one of {_quoted(_TYPES)}")


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
    return request.glued(lambda: _index_name(request)) + (
        request.glued(lambda: request.namespace_name("ns")) or "ok"
    )


def _exists(request: Request) -> str:
    return request.glued(lambda: _index_name(request)) + (
        request.glued(lambda: request.namespace("ns")) or "false"
    )


def _stat(request: Request) -> str:
    return request.glued(lambda: _index_name(request), lambda: _no_index(request))


def _no_index(request: Request) -> None:
    request.namespace("ns")
    raise OperationError(ResultCode.SINDEX_NOT_FOUND, "no index")


def _list(request: Request) -> str:
    if request.parameters.get("b64", "false") not in ("true", "false"):
        raise _bad("bad b64")
    if "namespace" in request.parameters or "ns" in request.parameters:
        try:
            request.namespace("ns")
        except OperationError as error:
            # Two steps look for the namespace, and each says so.
            return f"{error_value(error)};{error_value(error)}"
    return ""


def _by_path(request: Request) -> str:
    """`sindex/<ns>/<name>`, the older form of sindex-stat; without a name, of sindex-list."""
    namespace, _, name = request.command.arguments.partition("/")
    if not name:
        return ""
    request.find_namespace(namespace)
    raise OperationError(ResultCode.SINDEX_NOT_FOUND, "no index")


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
