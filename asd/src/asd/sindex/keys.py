"""From a record to its index values under a definition."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from struct import unpack_from
from typing import Any, Final, TypeAlias

from aerospike_common import as_msgpack
from aerospike_common.as_msgpack import Value
from aerospike_common.wire.codes import ParticleType, ResultCode
from aerospike_common.wire.errors import MessageError, OperationError
from asd.bins import geo
from asd.bins.cdt import context
from asd.bins.cdt.containers import Container, ListValue, MapValue, from_value
from asd.bins.expressions import UNKNOWN, Expression, ExpType, compile_expression, to_particle
from asd.bins.expressions.values import text_bytes
from asd.bins.particle import Particle
from asd.records.record_view import RecordView
from asd.sindex.bval import hash_bval, signed
from asd.sindex.definition import IndexDefinition, KeyType, Source

BvalsOf: TypeAlias = Callable[[Particle], Iterable[int]]

_CONTAINERS: Final = (ParticleType.LIST, ParticleType.MAP)
_RESULTS: Final = {
    Source.LIST: ExpType.LIST,
    Source.MAPKEYS: ExpType.MAP,
    Source.MAPVALUES: ExpType.MAP,
}
_SCALARS: Final = {
    KeyType.NUMERIC: ExpType.INT,
    KeyType.STRING: ExpType.STR,
    KeyType.BLOB: ExpType.BLOB,
    KeyType.GEO2DSPHERE: ExpType.GEOJSON,
}
_PREFIXES: Final = {
    KeyType.STRING: "\x03",
    KeyType.BLOB: "\x04",
    KeyType.GEO2DSPHERE: "\x17",
}


class Keys:
    """The index values of records under one definition.

    Raises OperationError PARAMETER for a context or expression that is none.
    """

    def __init__(self, definition: IndexDefinition) -> None:
        self.definition = definition
        self._type = definition.key_type.particle_type
        self._path = _parse_context(definition.context)
        self._expression = _parse_expression(definition)
        self.direct: Final = (
            definition.source is Source.DEFAULT and not self._path and not definition.expression
        )
        """The index is of bins as they are."""

    def of_record(self, view: RecordView) -> frozenset[int]:
        """The record's index values; none when it has nothing to index."""
        if self.definition.source is Source.SET:
            return _IN_SET
        particle = self._subject(view)
        return frozenset() if particle is None else frozenset(self.of_particle(particle))

    def of_particle(self, particle: Particle) -> Iterable[int]:
        """The index values of the bin's value, or of the expression's result."""
        if self.definition.source is Source.DEFAULT and not self._path:
            return bvals(particle) if particle.type == self._type else ()
        bvals_of = self._bvals_of_element
        return {bval for element in self._elements(particle) for bval in bvals_of(element)}

    def values(self, view: RecordView) -> list[bytes]:
        """The values indexed, in bytes: of strings and blobs themselves, of GeoJSON the text."""
        particle = self._subject(view)
        if particle is None:
            return []
        if self.definition.source is Source.DEFAULT and not self._path:
            if particle.type != self._type:
                return []
            is_geo = particle.type == ParticleType.GEOJSON
            return [geo.text_of(particle.data) if is_geo else particle.data]
        prefix = _PREFIXES.get(self.definition.key_type)
        return [
            text_bytes(element[1:])
            for element in self._elements(particle)
            if type(element) is str and element[:1] == prefix
        ]

    # ------------------------------------------------------------------- parts

    def _subject(self, view: RecordView) -> Particle | None:
        if self._expression is None:
            return view.bin(self.definition.bin_name)
        value = self._expression.evaluate(view)
        if value is UNKNOWN or value is None:
            return None
        try:
            return to_particle(self._expression.result_type, value)
        except OperationError:
            return None

    def _elements(self, particle: Particle) -> Iterable[Value]:
        """The values below the context: that itself, or what its list or map holds."""
        if particle.type not in _CONTAINERS:
            return ()
        try:
            found = _follow(as_msgpack.unpack_stored(particle.data), self._path)
        except (MessageError, OperationError):
            return ()
        source = self.definition.source
        if source is Source.DEFAULT:
            return () if found is None else (found,)
        container = from_value(found)
        if source is Source.LIST:
            return container.values if type(container) is ListValue else ()
        if type(container) is not MapValue:
            return ()
        return container.keys if source is Source.MAPKEYS else container.values

    def _bvals_of_element(self, element: Value) -> Iterable[int]:
        key_type = self.definition.key_type
        element = as_msgpack.text(element)
        if key_type is KeyType.NUMERIC:
            return (element,) if type(element) is int else ()
        if type(element) is not str or element[:1] != _PREFIXES[key_type]:
            return ()
        data = text_bytes(element[1:])
        if key_type is not KeyType.GEO2DSPHERE:
            return (hash_bval(data),)
        try:
            return map(signed, geo.parse(data).cells())
        except OperationError:
            return ()


_IN_SET: Final = frozenset((0,))
"""In a set index all records have the same value."""


def bvals(particle: Particle) -> Iterable[int]:
    """The index values of a scalar."""
    data = particle.data
    if particle.type == ParticleType.INTEGER:
        return (int.from_bytes(data, "big", signed=True),)
    if particle.type == ParticleType.GEOJSON:
        n_cells = int.from_bytes(data[1:3], "big")
        return unpack_from(f">{n_cells}q", data, 3)
    return (hash_bval(data),)


def _follow(value: Value, path: list[context.Item]) -> Value:
    """What a context leads to in a decoded value; None when it leads nowhere."""
    for item in path:
        container: Container | None = from_value(value)
        if container is None:
            return None
        at = context.find(container, item)
        if at < 0:
            return None
        value = container.values[at]
    return value


def _parse_context(wire: bytes) -> list[context.Item]:
    if not wire:
        return []
    try:
        return context.parse(as_msgpack.unpack(wire))
    except (MessageError, OperationError):
        raise OperationError(ResultCode.PARAMETER, "'context' invalid cdt context") from None


def _parse_expression(definition: IndexDefinition) -> Expression | None:
    if not definition.expression:
        return None
    expression = compile_expression(definition.expression)
    wanted: Any = _RESULTS.get(definition.source, _SCALARS[definition.key_type])
    if expression.result_type is not wanted:
        raise OperationError(ResultCode.PARAMETER, "bad 'exp'")
    return expression
