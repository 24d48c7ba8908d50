"""Lua modules: putting, getting, listing and removing them.

Errors of this family have a form of their own, `error=<what>`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aerospike_common.as_module import AsModuleError
from asd.info.request import Handler, Request, decimal, to_bytes

MAX_FILE_NAME: Final = 127
MAX_CONTENT: Final = 1 << 20
_TOO_LARGE: Final = "error=invalid_udf_content_len,>1M"


def _file_name(request: Request) -> str | None:
    """The `filename` parameter, or None when it cannot be one of a module."""
    name = request.parameters.get("filename", "")
    stem, dot, extension = name.rpartition(".")
    usable = stem and dot and extension and len(name) <= MAX_FILE_NAME and "/" not in name
    return name if usable else None


def _put(request: Request) -> str:
    name = _file_name(request)
    if name is None:
        return "error=invalid_filename"
    complaint = _complaint(request.parameters)
    if complaint:
        return f"error={complaint}"
    try:
        source = base64.b64decode(request.parameters["content"], validate=True)
    except (binascii.Error, ValueError):
        return "error=invalid_base64_content"
    return _TOO_LARGE if len(source) > MAX_CONTENT else _register(request, name, source)


def _complaint(parameters: Mapping[str, str]) -> str:
    """What is wrong with a module before it is decoded; empty when nothing is.

    The length is that of the text, and a text in base64 comes in fours.
    """
    content = parameters.get("content")
    if content == "":
        return "invalid_base64_content"
    length = decimal(parameters.get("content-len", ""))
    if content is None or length == 0:
        return "invalid_content"
    if length != len(content) or length % 4:
        return "invalid_content_len"
    return "" if parameters.get("udf-type", "LUA") == "LUA" else "invalid_udf_type"


def _register(request: Request, name: str, source: bytes) -> str:
    try:
        request.node.udf.put(name, source)
    except AsModuleError as error:
        message = base64.b64encode(to_bytes(error.message)).decode()
        return f"error=compile_error;file={name};line={error.line};message={message}"
    except ValueError:  # the system metadata does not keep so much
        return _TOO_LARGE
    return "ok"


def _get(request: Request) -> str:
    name = _file_name(request)
    if name is None:
        return "error=invalid_filename"
    source = request.node.udf.get(name)
    if source is None:
        return "error=not_found"
    return f"type=LUA;content={base64.b64encode(source).decode()};"


def _list(request: Request) -> str:
    rows = request.node.udf
    return "".join(f"filename={row.file_name},hash={row.hash},type=LUA;" for row in rows)


def _remove(request: Request) -> str:
    """Removing what is not there succeeds, also where the name could be none of a module."""
    name = request.parameters.get("filename", "")
    if not name or len(name) > MAX_FILE_NAME:
        return "error=invalid_filename"
    request.node.udf.remove(name)
    return "ok"


def _clear_cache(request: Request) -> str:
    request.node.udf.clear_cache()
    return "ok"


COMMANDS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        "udf-put": _put,
        "udf-get": _get,
        "udf-list": _list,
        "udf-remove": _remove,
        "udf-clear-cache": _clear_cache,
    }
)
