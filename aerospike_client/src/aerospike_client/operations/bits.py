"""Operations on the bits of a blob.

Bit 0 is the most significant bit of the first byte. Offsets count bits, except in `insert` and
`remove`; negative ones count from the end. Integers are big-endian.
"""

from __future__ import annotations

from typing import Final

from aerospike_client.operations.codes import BitCode, BitOverflow, BitResizeFlags, BitWriteFlags
from aerospike_client.operations.operation import operation
from aerospike_common.wire import Op, OpType

_READ: Final = OpType.BIT_READ
_MODIFY: Final = OpType.BIT_MODIFY
_DEFAULT: Final = BitWriteFlags.DEFAULT


def resize(
    bin: str,
    size: int,
    how: BitResizeFlags = BitResizeFlags.DEFAULT,
    flags: BitWriteFlags = _DEFAULT,
) -> Op:
    """Cut the blob to `size` bytes, or fill it up with zeros."""
    return operation(_MODIFY, bin, (), BitCode.RESIZE, size, int(flags), int(how))


def insert(bin: str, offset: int, value: bytes, flags: BitWriteFlags = _DEFAULT) -> Op:
    """Insert bytes at a byte offset."""
    return operation(_MODIFY, bin, (), BitCode.INSERT, offset, value, int(flags))


def remove(bin: str, offset: int, size: int, flags: BitWriteFlags = _DEFAULT) -> Op:
    """Remove `size` bytes from a byte offset on."""
    return operation(_MODIFY, bin, (), BitCode.REMOVE, offset, size, int(flags))


def set(bin: str, offset: int, size: int, value: bytes, flags: BitWriteFlags = _DEFAULT) -> Op:
    """Replace `size` bits by those of `value`."""
    return operation(_MODIFY, bin, (), BitCode.SET, offset, size, value, int(flags))


def or_(bin: str, offset: int, size: int, value: bytes, flags: BitWriteFlags = _DEFAULT) -> Op:
    """Set those bits that are set in `value`."""
    return operation(_MODIFY, bin, (), BitCode.OR, offset, size, value, int(flags))


def xor(bin: str, offset: int, size: int, value: bytes, flags: BitWriteFlags = _DEFAULT) -> Op:
    """Flip those bits that are set in `value`."""
    return operation(_MODIFY, bin, (), BitCode.XOR, offset, size, value, int(flags))


def and_(bin: str, offset: int, size: int, value: bytes, flags: BitWriteFlags = _DEFAULT) -> Op:
    """Clear those bits that are not set in `value`."""
    return operation(_MODIFY, bin, (), BitCode.AND, offset, size, value, int(flags))


def not_(bin: str, offset: int, size: int, flags: BitWriteFlags = _DEFAULT) -> Op:
    """Flip `size` bits."""
    return operation(_MODIFY, bin, (), BitCode.NOT, offset, size, int(flags))


def lshift(bin: str, offset: int, size: int, shift: int, flags: BitWriteFlags = _DEFAULT) -> Op:
    """Move `size` bits to the left."""
    return operation(_MODIFY, bin, (), BitCode.LSHIFT, offset, size, shift, int(flags))


def rshift(bin: str, offset: int, size: int, shift: int, flags: BitWriteFlags = _DEFAULT) -> Op:
    """Move `size` bits to the right."""
    return operation(_MODIFY, bin, (), BitCode.RSHIFT, offset, size, shift, int(flags))


def add(
    bin: str,
    offset: int,
    size: int,
    value: int,
    *,
    signed: bool = False,
    overflow: BitOverflow = BitOverflow.FAIL,
    flags: BitWriteFlags = _DEFAULT,
) -> Op:
    """Add to the integer in `size` bits, 64 at most."""
    numbers = int(flags), overflow | signed
    return operation(_MODIFY, bin, (), BitCode.ADD, offset, size, value, *numbers)


def subtract(
    bin: str,
    offset: int,
    size: int,
    value: int,
    *,
    signed: bool = False,
    overflow: BitOverflow = BitOverflow.FAIL,
    flags: BitWriteFlags = _DEFAULT,
) -> Op:
    """Take from the integer in `size` bits, 64 at most."""
    numbers = int(flags), overflow | signed
    return operation(_MODIFY, bin, (), BitCode.SUBTRACT, offset, size, value, *numbers)


def set_int(bin: str, offset: int, size: int, value: int, flags: BitWriteFlags = _DEFAULT) -> Op:
    """Replace the integer in `size` bits, 64 at most."""
    return operation(_MODIFY, bin, (), BitCode.SET_INT, offset, size, value, int(flags))


def get(bin: str, offset: int, size: int) -> Op:
    """`size` bits, moved to the left of as many bytes as they need."""
    return operation(_READ, bin, (), BitCode.GET, offset, size)


def count(bin: str, offset: int, size: int) -> Op:
    """How many of `size` bits are set."""
    return operation(_READ, bin, (), BitCode.COUNT, offset, size)


def lscan(bin: str, offset: int, size: int, bit: bool) -> Op:
    """The first place of `bit`, from `offset`; -1 nowhere."""
    return operation(_READ, bin, (), BitCode.LSCAN, offset, size, bit)


def rscan(bin: str, offset: int, size: int, bit: bool) -> Op:
    """The last place of `bit`, from `offset`; -1 nowhere."""
    return operation(_READ, bin, (), BitCode.RSCAN, offset, size, bit)


def get_int(bin: str, offset: int, size: int, *, signed: bool = False) -> Op:
    """The integer in `size` bits, 64 at most."""
    return operation(_READ, bin, (), BitCode.GET_INT, offset, size, *((1,) if signed else ()))


def b64_encode(bin: str, offset: int = 0, size: int | None = None) -> Op:
    """The base64 of the bytes from a byte offset on. Servers from 8.1.3."""
    rest = () if size is None else (size,)
    return operation(_READ, bin, (), BitCode.B64_ENCODE, offset, *rest)
