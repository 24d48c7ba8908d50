"""What is known of one query while it runs and for a while after: the row of `query-show`."""

from __future__ import annotations

from enum import Enum

from attrs import Factory, define, evolve, field

from asd.query.request import QueryRequest
from asd.security.rights import QueryLoad


class Status(Enum):
    """How a query stands; the values are what `query-show` says."""

    ACTIVE = "active(ok)"
    OK = "done(ok)"
    ABORTED = "done(user-aborted)"
    RESPONSE_ERROR = "done(abandoned-response-error)"
    RESPONSE_TIMEOUT = "done(abandoned-response-timeout)"
    UNKNOWN = "done(abandoned-unknown)"


class JobType(Enum):
    """What a query does with its records; the values are what `query-show` says."""

    BASIC = "basic"
    AGGREGATION = "aggregation"
    BACKGROUND_UDF = "background-udf"
    BACKGROUND_OPS = "background-ops"


@define
class QueryJob:
    """One query's figures. Times are milliseconds on the node's monotonic clock."""

    request: QueryRequest
    namespace: str
    job_type: JobType
    peer: str
    """Host and port of the client."""
    started_ms: int
    index_name: str = ""
    """The secondary index used; empty for a query of the primary index."""
    rows: tuple[tuple[str, str], ...] = ()
    """What only queries of some types show, as (name, value)."""
    status: Status = Status.ACTIVE
    finished_ms: int | None = None
    partitions_done: int = 0
    throttled: int = 0
    filtered_meta: int = 0
    filtered_bins: int = 0
    succeeded: int = 0
    failed: int = 0
    net_io_bytes: int = 0
    net_io_ms: int = 0
    """Time spent waiting for the client to take what it is sent."""
    abort_wanted: bool = False
    load: QueryLoad = field(factory=QueryLoad)
    """Is told of its beginning and its end."""
    access: int = 0
    """What of masked bins its client may not see or change (`asd.transactions.masked`)."""
    partitions_wanted: int = field(
        default=Factory(lambda job: len(job.request.partitions), takes_self=True)
    )
    trid: int = field(default=Factory(lambda job: job.request.trid, takes_self=True))
    """The id that the client chose, or else the node; 0 until it has."""

    @property
    def progress_pct(self) -> float:
        """Share of the partitions asked for that are done."""
        wanted = self.partitions_wanted
        if self.status is Status.OK or not wanted:
            return 100.0
        return 100.0 * self.partitions_done / wanted

    def finish(self, status: Status, now_ms: int) -> None:
        """It has ended: keep what is shown of it, and nothing that takes memory."""
        self.status = status
        self.finished_ms = now_ms
        self.request = evolve(self.request, ops=(), expression=None, partitions={})

    def show(self, now_ms: int) -> str:
        """The row of `query-show`."""
        request = self.request
        ended = now_ms if self.finished_ms is None else self.finished_ms
        host, _, port = self.peer.rpartition(":")
        rows: list[tuple[str, object]] = [("trid", self.trid), ("ns", self.namespace)]
        if request.set_name:
            rows.append(("set", request.set_name.decode("utf-8", "surrogateescape")))
        if self.index_name:
            rows.append(("sindex-name", self.index_name))
        if self.job_type is JobType.BASIC:
            rows.append(("n-pids-requested", self.partitions_wanted - request.resumed))
            rows.append(("n-keyds-requested", request.resumed))
        rows += [
            ("rps", request.records_per_second),
            ("active-threads", int(self.finished_ms is None)),
            ("status", self.status.value),
            ("job-progress", f"{self.progress_pct:.2f}"),
            ("run-time", ended - self.started_ms),
            ("time-since-done", now_ms - ended),
            ("recs-throttled", self.throttled),
            ("recs-filtered-meta", self.filtered_meta),
            ("recs-filtered-bins", self.filtered_bins),
            ("recs-succeeded", self.succeeded),
            ("recs-failed", self.failed),
            ("from", f"{host}+{port}"),
            ("job-type", self.job_type.value),
            ("net-io-bytes", self.net_io_bytes),
            ("net-io-time", self.net_io_ms),
            ("socket-timeout", request.socket_timeout_ms),
            *self.rows,
        ]
        return ":".join(f"{name}={value}" for name, value in rows)
