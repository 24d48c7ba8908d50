"""Query jobs: which run and which ran, and how to end them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.info.request import Handler, Request, decimal


def _job_id(request: Request) -> int:
    job_id = decimal(request.required("id", "trid"))
    if job_id is None:
        raise OperationError(ResultCode.PARAMETER, "bad id")
    return job_id


def _show(request: Request) -> str:
    queries = request.node.queries
    if not request.parameters:
        return ";".join(queries.show())
    rows = queries.show(_job_id(request))
    if not rows:
        raise OperationError(ResultCode.NOT_FOUND, "job not found")
    return rows[0]


def _abort(request: Request) -> str:
    if not request.node.queries.abort(_job_id(request)):
        raise OperationError(ResultCode.NOT_FOUND, "id not active")
    return "ok"


def _abort_all(request: Request) -> str:
    return f"number-of-queries-killed:{request.node.queries.abort_all()}"


COMMANDS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        "query-show": _show,
        "query-abort": _abort,
        "query-abort-all": _abort_all,
    }
)
