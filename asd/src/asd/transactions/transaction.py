"""What every single-record transaction is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from aerospike_common.wire.codes import FieldType, Info1, Info2, ParticleType, ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Message
from asd.bins.effort import MOST_BYTES, TimeLimit
from asd.bins.expressions import ExpressionCache
from asd.measures.statistics import OriginStatistics
from asd.records.change import Change
from asd.records.mask import Mask, view_through
from asd.records.record import XDR_WRITE, Bins, stored_key
from asd.records.record_view import RecordView
from asd.records.work import Function, Given, Work
from asd.space.consistency import is_linearizable
from asd.space.namespace import Namespace
from asd.transactions.bin_times import stamped
from asd.transactions.effort import MOST, effort_of, may_be_heavy
from asd.transactions.heavy import LONGEST_NS, MOST_ROUNDS, Leave
from asd.transactions.masked import CONCEALED, GUARDED, OPEN, check_bins
from storage.engine import Record

_INTEGER_KEY: Final = bytes((ParticleType.INTEGER,))


# A NamedTuple's own constructor is Python code; the tuple's is not, and costs half.
_new: Final = tuple.__new__

# Members of enumerations cost a look-up of a tenth of a microsecond; these are asked for in every
# transaction.
_SET: Final = int(FieldType.SET)
_KEY: Final = int(FieldType.KEY)
_WRITE: Final = int(Info2.WRITE)
_FILTER: Final = int(FieldType.FILTER)
_XDR: Final = int(Info1.XDR)


class Reply(NamedTuple):
    """The answer to one transaction, before it is framed.

    `ops` is the wire form of `n_ops` ops.
    """

    code: int
    generation: int = 0
    void_time: int = 0
    n_ops: int = 0
    ops: bytes = b""


class Refused(OperationError):
    """A refusal that echoes the generation and void-time of the record it was about."""

    def __init__(self, code: ResultCode, record: Record, message: str = "") -> None:
        super().__init__(code, message)
        self.generation = record[0]
        self.void_time = record[1]


def is_key(key: bytes) -> bool:
    """Whether a key (type byte first) may be stored: any but an integer of other than 8 bytes, and
    nothing at all."""
    return len(key) == 9 if key[:1] == _INTEGER_KEY else bool(key)


def check_key_field(message: Message) -> None:
    """Raises UNSUPPORTED_FEATURE when the command brings a key that may not be stored."""
    key = message.fields.get(FieldType.KEY)
    if key is not None and not is_key(key):
        raise OperationError(ResultCode.UNSUPPORTED_FEATURE, f"a key of {len(key)} bytes")


class Transaction:
    """One command on one record."""

    __slots__ = (
        "_began_ns",
        "_time",
        "access",
        "digest",
        "expressions",
        "found",
        "function",
        "given",
        "message",
        "namespace",
        "now_s",
        "origin",
        "set_name",
    )

    def __init__(
        self,
        namespace: Namespace,
        message: Message,
        digest: bytes,
        expressions: ExpressionCache,
        origin: OriginStatistics,
        access: int = OPEN,
    ) -> None:
        """`access`: what of masked bins it may not see or change (`asd.transactions.masked`)."""
        self.namespace = namespace
        self.message = message
        self.digest = digest
        self.expressions = expressions
        self.origin = origin
        self.access = access
        self.set_name = message.fields.get(_SET, b"")
        self.now_s = namespace.clock.epoch_s()
        self.found: Record | None = None
        self.given: Given | None = None
        """What was worked out elsewhere, once the transaction has been weighed."""
        self.function: Function | None = None
        """What is to be called off the loop, once that is known."""
        self._time: TimeLimit | None = None
        self._began_ns = 0

    def load(self) -> Record | None:
        """The live record of this digest, or None. Looked up here, once a transaction: what stands
        in the store, dead or alive, is `found` from now on. Raises NotResident, OperationError."""
        found = self.found = self.namespace.find(self.digest)
        return found if found is not None and self.namespace.is_live(found, self.now_s) else None

    def change(self, new: Record | None) -> Change:
        """The record becomes `new`; None: it goes. Raises OperationError for a write that another
        data center's is ahead of."""
        if self.namespace.bin_times is not None:
            new = stamped(self.namespace, self.message, self.digest, self.found, new)
        return _new(Change, (self.digest, self.found, new))

    def check_set(self, record: Record, *, must_name: bool = False) -> None:
        """Raises PARAMETER when the command names another set than the record is in.

        A read or delete may leave the set out; a write must name it.
        """
        if not self.set_name and not must_name:
            return
        if self.namespace.set_names[record[3]] != self.set_name:
            raise Refused(ResultCode.PARAMETER, record, "the record is in another set")

    @property
    def mark(self) -> int:
        """The flag of what this writes that says that it was shipped here; 0 when it was not."""
        return XDR_WRITE if self.message.info1 & _XDR else 0

    def check_origin(self) -> None:
        """Raises FORBIDDEN for a write of an origin that the namespace refuses."""
        config = self.namespace.config
        if not config.reject_xdr_writes and not config.reject_non_xdr_writes:
            return
        shipped = self.message.info1 & _XDR
        if config.reject_xdr_writes if shipped else config.reject_non_xdr_writes:
            self.namespace.statistics.fail_xdr_forbidden += 1
            why = "reject-xdr-writes" if shipped else "reject-non-xdr-writes"
            raise OperationError(ResultCode.FORBIDDEN, why)

    def check_key(self, record: Record) -> None:
        """Raises KEY_MISMATCH when the command's key is not the one stored with the record."""
        key = self.message.fields.get(_KEY)
        if key is None:
            return
        stored = stored_key(record[5], record[4])
        if stored and stored != key:
            raise Refused(ResultCode.KEY_MISMATCH, record, "another key is stored")

    def check_filter(self, record: Record) -> None:
        """Raises FILTERED_OUT, or PARAMETER for a broken expression."""
        wire = self.message.fields.get(_FILTER)
        if wire is None:
            return
        if self.given is not None:
            self._check_worked(self.given, record)
            return
        try:
            expression = self.expressions.filter(wire)
        except OperationError as error:
            raise Refused(error.code, record, str(error)) from error
        if not expression.matches(self.view(record)):
            raise Refused(ResultCode.FILTERED_OUT, record)

    def _check_worked(self, given: Given, record: Record) -> None:
        code = given.worked.filtered
        if code == ResultCode.TIMEOUT:
            raise OperationError(ResultCode.TIMEOUT, "the filter was not done in time")
        if code:
            raise Refused(code, record)

    def weigh(self, record: Record | None) -> None:
        """Before filter and ops: what they come to is `given` afterwards, or they are light enough
        to be done here. Raises Leave."""
        namespace = self.namespace
        if not namespace.leaves:
            return
        given = namespace.given
        if given is not None and given.work.digest == self.digest:
            namespace.given = None
            if not self.message.info2 & _WRITE or given.work.record == record:
                self.given = given
                return
            if given.round >= MOST_ROUNDS:
                raise OperationError(ResultCode.KEY_BUSY, "the record changes all the time")
            raise Leave(self, given.round + 1)
        if may_be_heavy(self.message, record):
            effort = effort_of(self.message, record, self.expressions, self.most_bytes)
            if effort > MOST:
                raise Leave(self, 1)

    def work(self) -> Work:
        """What is to be worked out elsewhere."""
        found = self.found
        live = found is not None and self.namespace.is_live(found, self.now_s)
        now_ms = self.namespace.clock.epoch_ms()
        limit_ms = self.namespace.time_limit_ms(self.message.transaction_ttl)
        record = found if live else None
        set_name = self.namespace.set_names[record[3]] if record else self.set_name
        # Plain tuples are pickled in a third of the time.
        message = self.message._replace(ops=[tuple(op) for op in self.message.ops])  # type: ignore[misc]  # made ops again in the worker
        wanted = (self.digest, record, set_name, now_ms, self.most_bytes, limit_ms)
        return Work(message, *wanted, self.function, self.mask)

    @property
    def most_bytes(self) -> int:
        """What any value may have, in bytes."""
        return self.namespace.config.max_record_size or MOST_BYTES

    @property
    def is_heavy(self) -> bool:
        """Big values were worked on."""
        return self._time is not None

    def look(self, about: object = None) -> None:
        """Heavy work comes, as few transactions have. Raises OutOfTime (`asd.bins.effort`)."""
        if self._time is None:
            limit_ms = self.namespace.time_limit_ms(self.message.transaction_ttl)
            self._time = TimeLimit(self.namespace.clock.monotonic_ns, limit_ms)
            self.namespace.heavy_requests += 1
            self._began_ns = self.namespace.heavy_since_ns = self.namespace.clock.monotonic_ns()
        elif self.namespace.leaves and self._worked_ns() > LONGEST_NS:
            raise Leave(self, 1)
        self._time.look()

    def _worked_ns(self) -> int:
        return self.namespace.clock.monotonic_ns() - self._began_ns

    def view(self, record: Record | None, bins: Bins | None = None) -> RecordView:
        """The record as expressions see it; `bins` overrides what is stored."""
        set_name = self.namespace.set_names[record[3]] if record else self.set_name
        key = self.message.fields.get(FieldType.KEY, b"") if record is None else None
        now_ms = self.namespace.clock.epoch_ms()
        view = view_through(self.mask, self.digest, record, set_name, now_ms, bins, key)
        view.time, view.keeps = self, True
        return view

    @property
    def mask(self) -> Mask | None:
        """What is to be seen of the record that was found; None: all of it."""
        if not self.access & CONCEALED:
            return None
        found, namespace = self.found, self.namespace
        return namespace.masks.get(namespace.set_names[found[3]] if found else self.set_name)

    def shown(self, record: Record) -> Record:
        """What is to be seen of the record."""
        mask = self.mask
        return record if mask is None else mask.record(record)

    def check_masked(self, changed: Iterable[bytes]) -> None:
        """Raises RoleViolation when one of these bins is masked, and may not be changed."""
        mask = self.namespace.masks.get(self.set_name) if self.access & GUARDED else None
        if mask is not None:
            check_bins(mask, changed)

    def check_consistency(self) -> None:
        """Linearizable reads want strong consistency, and that the enterprise edition."""
        namespace = self.namespace
        if namespace.consistency is None and is_linearizable(self.message):
            if namespace.community:
                raise OperationError(ResultCode.ENTERPRISE_ONLY, "linearizable read")
            raise OperationError(ResultCode.UNSUPPORTED_FEATURE, "linearizable read")
