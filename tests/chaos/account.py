"""The account of a run: faults, operations, what failed, how long nothing succeeded, complaints."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

from chaos.check import Complaint
from chaos.history import Operation
from chaos.windows import FaultWindow, Windows

NAMES: Final = {
    -14: "backed off",
    -10: "connection failed",
    -8: "no node known",
    -1: "client error",
    9: "timeout",
    11: "partition unavailable",
    14: "key busy",
    18: "device overload",
}


class Account:
    """What has been counted so far."""

    def __init__(self) -> None:
        self.complaints: list[Complaint] = []
        self.laps = 0
        self.copies = 0
        self._operations: Counter[str] = Counter()
        self._failed: Counter[tuple[str, str, int, bool]] = Counter()
        self._faults: dict[str, list[tuple[float, float]]] = defaultdict(list)
        """Kinds to (longest gap, seconds until at rest), one a fault."""
        self.starved = self.alone_after_pause = self.apart = self.forgotten = 0

    def add_lap(self, operations: Sequence[Operation], faults: Iterable[FaultWindow]) -> None:
        """Count a lap's operations and faults."""
        self.laps += 1
        for operation in operations:
            client = operation.lane.partition("-")[0]
            self._operations[client] += 1
            if operation.failed:
                kind = client, operation.act, operation.code, operation.in_doubt
                self._failed[kind] += 1
        for fault in faults:
            gap = longest_gap(operations, fault.start, fault.end)
            self._faults[fault.kinds].append((gap, fault.end - fault.start))

    def set_windows(self, windows: Windows) -> None:
        """What the run so far has been through."""
        self.starved = len(windows.starved)
        self.alone_after_pause = len(windows.alone_after_pause)
        self.apart = len(windows.apart)
        self.forgotten = len(windows.forgotten)

    def lines(self) -> list[str]:
        """The account, for people."""
        return [
            f"laps {self.laps}, copies compared {self.copies}",
            "",
            f"{'fault':<52}{'times':>6}{'longest gap':>14}{'to rest, most':>16}",
            *[
                f"{kinds:<52}{len(rows):>6}{max(r[0] for r in rows):>12.1f} s"
                f"{max(r[1] for r in rows):>14.1f} s"
                for kinds, rows in sorted(self._faults.items())
            ],
            "",
            f"{'operations':<52}{sum(self._operations.values()):>6}",
            *[f"  {client:<50}{count:>6}" for client, count in sorted(self._operations.items())],
            f"{'failed':<52}{sum(self._failed.values()):>6}",
            *[
                f"  {client:<9} {act:<9} {code:>4} {NAMES.get(code, ''):<22}"
                f"{'in doubt' if doubt else '':<3}".ljust(52)
                + f"{count:>6}"
                for (client, act, code, doubt), count in sorted(self._failed.items())
            ],
            "",
            f"times nodes served apart (splits, nodes that start alone): {self.apart}",
            f"times a node served alone after a pause: {self.alone_after_pause}",
            f"times a node was starved and missed: {self.starved}",
            f"times a node in memory died before the cluster was at rest: {self.forgotten}",
            *self._verdict(),
        ]

    def _verdict(self) -> list[str]:
        if not self.complaints:
            return ["", "nothing lost, nothing wrong"]
        kinds = Counter(complaint.what for complaint in self.complaints)
        return ["", *[f"WRONG: {what}: {count} times" for what, count in kinds.items()]]


def longest_gap(operations: Iterable[Operation], start: float, end: float) -> float:
    """The longest time in a window in which one lane, of a client that knows the cluster, had no
    success; in seconds."""
    last: dict[str, float] = {}
    longest = 0.0
    for operation in sorted(operations, key=lambda each: each.end):
        if operation.end < start - 1 or operation.lane.startswith("raw") or operation.failed:
            continue
        if operation.lane.endswith("-q"):
            continue
        before = last.get(operation.lane, start)
        if before < end:
            longest = max(longest, min(operation.end, end) - max(before, start))
        last[operation.lane] = operation.end
    return longest
