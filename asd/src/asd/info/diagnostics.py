"""A look inside: health, devices, system metadata, single records, the allocator."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.info.request import Handler, Request, constant
from asd.info.source import InfoNode

#: Kinds of metadata that clusters agree on. A node on its own keeps none of them.
_MODULES: Final = ("evict", "masking", "roster", "security", "sindex", "truncate", "UDF", "xdr")


#: The least `vm.min_free_kbytes` with which the kernel has memory at hand for a burst of traffic.
_MIN_FREE_KBYTES: Final = 1_126_400
#: The least `vm.max_map_count` with which a process can map large files in many pieces.
_MAX_MAP_COUNT: Final = 262_144
#: Where the kernel makes large pages unasked, memory is used up by what is hardly touched.
_THP_UNASKED: Final = "always"


def failed_practices(node: InfoNode) -> list[str]:
    """Settings of the operating system that make a database slow, under the names tools know.

    What the machine does not tell is taken as right.
    """
    said = node.machine.kernel_settings
    failed = {
        "max-map-count": int(said.get("max_map_count", _MAX_MAP_COUNT)) < _MAX_MAP_COUNT,
        "min-free-kbytes": int(said.get("min_free_kbytes", _MIN_FREE_KBYTES)) < _MIN_FREE_KBYTES,
        "swappiness": said.get("swappiness", "0") != "0",
        "thp-defrag": said.get("thp_defrag") == _THP_UNASKED,
        "thp-enabled": said.get("thp_enabled") == _THP_UNASKED,
        "zone-reclaim-mode": said.get("zone_reclaim_mode", "0") != "0",
    }
    return [name for name, has_failed in failed.items() if has_failed]


def _best_practices(request: Request) -> str:
    return f"failed_best_practices={','.join(failed_practices(request.node)) or 'none'}"


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
        "best-practices": _best_practices,
        # Outliers are peers and devices; a node on its own, with its records in memory, has none.
        "health-outliers": constant(""),
        "health-stats": constant(""),
        "physical-devices": _physical_devices,
        "smd-info": _smd_info,
        "smd-show": _smd_show,
        "debug-record": _debug_record,
        "debug-record-meta": _debug_record,
        "jem-stats": constant("ok"),
    }
)
