"""What has been shipped to one destination from one namespace, as `get-stats` shows it."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define, fields

from citrusleaf.cf_clock import NS_PER_S


@define
class ShippingStatistics:
    """Counts since the destination was made."""

    bytes_shipped: int = 0
    success: int = 0
    abandoned: int = 0
    not_found: int = 0
    filtered_out: int = 0
    retry_no_node: int = 0
    retry_conn_reset: int = 0
    retry_dest: int = 0
    recoveries: int = 0
    hot_keys: int = 0
    uncompressed: int = 0
    """Requests sent as they were while compression was on."""
    compressed: int = 0
    original_bytes: int = 0
    """Of what was compressed."""
    compressed_bytes: int = 0
    latency_ms: float = 0.0
    """From a request to its answer, a moving average."""
    throughput: int = 0
    """Records a second, lately."""
    _counted: int = 0
    _counted_ns: int = 0

    def measure(self, now_ns: int) -> None:
        """Work the throughput out anew, about once a second."""
        passed_ns = now_ns - self._counted_ns
        if passed_ns >= NS_PER_S:
            self.throughput = (self.success - self._counted) * NS_PER_S // passed_ns
            self._counted, self._counted_ns = self.success, now_ns

    def add_latency(self, latency_ms: float) -> None:
        """A reply has come after so long."""
        self.latency_ms += (latency_ms - self.latency_ms) / 16

    @property
    def uncompressed_pct(self) -> float:
        """Requests that were too small to be compressed, in percent."""
        total = self.uncompressed + self.compressed
        return 100 * self.uncompressed / total if total else 0.0

    @property
    def compression_ratio(self) -> float:
        """Compressed bytes for each original one."""
        return self.compressed_bytes / self.original_bytes if self.original_bytes else 1.0


def total(parts: Iterable[ShippingStatistics]) -> ShippingStatistics:
    """All together; the latency is the average of those that have one."""
    result = ShippingStatistics()
    latencies = []
    for part in parts:
        for attribute in fields(ShippingStatistics):
            value = getattr(part, attribute.name)
            if isinstance(value, int) and not attribute.name.startswith("_"):
                setattr(result, attribute.name, getattr(result, attribute.name) + value)
        if part.latency_ms:
            latencies.append(part.latency_ms)
    if latencies:
        result.latency_ms = sum(latencies) / len(latencies)
    return result
