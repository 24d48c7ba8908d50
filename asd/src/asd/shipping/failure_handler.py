"""The failure handler: what becomes of a record that could not be shipped.

    complete   done, or there is nothing to be done
    retry      the destination, the connection or the time was at fault: the record is shipped again
    abandon    it can never succeed (too big, forbidden): it is counted, and shipped again only when
               it is written again

A record that failed waits `FIRST_MS`, then twice as long each time, up to `LONGEST_MS`. Only one
shipment of a record is ever under way (`asd.shipping.schedule`), and each reads the record anew; so
nothing older goes behind something newer.

But for one case: a connection broke, or nothing was heard in time. The request may be on its way
still, in the buffers of a node that hangs, and be carried out *after* the next one. Such a record
is *in doubt*; once it has been shipped, it is shipped once more after `SETTLE_MS`, so that the
newest version is the last that arrives.

What must hold: a record is in one place only, waiting here or under way; and a partition that this
node no longer serves has nothing here.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple

from aerospike_common.wire.codes import ResultCode

FIRST_MS: Final = 100
LONGEST_MS: Final = 5000
SETTLE_MS: Final = 2000
MANY: Final = 10
"""Records of a partition that wait here from which on nothing else of it is shipped,"""
FEW: Final = 5
"""and no more of these in one lap: the destination has too much to do."""

RETRIED: Final = frozenset(
    {
        ResultCode.OUT_OF_SPACE,
        ResultCode.TIMEOUT,
        ResultCode.PARTITION_UNAVAILABLE,
        ResultCode.KEY_BUSY,
        ResultCode.DEVICE_OVERLOAD,
        ResultCode.XDR_KEY_BUSY,
        ResultCode.NOT_AUTHENTICATED,
        ResultCode.SESSION_EXPIRED,
    }
)
"""Result codes after which a record may succeed later."""

COMPLETE: Final = frozenset({ResultCode.OK, ResultCode.NOT_FOUND, ResultCode.LOST_CONFLICT})
"""It is there, or it was to be deleted and is not there, or there is something newer."""


class Ending(Enum):
    """How a shipment ended."""

    COMPLETE = "complete"
    RETRY = "retry"
    ABANDON = "abandon"


def ending_of(code: int) -> Ending:
    """What a destination's result code means."""
    if code in COMPLETE:
        return Ending.COMPLETE
    return Ending.RETRY if code in RETRIED else Ending.ABANDON


class Waiting(NamedTuple):
    """A record that is to be shipped again."""

    time_ms: int
    """When it changed: the oldest change that is not shipped."""
    due_ms: int
    attempts: int
    in_doubt: bool
    """An older shipment may still arrive."""
    since_ms: int
    """Since then single bins of it may have changed that are not shipped."""


class FailureHandler:
    """The records of one namespace and destination that are to be shipped again."""

    def __init__(self) -> None:
        self._waiting: dict[int, dict[bytes, Waiting]] = {}
        """By partition, in the order in which they failed."""
        self._attempted: dict[bytes, Waiting] = {}
        """Records that are under way, and have failed before."""

    def __len__(self) -> int:
        """Records that wait."""
        return sum(map(len, self._waiting.values()))

    def count(self, partition: int) -> int:
        """Records of a partition that wait."""
        return len(self._waiting.get(partition, ()))

    @property
    def partitions(self) -> list[int]:
        """Partitions that have something waiting."""
        return list(self._waiting)

    def take(
        self, partition: int, most: int, now_ms: int, may_go: Callable[[bytes], bool]
    ) -> list[tuple[bytes, int]]:
        """Records of a partition whose time has come, and that may go: digest, time of change."""
        waiting = self._waiting.get(partition)
        if waiting is None:
            return []
        most = min(most, FEW) if len(waiting) >= MANY else most
        taken: list[tuple[bytes, int]] = []
        for digest, entry in waiting.items():
            if len(taken) >= most:
                break
            if entry.due_ms <= now_ms and may_go(digest):
                taken.append((digest, entry.time_ms))
        for digest, _ in taken:
            self._attempted[digest] = waiting.pop(digest)
        if not waiting:
            del self._waiting[partition]
        return taken

    def failed(
        self,
        digest: bytes,
        partition: int,
        time_ms: int,
        since_ms: int,
        now_ms: int,
        *,
        in_doubt: bool,
    ) -> None:
        """A shipment is to be tried again."""
        before = self._attempted.pop(digest, None)
        attempts = before.attempts + 1 if before is not None else 0
        doubt = in_doubt or (before is not None and before.in_doubt)
        pause_ms = min(FIRST_MS << min(attempts, 10), LONGEST_MS)
        entry = Waiting(time_ms, now_ms + pause_ms, attempts, doubt, since_ms)
        self._wait(digest, partition, entry)

    def since_ms(self, digest: bytes) -> int:
        """Since when bins may have changed of a record that is under way again."""
        return self._attempted[digest].since_ms

    def succeeded(self, digest: bytes, partition: int, now_ms: int) -> bool:
        """A shipment is over for good. True: it is shipped once more all the same, later."""
        before = self._attempted.pop(digest, None)
        if before is None or not before.in_doubt:
            return False
        again = Waiting(now_ms, now_ms + SETTLE_MS, 0, False, before.since_ms)
        self._wait(digest, partition, again)
        return True

    def abandoned(self, digest: bytes) -> None:
        """It will not be tried again."""
        self._attempted.pop(digest, None)

    def _wait(self, digest: bytes, partition: int, entry: Waiting) -> None:
        waiting = self._waiting.setdefault(partition, {})
        older = waiting.get(digest)  # it went once more meanwhile, by the queue
        if older is not None:
            entry = entry._replace(
                time_ms=min(older.time_ms, entry.time_ms),
                in_doubt=older.in_doubt or entry.in_doubt,
                since_ms=min(older.since_ms, entry.since_ms),
            )
        waiting[digest] = entry

    def oldest_ms(self, partition: int) -> int | None:
        """When the record that waits longest changed; None when none waits."""
        waiting = self._waiting.get(partition)
        return min(entry.time_ms for entry in waiting.values()) if waiting else None

    def forget(self, partition: int) -> None:
        """Nothing of the partition is to be shipped from here."""
        self._waiting.pop(partition, None)

    def _check(self) -> None:
        """Assert every invariant."""
        for waiting in self._waiting.values():
            assert waiting
            assert not waiting.keys() & self._attempted.keys()
