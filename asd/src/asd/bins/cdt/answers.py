"""What an operation says about the elements it chose: the return types."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from aerospike_common import as_msgpack
from aerospike_common.as_msgpack import Value
from aerospike_common.wire.codes import ParticleType, ResultCode
from asd.bins.cdt.containers import (
    Container,
    ListValue,
    MapValue,
    dict_of,
    not_applicable,
    refuse,
)
from asd.bins.cdt.ranks import RankRange
from asd.bins.cdt.search import ranks, ranks_by_item, value_order
from asd.bins.cdt.selection import MAX_LISTED, By, Pieces, Selection, distinct
from asd.bins.particle import Particle


class ReturnType(IntEnum):
    """The low bits of an operation's return type argument."""

    NONE = 0
    INDEX = 1
    REVERSE_INDEX = 2
    RANK = 3
    REVERSE_RANK = 4
    COUNT = 5
    KEY = 6
    VALUE = 7
    KEY_VALUE = 8
    INDEX_RANGE = 9
    REVERSE_INDEX_RANGE = 10
    RANK_RANGE = 11
    REVERSE_RANK_RANGE = 12
    EXISTS = 13
    UNORDERED_MAP = 16
    ORDERED_MAP = 17


MAX_REPEATED: Final = 8 << 20
"""Bytes of an answer that repeats elements; no record is larger."""

_KIND: Final = 0xFFFF
INVERTED: Final = 0x10000
"""Everything but the elements chosen."""

_LISTS: Final = (By.KEY_LIST, By.VALUE_LIST)
_BY_INDEX: Final = (By.INDEX, By.KEY)
_POSITIONAL: Final = (By.INDEX, By.RANK)
_MAP_FLAGS: Final[Mapping[int, int]] = MappingProxyType(
    {
        ReturnType.KEY_VALUE: as_msgpack.PRESERVE_ORDER,
        ReturnType.UNORDERED_MAP: 0,
        ReturnType.ORDERED_MAP: as_msgpack.ORDERED,
    }
)
_RANK_RANGES: Final = frozenset({ReturnType.RANK_RANGE, ReturnType.REVERSE_RANK_RANGE})
_RANGES: Final = _RANK_RANGES | {ReturnType.INDEX_RANGE, ReturnType.REVERSE_INDEX_RANGE}
_RANK_TO_INDEX: Final[Mapping[int, int]] = MappingProxyType(
    {
        ReturnType.RANK: ReturnType.INDEX,
        ReturnType.REVERSE_RANK: ReturnType.REVERSE_INDEX,
        ReturnType.RANK_RANGE: ReturnType.INDEX_RANGE,
        ReturnType.REVERSE_RANK_RANGE: ReturnType.REVERSE_INDEX_RANGE,
    }
)
_REVERSED: Final = frozenset(
    {
        ReturnType.REVERSE_INDEX,
        ReturnType.REVERSE_RANK,
        ReturnType.REVERSE_INDEX_RANGE,
        ReturnType.REVERSE_RANK_RANGE,
    }
)


def asks_for_range(return_type: int) -> bool:
    """Whether the answer would be a start and a count."""
    return return_type & _KIND in _RANGES


def resolve(container: Container, chosen: Selection, return_type: int) -> tuple[Selection, Value]:
    """The elements meant (the complement for INVERTED) and the answer about them.

    Error 26 for a return type that is unknown or that this kind of selection does not have.
    """
    kind = return_type & _KIND
    if container.ordered:
        # Storage order is value order: ranks are indexes.
        kind = _RANK_TO_INDEX.get(kind, kind)
        if chosen.by in (By.RANK, By.VALUE):
            chosen = chosen._replace(by=By.INDEX)
    answer = _ANSWERS.get(kind)
    if answer is None and chosen.nothing_asked:
        answer, kind = _none, ReturnType.NONE
    if answer is None or (kind in _MAP_ONLY and type(container) is ListValue):
        not_applicable("no such return type")
    inverted = bool(return_type & INVERTED) and not _is_missing_key(container, chosen)
    if inverted and chosen.single:
        not_applicable("one element cannot be inverted")
    if kind in _RANGES:
        if inverted:
            chosen = _complement_range(container, chosen)
        _check_range(container, chosen, kind)
        return chosen, answer(container, chosen, ReturnType(kind))
    if not inverted:
        return chosen, answer(container, chosen, ReturnType(kind))
    rest = _complement(container, chosen)
    if kind == ReturnType.EXISTS and _answers_about_the_rest(container, chosen):
        return rest, not chosen.positions
    return rest, answer(container, rest, ReturnType(kind))


