"""From a record to its index values under a definition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from struct import unpack_from
from typing import Any, Final, NamedTuple

from aerospike_common import as_msgpack
from aerospike_common.as_msgpack import Value
from aerospike_common.wire.codes import ParticleType, ResultCode
from aerospike_common.wire.errors import MessageError, OperationError
from asd.bins import geo
from asd.bins.cdt import context
from asd.bins.cdt.containers import Container, from_value
from asd.bins.expressions import UNKNOWN, Expression, ExpType, compile_expression, to_particle
from asd.bins.expressions.values import text_bytes
from asd.bins.particle import Particle
from asd.records.record_view import RecordView
from asd.sindex.bval import hash_bval, signed
from asd.sindex.definition import IndexDefinition, KeyType, Source

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
_HASHED: Final = (ParticleType.STRING, ParticleType.BLOB)
_WEIGHTS: Final = {KeyType.STRING: 4, KeyType.BLOB: 4, KeyType.GEO2DSPHERE: 16}
"""How many times as much an element costs as an integer of as many bytes: it is hashed, or parsed
and covered by cells."""
_PREFIXES: Final = {
    KeyType.STRING: "\x03",
    KeyType.BLOB: "\x04",
    KeyType.GEO2DSPHERE: "\x17",
}


class KeyChange(NamedTuple):
    """What becomes of a record's index values."""

    gone: Set[int]
    come: Set[int]


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
        self._weight = _WEIGHTS.get(definition.key_type, 1)

    def of_record(self, view: RecordView) -> Set[int]:
        """The record's index values; none when it has nothing to index. O(what is indexed)."""
        source = self.definition.source
        if source is Source.SET:
            return _IN_SET
        if source is Source.DEFAULT and not self._path:
            particle = self._scalar(view)
            return _NOTHING if particle is None else frozenset(bvals(particle))
        return self._bvals_of(self._elements(view))

    def is_same(self, old: RecordView | None, new: RecordView | None) -> bool:
        """Is what is indexed plainly the same in both? None = not there."""
        name = self.definition.bin_name
        return (
            old is not None and new is not None and name != b"" and old.bin(name) == new.bin(name)
        )

    def effort(self, view: RecordView) -> int:
        """What `of_record` will cost, in bytes of integers that are gone through."""
        name = self.definition.bin_name
        if self._expression is not None:
            sized = map(view.bin, self._expression.sized)
            return self._expression.effort(sum(len(found.data) for found in sized if found))
        if self.definition.source is Source.SET or (self.direct and self._type not in _HASHED):
            return 0
        particle = view.bin(name)
        return 0 if particle is None else self.effort_of(particle)

    def effort_of(self, particle: Particle) -> int:
        """The same for what is indexed of a bin."""
        size = len(particle.data)
        if not self.direct:
            return self._weight * size
        return -(-size >> 2) if self._type in _HASHED else 0

    def difference(self, old: RecordView | None, new: RecordView | None) -> KeyChange:
        """What a record loses and gets when it changes from `old` to `new`; None = not there."""
        had = _NOTHING if old is None else self.of_record(old)
        has = _NOTHING if new is None else self.of_record(new)
        return _UNCHANGED if had == has else KeyChange(had - has, has - had)

    def values(self, view: RecordView) -> Iterator[bytes]:
        """The values indexed, in bytes: of strings and blobs themselves, of GeoJSON the text."""
        if self.definition.source is Source.DEFAULT and not self._path:
            particle = self._scalar(view)
            if particle is not None:
                is_geo = particle.type == ParticleType.GEOJSON
                yield geo.text_of(particle.data) if is_geo else particle.data
            return
        prefix = _PREFIXES.get(self.definition.key_type)
        for element in map(as_msgpack.text, self._elements(view)):
            if type(element) is str and element[:1] == prefix:
                yield text_bytes(element[1:])

    # ------------------------------------------------------------------- parts

    def _scalar(self, view: RecordView) -> Particle | None:
        """The value itself, if it is of the index's type."""
        if self._expression is None:
            particle = view.bin(self.definition.bin_name)
        else:
            value = self._expression.evaluate(view)
            if value is UNKNOWN:
                return None
            try:
                particle = to_particle(self._expression.result_type, value)
            except OperationError:
                return None
        return particle if particle is not None and particle.type == self._type else None

    def _elements(self, view: RecordView) -> Iterable[Value]:
        """The values below the context: that itself, or what its list or map holds.

        The flags that a list or map may begin with are among them: they are of no indexed type.
        """
        try:
            found = _follow(self._container(view), self._path)
        except (MessageError, OperationError):
            return ()
        source = self.definition.source
        if source is Source.DEFAULT:
            return (found,)
        if source is Source.LIST:
            return found if type(found) is list else ()
        if type(found) is not dict:
            return ()
        return found.keys() if source is Source.MAPKEYS else found.values()

    def _container(self, view: RecordView) -> Value:
        """The list or map in the bin, or that the expression results in. Raises MessageError."""
        if self._expression is not None:
            return self._expression.evaluate(view)
        particle = view.bin(self.definition.bin_name)
        if particle is None or particle.type not in _CONTAINERS:
            return None
        return as_msgpack.unpack_stored(particle.data)

    def _bvals_of(self, elements: Iterable[Value]) -> Set[int]:
        key_type = self.definition.key_type
        if key_type is KeyType.NUMERIC:
            return {element for element in elements if type(element) is int}
        prefix = _PREFIXES[key_type]
        plain = map(as_msgpack.text, elements)
        texts = {text for text in plain if type(text) is str and text[:1] == prefix}
        found = (text_bytes(text[1:]) for text in texts)
        if key_type is not KeyType.GEO2DSPHERE:
            return set(map(hash_bval, found))
        return {cell for text in found for cell in _cells(text)}


_IN_SET: Final = frozenset((0,))
"""In a set index all records have the same value."""
_NOTHING: Final[frozenset[int]] = frozenset()
_UNCHANGED: Final = KeyChange(_NOTHING, _NOTHING)


def _cells(text: bytes) -> Iterable[int]:
    """The index values of a GeoJSON text; none when it is not valid."""
    try:
        return map(signed, geo.parse(text).cells())
    except OperationError:
        return ()


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
