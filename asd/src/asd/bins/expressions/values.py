"""The values inside an expression, and how they come from particles and go back.

An expression is typed when it is built, so a value carries no type of its own:

| type | Python value |
|---|---|
| nil | `None` |
| bool | `bool`, or `UNKNOWN` |
| int, float | `int` (signed 64 bit), `float` |
| str, blob, hll | `bytes` as the particle holds them, no type byte |
| geojson | `bytes`: the JSON text, without the particle's flags and cells |
| list, map | `list`, `dict`: the decoded model of docs/architecture.md |

Every value may be `UNKNOWN` instead: the record does not have it, or an operation failed.
Inside a list or map an element is in the decoded model (strings as `str` with a type byte);
`to_element` and `from_element` cross that border.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableSequence
from enum import Enum, IntEnum
from struct import Struct
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

from aerospike_common import as_msgpack
from aerospike_common.wire.codes import ParticleType
from asd.bins import geo
from asd.bins.expressions.record import RecordView
from asd.bins.particle import NULL, Particle


class ExpType(IntEnum):
    """A type of expression; 0-9 are its numbers on the wire."""

    REMOVAL = -1  # of `remove_result` alone: no value, an order to delete the element
    NIL = 0
    BOOL = 1
    INT = 2
    STR = 3
    LIST = 4
    MAP = 5
    BLOB = 6
    FLOAT = 7
    GEOJSON = 8
    HLL = 9


class Special(Enum):
    """What an evaluation can give besides a value."""

    UNKNOWN = "unknown"
    REMOVE = "remove"


UNKNOWN: Final = Special.UNKNOWN
"""The third truth value, and the result of whatever cannot be computed."""

REMOVE: Final = Special.REMOVE
"""The result of `remove_result`: delete the element a path expression stands on."""

Value: TypeAlias = Any
"""One of the table above, `UNKNOWN` or `REMOVE`."""

Frame: TypeAlias = MutableSequence[Any]
"""The variables of one evaluation, by slot."""

Run: TypeAlias = Callable[[RecordView, Frame], Any]
"""A compiled expression. Never raises for any record."""


class _Computed(Enum):
    COMPUTED = "computed"


COMPUTED: Final = _Computed.COMPUTED
"""In place of the constant of a `Code` that is not a literal."""


class Code(NamedTuple):
    """A compiled expression with its type, and its value if that is a literal."""

    type: ExpType
    run: Run
    constant: Any = COMPUTED

    @property
    def is_known(self) -> bool:
        """Whether it is a literal with a value."""
        return self.constant is not COMPUTED and self.constant is not UNKNOWN


def literal(type_: ExpType, value: Value) -> Code:
    """The code of a constant."""
    return Code(type_, lambda record, frame: value, value)


UNKNOWN_BOOL: Final = literal(ExpType.BOOL, UNKNOWN)


# -- particles ----------------------------------------------------------------------------------

_INT: Final = Struct(">q")
_FLOAT: Final = Struct(">d")
_read_int: Final = _INT.unpack
_read_float: Final = _FLOAT.unpack


def _identity(data: bytes) -> bytes:
    return data


def _json_text(data: bytes) -> bytes:
    """GeoJSON particle: flags byte, u16 cell count, cells of 8 bytes, text."""
    return data[3 + 8 * int.from_bytes(data[1:3], "big") :]


def _pack(value: Value) -> bytes:
    return as_msgpack.pack(value)


class _Form(NamedTuple):
    """How one type rests in a bin."""

    particle: ParticleType
    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]


FORMS: Final[Mapping[ExpType, _Form]] = MappingProxyType(
    {
        ExpType.NIL: _Form(ParticleType.NULL, lambda data: None, lambda value: b""),
        ExpType.BOOL: _Form(ParticleType.BOOL, lambda data: data != b"\0", lambda v: bytes((v,))),
        ExpType.INT: _Form(ParticleType.INTEGER, lambda data: _read_int(data)[0], _INT.pack),
        ExpType.FLOAT: _Form(ParticleType.DOUBLE, lambda data: _read_float(data)[0], _FLOAT.pack),
        ExpType.STR: _Form(ParticleType.STRING, _identity, _identity),
        ExpType.BLOB: _Form(ParticleType.BLOB, _identity, _identity),
        ExpType.HLL: _Form(ParticleType.HLL, _identity, _identity),
        ExpType.GEOJSON: _Form(ParticleType.GEOJSON, _json_text, geo.particle_data),
        ExpType.LIST: _Form(ParticleType.LIST, as_msgpack.unpack_stored, _pack),
        ExpType.MAP: _Form(ParticleType.MAP, as_msgpack.unpack_stored, _pack),
    }
)

NUMBERS: Final[Mapping[ExpType, Callable[[bytes], tuple[Any, ...]]]] = MappingProxyType(
    {ExpType.INT: _read_int, ExpType.FLOAT: _read_float}
)
"""For the types that a structure decodes: the quick way, its fields."""


def to_particle(type_: ExpType, value: Value) -> Particle:
    """A known value as a bin's value; nil becomes the null particle.

    `OperationError` when a GeoJSON text is not a valid region.
    """
    if value is None:
        return NULL
    form = FORMS[type_]
    return Particle(form.particle, form.encode(value))


# -- elements -----------------------------------------------------------------------------------

_PREFIXES: Final[Mapping[ExpType, str]] = MappingProxyType(
    {
        ExpType.STR: "\x03",
        ExpType.BLOB: "\x04",
        ExpType.GEOJSON: "\x17",
        ExpType.HLL: "\x12",
    }
)
TYPE_OF_PREFIX: Final[Mapping[str, ExpType]] = MappingProxyType(
    {prefix: type_ for type_, prefix in _PREFIXES.items()}
)
_PYTHON_TYPES: Final[Mapping[ExpType, type]] = MappingProxyType(
    {
        ExpType.NIL: type(None),
        ExpType.BOOL: bool,
        ExpType.INT: int,
        ExpType.FLOAT: float,
        ExpType.LIST: list,
        ExpType.MAP: dict,
    }
)


def text_bytes(text: str) -> bytes:
    """The bytes of a string of the decoded model."""
    return text.encode("utf-8", "surrogateescape")


def to_element(type_: ExpType, value: Value) -> Any:
    """A known value as an element of a list or map."""
    prefix = _PREFIXES.get(type_)
    return value if prefix is None else prefix + value.decode("utf-8", "surrogateescape")


def from_element(type_: ExpType, element: Any) -> Value:
    """An element as a value of `type_`; UNKNOWN when it is of another type."""
    prefix = _PREFIXES.get(type_)
    if prefix is not None:
        element = as_msgpack.text(element)
        if type(element) is str and element[:1] == prefix:
            return text_bytes(element[1:])
        return UNKNOWN
    return element if type(element) is _PYTHON_TYPES.get(type_) else UNKNOWN
