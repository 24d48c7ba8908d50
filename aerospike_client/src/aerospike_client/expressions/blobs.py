"""Expressions of bytes: comparisons, and the operations on bits."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from aerospike_client.expressions.codes import ExpType, System
from aerospike_client.expressions.expression import ExpressionError, Untyped
from aerospike_client.expressions.list_calls import IntLike
from aerospike_client.expressions.receiver import Receiver
from aerospike_client.expressions.scalars import Bool, Int, Ordered
from aerospike_client.operations.codes import BitCode, BitOverflow, BitResizeFlags, BitWriteFlags
from aerospike_client.values import to_element

_DEFAULT: Final = BitWriteFlags.DEFAULT


class Blob(Ordered[bytes]):
    """Bytes, compared byte by byte, then by length.

    Bit 0 is the most significant bit of the first byte. Offsets count bits, except in `insert` and
    `remove`; negative ones count from the end. Integers are big-endian.
    """

    __slots__ = ()
    TYPE = ExpType.BLOB

    @classmethod
    def _literal(cls, value: Any) -> Any:
        if not isinstance(value, bytes | bytearray | memoryview):
            raise ExpressionError(f"Blob takes bytes, not {type(value).__name__}: {value!r}")
        return to_element(bytes(value))

    def _receiver(self) -> Receiver[Blob]:
        return Receiver(System.BITS, self)

    # -- reading

    def get_bits(self, offset: IntLike, size: IntLike) -> Blob:
        """`size` bits, moved to the left of as many bytes as they need."""
        return self._receiver().read(Blob, BitCode.GET, offset, size)

    def count_bits(self, offset: IntLike, size: IntLike) -> Int:
        """How many of `size` bits are set."""
        return self._receiver().read(Int, BitCode.COUNT, offset, size)

    def lscan(self, offset: IntLike, size: IntLike, bit: Bool | bool) -> Int:
        """The first place of `bit`, from `offset`; -1 nowhere."""
        return self._receiver().read(Int, BitCode.LSCAN, offset, size, bit)

    def rscan(self, offset: IntLike, size: IntLike, bit: Bool | bool) -> Int:
        """The last place of `bit`, from `offset`; -1 nowhere."""
        return self._receiver().read(Int, BitCode.RSCAN, offset, size, bit)

    def get_int(self, offset: IntLike, size: IntLike, *, signed: bool = False) -> Int:
        """The integer in at most 64 bits."""
        return self._receiver().read(Int, BitCode.GET_INT, offset, size, int(signed))

    # -- the blob, changed

    def resize(
        self,
        size: IntLike,
        how: BitResizeFlags = BitResizeFlags.DEFAULT,
        flags: BitWriteFlags = _DEFAULT,
    ) -> Blob:
        """With `size` bytes: cut, or filled up with zeros."""
        return self._receiver().modify(BitCode.RESIZE, size, int(flags), int(how))

    def insert(self, offset: IntLike, value: BlobLike, flags: BitWriteFlags = _DEFAULT) -> Blob:
        """With bytes more at a byte offset."""
        return self._receiver().modify(BitCode.INSERT, offset, Blob.of(value), int(flags))

    def remove(self, offset: IntLike, size: IntLike, flags: BitWriteFlags = _DEFAULT) -> Blob:
        """Without `size` bytes from a byte offset on."""
        return self._receiver().modify(BitCode.REMOVE, offset, size, int(flags))

    def set_bits(
        self, offset: IntLike, size: IntLike, value: BlobLike, flags: BitWriteFlags = _DEFAULT
    ) -> Blob:
        """With `size` bits replaced by those of `value`."""
        return self._with_blob(BitCode.SET, offset, size, value, flags)

    def or_bits(
        self, offset: IntLike, size: IntLike, value: BlobLike, flags: BitWriteFlags = _DEFAULT
    ) -> Blob:
        """With those bits set that are set in `value`."""
        return self._with_blob(BitCode.OR, offset, size, value, flags)

    def xor_bits(
        self, offset: IntLike, size: IntLike, value: BlobLike, flags: BitWriteFlags = _DEFAULT
    ) -> Blob:
        """With those bits flipped that are set in `value`."""
        return self._with_blob(BitCode.XOR, offset, size, value, flags)

    def and_bits(
        self, offset: IntLike, size: IntLike, value: BlobLike, flags: BitWriteFlags = _DEFAULT
    ) -> Blob:
        """With those bits cleared that are not set in `value`."""
        return self._with_blob(BitCode.AND, offset, size, value, flags)

    def not_bits(self, offset: IntLike, size: IntLike, flags: BitWriteFlags = _DEFAULT) -> Blob:
        """With `size` bits flipped."""
        return self._receiver().modify(BitCode.NOT, offset, size, int(flags))

    def lshift_bits(
        self, offset: IntLike, size: IntLike, shift: IntLike, flags: BitWriteFlags = _DEFAULT
    ) -> Blob:
        """With `size` bits moved to the left."""
        return self._receiver().modify(BitCode.LSHIFT, offset, size, shift, int(flags))

    def rshift_bits(
        self, offset: IntLike, size: IntLike, shift: IntLike, flags: BitWriteFlags = _DEFAULT
    ) -> Blob:
        """With `size` bits moved to the right."""
        return self._receiver().modify(BitCode.RSHIFT, offset, size, shift, int(flags))

    def add_int(
        self,
        offset: IntLike,
        size: IntLike,
        value: IntLike,
        *,
        signed: bool = False,
        overflow: BitOverflow = BitOverflow.FAIL,
        flags: BitWriteFlags = _DEFAULT,
    ) -> Blob:
        """With `value` added to the integer in `size` bits."""
        numbers = int(flags), overflow | signed
        return self._receiver().modify(BitCode.ADD, offset, size, value, *numbers)

    def subtract_int(
        self,
        offset: IntLike,
        size: IntLike,
        value: IntLike,
        *,
        signed: bool = False,
        overflow: BitOverflow = BitOverflow.FAIL,
        flags: BitWriteFlags = _DEFAULT,
    ) -> Blob:
        """With `value` taken from the integer in `size` bits."""
        numbers = int(flags), overflow | signed
        return self._receiver().modify(BitCode.SUBTRACT, offset, size, value, *numbers)

    def set_int(
        self, offset: IntLike, size: IntLike, value: IntLike, flags: BitWriteFlags = _DEFAULT
    ) -> Blob:
        """With the integer in `size` bits replaced."""
        return self._receiver().modify(BitCode.SET_INT, offset, size, value, int(flags))

    def _with_blob(
        self, code: BitCode, offset: IntLike, size: IntLike, value: BlobLike, flags: BitWriteFlags
    ) -> Blob:
        return self._receiver().modify(code, offset, size, Blob.of(value), int(flags))


BlobLike: TypeAlias = Blob | Untyped | bytes
