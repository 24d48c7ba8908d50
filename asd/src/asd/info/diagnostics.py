"""A look inside: devices, system metadata, single records, the allocator."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.info.request import Handler, Request, constant

#: Kinds of metadata that clusters agree on. A node on its own keeps none of them.
_MODULES: Final = ("evict", "masking", "roster", "security", "sindex", "truncate", "UDF", "xdr")


def _physical_devices(request: Request) -> str:
    request.required("path")
    raise OperationError(ResultCode.NOT_FOUND, "no device info")


def _smd_info(request: Request) -> str:
    return ";".join(f"{module}=0" for module in _MODULES)


def _smd_show(request: Request) -> str:
    if request.required("module") not in _MODULES:
        raise OperationError(ResultCode.PARAMETER, "unknown 'module'")
    return ""


def _debug_record(request: Request) -> str:
    request.namespace()
    raise OperationError(ResultCode.UNSUPPORTED_FEATURE, "records are not shown")


COMMANDS: Final[Mapping[str, Handler]] = MappingProxyType(
    {
        "physical-devices": _physical_devices,
        "smd-info": _smd_info,
        "smd-show": _smd_show,
        "debug-record": _debug_record,
        "debug-record-meta": _debug_record,
        "jem-stats": constant("ok"),
    }
)
