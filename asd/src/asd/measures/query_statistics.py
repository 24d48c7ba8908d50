"""How the queries of a namespace ended."""

from __future__ import annotations

from attrs import define


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
