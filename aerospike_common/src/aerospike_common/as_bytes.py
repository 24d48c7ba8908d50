"""`AsBytes`: a blob, with the type byte that says whose it is."""

from __future__ import annotations

from typing import Final

import attrs

from aerospike_common.as_val import AsScalar, OrderKey, Rank, exactly
from aerospike_common.wire.codes import ParticleType

BYTES_TYPES: Final = frozenset(
    {
        ParticleType.BLOB,
        ParticleType.JAVA_BLOB,
        ParticleType.CSHARP_BLOB,
        ParticleType.PYTHON_BLOB,
        ParticleType.RUBY_BLOB,
        ParticleType.PHP_BLOB,
        ParticleType.ERLANG_BLOB,
        ParticleType.HLL,
    }
)
"""The particle types whose values are bytes: plain, serialized by a language, HyperLogLog."""


@attrs.frozen(eq=False)
class AsBytes(AsScalar):
    """Bytes and their particle type (4 plain, 7 to 12 a language's own, 18 HyperLogLog).

    Ordered by type byte, then bytes, then length. Raises TypeError for anything but bytes,
    ValueError for a type that does not hold bytes.

    >>> AsBytes(b"z") < AsBytes(b"a", ParticleType.PYTHON_BLOB)
    True
    >>> AsBytes(b"", 3)
    Traceback (most recent call last):
      ...
    ValueError: particles of type STRING do not hold bytes
    """

    value: bytes = attrs.field(validator=exactly(bytes))
    type: ParticleType = attrs.field(default=ParticleType.BLOB, converter=ParticleType)

    @type.validator
    def _validate(self, _attribute: attrs.Attribute[ParticleType], value: ParticleType) -> None:
        if value not in BYTES_TYPES:
            raise ValueError(f"particles of type {value.name} do not hold bytes")

    def order_key(self) -> OrderKey:
        """`(rank, type, bytes)`."""
        return (Rank.BYTES, self.type, self.value)
