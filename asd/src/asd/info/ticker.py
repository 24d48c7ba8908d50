"""The ticker: every `ticker-interval` seconds it says in the log how the node is."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from asd.measures.histogram import COLUMNS, Histogram

if TYPE_CHECKING:
    from asd.info.source import InfoNode
    from asd.space.namespace import Namespace

log = logging.getLogger("asd.info")

USUAL_INTERVAL_S: Final = 10
"""Length of the latency slices where `ticker-interval` is 0 and nothing is said."""

STEP_S: Final = 2.0
"""By which the wall clock may part from the monotonic one in a second before that is said."""

_NS_PER_S: Final = 1_000_000_000


class Ticker:
    """The ticker of one node. It also ends the slices that `latencies:` shows."""

    def __init__(self, node: InfoNode) -> None:
        self._node = node
        self._last_ns = node.clock.monotonic_ns()
        self._wall_offset_ns = node.clock.wall_ns() - self._last_ns
        self._before_epoch = False

    async def run(self) -> None:
        """Look every second whether it is time. Ends by cancellation."""
        self._end_slices()
        while True:
            await asyncio.sleep(1)
            self.watch_clock()
            interval_s = self._node.config.service.ticker_interval
            passed_ns = self._node.clock.monotonic_ns() - self._last_ns
            if passed_ns >= (interval_s or USUAL_INTERVAL_S) * _NS_PER_S:
                self._end_slices()
                if interval_s:
                    self.say()

    def watch_clock(self) -> None:
        """Say once that the wall clock has jumped, that it is of no use, and that it is again."""
        clock = self._node.clock
        offset_ns = clock.wall_ns() - clock.monotonic_ns()
        step_s = (offset_ns - self._wall_offset_ns) / _NS_PER_S
        self._wall_offset_ns = offset_ns
        if abs(step_s) > STEP_S:
            log.warning("the wall clock was set by %+.1f s", step_s)
        before_epoch = clock.epoch_s() == 0
        if before_epoch != self._before_epoch:
            self._before_epoch = before_epoch
            if before_epoch:
                log.warning("the wall clock is before 2010: times of records stand still at 0")
            else:
                log.warning("the wall clock is past 2010 again")

    def _end_slices(self) -> None:
        self._last_ns = self._node.clock.monotonic_ns()
        for histogram in self._node.histograms():
            histogram.tick(self._last_ns)

    def say(self) -> None:
        """Log the lines of one round, if anyone wants them."""
        if log.isEnabledFor(logging.INFO):
            for line in _lines(self._node):
                log.info("%s", line)


def _lines(node: InfoNode) -> Iterator[str]:
    yield _machine(node)
    counters = node.statistics
    yield (
        f"clients: {len(node.connections)} connected"
        f" ({counters.client_connections_opened} opened,"
        f" {counters.client_connections_closed} closed, {counters.reaped_fds} idle ones reaped);"
        f" {node.queries.long_active} long queries running;"
        f" {counters.info_complete} info requests, {counters.demarshal_error} malformed messages"
    )
    for namespace in node.namespaces.values():
        yield _records(namespace)
        yield _work(namespace)
    for dc in node.config.xdr.dcs.values():
        for name in dc.attached():
            yield _shipping(dc.name, name, dict(node.shipping.figures(dc.name, name)))
    for histogram in node.histograms():
        if histogram.slice is not None and histogram.slice[0]:
            yield f"{histogram.name}: {_latency(histogram)}"


def _machine(node: InfoNode) -> str:
    now = node.machine.read()
    return (
        f"system: cpu {now.cpu_user_pct:.0f}% user {now.cpu_kernel_pct:.0f}% kernel,"
        f" memory free {size_text(now.memory_free)} ({now.memory_free_pct}%);"
        f" process: cpu {now.process_cpu_pct:.0f}%, memory {size_text(now.process_memory)},"
        f" {now.process_threads} threads"
    )


def _records(namespace: Namespace) -> str:
    figures = namespace.engine.statistics()
    limit = size_text(figures["data_total_bytes"])
    share = f" of {limit} ({figures['data_used_pct']}%)" if has_limit(namespace) else ""
    counters = namespace.statistics
    return (
        f"{{{namespace.name}}} {figures['objects']} records, {figures['tombstones']} tombstones;"
        f" index {size_text(figures['index_used_bytes'])},"
        f" data {size_text(figures['data_used_bytes'])}{share};"
        f" {counters.expired_objects} expired, {counters.evicted_objects} evicted"
    )


def has_limit(namespace: Namespace) -> bool:
    """Is the room for records bounded? Memory is not, unless the configuration says so."""
    storage = namespace.config.storage_engine
    return storage.engine != "memory" or bool(storage.data_size)


def _work(namespace: Namespace) -> str:
    client, batch = namespace.statistics.client, namespace.statistics.batch_sub
    return (
        f"{{{namespace.name}}} since start: reads {client.read_success} found"
        f" {client.read_not_found} not found {client.read_error} failed;"
        f" writes {client.write_success} done {client.write_error} failed;"
        f" deletes {client.delete_success} done {client.delete_error} failed;"
        f" udf calls {client.udf_complete} done {client.udf_error} failed;"
        f" batch rows {batch.read_success} read {batch.write_success} written"
    )


def _shipping(dc: str, namespace: str, figures: Mapping[str, Any]) -> str:
    return (
        f"{{{namespace}}} to dc {dc}: {figures['lag']} s behind, {figures['throughput']}/s,"
        f" {figures['in_queue']} waiting, {figures['in_progress']} under way,"
        f" {figures['recoveries_pending']} partitions to scan; {figures['success']} shipped,"
        f" {figures['abandoned']} abandoned"
    )


def _latency(histogram: Histogram) -> str:
    """The rate of the last slice, and how soon most were answered."""
    assert histogram.slice is not None
    rate, slower = histogram.slice
    unit = "ms" if histogram.unit == "msec" else "µs"
    return (
        f"{rate:.0f}/s, {100 - slower[0]:.2f}% within 1 {unit},"
        f" 99% within {_bound(slower, 1)} {unit}, 99.9% within {_bound(slower, 0.1)} {unit}"
    )


def _bound(slower: Sequence[float], allowed_pct: float) -> str:
    """The least power of two that at most `allowed_pct` percent were slower than."""
    for power in range(COLUMNS):
        if slower[power] <= allowed_pct:
            return str(1 << power)
    return f"more than {1 << COLUMNS - 1}"


def size_text(size: int) -> str:
    """Bytes for people: `640 B`, `61.0 MiB`."""
    power = min(max(size.bit_length() - 1, 0) // 10, 4)
    unit = ("B", "KiB", "MiB", "GiB", "TiB")[power]
    return f"{size / (1 << 10 * power):.{1 if power else 0}f} {unit}"
