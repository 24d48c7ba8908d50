"""The list or map an operation works on, between stored bytes and plain values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, NoReturn, TypeAlias

from msgpack import ExtType

from aerospike_common import as_msgpack as msgpack
from aerospike_common import as_msgpack_walk as walk
from aerospike_common.as_msgpack import Value
from aerospike_common.wire.codes import ParticleType, ResultCode
from aerospike_common.wire.errors import MessageError, OperationError
from asd.bins.cdt.bounds import lower_bound, upper_bound
from asd.bins.cdt.packed import PackedMap, WalkedMap, cut, replaced
from asd.bins.particle import IndexedMap, Particle

KEY_TYPES: Final = frozenset({int, str})
"""Of map keys; a string may also be a blob."""
ORDERED: Final = msgpack.ORDERED

# Members of enumerations cost a look-up of a tenth of a microsecond; of these, each operation has
# some.
_LIST: Final = int(ParticleType.LIST)
_MAP: Final = int(ParticleType.MAP)

WALKS: Final = walk.COMPILED
"""Elements are found in the bytes, and not by decoding all of them."""
MOST_WALKS: Final = 8
"""Times that a container is walked through in one command. From then on it is decoded: a command of
thousands of operations on a large list would take as many walks."""


def refuse(code: ResultCode, why: str) -> NoReturn:
    """Raise the operation's error."""
    raise OperationError(code, why)


def bad_argument(why: str) -> NoReturn:
    """Raise the error of a malformed operation (4)."""
    raise OperationError(ResultCode.PARAMETER, why)


def not_applicable(why: str) -> NoReturn:
    """Raise the error of an operation that the value at hand does not allow (26)."""
    raise OperationError(ResultCode.OP_NOT_APPLICABLE, why)


class ListValue:
    """A list without its flags element. Operations change it in place: it is always a copy.

    The bytes it came from are kept as long as its elements are only looked at (`elements`), added
    to at the end, or changed once by `splice`; who takes `values`, to do with them what he likes,
    ends that. To change the bytes takes O(n), so many changes of one list cost less in its values.
    """

    __slots__ = ("_body", "_size", "_spliced", "_values", "_walks", "flags")

    keys: ClassVar[Sequence[Value]] = ()

    def __init__(self, flags: int, values: list[Value]) -> None:
        self.flags = flags
        self._values: list[Value] | None = values
        self._size = 0
        self._body: bytes | bytearray | None = None
        self._spliced = False
        self._walks = 0

    @classmethod
    def stored(cls, data: bytes) -> ListValue:
        """The list of a bin."""
        flags, size, body = msgpack.split_stored(data)
        made = cls(flags, [])
        made._values, made._size, made._body = None, size, body
        return made

    @property
    def ordered(self) -> bool:
        """Whether storage order is value order."""
        return bool(self.flags & ORDERED)

    @property
    def size(self) -> int:
        """How many elements."""
        return self._size if self._values is None else len(self._values)

    @property
    def elements(self) -> list[Value]:
        """The elements, not to be changed."""
        if self._values is None:
            assert self._body is not None
            self._values = msgpack.unpack_elements(self._size, bytes(self._body))
        return self._values

    def _walkable(self) -> bytes | None:
        """The bytes of the elements, if these are to be found there once more."""
        if not WALKS or self._values is not None or not self._body or self._walks == MOST_WALKS:
            return None
        self._walks += 1
        return bytes(self._body)

    def value_at(self, at: int) -> Value:
        """One element."""
        return self.part(at, 1)[0]

    def part(self, start: int, count: int) -> list[Value]:
        """The elements from a position on; none of the others is decoded if that can be."""
        body = self._walkable()
        if body is None:
            return self.elements[start : start + count]
        begin = walk.skip(body, 0, start)
        end = walk.skip(body, begin, count)
        return msgpack.unpack_elements(count, body[begin:end])

    def upper_bound(self, value: Value) -> int:
        """The position behind the last element that is not greater, in an ordered list."""
        body = self._walkable()
        if body is not None and type(value) is int:
            return walk.bound_of_integer(body, self.size, 1, value, True)[0]
        if body is not None and type(value) is str and value[:1] == msgpack.STRING:
            raw = value.encode("utf-8", "surrogateescape")
            return walk.bound_of_text(body, self.size, 1, raw, True)[0]
        return upper_bound(self.elements, value)

    def integers_between(
        self, low: Value, high: Value, *, bounded: bool
    ) -> tuple[list[int], int] | None:
        """`as_msgpack_walk.integers_between` of the elements, where those can be walked."""
        return _integers_between(self._walkable(), self.size, 1, low, high, bounded)

    def child(self, at: int) -> Container | None:
        """The list or map at a position, to work on; None for another value. See `put_child`."""
        body = self._walkable()
        if body is None:
            return from_value(self.elements[at])
        start = walk.skip(body, 0, at)
        return from_stored(body[start : walk.skip(body, start, 1)])

    def put_child(self, at: int, child: Container) -> None:
        """Put back what `child` gave, which has been changed."""
        body = self._walkable()
        if self.ordered:
            value = child.to_value()
            del self.values[at]
            self.values.insert(lower_bound(self.values, value), value)
        elif body is not None and not self._spliced:
            self._body, self._spliced = cut(body, self.size, at, 1, child.pack()), True
        else:
            self.splice(at, 1, [child.to_value()])

    @property
    def values(self) -> list[Value]:
        """The elements, to be changed at will."""
        values = self.elements
        self._body = None
        return values

    @values.setter
    def values(self, values: list[Value]) -> None:
        self._values, self._body = values, None

    def splice(self, at: int, gone: int, new: list[Value]) -> None:
        """Replace the `gone` elements from a position on by `new` ones."""
        if self._body is not None:
            body = None if self._spliced else self._walkable()
            if at == self.size:
                self._append(msgpack.pack_elements(new))
            elif body is not None:
                self._body = cut(body, self.size, at, gone, msgpack.pack_elements(new))
                self._spliced = True
            else:
                body, elements = bytes(self._body), self.elements
                self._body = None if self._spliced else replaced(body, elements, at, gone, new)
                self._spliced = True
        if self._values is None:
            self._size += len(new) - gone
        else:
            self._values[at : at + gone] = new

    def _append(self, packed: bytes) -> None:
        """Add to the bytes; from the second time on without copying them."""
        assert self._body is not None
        if self._spliced and isinstance(self._body, bytes):
            self._body = bytearray(self._body)
        self._body += packed
        self._spliced = True

    def pack(self) -> bytes:
        """The stored bytes."""
        if self._body is None:
            return msgpack.pack(self.to_value())
        return msgpack.join_list(self.flags, self.size, bytes(self._body))

    def to_value(self) -> Value:
        """The plain Python value, flags element included."""
        return [ExtType(self.flags, b""), *self.elements] if self.flags else self.elements

    def remove(self, positions: Sequence[int]) -> None:
        """Drop the elements at these storage positions."""
        if len(positions) == 1:
            self.splice(positions[0], 1, [])
        elif positions:
            self.values = without(self.elements, positions)


