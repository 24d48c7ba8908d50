"""Stream functions: the server's part of an aggregation, fed record by record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, NoReturn

from aerospike_common.wire.codes import OpType, ParticleType
from asd.bins.particle import Particle
from asd.records.record import encode_op
from asd.udf.call import Call, lua_record
from asd.udf.lua_state import LuaFailure
from asd.udf.modules import Lease
from storage.engine import Record

if TYPE_CHECKING:
    from asd.space.namespace import Namespace
    from asd.udf.modules import UdfModules

_NOT_LOADED: Final = "UDF: Execution Error 1"
_STREAM_ERROR: Final = "UDF: Execution Error 2 : "


class AggregationError(Exception):
    """The function failed; the text is for the client. The aggregation is over."""

    def op(self) -> bytes:
        """The op of the message that tells the client."""
        text = str(self).encode("utf-8", "surrogateescape")
        return encode_op(OpType.READ, b"FAILURE", Particle(ParticleType.STRING, text))


class Aggregation:
    """One run of a stream function over the records of a query.

    Feed it slices of records until there are no more or it is `done`, then `finish` it, and `close`
    it in any case. What comes out, at any time, are the ops of the messages to send: one op each.
    Between two calls the loop may do other things; records may change.
    """

    def __init__(
        self, modules: UdfModules, namespace: Namespace, call: Call, timeout_ms: int
    ) -> None:
        """Call the function for its operators.

        `timeout_ms` bounds each call of this object. Raises AggregationError.
        """
        self._modules = modules
        self._namespace = namespace
        self._timeout_ms = timeout_ms
        self.done = False
        """The stream wants no more records."""
        self._lease: Lease | None = modules.take(call.module)
        if self._lease is None:
            raise AggregationError(_NOT_LOADED)
        try:
            self._lease.state.begin_stream(timeout_ms, call.function, call.arguments)
        except LuaFailure as error:
            self._fail(error)

    def feed(self, records: Iterable[tuple[bytes, Record]]) -> list[bytes]:
        """Push records (digest and record, live) through the operators. Raises AggregationError."""
        state = self._held().state
        state.allow(self._timeout_ms)
        push, now_s = state.push_stream, self._namespace.clock.epoch_s()
        set_names = self._namespace.set_names
        try:
            for digest, record in records:
                if not push(*lua_record(digest, record, set_names[record[3]], now_s)):
                    self.done = True
                    break
        except LuaFailure as error:
            self._fail(error)
        return self._ops()

    def finish(self) -> list[bytes]:
        """There are no more records: what the operators still held. Raises AggregationError."""
        state = self._held().state
        state.allow(self._timeout_ms)
        try:
            state.finish_stream()
        except LuaFailure as error:
            self._fail(error)
        ops = self._ops()
        self.close()
        return ops

    def close(self) -> None:
        """Give the Lua state back. Does nothing the second time."""
        lease, self._lease = self._lease, None
        if lease is not None:
            self._modules.give_back(lease)

    def _held(self) -> Lease:
        if self._lease is None:
            raise ValueError("the aggregation is over")
        return self._lease

    def _fail(self, error: LuaFailure) -> NoReturn:
        self.close()
        raise AggregationError(f"{_STREAM_ERROR}{error}") from error

    def _ops(self) -> list[bytes]:
        outputs = self._held().state.take_outputs()
        return [encode_op(OpType.READ, b"SUCCESS", value) for value in outputs]
