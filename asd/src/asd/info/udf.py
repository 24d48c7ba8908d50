"""Lua modules. This server runs none: uploads are refused, lists are empty.

Errors of this family have a form of their own, `error=<what>`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.info.request import Handler, Request, constant, decimal

MAX_FILE_NAME: Final = 127
MAX_CONTENT: Final = 1 << 20


def _file_name(request: Request) -> str | None:
    """The `filename` parameter, or None when it cannot be one of a module."""
    name = request.parameters.get("filename", "")
    stem, dot, extension = name.rpartition(".")
    usable = stem and dot and extension and len(name) <= MAX_FILE_NAME and "/" not in name
    return name if usable else None


def _put(request: Request) -> str:
    parameters = request.parameters
    content = parameters.get("content", "")
    if _file_name(request) is None:
        return "error=invalid_filename"
    if decimal(parameters.get("content-len", "")) != len(content):
        return "error=invalid_content_len"
    if parameters.get("udf-type", "LUA") != "LUA":
        return "error=invalid_udf_type"
    if not content:
        return "error=invalid_content"
    try:
        decoded = base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        return "error=invalid_base64_content"
    if len(decoded) > MAX_CONTENT:
        return "error=invalid_udf_content_len,>1M"
    raise OperationError(ResultCode.UNSUPPORTED_FEATURE, "no user-defined functions")


def _get(request: Request) -> str:
    return "error=invalid_filename" if _file_name(request) is None else "error=not_found"


def _remove(request: Request) -> str:
    """Removing what is not there succeeds."""
    return "error=invalid_filename" if _file_name(request) is None else "ok"


COMMANDS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        "udf-put": _put,
        "udf-get": _get,
        "udf-list": constant(""),
        "udf-remove": _remove,
        "udf-clear-cache": constant("ok"),
    }
)
