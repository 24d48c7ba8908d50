"""What a secondary index is of: its definition, apart from its entries."""

from __future__ import annotations

import base64
import json
from enum import Enum

from attrs import frozen

from aerospike_common.wire.codes import ParticleType


class KeyType(Enum):
    """The type of the values indexed; values of other types are left out."""

    NUMERIC = "numeric"
    STRING = "string"
    BLOB = "blob"
    GEO2DSPHERE = "geo2dsphere"

    @property
    def particle_type(self) -> ParticleType:
        """The type byte of such a value in a bin."""
        return _PARTICLES[self.name]


class Source(Enum):
    """Which values of a record: the bin's own, or those in its list or map; or none but its set."""

    DEFAULT = "default"
    LIST = "list"
    MAPKEYS = "mapkeys"
    MAPVALUES = "mapvalues"
    SET = "set"


_PARTICLES = {
    "NUMERIC": ParticleType.INTEGER,
    "STRING": ParticleType.STRING,
    "BLOB": ParticleType.BLOB,
    "GEO2DSPHERE": ParticleType.GEOJSON,
}


@frozen
class IndexDefinition:
    """One index's definition.

    `set_name`    only records of this set; b"" = all of the namespace
    `bin_name`    the bin; b"" for an expression's result, and for a set index
    `context`     the way down in the bin's value, msgpack; b"" = the value itself
    `expression`  what to index instead of a bin, msgpack; b"" = a bin
    """

    name: str
    set_name: bytes
    bin_name: bytes
    key_type: KeyType
    source: Source = Source.DEFAULT
    context: bytes = b""
    expression: bytes = b""

    @property
    def subject(self) -> tuple[object, ...]:
        """All but the name: there is one index of a subject."""
        return (
            self.set_name,
            self.bin_name,
            self.key_type,
            self.source,
            self.context,
            self.expression,
        )

    def to_text(self) -> str:
        """As system metadata keeps it."""
        return json.dumps(
            {
                "set": self.set_name.decode("utf-8", "surrogateescape"),
                "bin": self.bin_name.decode("utf-8", "surrogateescape"),
                "type": self.key_type.value,
                "source": self.source.value,
                "context": base64.b64encode(self.context).decode(),
                "expression": base64.b64encode(self.expression).decode(),
            }
        )

    @classmethod
    def from_text(cls, name: str, text: str) -> IndexDefinition:
        """The inverse of `to_text`. Raises ValueError or KeyError for what is none."""
        found = json.loads(text)
        return cls(
            name,
            found["set"].encode("utf-8", "surrogateescape"),
            found["bin"].encode("utf-8", "surrogateescape"),
            KeyType(found["type"]),
            Source(found["source"]),
            base64.b64decode(found["context"]),
            base64.b64decode(found["expression"]),
        )
