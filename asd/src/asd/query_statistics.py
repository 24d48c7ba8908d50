"""How the queries of a namespace ended, under the names that info reports."""

from __future__ import annotations

from attrs import asdict, define, field

from asd.statistics import OriginStatistics


@define
class QueryStatistics:
    """Queries of one index type, the primary or a secondary one, counted since start."""

    short_basic_complete: int = 0
    short_basic_error: int = 0
    short_basic_timeout: int = 0
    long_basic_complete: int = 0
    long_basic_error: int = 0
    long_basic_abort: int = 0
    aggr_complete: int = 0
    aggr_error: int = 0
    aggr_abort: int = 0
    udf_bg_complete: int = 0
    udf_bg_error: int = 0
    udf_bg_abort: int = 0
    ops_bg_complete: int = 0
    ops_bg_error: int = 0
    ops_bg_abort: int = 0

    def count(self, kind: str, outcome: str) -> None:
        """One more `kind` (`long_basic`, ...) ended with `outcome` (`complete`, ...)."""
        name = f"{kind}_{outcome}"
        setattr(self, name, getattr(self, name) + 1)


@define
class NamespaceQueries:
    """The counters of a namespace's queries."""

    pi_query: QueryStatistics = field(factory=QueryStatistics)
    si_query: QueryStatistics = field(factory=QueryStatistics)
    ops_sub: OriginStatistics = field(factory=OriginStatistics)
    """The records of background queries."""
    geo_region_query_reqs: int = 0
    geo_region_query_cells: int = 0
    geo_region_query_points: int = 0
    geo_region_query_falsepos: int = 0

    def flat(self) -> dict[str, int]:
        """All counters by their info names (`pi_query_long_basic_complete`, ...)."""
        counters: dict[str, int] = {}
        for name, value in asdict(self).items():
            if isinstance(value, dict):
                counters.update((f"{name}_{inner}", count) for inner, count in value.items())
            else:
                counters[name] = value
        return counters