def _is_missing_key(container: Container, chosen: Selection) -> bool:
    """Whether a keyed map was asked for one key and lacks it: there INVERTED is passed over."""
    if type(container) is not MapValue or not container.keyed:
        return False
    return chosen.single and chosen.by is By.INDEX and not chosen.positions


def _complement(container: Container, chosen: Selection) -> Selection:
    size = container.size
    gone = set(distinct(chosen.positions) if chosen.by in _LISTS else chosen.positions)
    order: Sequence[int] = range(size)
    start, end = chosen.start, chosen.start + len(chosen.positions)
    pieces = (range(start), range(end, size))
    if chosen.by is By.RANK and type(container) is MapValue and not all(pieces):
        # The rest is one range of ranks, too, and comes like any other.
        order = value_order(container.elements)
    rest = [at for at in order if at not in gone]
    return chosen._replace(positions=rest, listed=rest, pieces=pieces, inverted=True)


def _none(container: Container, chosen: Selection, kind: ReturnType) -> Value:
    return None


def _count(container: Container, chosen: Selection, kind: ReturnType) -> Value:
    # What goes by lists may have found an element more than once.
    positions = chosen.positions
    return len(distinct(positions) if chosen.by in _LISTS else positions)


def _exists(container: Container, chosen: Selection, kind: ReturnType) -> Value:
    return bool(chosen.positions)


def _keys(container: Container, chosen: Selection, kind: ReturnType) -> Value:
    keys = [container.keys[at] for at in chosen.positions]
    if chosen.single:
        return keys[0] if keys else None
    return keys


def _values(container: Container, chosen: Selection, kind: ReturnType) -> Value:
    positions = chosen.positions
    if type(positions) is RankRange:
        found = positions.elements()
        return found[0] if chosen.single else found
    if chosen.single:
        return container.value_at(positions[0]) if positions else None
    if type(positions) is range and type(container) is ListValue:
        return container.part(positions.start, len(positions))
    elements = container.elements
    if type(positions) is Pieces and len(positions) > container.size:
        _check_size(elements, positions)
    return [elements[at] for at in positions]


def _check_size(elements: Sequence[Value], repeated: Pieces) -> None:
    """Raises RECORD_TOO_BIG where elements are repeated to more than MAX_REPEATED bytes."""
    sizes: dict[int, int] = {}
    total = 0
    for found in repeated.ranges:
        if found.start not in sizes:
            some = elements[found.start : found.stop]
            sizes[found.start] = len(as_msgpack.pack_elements(some))
        total += sizes[found.start]
    if total > MAX_REPEATED:
        refuse(ResultCode.RECORD_TOO_BIG, "an answer larger than any record")


def _map(container: Container, chosen: Selection, kind: ReturnType) -> Value:
    flags = _MAP_FLAGS[kind]
    positions = sorted(chosen.positions) if kind is ReturnType.ORDERED_MAP else chosen.positions
    keys = [container.keys[at] for at in positions]
    return dict_of(flags, keys, [container.elements[at] for at in positions])


def _index(container: Container, chosen: Selection, kind: ReturnType) -> Value:
    reverse = kind is ReturnType.REVERSE_INDEX
    in_items = chosen.by is By.VALUE_LIST and container.ordered and not chosen.inverted
    if chosen.by in _BY_INDEX or in_items or _is_complete_rest(container, chosen):
        return _places(container, chosen, reverse)
    positions = chosen.positions
    if chosen.by is By.KEY_LIST and chosen.inverted and reverse and _has_no_order(container):
        positions = _by_runs(chosen.positions)
    elif chosen.listed:
        positions = chosen.listed
    elif chosen.by is not By.RANK or type(container) is ListValue:
        positions = sorted(positions)
    return _numbers(container, chosen, positions, reverse)


