"""Ops on bins: one table of ops that read, one of ops that write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from aerospike_common.wire.codes import OpType, ParticleType, ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Op
from asd.bins import bits, cdt, expressions, hll, scalars
from asd.bins.cdt import Container
from asd.bins.effort import HEAVY, MOST_BYTES, Timed
from asd.bins.expressions import ExpressionCache, RecordPaths
from asd.bins.particle import Particle
from asd.records.mask import Mask
from asd.records.record import BinOrder, Bins
from asd.records.record_view import RecordView

MAX_BIN_NAME = 15

SMALL_ANSWER = 512
"""Bytes of an answer that need not be counted: a command has no more than 32768 ops."""

MAX_REPLY = 16 << 20
"""Bytes that the ops of one command may answer: the largest record twice. A command of a few bytes
can ask for one big bin again and again."""


# Members of enumerations cost a look-up of a tenth of a microsecond.
_NULL: Final = int(ParticleType.NULL)
_BLOB: Final = int(ParticleType.BLOB)


class Opened(NamedTuple):
    """A bin's list or map, decoded; None for a value of another type."""

    collection: Container | None


class Operands:
    """What the ops of one command work on.

    `bins` are those of the record being written, changed op by op; a read has none and looks bins
    up in the view. Most ops need no more than a bin: `look` is called for the view when one does.

    A list or map stays decoded from its first operation to its last and is packed once, when
    somebody wants its bytes: what stands in `bins` of it is out of date until then (`settle`). So
    is their order while bins are deleted: to move the last one into a gap, as readers see it, takes
    O(bins) in a dict.
    """

    __slots__ = (
        "_answered",
        "_changed",
        "_look",
        "_open",
        "_order",
        "_view",
        "_writes",
        "bins",
        "expressions",
        "mask",
        "most_bytes",
        "time",
    )

    def __init__(
        self,
        look: Callable[[], RecordView],
        cache: ExpressionCache,
        bins: Bins | None = None,
        time: Timed | None = None,
        most_bytes: int = MOST_BYTES,
        mask: Mask | None = None,
    ) -> None:
        """`time` limits heavy work, `most_bytes` each value; `mask` says what reads see."""
        self._look = look
        self._view: RecordView | None = None
        self._writes = bins is not None
        self._answered = 0
        self._open: dict[bytes, Opened] = {}
        self._changed: dict[bytes, int] = {}  # to the bytes that its bin may have by now, at most
        self._order: BinOrder | None = None
        self.expressions = cache
        self.bins: Bins = {} if bins is None else bins
        self.time = time
        self.most_bytes = most_bytes
        self.mask = mask

    @property
    def view(self) -> RecordView:
        """The record as expressions see it."""
        if self._changed:
            self._pack_all()
        if self._view is None:
            self._view = self._look()
            self._view.time = self.time
        return self._view

    def paths(self) -> RecordPaths:
        """What path expressions may ask of the record."""
        return RecordPaths(self.view, self.expressions.path)

    def bin(self, name: bytes) -> Particle | None:
        """One bin as it is now, or None when it is missing."""
        if name in self._changed:
            self._pack(name)
        return self.bins.get(name) if self._writes else self.view.bin(name)

    def put(self, name: bytes, value: Particle | None) -> None:
        """Set a bin; None deletes it. Raises RECORD_TOO_BIG for what no record can hold."""
        if self._open:
            self._open.pop(name, None)
            self._changed.pop(name, None)
        if value is not None:
            if len(value[1]) > self.most_bytes:
                self.check_size(len(value[1]))
            if self._order is not None and name not in self.bins:
                self._order.add(name)
            self.bins[name] = value
        elif name in self.bins:
            if self._order is None:
                self._order = BinOrder(self.bins)
            self._order.remove(name)
            del self.bins[name]

    def clear(self) -> None:
        """Delete all bins."""
        self._open.clear()
        self._changed.clear()
        self._order = None
        self.bins.clear()

    def check_size(self, size: int) -> None:
        """Raises RECORD_TOO_BIG for a value of more bytes than a record may have."""
        if size > self.most_bytes:
            raise OperationError(ResultCode.RECORD_TOO_BIG, f"a value over {self.most_bytes} bytes")

    def heavy(self, size: int) -> None:
        """Work on so many bytes or elements comes. Raises OutOfTime."""
        if size > HEAVY and self.time is not None:
            self.time.look()

    def answered(self, size: int) -> None:
        """An op answers so many bytes, more than SMALL_ANSWER. Raises RECORD_TOO_BIG."""
        self._answered += size
        if self._answered > MAX_REPLY:
            raise OperationError(ResultCode.RECORD_TOO_BIG, f"a reply over {MAX_REPLY} bytes")

    # ------------------------------------------------- lists and maps, kept decoded

    def open(self, name: bytes) -> Opened | None:
        """What is in a bin, decoded; None when it is missing."""
        opened = self._open.get(name)
        if opened is None:
            particle = self.bins.get(name) if self._writes else self.view.bin(name)
            if particle is None:
                return None
            opened = self._open[name] = Opened(cdt.from_particle(particle))
        if opened.collection is not None and opened.collection.size > HEAVY:
            self.heavy(opened.collection.size)
        return opened

    def changed(self, name: bytes, added: int) -> None:
        """The collection in a bin has been changed by an operation of so many bytes."""
        container = self._open[name].collection
        assert container is not None  # or the operation had failed
        before = self._changed.get(name)
        size = len(self.bins[name].data) if before is None else before
        size += added
        self._changed[name] = size
        if max(size, container.size) > self.most_bytes:
            self.check_size(container.size)  # an element has a byte at least
            self._pack(name)
            self.check_size(len(self.bins[name].data))

    def _pack(self, name: bytes) -> None:
        container = self._open[name].collection
        assert container is not None
        del self._changed[name]
        self.bins[name] = cdt.packed(container, self.bins[name])

    def _pack_all(self) -> None:
        for name in list(self._changed):
            self._pack(name)

    def settle(self) -> None:
        """Let `bins` be what the ops have made of them."""
        if self._changed:
            self._pack_all()
        if self._order is not None:
            self._order.restore(self.bins)
            self._order = None


