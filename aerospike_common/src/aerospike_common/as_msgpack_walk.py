"""Stored msgpack walked and not decoded: where values begin and end, and where one belongs.

Bytes at rest are canonical (`as_msgpack.pack` wrote them), so nothing is checked here that was
checked when they came. Elements stand one behind the other; a map's are keys and values in turn, in
the order of the keys. Offsets are from the beginning of the bytes, positions count elements or
entries.

To step over a value takes some three nanoseconds compiled (`asd --compile`) and a hundred as it is,
which is more than the C decoder takes to build it. So whoever has the choice walks when `COMPILED`,
and decodes otherwise. Both must come to the same: `tests/asd/bins/test_cdt_walk.py` plays one
against the other.
"""

from __future__ import annotations

from typing import Final

COMPILED: Final = not __file__.endswith(".py")
"""This module is the compiled twin of its source: walking is cheaper than decoding."""

_BEHIND: Final = bytes.fromhex(
    "00000000 010204 020305 0408 01020408 01020408 0203050911 010204 02040204"
)
"""For the tags from c0 on (nil, booleans; bins; extensions; floats; unsigned and signed integers;
extensions of fixed size; strings; lists and maps): how many bytes there are behind them, without
those that a size or count tells of."""

_SIZED: Final = bytes.fromhex(
    "00000000 010204 010204 0000 00000000 00000000 0000000000 010204 02040204"
)
"""For the same tags: in how many of these bytes the size or count stands."""

_STRING: Final = 0x03
"""The type byte of strings, which are before all other texts."""


def skip(data: bytes, at: int, count: int) -> int:
    """The offset behind `count` values from offset `at` on. O(bytes)."""
    while count > 0:
        tag = data[at]
        at += 1
        count -= 1
        if tag < 0x80 or tag >= 0xE0:
            continue
        if tag < 0x90:
            count += 2 * (tag & 0x0F)
        elif tag < 0xA0:
            count += tag & 0x0F
        elif tag < 0xC0:
            at += tag & 0x1F
        else:
            sized = _SIZED[tag - 0xC0]
            size = 0
            for place in range(at, at + sized):
                size = size << 8 | data[place]
            at += _BEHIND[tag - 0xC0]
            if tag < 0xDC:
                at += size
            elif tag < 0xDE:
                count += size
            else:
                count += 2 * size
    return at


def integer_at(data: bytes, at: int) -> int:
    """The integer at an offset, where there must be one."""
    tag = data[at]
    if tag < 0x80:
        return tag
    if tag >= 0xE0:
        return tag - 0x100
    value = data[at + 1]
    if tag >= 0xD0 and value >= 0x80:
        value -= 0x100
    for place in range(at + 2, at + 1 + _BEHIND[tag - 0xC0]):
        value = value << 8 | data[place]
    return value


def bound_of_integer(
    data: bytes, count: int, width: int, wanted: int, after: bool
) -> tuple[int, int]:
    """Position and offset of the first of `count` sorted elements that is not less than an integer,
    or (`after`) the first that is greater. Keys of a map are elements of `width` 2: key and value.
    """
    at = position = 0
    while position < count:
        tag = data[at]
        if tag < 0x80 or tag >= 0xE0 or 0xCC <= tag <= 0xD3:
            found = integer_at(data, at)
            if found > wanted or (found == wanted and not after):
                break
        elif tag < 0xC0 or tag > 0xC3:  # nil and booleans are before all integers
            break
        at = skip(data, at, width)
        position += 1
    return position, at


def bound_of_text(
    data: bytes, count: int, width: int, wanted: bytes, after: bool
) -> tuple[int, int]:
    """The same for a string, type byte first; of a map's keys also for a blob."""
    at = position = 0
    while position < count:
        order = _order_of_text(data, at, wanted)
        if order > 0 or (order == 0 and not after):
            break
        at = skip(data, at, width)
        position += 1
    return position, at


def _order_of_text(data: bytes, at: int, wanted: bytes) -> int:
    """Below, at or above 0 as the value at an offset is before, equal to or behind a text."""
    tag = data[at]
    if tag < 0x80 or tag >= 0xE0 or 0xC0 <= tag <= 0xC3 or 0xCC <= tag <= 0xD3:
        return -1
    if not (0xA0 <= tag < 0xC0 or 0xC4 <= tag <= 0xC6 or 0xD9 <= tag <= 0xDB):
        return 1
    end = skip(data, at, 1)
    at += 1 if tag < 0xC0 else 1 + _BEHIND[tag - 0xC0]
    is_string = at < end and data[at] == _STRING
    if is_string != (len(wanted) > 0 and wanted[0] == _STRING):
        return -1 if is_string else 1
    size = len(wanted)
    for place in range(size):
        if at == end:
            return -1
        if data[at] != wanted[place]:
            return data[at] - wanted[place]
        at += 1
    return 0 if at == end else 1


def integers_between(
    data: bytes, count: int, width: int, low: int, high: int, bounded: bool
) -> tuple[list[int], int] | None:
    """The positions of all integers from `low` to below `high` (to the highest unless `bounded`),
    and how many are below `low`; None when there is anything but integers. With `width` 2 it is
    about the values of a map."""
    found = []
    below = at = 0
    for position in range(count):
        if width == 2:
            at = skip(data, at, 1)
        tag = data[at]
        if not (tag < 0x80 or tag >= 0xE0 or 0xCC <= tag <= 0xD3):
            return None
        value = integer_at(data, at)
        if value < low:
            below += 1
        elif value < high or not bounded:
            found.append(position)
        at = skip(data, at, 1)
    return found, below


def canonical_scalars(data: bytes, at: int, count: int) -> int:
    """The offset behind `count` values from offset `at` on, which may be a stranger's; -1 unless
    all are there, and each is just what `as_msgpack.pack` makes of it: no list, no map, nothing
    longer than it need be."""
    size = len(data)
    for _ in range(count):
        if at >= size:
            return -1
        tag = data[at]
        if 0xA0 <= tag < 0xC0:
            at += 1 + (tag & 0x1F)
            continue
        if tag < 0x80 or tag >= 0xE0 or tag == 0xC0 or tag == 0xC2 or tag == 0xC3:
            at += 1
            continue
        if tag < 0xCB or tag == 0xC1 or tag >= 0xDC or 0xD4 <= tag <= 0xD8:
            return -1
        end = at + 1 + _BEHIND[tag - 0xC0]
        if end > size:
            return -1
        if tag == 0xCB:
            if data[at + 1] & 0x7F == 0x7F and data[at + 2] >= 0xF0:  # not a number, or infinite
                return -1
        elif tag >= 0xD9:
            length = 0
            for place in range(at + 1, end):
                length = length << 8 | data[place]
            if length < (0x20 if tag == 0xD9 else 0x100 if tag == 0xDA else 0x10000):
                return -1
            end += length
        elif not _is_shortest(tag, integer_at(data, at)):
            return -1
        at = end
    return at if at <= size else -1


def _is_shortest(tag: int, value: int) -> bool:
    """Whether an integer must stand behind this tag; an unsigned one of 64 bits is never taken."""
    if tag == 0xCC:
        return value >= 0x80
    if tag == 0xCD:
        return value >= 0x100
    if tag == 0xCE:
        return value >= 0x10000
    if tag == 0xCF:
        return 0x100000000 <= value <= 0x7FFFFFFFFFFFFFFF
    if tag == 0xD0:
        return value < -0x20
    if tag == 0xD1:
        return value < -0x80
    return value < -0x8000 if tag == 0xD2 else value < -0x80000000
