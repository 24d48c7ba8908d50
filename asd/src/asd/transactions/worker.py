"""What a worker does: the filter and the ops of heavy commands (`asd.transactions.heavy`)."""

from __future__ import annotations

from typing import Final

from aerospike_common.wire.codes import FieldType, Info2, ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Op
from asd.bins.effort import OutOfTime, TimeLimit
from asd.bins.expressions import ExpressionCache
from asd.records.mask import view_through
from asd.records.record import Bins, pack_payload, payload_flags, stored_key, unpack_bins
from asd.records.record_view import RecordView
from asd.records.work import Work, Worked
from asd.sindex.work import IndexValues, IndexWork
from asd.transactions.applied import apply_ops, read_ops, replaces
from asd.transactions.worker_calls import Calls
from citrusleaf.cf_clock import Clock
from storage.engine import Record

EXPRESSIONS_KEPT: Final = 256


class WorkBench:
    """One command in a worker."""

    __slots__ = ("_time", "_work", "expressions", "mask", "message", "most_bytes")

    def __init__(self, work: Work, expressions: ExpressionCache, clock: Clock) -> None:
        self._work = work
        self._time = TimeLimit(clock.monotonic_ns, work.limit_ms)
        self._time.look()
        self.message = work.message
        self.mask = work.mask
        self.expressions = expressions
        self.most_bytes = work.most_bytes

    def view(self, record: Record | None, bins: Bins | None = None) -> RecordView:
        """See `Bench`."""
        work = self._work
        key = self.message.fields.get(FieldType.KEY, b"") if record is None else None
        view = view_through(self.mask, work.digest, record, work.set_name, work.now_ms, bins, key)
        view.time, view.keeps = self, True
        return view

    def look(self, about: object = None) -> None:
        """See `Bench`."""
        self._time.look()


class Worker:
    """Does the work of heavy commands: what a worker process is made to be."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._expressions = ExpressionCache(EXPRESSIONS_KEPT)
        self._calls = Calls(clock)
        self._index_values = IndexValues()

    def __call__(self, work: Work | IndexWork) -> Worked | bytes:
        """Do it. Whatever a request is to be told is in the answer."""
        if isinstance(work, IndexWork):
            return self._index_values(work)
        message = work.message._replace(ops=[Op(*op) for op in work.message.ops])
        work = work._replace(message=message)
        bench = WorkBench(work, self._expressions, self._clock)
        filtered = self._filter(bench, work)
        if filtered:
            return Worked(filtered)
        info2 = work.message.info2
        try:
            if work.function is not None:
                return self._calls.call(work.function, work.limit_ms)
            if not info2 & Info2.WRITE:
                return self._read(bench, work)
            if not info2 & Info2.DELETE and FieldType.UDF_PACKAGE not in work.message.fields:
                return self._write(bench, work)
        except OperationError as error:
            return Worked(refusal=(error.code, str(error)))
        except MemoryError:
            return Worked(refusal=(ResultCode.SERVER_ERROR, "no memory"))
        return Worked()

    def _filter(self, bench: WorkBench, work: Work) -> ResultCode:
        wire = work.message.fields.get(FieldType.FILTER)
        if wire is None or work.record is None:
            return ResultCode.OK
        try:
            matches = self._expressions.filter(wire).matches(bench.view(work.record))
        except OutOfTime:
            return ResultCode.TIMEOUT
        except OperationError as error:
            return error.code
        return ResultCode.OK if matches else ResultCode.FILTERED_OUT

    def _read(self, bench: WorkBench, work: Work) -> Worked:
        if work.record is None or not work.message.ops:
            return Worked()
        return Worked(answers=tuple(read_ops(bench, work.record)))

    def _write(self, bench: WorkBench, work: Work) -> Worked:
        bins: Bins = {}
        if work.record is not None and not replaces(work.message):
            bins = unpack_bins(work.record[5])
        answers = apply_ops(bench, work.record, bins)
        key = work.message.fields.get(FieldType.KEY)
        if key is None:
            record = work.record
            key = stored_key(record[5], record[4]) if record and record[4] else b""
        payload = pack_payload(bins, key) if bins else b""
        flags = payload_flags(bins, key)
        return Worked(answers=tuple(answers), bins=len(bins), payload=payload, flags=flags)
