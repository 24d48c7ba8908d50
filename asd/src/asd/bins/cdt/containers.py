"""The list or map an operation works on, between stored bytes and plain values."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, NoReturn, TypeAlias

from msgpack import ExtType

from aerospike_common import as_msgpack as msgpack
from aerospike_common.as_msgpack import Value
from aerospike_common.wire.codes import ParticleType, ResultCode
from aerospike_common.wire.errors import MessageError, OperationError
from asd.bins.particle import Particle

ORDERED: Final = msgpack.ORDERED


def refuse(code: ResultCode, why: str) -> NoReturn:
    """Raise the operation's error."""
    raise OperationError(code, why)


def bad_argument(why: str) -> NoReturn:
    """Raise the error of a malformed operation (4)."""
    raise OperationError(ResultCode.PARAMETER, why)


def not_applicable(why: str) -> NoReturn:
    """Raise the error of an operation that the value at hand does not allow (26)."""
    raise OperationError(ResultCode.OP_NOT_APPLICABLE, why)


@dataclass(slots=True, eq=False)
class ListValue:
    """A list without its flags element. Operations change it in place: it is always a copy."""

    flags: int
    values: list[Value]

    keys: ClassVar[Sequence[Value]] = ()

    @property
    def ordered(self) -> bool:
        """Whether storage order is value order."""
        return bool(self.flags & ORDERED)

    def pack(self) -> bytes:
        """The stored bytes."""
        return msgpack.pack(self.to_value())

    def to_value(self) -> Value:
        """The plain Python value, flags element included."""
        return [ExtType(self.flags, b""), *self.values] if self.flags else self.values

    def remove(self, positions: Sequence[int]) -> None:
        """Drop the elements at these storage positions."""
        self.values = without(self.values, positions)


@dataclass(slots=True, eq=False)
class MapValue:
    """A map as two columns in key order. Operations change it in place: it is always a copy."""

    flags: int
    keys: list[Value]
    values: list[Value]

    ordered: ClassVar[bool] = False
    """Storage order is key order; never taken for value order."""

    def pack(self) -> bytes:
        """The stored bytes."""
        return msgpack.pack_map(self.flags, self.keys, self.values)

    def to_value(self) -> Value:
        """The plain Python value, flags key included."""
        return dict_of(self.flags, self.keys, self.values)

    def remove(self, positions: Sequence[int]) -> None:
        """Drop the entries at these storage positions."""
        self.keys = without(self.keys, positions)
        self.values = without(self.values, positions)


Container: TypeAlias = ListValue | MapValue


def dict_of(flags: int, keys: Sequence[Value], values: Sequence[Value]) -> dict[Value, Value]:
    """A plain map of these columns, in this order."""
    pairs = zip(keys, values, strict=True)
    return {ExtType(flags, b""): None, **dict(pairs)} if flags else dict(pairs)


def without(values: list[Value], positions: Sequence[int]) -> list[Value]:
    """`values` less those at `positions` (any order, repeats allowed). O(n)."""
    if len(positions) <= 1:
        kept = values[:]
        for position in positions:
            del kept[position]
        return kept
    first, last = min(positions), max(positions)
    gone = set(positions)
    if last - first + 1 == len(gone):
        return values[:first] + values[last + 1 :]
    return [value for at, value in enumerate(values) if at not in gone]


def from_value(value: Value) -> Container | None:
    """A container to work on, None when `value` is neither list nor map. The value stays as is."""
    if type(value) is list:
        flags = msgpack.list_flags(value)
        return ListValue(flags, value[1:] if value and msgpack.is_flags(value[0]) else value[:])
    if type(value) is dict:
        keys, values = list(value), list(value.values())
        if keys and msgpack.is_flags(keys[0]):
            return MapValue(keys[0].code, keys[1:], values[1:])
        return MapValue(0, keys, values)
    return None


def from_particle(particle: Particle) -> Container | None:
    """The container stored in a bin, None when the bin holds something else."""
    if particle.type == ParticleType.LIST:
        items = msgpack.unpack_stored(particle.data)
        if items and msgpack.is_flags(items[0]):
            return ListValue(items[0].code, items[1:])
        return ListValue(0, items)
    if particle.type == ParticleType.MAP:
        return MapValue(*msgpack.unpack_stored_map(particle.data))
    return None


def to_particle(container: Container) -> Particle:
    """The bin value of a container."""
    kind = ParticleType.LIST if type(container) is ListValue else ParticleType.MAP
    return Particle(kind, container.pack())


_INT: Final = struct.Struct(">q")
_DOUBLE: Final = struct.Struct(">d")
_GEOJSON_HEAD: Final = b"\0\0\0"
"""GeoJSON that leaves a container carries no cells: flags 0, count 0."""


def result_particle(value: Value) -> Particle | None:
    """The particle that carries a result; None for nil."""
    kind = type(value)
    if kind is int:
        return Particle(ParticleType.INTEGER, _INT.pack(value))
    if kind is str:
        raw = value.encode("utf-8", "surrogateescape")
        if raw[:1] == b"\x17":
            return Particle(ParticleType.GEOJSON, _GEOJSON_HEAD + raw[1:])
        return Particle(raw[0] if raw else ParticleType.BLOB, raw[1:])
    if kind is list:
        return Particle(ParticleType.LIST, msgpack.pack(value))
    if kind is dict:
        return Particle(ParticleType.MAP, msgpack.pack(value))
    if kind is bool:
        return Particle(ParticleType.BOOL, b"\1" if value else b"\0")
    if kind is float:
        return Particle(ParticleType.DOUBLE, _DOUBLE.pack(value))
    return None


def storable(value: Value, depth: int) -> Value:
    """`value` as it may be stored inside `depth` containers; error 4 otherwise."""
    try:
        return msgpack.normalise_for_storage(value, depth)
    except MessageError as error:
        bad_argument(str(error))


def check_map_key(key: Value) -> None:
    """Error 4 unless `key` may be a map key: an integer, a string or a blob."""
    if type(key) is not int and (type(key) is not str or key[:1] == msgpack.GEOJSON):
        bad_argument("map key is not an integer, string or blob")
