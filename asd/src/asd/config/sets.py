"""The contexts within a namespace that change what holds for some of its records: `set` and
`geo2dsphere-within`."""

from __future__ import annotations

from typing import Final

from attrs import define, setters

from asd.config.kinds import U64_MAX
from asd.config.parameters import Section, flag, integer, seconds, size

MAX_SET_NAME: Final = 63
TEN_YEARS: Final = 3600 * 24 * 365 * 10
_FIXED_COVERING: Final = (
    "regions are covered as the defaults say, and points always checked exactly"
)


@define(on_setattr=setters.frozen)
class GeoConfig(Section):
    """`geo2dsphere-within { }`: how regions are covered by cells."""

    strict: bool = flag(
        True, help="Check points exactly, not only by their cells.", why_not=_FIXED_COVERING
    )
    min_level: int = integer(
        1, 0, 30, dynamic=True, help="Largest cells of a covering.", why_not=_FIXED_COVERING
    )
    max_level: int = integer(
        20, 0, 30, dynamic=True, help="Smallest cells of a covering.", why_not=_FIXED_COVERING
    )
    max_cells: int = integer(
        12, 1, 256, dynamic=True, help="Most cells of a covering.", why_not=_FIXED_COVERING
    )
    level_mod: int = integer(1, 1, 3, help="Step between the levels used.", why_not=_FIXED_COVERING)
    earth_radius_meters: int = integer(
        6371000, help="Radius for distances.", why_not=_FIXED_COVERING
    )

    def conflict(self) -> str:
        """The levels must be in order."""
        if self.min_level > self.max_level:
            return f"min-level {self.min_level} is above max-level {self.max_level}"
        return ""


@define(on_setattr=setters.frozen)
class SetConfig(Section):
    """`set NAME { }`: what a set does differently from its namespace."""

    name: bytes
    default_read_touch_ttl_pct: int = integer(
        0,
        -1,
        100,
        dynamic=True,
        works=True,
        help="As in the namespace; 0 = the namespace's, -1 = never.",
    )
    default_ttl: int = seconds(
        0,
        0,
        TEN_YEARS,
        dynamic=True,
        works=True,
        help="Life of records written with ttl 0; 0 = the namespace's.",
    )
    disable_eviction: bool = flag(works=True, dynamic=True, help="Never evict records of the set.")
    enable_index: bool = flag(
        works=True, dynamic=True, help="Keep a list of the set's records for fast scans."
    )
    stop_writes_count: int = integer(
        0,
        0,
        U64_MAX,
        works=True,
        dynamic=True,
        help="Records from which writes are refused; 0 = no limit.",
    )
    stop_writes_size: int = size(
        0,
        0,
        U64_MAX,
        works=True,
        dynamic=True,
        help="Bytes from which writes are refused; 0 = no limit.",
    )


def check_name(name: str, longest: int) -> None:
    """Raise ValueError unless `name` can name a namespace or a set."""
    if not 0 < len(name.encode("utf-8", "surrogateescape")) <= longest:
        raise ValueError(f"the name '{name}' must have 1 to {longest} bytes")
    if name == "null" or any(character in ":;/\n\t\0 " for character in name):
        raise ValueError(f"'{name}' is no name: no blanks, ':', ';' or '/', and not 'null'")
