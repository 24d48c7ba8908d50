"""Counters of a namespace and of the service, under the names that info reports."""

from __future__ import annotations

from attrs import asdict, define, field

from asd.measures.query_statistics import QueryStatistics


@define
class OriginStatistics:
    """What became of the transactions of one origin: clients, their batches, background jobs."""

    tsvc_error: int = 0
    tsvc_timeout: int = 0
    read_success: int = 0
    read_error: int = 0
    read_timeout: int = 0
    read_not_found: int = 0
    read_filtered_out: int = 0
    write_success: int = 0
    write_error: int = 0
    write_timeout: int = 0
    write_filtered_out: int = 0
    delete_success: int = 0
    delete_error: int = 0
    delete_timeout: int = 0
    delete_not_found: int = 0
    delete_filtered_out: int = 0
    udf_complete: int = 0
    udf_error: int = 0
    udf_timeout: int = 0
    udf_filtered_out: int = 0
    lang_read_success: int = 0
    lang_write_success: int = 0
    lang_delete_success: int = 0
    lang_error: int = 0


@define
class ProxyStatistics:
    """What became of transactions that another node was asked to do."""

    complete: int = 0
    error: int = 0
    """Not done: no node served the record."""
    timeout: int = 0
    """It is not known whether they were done."""


@define
class NamespaceStatistics:
    """What happened in a namespace. Every number is a count since start, but for the `nsup_` pair.

    A name that `namespace/<ns>` reports and that is neither here nor measured by the engine belongs
    to a part this server does not have, and is truly 0.
    """

    client: OriginStatistics = field(factory=OriginStatistics)
    batch_sub: OriginStatistics = field(factory=OriginStatistics)
    client_proxy: ProxyStatistics = field(factory=ProxyStatistics)
    batch_sub_proxy: ProxyStatistics = field(factory=ProxyStatistics)
    from_proxy: OriginStatistics = field(factory=OriginStatistics)
    from_proxy_batch_sub: OriginStatistics = field(factory=OriginStatistics)
    xdr_client: OriginStatistics = field(factory=OriginStatistics)
    """Those of `client` that were shipped here."""
    xdr_from_proxy: OriginStatistics = field(factory=OriginStatistics)
    udf_sub: OriginStatistics = field(factory=OriginStatistics)
    ops_sub: OriginStatistics = field(factory=OriginStatistics)
    pi_query: QueryStatistics = field(factory=QueryStatistics)
    si_query: QueryStatistics = field(factory=QueryStatistics)
    geo_region_query_reqs: int = 0
    geo_region_query_cells: int = 0
    geo_region_query_points: int = 0
    geo_region_query_falsepos: int = 0
    read_touch_success: int = 0
    read_touch_error: int = 0
    read_touch_skip: int = 0
    fail_generation: int = 0
    fail_xdr_forbidden: int = 0
    fail_client_lost_conflict: int = 0
    """Writes of clients that were earlier than what another data center had written."""
    fail_xdr_lost_conflict: int = 0
    """Shipments that had nothing newer than what was there."""
    fail_record_too_big: int = 0
    deleted_last_bin: int = 0
    ttl_reductions_ignored: int = 0
    ttl_reductions_applied: int = 0
    expired_objects: int = 0
    evicted_objects: int = 0
    nsup_cycle_duration: int = 0
    nsup_cycle_deleted_pct: float = 0.0

    def flat(self) -> dict[str, int | float]:
        """All counters by their info names (`client_read_success`, `batch_sub_read_error`, ...)."""
        counters: dict[str, int | float] = {}
        for name, value in asdict(self).items():
            if isinstance(value, dict):
                counters.update((f"{name}_{inner}", count) for inner, count in value.items())
            else:
                counters[name] = value
        return counters


@define
class ServiceStatistics:
    """What happened to the node's connections and messages, counted since start."""

    client_connections_opened: int = 0
    client_connections_closed: int = 0
    reaped_fds: int = 0
    info_complete: int = 0
    demarshal_error: int = 0
    early_tsvc_client_error: int = 0
    heavy_requests: int = 0
    batch_index_initiate: int = 0
    batch_index_complete: int = 0
    batch_index_error: int = 0
    batch_index_timeout: int = 0