class MapValue:
    """A map as two columns in key order. Operations change it in place: it is always a copy.

    What came from a bin stays packed while entries are only found, read and changed once; taking
    `keys` or `values`, or the second change, makes the columns of it.
    """

    __slots__ = ("_exchanged", "_keys", "_packed", "_values", "_walks", "flags")

    ordered: ClassVar[bool] = False
    """Storage order is key order; never taken for value order."""

    def __init__(self, flags: int, keys: list[Value], values: list[Value]) -> None:
        self.flags = flags
        self._keys = keys
        self._values = values
        self._packed: PackedMap | None = None
        self._exchanged = False
        self._walks = 0

    @classmethod
    def stored(cls, data: bytes) -> MapValue:
        """The map of a bin."""
        flags, size, body = msgpack.split_stored(data)
        made = cls(flags, [], [])
        made._packed = WalkedMap(size, body) if WALKS else PackedMap(size, body)
        return made

    @property
    def keyed(self) -> bool:
        """Whether keys are found by their order, kept or in an index, which shows in the order of
        some answers."""
        return bool(self.flags & (ORDERED | msgpack.PERSIST_INDEX))

    @property
    def keys(self) -> list[Value]:
        """The keys, to be changed at will together with the values."""
        self._unpack()
        return self._keys

    @property
    def values(self) -> list[Value]:
        """The values in order of their keys, to be changed at will together with those."""
        self._unpack()
        return self._values

    @property
    def elements(self) -> list[Value]:
        """The values, not to be changed."""
        numbers = None if self._packed is None else self._packed.numbers()
        return self.values if numbers is None else numbers

    def replace(self, keys: list[Value], values: list[Value]) -> None:
        """Take other columns."""
        self._keys, self._values, self._packed = keys, values, None

    def _unpack(self) -> None:
        if self._packed is not None:
            self._keys, self._values = self._packed.columns()
            self._packed = None

    @property
    def size(self) -> int:
        """How many entries."""
        return len(self._keys) if self._packed is None else self._packed.size

    def _searched(self) -> PackedMap | None:
        """What is still packed, to be searched once more."""
        packed = self._packed
        if type(packed) is WalkedMap:
            self._walks += 1
            if self._walks > MOST_WALKS:
                packed = self._packed = PackedMap(packed.size, packed.body)
        return packed

    def bound(self, key: Value) -> int:
        """The position of the first key that is not less."""
        packed = self._searched()
        if packed is not None and type(key) in KEY_TYPES:
            return packed.bound(key)
        return lower_bound(self.keys, key)

    def find(self, key: Value) -> int:
        """The position of a key, -1 when it is not there."""
        at = self.bound(key)
        return at if self._is_at(at, key) else -1

    def _is_at(self, at: int, key: Value) -> bool:
        if self._packed is not None:
            return self._packed.is_at(at, key)
        return at < len(self._keys) and msgpack.compare(self._keys[at], key) == 0

    def find_nested(self, key: Value) -> int:
        """As `find`, of an entry whose value will be looked into (`child`)."""
        if self._packed is not None:
            self._packed.open()
        return self.find(key)

    def child(self, at: int) -> Container | None:
        """The list or map that an entry's value is, to work on; None for another value. See
        `put_child`."""
        packed = self._searched()
        if type(packed) is WalkedMap:
            return from_stored(packed.bytes_at(at))
        return from_value(self._values[at] if packed is None else packed.columns()[1][at])

    def put_child(self, at: int, child: Container) -> None:
        """Put back what `child` gave, which has been changed."""
        if self._packed is not None and not self._exchanged:
            packed = self._packed.with_value(at, child.pack())
            if packed is not None:
                self._packed, self._exchanged = packed, True
                return
        self.values[at] = child.to_value()

    def integers_between(
        self, low: Value, high: Value, *, bounded: bool
    ) -> tuple[list[int], int] | None:
        """`as_msgpack_walk.integers_between` of the values, where those can be walked."""
        packed = self._searched()
        body = packed.body if type(packed) is WalkedMap else None
        return _integers_between(body, self.size, 2, low, high, bounded)

    def value_at(self, at: int) -> Value:
        """The value of one entry."""
        packed = self._searched()
        if packed is not None and not packed.is_nested(at):
            return packed.value_at(at)
        return self.values[at]

    def put(self, key: Value, value: Value) -> None:
        """Put one entry in its place."""
        at = self.bound(key)
        there = int(self._is_at(at, key))
        if not self._exchange(at, there, [key, value]):
            self.keys[at : at + there] = [key]
            self.values[at : at + there] = [value]

    def _exchange(self, at: int, gone: int, entry: list[Value]) -> bool:
        """Change one entry in the bytes, if that can be done and is the first change."""
        if self._packed is None or self._exchanged:
            return False
        packed = self._packed.exchanged(at, gone, entry)
        if packed is None:
            return False
        self._packed, self._exchanged = packed, True
        return True

    def pack(self) -> bytes:
        """The stored bytes."""
        if self._packed is not None:
            return msgpack.join_map(self.flags, self._packed.size, self._packed.body)
        entries = msgpack.pack_entries(self._keys, self._values)
        return msgpack.join_map(self.flags, len(self._keys), entries)

    def to_value(self) -> Value:
        """The plain Python value, flags key included."""
        return dict_of(self.flags, self.keys, self.values)

    def remove(self, positions: Sequence[int]) -> None:
        """Drop the entries at these storage positions."""
        if positions and not (len(positions) == 1 and self._exchange(positions[0], 1, [])):
            self.replace(without(self.keys, positions), without(self.values, positions))


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


