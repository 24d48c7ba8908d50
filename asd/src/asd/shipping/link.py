"""A link: one namespace on its way to one destination. What the shipper needs of the node's side.

It observes the namespace's door, follows which partitions are this node's, and makes of a record
whose turn has come the request that ships it. What goes where and when is `asd.shipping.schedule`'s
and `asd.shipping.shipper`'s.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Container, Sequence
from typing import TYPE_CHECKING, Final

from attrs import evolve

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.config.xdr import DcConfig, ShipConfig
from asd.records.record import CEMETERY, XDR_WRITE
from asd.records.record_view import RecordView
from asd.shipping.changed import changed_bins, deleted_times
from asd.shipping.compression import ZLIB, Compressor
from asd.shipping.failure_handler import Ending, ending_of
from asd.shipping.logger import observer
from asd.shipping.message import Encoder
from asd.shipping.recovery import changed_since
from asd.shipping.schedule import Schedule
from asd.shipping.selection import Selection
from asd.shipping.statistics import ShippingStatistics
from asd.space.commit import Observer
from asd.space.ownership import CLOSED
from cluster import PARTITIONS
from storage.engine import TOMBSTONE, Record

if TYPE_CHECKING:
    from asd.bins.expressions import Expression
    from asd.space.namespace import Namespace

log = logging.getLogger("asd.xdr")

SAY_NS: Final = 60_000_000_000
"""Between two lines about abandoned records."""
_NOTHING: Final = b"\0\0"


class Link:
    """One namespace and one destination. Belongs to the loop's thread."""

    def __init__(
        self,
        dc: DcConfig,
        namespace: Namespace,
        config: ShipConfig,
        *,
        from_now: bool,
        changed: Callable[[], None],
    ) -> None:
        """`from_now`: what was there before is not shipped. `changed`: fast paths must be made
        anew."""
        self.dc = dc.name
        self._center = dc
        self.namespace = namespace
        self.config = config
        self.statistics = ShippingStatistics()
        now_ms = namespace.clock.epoch_ms()
        self.schedule = Schedule(config.transaction_queue_limit, now_ms if from_now else 0)
        self.filter: Expression | None = None
        self.selection = self._select()
        self._changed = changed
        self._states = b""
        self._encoder = self._make_encoder()
        self._kinds: dict[int, bytes] = {}
        """The names of the sets of records that are shipped, by set and flags."""
        self._compressors: dict[str, Compressor] = {}
        self._observer: Observer | None = None
        self._abandoned: Counter[int] = Counter()
        self._example = b""
        self._said_ns = 0
        self._began_from_now = from_now
        self.take_up()

    # ------------------------------------------------------------------- settings

    def take_up(self) -> None:
        """Go by settings that have changed."""
        self.selection = self._select()
        self.schedule.logger.limit = self.config.transaction_queue_limit
        self._encoder = self._make_encoder()
        self._kinds.clear()
        self._compressors.clear()
        self._observe(observer(self.schedule.logger, self.ships))

    def _select(self) -> Selection:
        """The rules; connectors know nothing of times of bins."""
        selection = Selection.of(self.config)
        return evolve(selection, tells_times=False) if self._center.connector else selection

    def _make_encoder(self) -> Encoder:
        name = self.remote.encode("utf-8", "surrogateescape")
        chosen = self.selection
        return Encoder(
            name, replaces=chosen.replaces, bins=chosen.bins, without_bins=chosen.without_bins
        )

    def _observe(self, watcher: Observer | None) -> None:
        door = self.namespace.door
        if self._observer is not None:
            door.forget(self._observer)
        self._observer = watcher
        if watcher is not None:
            door.observe(watcher)
        self._changed()

    def close(self) -> None:
        """Note nothing any more."""
        self._observe(None)

    @property
    def remote(self) -> str:
        """The namespace's name at the destination."""
        return self.config.remote_namespace or self.namespace.name

    def ships(self, set_id: int, flags: int) -> bool:
        """Do records of this set with these flags go?"""
        return self.selection.ships(self.namespace.set_names[set_id], flags)

    # ----------------------------------------------------------------- partitions

    def follow(self) -> None:
        """Ship the partitions that are this node's now. O(1) while none has changed hands."""
        states = self.namespace.ownership.snapshot()
        if states != self._states:
            self._states = states
            owned = (partition for partition in range(PARTITIONS) if states[partition] < CLOSED)
            self.schedule.own(owned, from_now=self._began_from_now)
            self._began_from_now = False

    def scan(self, partition: int, since_ms: int) -> list[tuple[int, bytes]]:
        """What changed in a partition since then; see `asd.shipping.recovery.Scan`."""
        self.statistics.recoveries += 1
        index = self.namespace.engine.index
        return changed_since(index, partition, since_ms, self.ships)

    # -------------------------------------------------------------------- records

    def requests(self) -> Callable[[bytes], bytes | None]:
        """What makes requests, now: of a digest that which ships the record as it is; None when
        there is nothing to ship, which is counted. It raises NotResident, OperationError for a
        damaged record."""
        namespace, encode, kinds = self.namespace, self._encoder.write, self._kinds
        find, is_live, now_s = namespace.find, namespace.is_live, namespace.clock.epoch_s()
        unfiltered = self.filter is None
        by_bin = self._ships_by_bin

        def request(digest: bytes) -> bytes | None:
            record = find(digest)
            if record is None or not is_live(record, now_s):
                return self._gone(digest, record)
            set_name = kinds.get(record[3] | record[4] << 16)
            if set_name is None or not unfiltered:
                set_name = namespace.set_names[record[3]]
                if not self._wanted(digest, record, set_name):
                    return None
                kinds[record[3] | record[4] << 16] = set_name
            if by_bin:
                frame = self._by_bin(digest, record, set_name, now_s)
            else:
                frame = encode(digest, record, set_name, now_s)
            if frame is None:
                self.statistics.filtered_out += 1
            return frame

        return request

    @property
    def _ships_by_bin(self) -> bool:
        """Do times of bins decide what of a record goes, or go along?"""
        chosen = self.selection
        return self.namespace.bin_times is not None and (chosen.by_time or chosen.tells_times)

    def _by_bin(self, digest: bytes, record: Record, set_name: bytes, now_s: int) -> bytes | None:
        rules, shipment = self.namespace.bin_times, self.schedule.under_way.get(digest)
        assert rules is not None
        since_ms = shipment.since_ms if shipment is not None else 0  # given up while it was read
        chosen = changed_bins(self.selection, record, since_ms, rules.source)
        if chosen is None:
            return None
        if not chosen.bins:  # all that is to be told is that something went
            head = record[0], record[2], TOMBSTONE
            return self._encoder.delete(digest, *head, set_name, chosen.times)
        return self._encoder.write_bins(digest, record, set_name, now_s, chosen)

    def _gone(self, digest: bytes, record: Record | None) -> bytes | None:
        """A delete, where there is a trace of one."""
        if record is None or record[4] < CEMETERY:
            record = self._tombstone(digest)
        if record is None:
            self.statistics.not_found += 1
            return None
        generation, _, time_ms, set_id, flags, _ = record
        set_name = self.namespace.set_names[set_id]
        if not self._wanted(digest, record, set_name):
            return None
        rules, times = self.namespace.bin_times, b""
        if rules is not None and self.selection.tells_times:
            times = deleted_times(self.selection, record, rules.source)
        return self._encoder.delete(digest, generation, time_ms, flags, set_name, times)

    def _tombstone(self, digest: bytes) -> Record | None:
        entry = self.namespace.engine.index.find_entry(digest)
        if entry is None or not entry.flags & TOMBSTONE:
            return None
        time_ms, flags = entry.last_update_time, entry.flags
        return entry.generation, entry.void_time, time_ms, entry.set_id, flags, _NOTHING

    def _wanted(self, digest: bytes, record: Record, set_name: bytes) -> bool:
        """Do the rules let a record through, as it is now?"""
        if not self.selection.ships(set_name, record[4]):
            if not record[4] & XDR_WRITE:
                self.statistics.filtered_out += 1
            return False
        if self.filter is not None:
            view = RecordView(digest, record, set_name, self.namespace.clock.epoch_ms())
            if self.filter.run(view, [None] * self.filter.slots) is not True:
                self.statistics.filtered_out += 1
                return False
        return True

    def packed(self, frame: bytes, taken: Container[str]) -> bytes:
        """A request as it goes, with compression, to a node that takes these ways of it."""
        config, statistics = self.config, self.statistics
        if len(frame) < config.compression_threshold:
            statistics.uncompressed += 1
            return frame
        algorithm = config.compression_algorithm
        packed = self._compressor(algorithm if algorithm in taken else ZLIB).compress(frame)
        if len(packed) >= len(frame):
            statistics.uncompressed += 1
            return frame
        statistics.compressed += 1
        statistics.original_bytes += len(frame)
        statistics.compressed_bytes += len(packed)
        return packed

    def _compressor(self, algorithm: str) -> Compressor:
        found = self._compressors.get(algorithm)
        if found is None:
            level = self.config.compression_level
            found = self._compressors[algorithm] = Compressor(algorithm, level)
        return found

    # --------------------------------------------------------------------- endings

    def ended(self, digest: bytes, code: int, now_ms: int) -> None:
        """The destination has answered."""
        ending = ending_of(code)
        if ending is Ending.COMPLETE:
            self.statistics.success += 1
            self.schedule.complete(digest, now_ms)
        elif ending is Ending.RETRY:
            self.statistics.retry_dest += 1
            self.schedule.retry(digest, now_ms, in_doubt=code == ResultCode.TIMEOUT)
        else:
            self.abandon(digest, code)

    def arrived(self, digests: Sequence[bytes], now_ms: int) -> None:
        """They are there."""
        self.statistics.success += len(digests)
        complete = self.schedule.complete
        for digest in digests:
            complete(digest, now_ms)

    def lost(self, digest: bytes, now_ms: int) -> None:
        """Nothing was heard, and it is not known what became of it."""
        self.statistics.retry_conn_reset += 1
        self.schedule.retry(digest, now_ms, in_doubt=True)

    def unsent(self, digest: bytes, now_ms: int) -> None:
        """There was no node to send it to after all."""
        self.statistics.retry_no_node += 1
        self.schedule.retry(digest, now_ms, in_doubt=False)

    def abandon(self, digest: bytes, code: int) -> None:
        """It can never succeed."""
        self.statistics.abandoned += 1
        self.schedule.abandon(digest)
        self._abandoned[code] += 1
        self._example = digest
        self.say_abandoned()

    def say_abandoned(self) -> None:
        """Tell the log what was abandoned, at most once a minute."""
        now_ns = self.namespace.clock.monotonic_ns()
        if not self._abandoned or (self._said_ns and now_ns < self._said_ns + SAY_NS):
            return
        self._said_ns = now_ns
        reasons = ", ".join(
            f"{count} with result {code}" for code, count in self._abandoned.items()
        )
        self._abandoned.clear()
        text = "{%s} dc %s: abandoned records: %s; one of them has the digest %s"
        log.warning(text, self.namespace.name, self.dc, reasons, self._example.hex())

    def take(
        self, room: int, ready: Callable[[int], bool], most_recoveries: int
    ) -> list[tuple[bytes, int]]:
        """Up to `room` records whose turn it is."""
        config = self.config
        now_ms = self.namespace.clock.epoch_ms()
        taken = self.schedule.take(
            *(now_ms, room, ready, self.scan),
            delay_ms=config.delay_ms,
            hot_key_ms=config.hot_key_ms,
            most_recoveries=most_recoveries,
        )
        self.statistics.hot_keys = self.schedule.hot_keys
        return taken

    def no_node(self) -> None:
        """No node of the destination is connected: what waits is left where it is."""
        self.statistics.retry_no_node += len(self.schedule.logger.waiting)

    def damaged(self, digest: bytes, error: OperationError) -> None:
        """The record cannot be read."""
        self.abandon(digest, error.code)
