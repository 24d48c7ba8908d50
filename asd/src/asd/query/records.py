"""From index entries to records, and from records to what a query answers of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Final

from aerospike_common.wire.codes import FieldType, Info1, Info2, ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Message
from asd.bins.effort import MOST_BYTES
from asd.bins.particle import NULL
from asd.query.encode import Encoder, Row, interleave
from asd.query.job import QueryJob
from asd.query.request import QueryRequest
from asd.query.walk import Stretch, served
from asd.records.record import encode_op
from asd.records.record_view import RecordView
from asd.records.work import Work, Worked
from asd.space.namespace import Namespace
from asd.state import NodeState
from asd.transactions.effort import MOST, effort_of, may_be_heavy
from asd.transactions.elsewhere import have_done
from asd.transactions.masked import CONCEALED
from asd.transactions.ops import READ_OPS, Operands
from storage.bulk import FLAGS_AT, column
from storage.engine import Bulk, NotResident, Record
from storage.index import ENTRY, ENTRY_SIZE

LARGEST: Final = 1 << 30
"""More bytes than any record has."""

_MANY_OPS: Final = 256 * 8
"""Bytes that a payload of 256 ops has at least."""


class Reader:
    """What one query makes of the records it meets. Counts them in its job."""

    def __init__(
        self,
        namespace: Namespace,
        job: QueryJob,
        encoder: Encoder,
        node: NodeState,
        filter_wire: bytes | None,
    ) -> None:
        self._namespace = namespace
        engine = namespace.engine
        self._bulk = engine if isinstance(engine, Bulk) else None
        self._node = node
        self._threads = node.transaction_threads
        self._job = job
        self._encoder = encoder
        self._expressions = node.expressions
        request = job.request
        self._work = _asked(request, filter_wire)
        self._light_size = LARGEST if node.heavy is None else _light_size(self._work)
        self._concealed = bool(job.access & CONCEALED)
        as_it_is = not self._concealed and (request.no_bins or not request.ops)
        self._plain = request.expression is None and as_it_is
        self._set_name = request.set_name
        self._left = request.max_records or None
        self._rows: AsyncIterator[Row] | None = None

    @property
    def behind(self) -> bool:
        """Some records of the last batch have not been answered yet: time was up."""
        return self._rows is not None

    @property
    def full(self) -> bool:
        """As many records have been answered as were wanted."""
        return self._left == 0

    def select(self, batch: Stretch) -> Stretch:
        """Those of the entries that may be served."""
        return self._select(batch)[0]

    def _select(self, batch: Stretch) -> tuple[Stretch, bytes]:
        """Those of the entries that may be served, and all of them end to end."""
        joined = b"".join(batch.entries)
        if not joined:
            return batch, joined
        set_id = None
        if self._set_name:
            set_id = self._namespace.find_set(self._set_name)
            if set_id is None:
                return batch.first(0), b""
        now_s = self._namespace.clock.epoch_s()
        wanted = served(joined, now_s, set_id, self._namespace.truncation)
        if wanted is not None:
            batch = batch.select(wanted)
            joined = b"".join(batch.entries)
        return batch, joined

    async def answer(self, batch: Stretch, over: Callable[[], bool]) -> bytes:
        """The messages of a batch's records, one behind the other.

        A filter or an op may take long: when `over` says after a record that time is up, the rest
        stays `behind`, as it was read, and the next call goes on with it, whatever its batch.
        """
        if self._rows is None:
            batch, joined = self._select(batch)
            if not joined:
                return b""
            if self._plain and self._bulk is not None:
                return self._answer_all(self._bulk, batch, joined)
            self._rows = self.rows(batch)
        answers: list[bytes] = []
        async for row in self._rows:
            worked = None
            if len(row.record[5]) > self._light_size:
                worked = await self._elsewhere(row)
            answers.append(self._answer_one(row, worked))
            if over() or self.full:
                return b"".join(answers)
        self._rows = None
        return b"".join(answers)

    # --------------------------------------------------------- records as they are

    def _answer_all(self, bulk: Bulk, batch: Stretch, joined: bytes) -> bytes:
        if self._left is not None:
            batch = batch.first(self._left)
            joined = joined[: ENTRY_SIZE * self._left]
            self._left -= len(batch.entries)
        self._job.succeeded += len(batch.entries)
        sets = column(joined, "set_id")
        sizes = column(joined, "size")
        alike = sets.count(sets[0]) == len(sets) and not any(joined[FLAGS_AT::ENTRY_SIZE])
        if not alike or min(sizes) < 2:
            return b"".join(map(self._encoder.whole_row, _rows(bulk, batch)))
        heads, size = self._encoder.heads(joined, sets[0], batch.bvals)
        if self._encoder.no_bins:
            return bytes(heads)
        locations = column(joined, "location")
        if max(sizes) >= _MANY_OPS:
            heads[20::size] = bulk.payload_byte(locations, 0)
        heads[21::size] = bulk.payload_byte(locations, 1)
        return interleave(heads, size, bulk.payloads(locations, sizes, skip=2))

    # --------------------------------------------------------------- one by one

    async def rows(self, batch: Stretch) -> AsyncIterator[Row]:
        """The records of entries that may be served, waiting for those not in memory."""
        if self._bulk is not None:
            for row in _rows(self._bulk, batch):
                yield self._shown(row) if self._concealed else row
            return
        bvals: Sequence[int | None] = batch.bvals or [None] * len(batch.entries)
        for entry, bval in zip(batch.entries, bvals, strict=True):
            record = await self._load(entry[:20])
            if record is not None:
                row = Row(entry[:20], record, bval)
                yield self._shown(row) if self._concealed else row

    def _shown(self, row: Row) -> Row:
        """A record as it is shown to who may not see masked bins."""
        mask = self._namespace.masks.get(self._namespace.set_names[row.record[3]])
        return row if mask is None else row._replace(record=mask.record(row.record))

    async def _load(self, digest: bytes) -> Record | None:
        """The live record; None also for one that cannot be read, which is counted."""
        while True:
            try:
                return self._namespace.load(digest, self._namespace.clock.epoch_s())
            except NotResident as absent:
                await self._threads.run(absent.load)
            except OperationError:  # damaged: the engine has said where and why
                self._job.failed += 1
                return None

    async def again(self, row: Row) -> Row | None:
        """A record as it is now; None when it is gone, or cannot be read."""
        record = await self._load(row.digest)
        if record is None:
            return None
        found = row._replace(record=record)
        return self._shown(found) if self._concealed else found

    def view(self, row: Row) -> RecordView:
        """A record as expressions and ops see it."""
        set_name = self._namespace.set_names[row.record[3]]
        return RecordView(row.digest, row.record, set_name, self._namespace.clock.epoch_ms())

    async def passes(self, row: Row) -> bool:
        """Does the query's filter let the record through? Counts it when not."""
        worked = await self._elsewhere(row) if len(row.record[5]) > self._light_size else None
        return self._passes(self.view(row), worked)

    def _passes(self, view: RecordView, worked: Worked | None) -> bool:
        expression = self._job.request.expression
        if expression is None:
            return True
        decided = expression.matches_metadata(view)
        if decided is False:
            self._job.filtered_meta += 1
            return False
        if decided is None:
            if worked is None:
                decided = expression.matches(view)
            else:
                decided = worked.filtered == ResultCode.OK
        self._job.filtered_bins += not decided
        return decided

    async def _elsewhere(self, row: Row) -> Worked | None:
        """What a worker makes of a record whose filter and ops are heavy; None: they are not."""
        message = self._work
        if effort_of(message, row.record, self._expressions) <= MOST:
            return None
        namespace = self._namespace
        set_name = namespace.set_names[row.record[3]]
        now_ms, limit_ms = namespace.clock.epoch_ms(), namespace.transaction_max_ms
        at = (now_ms, MOST_BYTES, limit_ms)
        work = Work(message, row.digest, row.record, set_name, *at)
        return await have_done(self._node, work)

    def _answer_one(self, row: Row, worked: Worked | None) -> bytes:
        """The message of one record; empty when it has none."""
        request = self._job.request
        view = self.view(row)
        if not self._passes(view, worked):
            return b""
        if request.no_bins or not request.ops:
            message = self._encoder.whole_row(row)
        else:
            try:
                ops = self._project(view) if worked is None else worked.taken()
            except OperationError:
                self._job.failed += 1
                return b""
            if not ops:
                return b""
            message = self._encoder.row(row, len(ops), b"".join(ops))
        self._job.succeeded += 1
        if self._left is not None:
            self._left -= 1
        return message

    def _project(self, view: RecordView) -> list[bytes]:
        """What the query's ops answer on a record."""
        request = self._job.request
        operands = Operands(lambda: view, self._expressions)
        found = [(op, READ_OPS[op.type](operands, op)) for op in request.ops]
        return [
            encode_op(op.type, op.name, value or NULL)
            for op, value in found
            if value is not None or request.respond_all
        ]


def _asked(request: QueryRequest, filter_wire: bytes | None) -> Message:
    """A read of one record that asks for what the query asks of each."""
    info2 = Info2.RESPOND_ALL_OPS if request.respond_all else 0
    fields: dict[int, bytes] = {} if filter_wire is None else {FieldType.FILTER: filter_wire}
    ops = [] if request.no_bins else [*request.ops]
    return Message(Info1.READ, info2, 0, 0, 0, 0, 0, 0, fields, ops)


def _light_size(message: Message) -> int:
    """Bytes of a record up to which what is asked of it is light."""
    parts = len(message.ops) + len(message.fields)
    if not parts:
        return LARGEST
    return 0 if may_be_heavy(message, None) else MOST // parts


def _rows(bulk: Bulk, batch: Stretch) -> Iterator[Row]:
    joined = b"".join(batch.entries)
    found = bulk.payloads(column(joined, "location"), column(joined, "size"))
    bvals: Sequence[int | None] = batch.bvals or [None] * len(found)
    for entry, payload, bval in zip(ENTRY.iter_unpack(joined), found, bvals, strict=True):
        digest, generation, set_id, void_time, flags, updated, _, _ = entry
        yield Row(digest, (generation, void_time, updated, set_id, flags, payload), bval)
