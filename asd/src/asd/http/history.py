"""The last minutes of a node, a sample a second, for the curves of the page."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from attrs import astuple

from asd.measures.histogram import Histogram

if TYPE_CHECKING:
    from asd.info.source import InfoNode

RECENT: Final = 10
"""Samples that the recent counts of a latency histogram go back."""

LENGTH: Final = 300
"""Samples kept: five minutes."""

KINDS: Final = ("read", "write", "batch", "query")
"""What is counted: single-record reads and writes, rows of batches, whole queries."""


class History:
    """Rates and levels of the last `LENGTH` samples."""

    def __init__(self) -> None:
        self._samples: deque[dict[str, float]] = deque(maxlen=LENGTH)
        self._counts: deque[dict[str, list[int]]] = deque(maxlen=RECENT)
        self._last: dict[str, int] = {}
        self._last_ns = 0

    def sample(self, node: InfoNode) -> None:
        """Take one more. Costs some microseconds a namespace."""
        now_ns = node.clock.monotonic_ns()
        totals = work(node)
        seconds = (now_ns - self._last_ns) / 1e9
        if self._last and seconds > 0:
            rates = {kind: max(0, totals[kind] - self._last[kind]) / seconds for kind in KINDS}
            self._samples.append({"time": node.clock.epoch_ms() / 1000, **rates})
        self._last, self._last_ns = totals, now_ns
        self._counts.append({each.name: each.counts[:] for each in node.histograms()})

    def recent(self, histogram: Histogram) -> list[int]:
        """The counts of a histogram's buckets in the last `RECENT` samples."""
        before = self._counts[0].get(histogram.name) if self._counts else None
        if before is None:
            return histogram.counts[:]
        # less than before: it has been cleared since
        return [max(0, a - b) for a, b in zip(histogram.counts, before, strict=True)]

    @property
    def columns(self) -> dict[str, list[float]]:
        """Samples by name, oldest first: `time` (seconds since 2010) and, per second, `KINDS`."""
        return {
            name: [round(sample[name], 1) for sample in self._samples] for name in ("time", *KINDS)
        }


def work(node: InfoNode) -> dict[str, int]:
    """What clients have been answered since start, by `KINDS`."""
    totals = dict.fromkeys(KINDS, 0)
    for namespace in node.namespaces.values():
        client, batch = namespace.statistics.client, namespace.statistics.batch_sub
        totals["read"] += client.read_success + client.read_not_found + client.read_filtered_out
        totals["write"] += client.write_success + client.delete_success + client.udf_complete
        totals["batch"] += batch.read_success + batch.read_not_found + batch.write_success
        totals["batch"] += batch.delete_success + batch.udf_complete
        for counters in (namespace.statistics.pi_query, namespace.statistics.si_query):
            totals["query"] += sum(astuple(counters))
    return totals
