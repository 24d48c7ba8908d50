"""Ops on bins: one table of ops that read, one of ops that write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from aerospike_common.wire.codes import OpType, ParticleType, ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Op
from asd.bins import bits, cdt, expressions, hll, scalars
from asd.bins.expressions import ExpressionCache, RecordPaths
from asd.bins.particle import Particle
from asd.records.record import Bins, remove_bin
from asd.records.record_view import RecordView

MAX_BIN_NAME = 15


class Operands:
    """What the ops of one command work on.

    `bins` are those of the record being written, changed in place op by op; a read has none and
    looks bins up in the view. Most ops need no more than a bin: `look` is called for the view when
    one does.
    """

    __slots__ = ("_look", "_view", "bins", "expressions")

    def __init__(
        self, look: Callable[[], RecordView], cache: ExpressionCache, bins: Bins | None = None
    ) -> None:
        self._look = look
        self._view: RecordView | None = None
        self.expressions = cache
        self.bins: Bins = {} if bins is None else bins

    @property
    def view(self) -> RecordView:
        """The record as expressions see it."""
        if self._view is None:
            self._view = self._look()
        return self._view

    def paths(self) -> RecordPaths:
        """What path expressions may ask of the record."""
        return RecordPaths(self.view, self.expressions.path)

    def bin(self, name: bytes) -> Particle | None:
        """One bin as it is now, or None when it is missing."""
        return self.bins.get(name) if self.bins else self.view.bin(name)

    def put(self, name: bytes, value: Particle | None) -> None:
        """Set a bin; None deletes it."""
        if value is not None:
            self.bins[name] = value
        elif name in self.bins:
            remove_bin(self.bins, name)


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
    return operands.bin(op.name)


def _cdt_read(operands: Operands, op: Op) -> Particle | None:
    return cdt.read(operands.bin(op.name), op.value, operands.paths)


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
    deletes = op.particle_type == ParticleType.NULL
    operands.put(op.name, None if deletes else scalars.stored_form(op.particle_type, op.value))
    return None


def _increment(operands: Operands, op: Op) -> Particle | None:
    bins = operands.bins
    bins[op.name] = scalars.increment(bins.get(op.name), op.particle_type, op.value)
    return None


def _append(operands: Operands, op: Op) -> Particle | None:
    bins = operands.bins
    bins[op.name] = scalars.append(bins.get(op.name), op.particle_type, op.value)
    return None


def _prepend(operands: Operands, op: Op) -> Particle | None:
    bins = operands.bins
    bins[op.name] = scalars.prepend(bins.get(op.name), op.particle_type, op.value)
    return None


def _touch(operands: Operands, op: Op) -> Particle | None:
    return None


def _delete_all(operands: Operands, op: Op) -> Particle | None:
    operands.bins.clear()
    return None


def _cdt_modify(operands: Operands, op: Op) -> Particle | None:
    value, result = cdt.modify(operands.bins.get(op.name), op.value, operands.paths)
    operands.put(op.name, value)
    return result


def _exp_modify(operands: Operands, op: Op) -> Particle | None:
    current = operands.bins.get(op.name)
    value = expressions.modify(operands.view, current, op.value, operands.expressions)
    operands.put(op.name, value)
    return None


def _bit_modify(operands: Operands, op: Op) -> Particle | None:
    _check_list_argument(op)
    value, result = bits.modify(operands.bins.get(op.name), op.value)
    operands.put(op.name, value)
    return result


def _hll_modify(operands: Operands, op: Op) -> Particle | None:
    value, result = hll.modify(operands.bins.get(op.name), op.value)
    operands.put(op.name, value)
    return result


def _check_list_argument(op: Op) -> None:
    if op.particle_type != ParticleType.BLOB:
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