Handler: TypeAlias = Callable[[Operands, Op], Particle | None]


def is_bin_name(name: bytes) -> bool:
    """A bin name has at most 15 bytes and no NUL."""
    return len(name) <= MAX_BIN_NAME and 0 not in name


def check_bin_name(name: bytes) -> None:
    """Raises BIN_NAME for what is not a bin name."""
    if not is_bin_name(name):
        raise OperationError(ResultCode.BIN_NAME, f"bin name {name!r}")


# ------------------------------------------------------------------ reads


def _read(operands: Operands, op: Op) -> Particle | None:
    value, mask = operands.bin(op.name), operands.mask
    return value if mask is None or value is None else mask.value(op.name, value)


def _cdt_read(operands: Operands, op: Op) -> Particle | None:
    opened = operands.open(op.name)
    if opened is None:
        return None
    return cdt.read_open(opened.collection, op.value, operands.paths)


def _exp_read(operands: Operands, op: Op) -> Particle | None:
    return expressions.read(operands.view, op.value, operands.expressions)


def _bit_read(operands: Operands, op: Op) -> Particle | None:
    particle = operands.bin(op.name)
    if particle is None:
        return None
    _check_list_argument(op)
    return bits.read(particle, op.value)


def _hll_read(operands: Operands, op: Op) -> Particle | None:
    return hll.read(operands.bin(op.name), op.value)


# ----------------------------------------------------------------- writes


def _write(operands: Operands, op: Op) -> Particle | None:
    if len(op.value) > HEAVY:
        operands.check_size(len(op.value))
    deletes = op.particle_type == _NULL
    operands.put(op.name, None if deletes else scalars.stored_form(op.particle_type, op.value))
    return None


def _increment(operands: Operands, op: Op) -> Particle | None:
    if len(op.value) > HEAVY:
        operands.check_size(len(op.value))
    changed = scalars.increment(operands.bin(op.name), op.particle_type, op.value)
    operands.put(op.name, changed)
    return None


def _append(operands: Operands, op: Op) -> Particle | None:
    return _grow(operands, op, scalars.append)


def _prepend(operands: Operands, op: Op) -> Particle | None:
    return _grow(operands, op, scalars.prepend)


def _grow(
    operands: Operands, op: Op, join: Callable[[Particle | None, int, bytes], Particle]
) -> Particle | None:
    if len(op.value) > HEAVY:
        operands.check_size(len(op.value))
    grown = join(operands.bin(op.name), op.particle_type, op.value)
    operands.put(op.name, grown)
    if len(grown.data) > HEAVY:
        operands.heavy(len(grown.data))
    return None


def _touch(operands: Operands, op: Op) -> Particle | None:
    return None


def _delete_all(operands: Operands, op: Op) -> Particle | None:
    operands.clear()
    return None


def _cdt_modify(operands: Operands, op: Op) -> Particle | None:
    name, payload = op.name, op.value
    if len(payload) > 2 * MOST_BYTES:
        raise OperationError(ResultCode.RECORD_TOO_BIG, "arguments larger than any record")
    opened = operands.open(name)
    if opened is None:
        created, result = cdt.create(payload, operands.paths)
        operands.put(name, None if created is None else cdt.packed(created, None))
        return result
    result = cdt.modify_open(opened.collection, payload, operands.paths)
    operands.changed(name, len(payload))
    return result


def _exp_modify(operands: Operands, op: Op) -> Particle | None:
    current = operands.bin(op.name)
    value = expressions.modify(operands.view, current, op.value, operands.expressions)
    operands.put(op.name, value)
    return None


def _bit_modify(operands: Operands, op: Op) -> Particle | None:
    _check_list_argument(op)
    current = operands.bin(op.name)
    operands.heavy(0 if current is None else len(current.data))
    value, result = bits.modify(current, op.value, operands.most_bytes)
    operands.put(op.name, value)
    return result


def _hll_modify(operands: Operands, op: Op) -> Particle | None:
    value, result = hll.modify(operands.bin(op.name), op.value)
    operands.put(op.name, value)
    return result


def _check_list_argument(op: Op) -> None:
    if op.particle_type != _BLOB:
        raise OperationError(ResultCode.BIN_TYPE, "the argument of a bit op is a blob")


READ_OPS: Mapping[int, Handler] = MappingProxyType(
    {
        OpType.READ: _read,
        OpType.CDT_READ: _cdt_read,
        OpType.EXP_READ: _exp_read,
        OpType.BIT_READ: _bit_read,
        OpType.HLL_READ: _hll_read,
    }
)
"""Op id to its function; the result is what the op answers, None for nothing."""

WRITE_OPS: Mapping[int, Handler] = MappingProxyType(
    {
        OpType.WRITE: _write,
        OpType.CDT_MODIFY: _cdt_modify,
        OpType.INCR: _increment,
        OpType.EXP_MODIFY: _exp_modify,
        OpType.APPEND: _append,
        OpType.PREPEND: _prepend,
        OpType.TOUCH: _touch,
        OpType.BIT_MODIFY: _bit_modify,
        OpType.DELETE_ALL: _delete_all,
        OpType.HLL_MODIFY: _hll_modify,
    }
)
