"""Query jobs. This server runs none: there is nothing to show or to end."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.info.request import Handler, Request, constant, decimal


def _job_id(request: Request) -> int:
    job_id = decimal(request.required("id", "trid"))
    if job_id is None:
        raise OperationError(ResultCode.PARAMETER, "bad id")
    return job_id


def _show(request: Request) -> str:
    if not request.parameters:
        return ""
    _job_id(request)
    raise OperationError(ResultCode.NOT_FOUND, "job not found")


def _abort(request: Request) -> str:
    _job_id(request)
    raise OperationError(ResultCode.NOT_FOUND, "id not active")


COMMANDS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        "query-show": _show,
        "query-abort": _abort,
        "query-abort-all": constant("number-of-queries-killed:0"),
    }
)
