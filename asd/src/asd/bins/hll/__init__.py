"""HyperLogLog bins: operations on sketches that count distinct elements.

    read(particle, payload)            -> Particle | None                     HLL_READ
    modify(particle, payload)          -> (new Particle | None, Particle | None)  HLL_MODIFY
    evaluate(value, op_list, modify)   -> int | float | bytes | list | None   on decoded arguments
    check_write(data)                  -> data, for a plain WRITE of a sketch

`payload` is an op's value, the msgpack list `[op code, argument, ...]`; `op_list` is that list
decoded as in docs/architecture.md "Values" (a sketch argument is a `str` beginning with "\\x12").
A missing bin is `None`, for particles and values alike.
"""

from __future__ import annotations

from collections.abc import Container
from struct import pack

from aerospike_common import as_msgpack
from aerospike_common.as_msgpack_walk import COMPILED
from aerospike_common.wire.codes import ParticleType, ResultCode
from aerospike_common.wire.errors import OperationError
from asd.bins import op_table
from asd.bins.hll import operations, sketch
from asd.bins.hll.operations import Result
from asd.bins.hll.packed_elements import decode
from asd.bins.particle import Particle

# Members of enumerations cost a look-up of a tenth of a microsecond.
_HLL = int(ParticleType.HLL)
_INTEGER = int(ParticleType.INTEGER)

__all__ = ["Result", "check_write", "evaluate", "modify", "read"]


def read(particle: Particle | None, payload: bytes) -> Particle | None:
    """The result of one read operation; none for a missing bin."""
    if particle is None:
        return None
    _check_type(particle, operations.READS, payload)
    return _particle(operations.read(particle.data, op_table.decode(payload)))


def modify(particle: Particle | None, payload: bytes) -> tuple[Particle | None, Particle | None]:
    """The bin after one modify operation, and the operation's result if it has one."""
    if particle is not None:
        _check_type(particle, operations.MODIFIES, payload)
    data = None if particle is None else particle.data
    op_list = decode(payload) if COMPILED else op_table.decode(payload)
    changed, result = operations.modify(data, op_list)
    return (
        None if changed is None else Particle(_HLL, changed),
        None if result is None else _particle(result),
    )


def evaluate(value: bytes | None, op_list: object, modify: bool) -> Result | None:
    """One operation on decoded arguments: the read's result, or the sketch after the modify.

    Bytes are a sketch.
    """
    if modify:
        return operations.modify(value, op_list)[0]
    return None if value is None else operations.read(value, op_list)


def check_write(data: bytes) -> bytes:
    """`data`, when it is a sketch that may be stored; otherwise a parameter error."""
    if sketch.parse(data) is None:
        raise op_table.parameter_error("not a sketch")
    return data


def _check_type(particle: Particle, table: Container[int | None], payload: bytes) -> None:
    """Refuse a bin of another type: behind an unknown op code, but before wrong arguments."""
    if particle.type == _HLL:
        return
    if op_table.op_code(payload) not in table:
        raise op_table.parameter_error("no such operation")
    raise OperationError(ResultCode.BIN_TYPE)


def _particle(result: Result) -> Particle:
    if isinstance(result, int):
        return Particle(_INTEGER, result.to_bytes(8, "big", signed=True))
    if isinstance(result, float):
        return Particle(ParticleType.DOUBLE, pack(">d", result))
    if isinstance(result, bytes):
        return Particle(_HLL, result)
    return Particle(ParticleType.LIST, as_msgpack.pack(result))
