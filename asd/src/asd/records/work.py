"""What is worked out of a record elsewhere, as values: what is asked, and what comes of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Message
from asd.records.mask import Mask
from storage.engine import Record


class Function(NamedTuple):
    """A function to be called on the record: as `asd.udf` takes it, with all modules' sources."""

    module: str
    name: bytes
    arguments: bytes
    record: tuple[Any, ...]
    """The record, and the key that the request names, as functions see them."""
    sources: dict[str, bytes]
    """By file name."""


class Work(NamedTuple):
    """What a command asks for, and of what: all that its filter and its ops depend on."""

    message: Message
    digest: bytes
    record: Record | None
    set_name: bytes
    now_ms: int
    most_bytes: int
    limit_ms: int
    function: Function | None = None
    mask: Mask | None = None
    """What is to be seen of the record; None: all of it."""

    @property
    def size(self) -> int:
        """Its bytes, about."""
        record = 0 if self.record is None else len(self.record[5])
        fields = sum(map(len, self.message.fields.values()))
        sources = {} if self.function is None else self.function.sources
        ops = sum(len(op[3]) for op in self.message.ops)
        return record + fields + ops + sum(map(len, sources.values()))


class Worked(NamedTuple):
    """What came of it. What is packed of it is a new record's, or empty."""

    filtered: ResultCode = ResultCode.OK
    """OK: the filter lets the record through, or there is none. Else what the client is told."""
    refusal: tuple[ResultCode, str] | None = None
    """Why the ops are refused: result code and reason."""
    answers: tuple[bytes, ...] = ()
    bins: int = 0
    """How many the ops leave."""
    payload: bytes = b""
    flags: int = 0
    result: tuple[Any, ...] | None = None
    """What the function gives and leaves (`LuaState.apply_record`); None: none was called."""
    lines: tuple[tuple[int, str], ...] = ()
    """Level and text of what the function logs."""

    def taken(self) -> tuple[bytes, ...]:
        """What the ops answer. Raises OperationError as they did."""
        if self.refusal is not None:
            raise OperationError(*self.refusal)
        return self.answers


class Given(NamedTuple):
    """What a transaction that is run again is handed: of which record, and what was worked out."""

    work: Work
    worked: Worked
    round: int
