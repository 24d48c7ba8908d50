"""The value of one bin as it travels and as it rests: a type byte and its wire bytes."""

from __future__ import annotations

from typing import NamedTuple

from aerospike_common.wire.codes import ParticleType


class Particle(NamedTuple):
    """A bin's value.

    `type`  the particle type byte (`ParticleType`; language blobs keep their own byte),
    `data`  the value exactly as a whole-record read sends it (01-framing: 8-byte big-endian
            integers and doubles, raw strings and blobs, msgpack lists and maps, ...).
    """

    type: int
    data: bytes


class IndexedMap(Particle):
    """A map whose keys are in no order but found through an index, which shows in the answers of
    some operations. It looks like any other on the wire, so its bytes do not tell."""

    __slots__ = ()


NULL = Particle(ParticleType.NULL, b"")
