"""`AsSerializer`: values to bytes and back, whatever the format."""

from __future__ import annotations

from typing import Protocol

from aerospike_common.as_val import AsVal


class AsSerializer(Protocol):
    """What turns values into bytes and finds them there again.

    `deserialize(serialize(value)) == value` for every value that serializes.

    >>> from aerospike_common.as_msgpack_serializer import AsMsgpackSerializer
    >>> from aerospike_common.as_nil import NIL
    >>> serializer: AsSerializer = AsMsgpackSerializer()
    >>> serializer.deserialize(serializer.serialize(NIL))
    AsNil()
    """

    def serialize(self, value: AsVal) -> bytes:
        """The bytes of `value`. Raises ValueError for one the format does not hold."""

    def deserialize(self, data: bytes) -> AsVal:
        """The value of `data`. Raises MessageError when there is none, or anything is left."""