def from_value(value: Value, *, shared: bool = False) -> Container | None:
    """A container to work on, None when `value` is neither list nor map. The value stays as is; if
    the container may be `shared` with it, it must not be changed either."""
    if type(value) is list:
        if value and msgpack.is_flags(value[0]):
            return ListValue(value[0].code, value[1:])
        return ListValue(0, value if shared else value[:])
    if type(value) is dict:
        keys, values = list(value), list(value.values())
        if keys and msgpack.is_flags(keys[0]):
            return MapValue(keys[0].code, keys[1:], values[1:])
        return MapValue(0, keys, values)
    return None


def from_stored(data: bytes) -> Container | None:
    """The same from the bytes of a stored value."""
    tag = data[0]
    if 0x90 <= tag < 0xA0 or 0xDC <= tag <= 0xDD:
        return ListValue.stored(data)
    if 0x80 <= tag < 0x90 or 0xDE <= tag <= 0xDF:
        return MapValue.stored(data)
    return None


def _integers_between(
    body: bytes | None, size: int, width: int, low: Value, high: Value, bounded: bool
) -> tuple[list[int], int] | None:
    if body is None or type(low) is not int or (bounded and type(high) is not int):
        return None
    return walk.integers_between(body, size, width, low, high if bounded else 0, bounded)


def from_particle(particle: Particle) -> Container | None:
    """The container stored in a bin, None when the bin holds something else."""
    if particle.type == _LIST:
        return ListValue.stored(particle.data)
    if particle.type == _MAP:
        made = MapValue.stored(particle.data)
        if type(particle) is IndexedMap:
            made.flags |= msgpack.PERSIST_INDEX
        return made
    return None


def to_particle(container: Container) -> Particle:
    """The bin value of a container, which may be worked on further as if it came from there. That
    it has an index is no part of its bytes, and makes a difference to a map in no order alone."""
    indexed = container.flags & (msgpack.PERSIST_INDEX | ORDERED) == msgpack.PERSIST_INDEX
    container.flags &= ~msgpack.PERSIST_INDEX
    if type(container) is ListValue:
        return Particle(_LIST, container.pack())
    if not indexed:
        return Particle(_MAP, container.pack())
    made = IndexedMap(_MAP, container.pack())
    container.flags |= msgpack.PERSIST_INDEX
    return made


def as_stored(container: Container) -> None:
    """Give a container the flags it had if it were packed and taken from its bin again."""
    persist = container.flags & msgpack.PERSIST_INDEX
    if persist and (type(container) is ListValue or container.flags & ORDERED):
        container.flags &= ~msgpack.PERSIST_INDEX


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
