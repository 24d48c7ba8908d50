"""The elements of an add as they came: what is hashed of an element is its canonical msgpack, which
is what most clients send."""

from __future__ import annotations

from typing import Final, NamedTuple

from aerospike_common.as_msgpack_walk import canonical_scalars
from aerospike_common.wire.errors import OperationError
from asd.bins import op_table

ADD: Final = 1
_ELEMENTS_AT: Final = 2


class PackedElements(NamedTuple):
    """`total` scalars, the canonical msgpack of one behind that of the other."""

    data: bytes
    total: int


def decode(payload: bytes) -> object:
    """As `op_table.decode`, but the elements of an add stay packed if they are canonical scalars.

    For where walking over them costs less than making a thousand strings: in the compiled twin.
    """
    if len(payload) > _ELEMENTS_AT and 0x92 <= payload[0] <= 0x9F and payload[1] == ADD:
        start, count = _list_head(payload, _ELEMENTS_AT)
        end = canonical_scalars(payload, start, count) if count else -1
        if end > 0:
            try:
                rest = op_table.decode(bytes((payload[0] - 2,)) + payload[end:])
            except OperationError:
                return op_table.decode(payload)
            assert isinstance(rest, list)
            return [ADD, PackedElements(payload[start:end], count), *rest]
    return op_table.decode(payload)


def _list_head(data: bytes, at: int) -> tuple[int, int]:
    """Where the elements of the list at an offset begin, and how many they are; 0 of no list."""
    tag = data[at]
    if 0x90 <= tag <= 0x9F:
        return at + 1, tag & 0x0F
    if tag == 0xDC:
        return at + 3, int.from_bytes(data[at + 1 : at + 3])
    if tag == 0xDD:
        return at + 5, int.from_bytes(data[at + 1 : at + 5])
    return at, 0
