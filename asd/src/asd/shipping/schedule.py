"""The schedule: which records of a namespace go to one destination next, and how far it has come.

It puts the logger, the failure handler and recovery together and is as pure as they are: no loop,
no sockets, the time is handed in. Whoever ships (`asd.shipping.shipper`) asks for records
(`take`), ships them, and says how each ended (`ended`).

A record is taken from, in this order: what failed before, what recovery found, the queue. It is
*under way* from then until `ended`; while it is, and for `hot-key-ms` after, it is not taken again.
So shipments of one record never overtake each other, and a record that is written all the time
costs one shipment in so many milliseconds.

The *last ship time* of a partition: every change up to it is shipped. It is

    one before the oldest change that waits, failed or is under way, where there is any;
    where there is none, the present time;
    while the partition waits for or is in recovery, what it was before that.

It may go back by what one turn of the loop turns round; recovery's margin is for that too.

What must hold: a partition is logged, or in recovery, or not this node's; a digest is under way
once at most; the last ship time never passes a change that is not shipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, TypeAlias

from asd.shipping.failure_handler import MANY, FailureHandler
from asd.shipping.logger import RECORDS_A_LAP, Logger
from asd.shipping.recovery import MARGIN_MS, Recovery, Scan
from cluster import PARTITIONS

Ready: TypeAlias = Callable[[int], bool]
"""Can something be sent for this partition, now?"""


# A NamedTuple's own constructor is Python code; the tuple's is not, and costs half.
_new: Final = tuple.__new__


class Shipment(NamedTuple):
    """A record under way."""

    partition: int
    time_ms: int
    """When it changed: the oldest change that is not shipped."""
    since_ms: int
    """Since then single bins of it may have changed that are not shipped."""


class Schedule:
    """The changes of one namespace on their way to one destination. Times are ms since 2010."""

    def __init__(self, limit: int, now_ms: int) -> None:
        """`limit`: as `transaction-queue-limit`. No partition is this node's yet."""
        self.logger = Logger(limit)
        self.failures = FailureHandler()
        self.recovery = Recovery()
        self.under_way: dict[bytes, Shipment] = {}
        self.hot_keys = 0
        """Times that a record had to wait because it was shipped just before."""
        self.last_ms = [now_ms] * PARTITIONS
        """Last ship times as they were last worked out (`last_ship_times`), or heard of."""
        self._owned: set[int] = set()
        self._busy: dict[int, int] = {}
        """Records under way of each partition that has some."""
        self._hot: dict[bytes, int] = {}

    # ----------------------------------------------------------------- partitions

    @property
    def owned(self) -> frozenset[int]:
        """The partitions that are shipped from here."""
        return frozenset(self._owned)

    def own(self, partitions: Iterable[int], *, from_now: bool = False) -> None:
        """These partitions, and no others, are shipped from here. What is new is recovered from
        its last ship time; or shipped from now on."""
        owned = set(partitions)
        for partition in self._owned - owned:
            self.logger.unlog(partition)
            self.failures.forget(partition)
            self.recovery.forget(partition)
        for partition in owned - self._owned:
            if from_now:
                self.logger.log(partition)
            else:
                self.recovery.want(partition, self.last_ms[partition])
        self._owned = owned

    def heard(self, partition: int, time_ms: int) -> None:
        """Another node, which ships the partition, has come so far."""
        if partition not in self._owned:
            self.last_ms[partition] = time_ms

    def rewind(self, time_ms: int) -> None:
        """Ship everything that changed since then, once more."""
        for partition in range(PARTITIONS):
            self.last_ms[partition] = min(self.last_ms[partition], time_ms)
        for partition in self._owned:
            self._recover(partition)

    def give_up_logging(self, ready: Ready) -> None:
        """The destination has been away for long: keep nothing for partitions that have no node
        there but their last ship time."""
        self.last_ship_times(0, advance=False)
        for partition in [p for p in self.logger.waiting if not ready(p)]:
            self._recover(partition)
        for partition in [p for p in self.failures.partitions if not ready(p)]:
            self._recover(partition)

    def _recover(self, partition: int) -> None:
        self.logger.unlog(partition)
        self.failures.forget(partition)
        self.recovery.want(partition, self.last_ms[partition])

    def _take_overflown(self) -> None:
        overflown, self.logger.overflown = self.logger.overflown, []
        for partition in overflown:
            if partition in self._owned and not self.logger.is_logged(partition):
                self._recover(partition)

    # --------------------------------------------------------------------- taking

    def take(
        self,
        now_ms: int,
        room: int,
        ready: Ready,
        scan: Scan,
        *,
        delay_ms: int = 0,
        hot_key_ms: int = 0,
        most_recoveries: int = 0,
    ) -> list[tuple[bytes, int]]:
        """Up to `room` records to be shipped now, digest and partition; they are under way."""
        self._take_overflown()
        self._cool(now_ms - hot_key_ms)
        self.recovery.finish(self._busy)
        self.recovery.begin(most_recoveries, ready, self._scanning(scan))
        taken: list[tuple[bytes, int]] = []
        for partition in [*self.failures.partitions, *self.recovery.unshipped]:
            if len(taken) >= room:
                return taken
            if ready(partition):
                most = min(RECORDS_A_LAP, room - len(taken))
                self._take_late(partition, most, now_ms, taken)
        for partition in list(self.logger.waiting):
            if len(taken) >= room:
                break
            if self.failures.count(partition) >= MANY or not ready(partition):
                continue
            most = min(RECORDS_A_LAP, room - len(taken))
            entries = self.logger.take(partition, most, now_ms - delay_ms, self._may_go)
            self._send(partition, entries, taken)
            if partition in self.logger.waiting:  # the others are before it in the next lap
                del self.logger.waiting[partition]
                self.logger.waiting[partition] = None
        return taken

    def _scanning(self, scan: Scan) -> Scan:
        def logged_then_scanned(partition: int, since_ms: int) -> list[tuple[int, bytes]]:
            self.logger.log(partition)
            return scan(partition, since_ms)

        return logged_then_scanned

    def _take_late(
        self, partition: int, most: int, now_ms: int, taken: list[tuple[bytes, int]]
    ) -> None:
        failed = self.failures.take(partition, most, now_ms, self._may_go)
        self._send(partition, failed, taken)
        for digest, _ in failed:
            since_ms = self.failures.since_ms(digest)
            self.under_way[digest] = self.under_way[digest]._replace(since_ms=since_ms)
        if partition in self.recovery.running and self.failures.count(partition) < MANY:
            found = self.recovery.take(partition, most - len(failed), self._may_go)
            self._send(partition, found, taken, self.recovery.running[partition].since_ms)

    def _send(
        self,
        partition: int,
        entries: list[tuple[bytes, int]],
        taken: list[tuple[bytes, int]],
        since_ms: int | None = None,
    ) -> None:
        """Records go. `since_ms`: their bins may have changed since then, else since they did."""
        under_way = self.under_way
        for digest, time_ms in entries:
            since = time_ms if since_ms is None else since_ms - MARGIN_MS
            under_way[digest] = _new(Shipment, (partition, time_ms, since))
            taken.append((digest, partition))
        if entries:
            self._busy[partition] = self._busy.get(partition, 0) + len(entries)

    def _may_go(self, digest: bytes) -> bool:
        if digest in self.under_way:
            return False
        if digest in self._hot:
            self.hot_keys += 1
            return False
        return True

    def _cool(self, until_ms: int) -> None:
        """Records shipped before then may be shipped again."""
        cooled = []
        for digest, shipped_ms in self._hot.items():
            if shipped_ms > until_ms:
                break
            cooled.append(digest)
        for digest in cooled:
            del self._hot[digest]

    # --------------------------------------------------------------------- ending

    def complete(self, digest: bytes, now_ms: int) -> None:
        """A record is there, or there was nothing to be shipped."""
        shipment = self._over(digest)
        if shipment is None:
            return
        self._hot.pop(digest, None)  # so that they stay in the order of time
        self._hot[digest] = now_ms
        if shipment.partition in self._owned:
            self.failures.succeeded(digest, shipment.partition, now_ms)

    def retry(self, digest: bytes, now_ms: int, *, in_doubt: bool) -> None:
        """A record is to be shipped again."""
        shipment = self._over(digest)
        if shipment is None:
            return
        if shipment.partition in self._owned and self.logger.is_logged(shipment.partition):
            self.failures.failed(digest, *shipment, now_ms, in_doubt=in_doubt)
            if self.failures.count(shipment.partition) > self.logger.limit:
                self.last_ship_times(0, advance=False)
                self._recover(shipment.partition)
        else:  # recovery will find it, or another node
            self.failures.abandoned(digest)

    def abandon(self, digest: bytes) -> None:
        """A record can not be shipped."""
        self._over(digest)
        self.failures.abandoned(digest)

    def _over(self, digest: bytes) -> Shipment | None:
        shipment = self.under_way.pop(digest, None)
        if shipment is not None:
            left = self._busy[shipment.partition] - 1
            if left:
                self._busy[shipment.partition] = left
            else:
                del self._busy[shipment.partition]
        return shipment

    # ----------------------------------------------------------------- how far it is

    def last_ship_times(self, now_ms: int, *, advance: bool = True) -> list[int]:
        """By partition; those of other nodes' as they were heard of. Where nothing waits it is
        `now_ms`, if they are to advance. O(partitions + what is under way)."""
        self._take_overflown()
        oldest: dict[int, int] = {}
        for partition, time_ms, _ in self.under_way.values():
            before_ms = oldest.get(partition)
            if before_ms is None or time_ms < before_ms:
                oldest[partition] = time_ms
        self.recovery.finish(oldest)
        busy = {*oldest, *self.logger.waiting, *self.failures.partitions}
        standing = self.recovery.pending.keys() | self.recovery.running.keys()
        last_ms = self.last_ms
        owned = self._owned
        for partition in (busy - standing) & owned:
            times = [
                oldest.get(partition),
                self.logger.oldest_ms(partition),
                self.failures.oldest_ms(partition),
            ]
            last_ms[partition] = min([time_ms for time_ms in times if time_ms is not None]) - 1
        if advance:
            resting = owned - busy - standing
            if len(resting) == PARTITIONS:
                last_ms[:] = [now_ms] * PARTITIONS
            else:
                for partition in resting:
                    last_ms[partition] = now_ms
        return last_ms

    def lag_ms(self, now_ms: int) -> int:
        """How long the change that waits longest has waited; 0 when none does."""
        if not self._owned:
            return 0
        times = self.last_ship_times(now_ms)
        return max(0, now_ms - min(map(times.__getitem__, self._owned)))

    @property
    def backlog(self) -> int:
        """Records that wait, as far as they are known."""
        return len(self.logger) + len(self.failures) + self.recovery.found

    def _check(self) -> None:
        """Assert every invariant."""
        assert sum(self._busy.values()) == len(self.under_way)
        self.logger._check()
        self.failures._check()
        self.recovery._check()
        logged = {p for p in range(PARTITIONS) if self.logger.is_logged(p)}
        recovering = self.recovery.pending.keys() | self.recovery.running.keys()
        assert logged | recovering | set(self.logger.overflown) >= self._owned
        assert logged <= self._owned