def _is_complete_rest(container: Container, chosen: Selection) -> bool:
    """Whether the indexes asked for are all there are, in one range, since nothing was excluded."""
    if not chosen.inverted or not _is_everything(container, chosen):
        return False
    if chosen.by in _LISTS:
        return chosen.nothing_asked  # what matched nothing excludes nothing, but one by one
    if type(container) is ListValue:
        return container.ordered and chosen.by is not By.RANK
    return chosen.by is not By.RANK


def _has_no_order(container: Container) -> bool:
    return type(container) is MapValue and not container.keyed


def _by_runs(numbers: Sequence[int]) -> list[int]:
    """Ascending numbers run by run (what is without a gap), each run from its end."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [number for run in runs for number in reversed(run)]


def _rank(container: Container, chosen: Selection, kind: ReturnType) -> Value:
    if chosen.by is By.KEY_LIST:
        not_applicable("a key list has no ranks")
    reverse = kind is ReturnType.REVERSE_RANK
    if chosen.by in (By.RANK, By.VALUE):
        return _places(container, chosen, reverse)
    if _is_everything(container, chosen) and chosen.by is not By.KEY:
        return _places(container, chosen, reverse)
    if not chosen.positions:
        return _numbers(container, chosen, (), reverse)
    if chosen.by is not By.VALUE_LIST:
        found = ranks(container, chosen.positions)
    elif chosen.inverted:
        found = sorted(ranks(container, chosen.positions, distinct=True), reverse=reverse)
        if reverse and type(container) is ListValue:
            found = _by_runs(found[::-1])
    elif chosen.wanted:
        found = ranks_by_item(container.elements, chosen.wanted)
    else:
        found = list(chosen.listed)
    return _numbers(container, chosen, found, reverse)


def _is_everything(container: Container, chosen: Selection) -> bool:
    """Whether all elements are meant, and not because a list named them all."""
    if chosen.by in _LISTS and not chosen.inverted:
        return False
    return len(chosen.positions) == container.size and not chosen.single


def _places(container: Container, chosen: Selection, reverse: bool) -> Value:
    """The numbers of a contiguous range, or of the two around it, each ascending."""
    size, start, count = container.size, chosen.start, len(chosen.positions)
    pieces = chosen.pieces or (range(start, start + count),)
    in_pieces = chosen.by is By.KEY or (
        type(container) is ListValue and chosen.by in (By.RANK, By.VALUE)
    )
    if chosen.inverted and count == size and not in_pieces:
        pieces = (range(size),)
    if len(pieces) > 2 and sum(map(len, pieces)) > MAX_LISTED:
        refuse(ResultCode.RECORD_TOO_BIG, "an answer larger than any record")
    if reverse:
        pieces = [range(size - piece.stop, size - piece.start) for piece in pieces]
    return _numbers(container, chosen, [place for piece in pieces for place in piece], False)


def _numbers(container: Container, chosen: Selection, found: Sequence[int], reverse: bool) -> Value:
    last = container.size - 1
    numbers = [last - number for number in found] if reverse else list(found)
    if chosen.single:
        return numbers[0] if numbers else -1
    return numbers


def _answers_about_the_rest(container: Container, chosen: Selection) -> bool:
    """Where "does the complement exist" is answered by "was nothing found": in unordered lists, and
    in maps by value, by a key interval if not keyed, or when there is a rest on both sides of a
    range of ranks, or of indexes if not keyed."""
    if type(container) is MapValue:
        if chosen.by is By.KEY:
            return True
        start, size = chosen.start, container.size
        in_the_middle = bool(start) and start + len(chosen.positions) < size
        by_range = chosen.by is By.RANK or (chosen.by is By.INDEX and not container.keyed)
        return bool(size) and (chosen.by is By.VALUE or (by_range and in_the_middle))
    if container.ordered:
        return False
    return chosen.by is By.VALUE or (chosen.by is By.RANK and bool(container.size))


def _complement_range(container: Container, chosen: Selection) -> Selection:
    """The complement as a range: in unordered lists an empty one by rank, in maps one without a gap
    by rank or index, or the whole map."""
    rest = _complement(container, chosen)
    if type(container) is ListValue:
        allowed = not rest.positions and not container.ordered and chosen.by is By.RANK
    else:
        whole = not chosen.positions and chosen.by is not By.KEY
        allowed = whole or (chosen.by in _POSITIONAL and not all(rest.pieces))
    if not allowed:
        not_applicable("the complement is no range")
    start = next((piece.start for piece in rest.pieces if piece), 0)
    return rest._replace(start=start)


def _check_range(container: Container, chosen: Selection, kind: int) -> None:
    """Error 26 unless the selection is one range of indexes or ranks, as asked for."""
    by_rank = kind in _RANK_RANGES
    natural = (chosen.by in _BY_INDEX) is not by_rank
    if type(container) is ListValue:
        natural = natural or (not chosen.positions and chosen.by in _POSITIONAL)
    if chosen.by in _LISTS or not natural:
        not_applicable("the elements are no range of that kind")


def _range(container: Container, chosen: Selection, kind: ReturnType) -> Value:
    count = len(chosen.positions)
    start = chosen.start
    if type(container) is MapValue and chosen.by is By.VALUE and not container.size:
        return [-1, 0]
    searched = type(container) is ListValue and chosen.by is By.VALUE
    inverted = chosen.inverted and type(container) is MapValue
    if kind in _REVERSED and (count or searched or inverted or chosen.by is By.KEY):
        start = container.size - start - count
    return [start, count]


_Answer = Callable[[Container, Selection, ReturnType], Value]
_ANSWERS: Final[Mapping[int, _Answer]] = MappingProxyType(
    {
        ReturnType.NONE: _none,
        ReturnType.INDEX: _index,
        ReturnType.REVERSE_INDEX: _index,
        ReturnType.RANK: _rank,
        ReturnType.REVERSE_RANK: _rank,
        ReturnType.COUNT: _count,
        ReturnType.KEY: _keys,
        ReturnType.VALUE: _values,
        ReturnType.KEY_VALUE: _map,
        ReturnType.INDEX_RANGE: _range,
        ReturnType.REVERSE_INDEX_RANGE: _range,
        ReturnType.RANK_RANGE: _range,
        ReturnType.REVERSE_RANK_RANGE: _range,
        ReturnType.EXISTS: _exists,
        ReturnType.UNORDERED_MAP: _map,
        ReturnType.ORDERED_MAP: _map,
    }
)
_MAP_ONLY: Final = frozenset(
    {ReturnType.KEY, ReturnType.KEY_VALUE, ReturnType.UNORDERED_MAP, ReturnType.ORDERED_MAP}
)


# -- on the way out -------------------------------------------------------------------------------

# Members of enumerations cost a look-up of a tenth of a microsecond; each answer has one.
_LIST: Final = int(ParticleType.LIST)
_MAP: Final = int(ParticleType.MAP)
_INTEGER: Final = int(ParticleType.INTEGER)
_DOUBLE: Final = int(ParticleType.DOUBLE)
_BOOL: Final = int(ParticleType.BOOL)
_BLOB: Final = int(ParticleType.BLOB)
_GEOJSON: Final = int(ParticleType.GEOJSON)

_AS_INTEGER: Final = struct.Struct(">q")
_AS_DOUBLE: Final = struct.Struct(">d")
_GEOJSON_HEAD: Final = b"\0\0\0"
"""GeoJSON that leaves a container carries no cells: flags 0, count 0."""


def result_particle(value: Value) -> Particle | None:
    """The particle that carries a result; None for nil."""
    kind = type(value)
    if kind is int:
        return Particle(_INTEGER, _AS_INTEGER.pack(value))
    if kind is str or kind is bytes:
        raw = value.encode("utf-8", "surrogateescape") if kind is str else value
        if raw[:1] == b"\x17":
            return Particle(_GEOJSON, _GEOJSON_HEAD + raw[1:])
        return Particle(raw[0] if raw else _BLOB, raw[1:])
    if kind is list:
        return Particle(_LIST, as_msgpack.pack(value))
    if kind is dict:
        return Particle(_MAP, as_msgpack.pack(value))
    if kind is bool:
        return Particle(_BOOL, b"\1" if value else b"\0")
    if kind is float:
        return Particle(_DOUBLE, _AS_DOUBLE.pack(value))
    return None
