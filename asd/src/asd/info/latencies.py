"""Latencies and histograms."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.info.request import MAX_SET, Handler, Request, to_bytes
from asd.measures.histogram import Histogram
from asd.space.survey import KINDS

#: Shown without being asked for, of each namespace and in this order.
_USUAL: Final = (
    "read",
    "write",
    "udf",
    "batch-sub-read",
    "batch-sub-write",
    "batch-sub-udf",
    "pi-query",
    "si-query",
)
#: Shown when asked for by name.
_NAMED: Final = frozenset(
    {
        *_USUAL,
        "read-touch",
        "re-repl",
        "proxy",
        "benchmarks-read",
        "benchmarks-write",
        "benchmarks-udf",
        "benchmarks-batch-sub",
        "benchmarks-udf-sub",
        "benchmarks-ops-sub",
    }
)
_OF_NODE: Final = frozenset({"info", "batch-index", "benchmarks-fabric"})
_OF_NAMESPACE: Final = re.compile(r"\{([^}]*)\}-(.*)")


def _latencies(request: Request) -> str:
    name = request.optional("hist")
    if name is None:
        return ";".join(_all_rows(request))
    if name in _OF_NODE:
        return _row(name, _gathered(request).get(name))
    match = _OF_NAMESPACE.fullmatch(name)
    namespace = request.node.namespaces.get(to_bytes(match[1])) if match else None
    if match is None or namespace is None or match[2] not in _NAMED:
        raise OperationError(ResultCode.PARAMETER, "bad hist name")
    return _row(name, _gathered(request).get(name))


def _all_rows(request: Request) -> Iterator[str]:
    gathered = _gathered(request)
    yield _row("batch-index", gathered.get("batch-index"))
    for namespace in request.node.namespaces.values():
        for kind in _USUAL:
            name = f"{{{namespace.name}}}-{kind}"
            yield _row(name, gathered.get(name))


def _gathered(request: Request) -> dict[str, Histogram]:
    return {histogram.name: histogram for histogram in request.node.histograms()}


def _row(name: str, histogram: Histogram | None) -> str:
    """Unit, rate and the share slower than each bound; `name:` while there is no slice, and of
    what has never been counted."""
    if histogram is None or histogram.slice is None or not any(histogram.counts):
        return f"{name}:"
    rate, shares = histogram.slice
    columns = ",".join(f"{share:.2f}" for share in shares)
    return f"{name}:{histogram.unit},{rate:.1f},{columns}"


def _histogram(request: Request) -> str:
    """Empty until the first survey of the records (`nsup-hist-period`) is over."""
    namespace = request.namespace()
    kind = request.required("type")
    if kind not in KINDS:
        raise OperationError(ResultCode.PARAMETER, "unknown hist name")
    set_name = request.optional("set", max_bytes=MAX_SET)
    set_id = namespace.find_set(to_bytes(set_name)) if set_name is not None else None
    if set_name is not None and set_id is None:
        raise OperationError(ResultCode.PARAMETER, "unknown set name")
    survey = request.node.surveys[to_bytes(namespace.name)].latest
    return "" if survey is None else str(survey.histogram(kind, set_id))


COMMANDS: Final[Mapping[str, Handler]] = MappingProxyType(
    {"latencies": _latencies, "histogram": _histogram}
)
