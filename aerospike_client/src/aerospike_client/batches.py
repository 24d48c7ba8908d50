"""The rows of a batch, and what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from aerospike_client.errors import ClientError, RecordNotFound
from aerospike_client.key import Key
from aerospike_client.policies import BatchApplyPolicy, BatchReadPolicy, BatchWritePolicy
from aerospike_client.record import Record
from aerospike_client.values import BinValue
from aerospike_common.wire import Op

_READ: Final = BatchReadPolicy()
_WRITE: Final = BatchWritePolicy()
_APPLY: Final = BatchApplyPolicy()


@attrs.frozen
class BatchRead:
    """Read a record: all bins, some (`bins`), none but the metadata (`bins=()`), or what operations
    that read answer (`ops`)."""

    key: Key
    bins: Sequence[str] | None = None
    ops: Sequence[Op] = ()
    policy: BatchReadPolicy = _READ


@attrs.frozen
class BatchPut:
    """Write bins; the value None removes one."""

    key: Key
    bins: Mapping[str, BinValue]
    policy: BatchWritePolicy = _WRITE


@attrs.frozen
class BatchOperate:
    """Several operations on a record, at least one of which writes."""

    key: Key
    ops: Sequence[Op]
    policy: BatchWritePolicy = _WRITE


@attrs.frozen
class BatchRemove:
    """Remove a record."""

    key: Key
    policy: BatchWritePolicy = _WRITE


@attrs.frozen
class BatchApply:
    """Call a registered function on a record."""

    key: Key
    module: str
    function: str
    arguments: Sequence[BinValue] = ()
    policy: BatchApplyPolicy = _APPLY


BatchRow = BatchRead | BatchPut | BatchOperate | BatchRemove | BatchApply


@attrs.define
class BatchResult:
    """What became of a row."""

    key: Key
    #: What was read, or the record's new metadata; None when the row failed.
    record: Record | None = None
    #: Why the row failed, with its code and whether it is in doubt; None when it did not.
    error: ClientError | None = None

    @property
    def ok(self) -> bool:
        """Whether the row was done."""
        return self.error is None

    @property
    def value(self) -> Any:
        """What the function of a BatchApply returned."""
        return self.record.bins.get("SUCCESS") if self.record else None

    def unwrap(self) -> Record:
        """The record. Raises the row's error."""
        if self.error is not None:
            raise self.error
        assert self.record is not None
        return self.record

    def found(self) -> Record | None:
        """The record, None where there is none. Raises any other error of the row."""
        if self.error is not None and not isinstance(self.error, RecordNotFound):
            raise self.error
        return self.record
