"""A namespace: its records, its sets, its counters and the rules of time that hold in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.config import NamespaceConfig
from asd.measures.histogram import Histogram
from asd.measures.statistics import NamespaceStatistics
from asd.measures.turns import Turns
from asd.process.transaction_threads import TransactionThreads
from asd.records.bin_times import Rules
from asd.records.change import Change
from asd.records.mask import Mask
from asd.records.record import CEMETERY, XDR_TOMBSTONE, XDR_WRITE, is_expired, next_generation
from asd.records.work import Given
from asd.sindex import SecondaryIndexes
from asd.space.commit import Commit
from asd.space.commitment import Commitments
from asd.space.consistency import Consistency
from asd.space.group_commit import GroupCommit
from asd.space.held_digests import HeldDigests
from asd.space.ownership import Ownership
from asd.space.truncation import Truncation
from citrusleaf.cf_clock import Clock
from cluster.consistency.stamp import time_of
from storage.engine import (
    TOMBSTONE,
    Engine,
    OutOfSpace,
    Record,
    StorageError,
    Upkeep,
)

TTL_NEVER = 0xFFFFFFFF
TTL_KEEP = 0xFFFFFFFE
TTL_MAX_S = 3600 * 24 * 365 * 10

TRANSACTION_MAX_MS = 1000
"""`transaction-max-ms`, unless the configuration says otherwise."""

MAX_SETS = 4095
"""Sets a namespace can hold besides the nameless one."""


class Failure(NamedTuple):
    """Why a medium takes no writes, and what clients are told."""

    code: ResultCode
    reason: str


class Namespace:
    """The state of one namespace on this node. Owned by the loop's thread."""

    masks: Mapping[bytes, Mask] = MappingProxyType({})
    """By set, what is shown of bins to who may not see them."""

    bin_times: Rules | None = None
    """How times of single bins are kept; None: they are not (`asd.records.bin_times`)."""

    def __init__(
        self,
        config: NamespaceConfig,
        engine: Engine,
        clock: Clock,
        threads: TransactionThreads,
        turns: Turns,
        *,
        community: bool,
    ) -> None:
        self.name = config.name
        self.config = config
        self.engine = engine
        self.clock = clock
        self.group_commit = GroupCommit(config.name, engine.sync, threads)
        self.community = community
        self.ownership = Ownership()
        self.leaves = False
        """Heavy work is done off the loop (`asd.transactions.heavy`)."""
        self.held = HeldDigests(self.ownership)
        """Records that are being worked on there."""
        self.given: Given | None = None
        """What was worked out there, for the transaction that is run next."""
        self.statistics = NamespaceStatistics()
        self.truncation = Truncation()
        self.indexes = SecondaryIndexes(engine.index)
        self.transaction_max_ms = TRANSACTION_MAX_MS
        """The longest time of a request, and that of one that brings none."""
        self.heavy_requests = 0
        """Transactions that worked on big values: none of them takes a fast path."""
        self.heavy_since_ns = 0
        """When the last of them began to."""
        self.stop_writes = False
        """Memory or space is short, or the medium failed: nothing may be written."""
        self.failure: Failure | None = None
        """How the medium failed; None while flushes succeed."""
        self.faulty = False
        """Faults are injected: every request is to be looked at."""
        self.hwm_breached = False
        """A threshold of eviction was reached when it was last looked at."""
        self.evict_void_time = 0
        """Records with an earlier void-time were evicted last."""
        self.set_names = [b""]
        self.ships: Callable[[int, int], bool] | None = None
        """Is a record of this set (its number) with these flags shipped anywhere? None: none is."""
        self.door = Commit(engine, self.indexes, lambda: self.set_names)
        """The one way by which records change."""
        self.commit = self.door.commit
        self.turns = turns
        self.commitments = Commitments(turns, clock.monotonic_ns)
        """What the writes of each turn wait for before they are acknowledged."""
        if engine.acknowledges_sync:
            self.commitments.add_stage(self.group_commit.stage(self.commitments.settle))
            self.door.observe(self.commitments)
        self.consistency: Consistency | None = None
        """What strong consistency asks of transactions; None in availability mode."""
        if config.strong_consistency:
            self.consistency = Consistency(self.commitments, clock.monotonic_ns)
        self._set_ids: dict[bytes, int] = {b"": 0}
        self._begin_histograms()

    def _begin_histograms(self) -> None:
        self.read_latency = Histogram(f"{{{self.name}}}-read")
        self.write_latency = Histogram(f"{{{self.name}}}-write")
        self.udf_latency = Histogram(f"{{{self.name}}}-udf")
        self.batch_sub_read_latency = Histogram(f"{{{self.name}}}-batch-sub-read")
        self.batch_sub_write_latency = Histogram(f"{{{self.name}}}-batch-sub-write")
        self.batch_sub_udf_latency = Histogram(f"{{{self.name}}}-batch-sub-udf")
        self.pi_query_latency = Histogram(f"{{{self.name}}}-pi-query")
        self.si_query_latency = Histogram(f"{{{self.name}}}-si-query")

    @property
    def is_forever(self) -> bool:
        """Does a record go only by a durable delete?"""
        return self.consistency is not None and not self.config.strong_consistency_allow_expunge

    def open(self) -> None:
        """Open the engine and take up what it kept. Blocks. Raises OSError, StorageError."""
        self.engine.open()
        self._take_up_sets()

    def time_limit_ms(self, wanted_ms: int) -> int:
        """How long a request may work that its client gives so much time (0: says nothing of it):
        what the others wait for is not for one client to say."""
        longest_ms = self.transaction_max_ms
        return wanted_ms if 0 < wanted_ms < longest_ms else longest_ms

    # ------------------------------------------------------------------ sets

    def _take_up_sets(self) -> None:
        """Know the sets whose names the engine keeps, under the numbers it keeps them."""
        names = self.engine.set_names
        self.set_names = [b""] + [names.get(i, b"") for i in range(1, max(names, default=0) + 1)]
        self._set_ids = {name: number for number, name in names.items()}
        self._set_ids[b""] = 0

    def find_set(self, name: bytes) -> int | None:
        """The set's number in the index, or None while nothing was ever written to it."""
        return self._set_ids.get(name)

    def intern_set(self, name: bytes) -> int:
        """The set's number, given on first use. Raises PARAMETER when there are too many sets,
        OUT_OF_SPACE when the medium has no room for another name."""
        number = self._set_ids.get(name)
        if number is None:
            if len(self.set_names) > MAX_SETS:
                raise OperationError(ResultCode.PARAMETER, f"more than {MAX_SETS} sets")
            number = len(self.set_names)
            try:
                self.engine.name_set(number, name)
            except OutOfSpace as error:
                raise OperationError(ResultCode.OUT_OF_SPACE, str(error)) from error
            self._set_ids[name] = number
            self.set_names.append(name)
            self.truncation.named(name, number)
        return number

    # --------------------------------------------------------------- records

    def find(self, digest: bytes) -> Record | None:
        """What stands in the store, dead or alive.

        Raises NotResident when it would block, OperationError SERVER_ERROR for a damaged record.
        """
        try:
            return self.engine.get(digest)
        except StorageError as error:
            raise OperationError(ResultCode.SERVER_ERROR, str(error)) from error

    def is_live(self, record: Record, now_s: int) -> bool:
        """Neither expired nor truncated: what clients may see."""
        if (record[1] and is_expired(record[1], now_s)) or record[4] >= CEMETERY:
            return False
        if not self.truncation.running:
            return True
        return not self.truncation.hides(record[3], time_of(record[2]))

    def load(self, digest: bytes, now_s: int) -> Record | None:
        """The live record: None when absent, expired or truncated. Raises as `find`."""
        record = self.find(digest)
        return record if record is not None and self.is_live(record, now_s) else None

    def version(
        self,
        generation: int,
        void_time: int,
        set_name: bytes,
        flags: int,
        payload: bytes,
        before: Record | None,
    ) -> Record:
        """A version to be written now over `before`; `flags` as `payload_flags` has them.

        Raises OperationError: as `intern_set`; FORBIDDEN for a set that has reached its limit, or
        why writes are stopped.
        """
        set_id = self.intern_set(set_name)
        self._check_limits(set_name, set_id)
        updated_ms = self.update_time_ms(set_id, before)
        return generation, void_time, updated_ms, set_id, flags, payload

    def renewed(self, record: Record, void_time: int) -> Record:
        """A version with another void-time; nothing else changes, not even the generation."""
        generation, _, _, set_id, flags, payload = record
        flags &= ~XDR_WRITE
        updated_ms = self.update_time_ms(set_id, record)
        return generation, void_time, updated_ms, set_id, flags, payload

    def tombstone(self, record: Record, marks: int = 0) -> Record:
        """What a durable delete leaves of a record, so that no older copy comes back. `marks`: more
        flags."""
        generation, set_id = next_generation(record[0]), record[3]
        updated_ms = self.update_time_ms(set_id, record)
        if self.consistency is not None:
            self.consistency.seen(updated_ms, is_tombstone=True)
        return generation, 0, updated_ms, set_id, TOMBSTONE | marks, b""

    def left_to_ship(self, record: Record, marks: int) -> Record | None:
        """What a delete that is not durable leaves until it has been shipped; None: nothing, since
        it is not. `marks`: the flags of where it comes from."""
        marks |= XDR_TOMBSTONE
        if self.ships is None or not self.ships(record[3], TOMBSTONE | marks):
            return None
        return self.tombstone(record, marks)

    def update_time_ms(self, set_id: int, before: Record | None) -> int:
        """The last-update-time of what is written now over `before`: never an earlier one, whatever
        the clock does, or the older version would win where two copies meet. Nor must it be taken
        for what a truncation of this moment hides; with strong consistency, of any moment."""
        now_ms = self.clock.epoch_ms()
        if before is not None:
            now_ms = max(now_ms, time_of(before[2]))
        if self.consistency is not None:
            return self.consistency.stamp(max(now_ms, self.truncation.threshold(set_id)))
        if self.truncation.running:
            now_ms = max(now_ms, self.truncation.hidden_before(set_id))
        return now_ms

    def store(
        self,
        digest: bytes,
        generation: int,
        void_time: int,
        set_name: bytes,
        flags: int,
        payload: bytes,
    ) -> None:
        """Write a whole record, whatever was there: for those who load records, and have no
        transaction. Raises OperationError as `version` and `commit`, NotResident as `find`."""
        before = self.find(digest)
        new = self.version(generation, void_time, set_name, flags, payload, before)
        self.commit(Change(digest, before, new))

    def limits_writes(self, set_name: bytes) -> bool:
        """Must every write of the set be looked at first? No fast path does one then."""
        own = self.config.set_config_of(set_name)
        limited = own.stop_writes_count or own.stop_writes_size
        refused = self.config.reject_non_xdr_writes
        return bool(self.truncation.running or self.stop_writes or limited or refused)

    def _check_limits(self, set_name: bytes, set_id: int) -> None:
        if self.stop_writes:
            raise OperationError(*self.failure or (ResultCode.OUT_OF_SPACE, "writes are stopped"))
        own = self.config.sets.get(set_name)
        if own is None or not (own.stop_writes_count or own.stop_writes_size):
            return
        usage = self.engine.index.sets.get(set_id)
        if usage is None:
            return
        if 0 < own.stop_writes_count <= usage.objects:
            raise OperationError(ResultCode.FORBIDDEN, "the set has its stop-writes-count")
        if 0 < own.stop_writes_size <= usage.bytes:
            raise OperationError(ResultCode.FORBIDDEN, "the set has its stop-writes-size")

    def reset(self) -> None:
        """As new: no records, no sets, no indexes, no counts."""
        self.indexes.forget()
        self.engine.clear()
        if not isinstance(self.engine, Upkeep):  # others keep the names as long as the files
            self.engine.set_names.clear()
        self._take_up_sets()
        self.statistics = NamespaceStatistics()
        self.truncation.clear()
        for histogram in self.histograms():
            histogram.clear()

    def _check(self) -> None:
        """Assert every invariant of the namespace and its parts. O(records)."""
        assert self.set_names[0] == b""
        assert all(self.set_names[number] == name for name, number in self._set_ids.items())
        assert len(self._set_ids) <= len(self.set_names) <= MAX_SETS + 1
        assert all(set_id < len(self.set_names) for set_id in self.engine.index.sets)
        assert self.failure is None or self.stop_writes
        self.ownership._check()
        self.held._check()
        self.commitments._check()
        self.truncation._check()
        self.indexes._check()

    def histograms(self) -> tuple[Histogram, ...]:
        """All latency histograms, in the order that `latencies:` lists them."""
        return (
            self.read_latency,
            self.write_latency,
            self.udf_latency,
            self.batch_sub_read_latency,
            self.batch_sub_write_latency,
            self.batch_sub_udf_latency,
            self.pi_query_latency,
            self.si_query_latency,
        )

    # ------------------------------------------------------------------ time

    def void_time(self, ttl: int, set_name: bytes, old_void_time: int | None, now_s: int) -> int:
        """The void-time (seconds since 2010, 0 = never) a write asks for with `ttl`.

        `old_void_time` is that of the record being written, None for a new one. Raises PARAMETER
        for a ttl over ten years, FORBIDDEN for an expiring record in a namespace without expiry.
        """
        if ttl == TTL_KEEP:
            if old_void_time is not None:
                return old_void_time
            ttl = 0
        if ttl == 0:
            ttl = self.config.default_ttl_of(set_name)
            if ttl == 0:
                return 0
        if ttl == TTL_NEVER:
            return 0
        if ttl > TTL_MAX_S:
            raise OperationError(ResultCode.PARAMETER, f"ttl {ttl} is over ten years")
        if self.is_forever:
            raise OperationError(ResultCode.FORBIDDEN, "an expiring record may come back")
        if not self.config.nsup_period and not self.config.allow_ttl_without_nsup:
            raise OperationError(ResultCode.FORBIDDEN, "ttl without nsup-period")
        return self._reduced(now_s + ttl, old_void_time)

    def _reduced(self, void_time: int, old_void_time: int | None) -> int:
        if old_void_time is None or (old_void_time and void_time >= old_void_time):
            return void_time
        if not self.config.apply_ttl_reductions:
            self.statistics.ttl_reductions_ignored += 1
            return old_void_time
        self.statistics.ttl_reductions_applied += 1
        return void_time
