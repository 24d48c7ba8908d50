"""Plain values: checking what a client writes, incrementing numbers, growing strings and blobs."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType

from aerospike_common.wire.codes import ParticleType, ResultCode
from aerospike_common.wire.errors import OperationError
from asd.bins import cdt, geo, hll
from asd.bins.particle import Particle

_MASK64 = (1 << 64) - 1
_DOUBLE = struct.Struct(">d")


def _integer(data: bytes) -> bytes:
    if len(data) not in (1, 2, 4, 8):
        raise OperationError(ResultCode.PARAMETER, f"an integer of {len(data)} bytes")
    return data.rjust(8, b"\0")


def _double(data: bytes) -> bytes:
    if len(data) != 8:
        raise OperationError(ResultCode.PARAMETER, f"a double of {len(data)} bytes")
    return data


def _boolean(data: bytes) -> bytes:
    if data not in (b"\0", b"\1"):
        raise OperationError(ResultCode.PARAMETER, "a bool is one byte, 0 or 1")
    return data


def _raw(data: bytes) -> bytes:
    return data


_CHECKS: Mapping[int, Callable[[bytes], bytes]] = MappingProxyType(
    {
        ParticleType.INTEGER: _integer,
        ParticleType.DOUBLE: _double,
        ParticleType.STRING: _raw,
        ParticleType.BLOB: _raw,
        ParticleType.JAVA_BLOB: _raw,
        ParticleType.CSHARP_BLOB: _raw,
        ParticleType.PYTHON_BLOB: _raw,
        ParticleType.RUBY_BLOB: _raw,
        ParticleType.PHP_BLOB: _raw,
        ParticleType.ERLANG_BLOB: _raw,
        ParticleType.VECTOR: _raw,
        ParticleType.BOOL: _boolean,
        ParticleType.HLL: hll.check_write,
        ParticleType.MAP: lambda data: cdt.check_write(ParticleType.MAP, data),
        ParticleType.LIST: lambda data: cdt.check_write(ParticleType.LIST, data),
        ParticleType.GEOJSON: geo.check_write,
    }
)

_GROWABLE = frozenset(
    {
        ParticleType.STRING,
        ParticleType.BLOB,
        ParticleType.JAVA_BLOB,
        ParticleType.CSHARP_BLOB,
        ParticleType.PYTHON_BLOB,
        ParticleType.RUBY_BLOB,
        ParticleType.PHP_BLOB,
        ParticleType.ERLANG_BLOB,
        ParticleType.VECTOR,
    }
)


def stored_form(kind: int, data: bytes) -> Particle:
    """The particle that a WRITE of these bytes stores.

    Raises PARAMETER, for collections SERVER_ERROR, for GeoJSON INVALID_GEOJSON.
    """
    check = _CHECKS.get(kind)
    if check is None:
        raise OperationError(ResultCode.PARAMETER, f"unknown particle type {kind}")
    return Particle(kind, check(data))


def increment(value: Particle | None, kind: int, data: bytes) -> Particle:
    """Add a number of the same type; a missing bin takes the operand as it is.

    Integers wrap at 64 bits. Raises BIN_TYPE when bin and operand are not numbers of one type.
    """
    if value is None:
        return _first(kind, data)
    _check_same_type(value, kind)
    if kind == ParticleType.INTEGER:
        total = int.from_bytes(value.data, "big") + int.from_bytes(_integer(data), "big")
        return Particle(kind, (total & _MASK64).to_bytes(8, "big"))
    if kind == ParticleType.DOUBLE:
        (left,), (right,) = _DOUBLE.unpack(value.data), _DOUBLE.unpack(_double(data))
        return Particle(kind, _DOUBLE.pack(left + right))
    raise OperationError(ResultCode.BIN_TYPE, "only numbers can be incremented")


def append(value: Particle | None, kind: int, data: bytes) -> Particle:
    """Add bytes at the end of a string or blob; a missing bin takes the operand as it is."""
    if value is None:
        return _first(kind, data)
    _check_growable(value, kind)
    return Particle(kind, value.data + data)


def prepend(value: Particle | None, kind: int, data: bytes) -> Particle:
    """Add bytes in front of a string or blob; a missing bin takes the operand as it is."""
    if value is None:
        return _first(kind, data)
    _check_growable(value, kind)
    return Particle(kind, data + value.data)


def _first(kind: int, data: bytes) -> Particle:
    if kind == ParticleType.NULL:
        raise OperationError(ResultCode.PARAMETER, "a null operand")
    return stored_form(kind, data)


def _check_same_type(value: Particle, kind: int) -> None:
    if kind == ParticleType.NULL:
        raise OperationError(ResultCode.PARAMETER, "a null operand")
    if value.type == ParticleType.GEOJSON:
        raise OperationError(ResultCode.SERVER_ERROR, "GeoJSON cannot be changed in place")
    if value.type != kind:
        raise OperationError(ResultCode.BIN_TYPE, "the operand is of another type than the bin")


def _check_growable(value: Particle, kind: int) -> None:
    _check_same_type(value, kind)
    if kind not in _GROWABLE:
        raise OperationError(ResultCode.BIN_TYPE, "only strings and blobs can grow")
