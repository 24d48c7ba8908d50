"""Plain Python to values and back: the one place.

| Python                        | value                                               |
|-------------------------------|-----------------------------------------------------|
| None, bool, int, float, str   | AsNil, AsBoolean, AsInteger, AsDouble, AsString     |
| bytes, bytearray, memoryview  | AsBytes of type BLOB                                |
| list, tuple                   | AsArraylist (back: list; from AsPair: tuple)        |
| dict and other mappings       | AsHashmap (back, from any map: dict)                |
| AsVal                         | itself; AsGeojson and other AsBytes stay themselves |

Subclasses (enums, named tuples) go in as what they are derived from.
Nothing is lost between equals: `from_python(to_python(value)) == value`.
"""

from __future__ import annotations

from collections.abc import Mapping

from aerospike_common.as_arraylist import AsArraylist
from aerospike_common.as_boolean import AsBoolean
from aerospike_common.as_bytes import AsBytes
from aerospike_common.as_double import AsDouble
from aerospike_common.as_hashmap import AsHashmap
from aerospike_common.as_integer import AsInteger
from aerospike_common.as_list import AsList
from aerospike_common.as_map import AsMap, checked_key
from aerospike_common.as_nil import NIL, AsNil
from aerospike_common.as_pair import AsPair
from aerospike_common.as_string import AsString
from aerospike_common.as_val import MAX_NESTING, AsVal
from aerospike_common.wire.codes import ParticleType


def from_python(value: object) -> AsVal:
    """The value that plain Python stands for. O(size).

    Raises TypeError where there is none, OverflowError for an int of more than 64 bits, ValueError
    for containers nested deeper than `MAX_NESTING`.

    >>> from_python({"a": [1, 2.0]})
    AsHashmap({AsString(value='a'): AsArraylist([AsInteger(value=1), AsDouble(value=2.0)])})
    """
    return _from_python(value, MAX_NESTING)


def _from_python(value: object, nesting: int) -> AsVal:
    if nesting < 0:
        raise ValueError(f"nested deeper than {MAX_NESTING} containers")
    match value:
        case AsVal():
            return value
        case None:
            return NIL
        case bool():
            return AsBoolean(value)
        case int():
            return AsInteger(int(value))
        case float():
            return AsDouble(float(value))
        case str():
            return AsString(str.__str__(value))
        case bytes() | bytearray() | memoryview():
            return AsBytes(bytes(value))
        case list() | tuple():
            return AsArraylist([_from_python(item, nesting - 1) for item in value])
        case Mapping():
            return AsHashmap(
                [
                    (checked_key(_from_python(key, nesting)), _from_python(item, nesting - 1))
                    for key, item in value.items()
                ]
            )
        case _:
            raise TypeError(f"no value for a Python {type(value).__name__}")


def to_python(value: AsVal) -> object:
    """The plain Python that a value stands for. O(size).

    Raises ValueError for containers nested deeper than `MAX_NESTING`.

    >>> to_python(AsPair(AsInteger(1), NIL))
    (1, None)
    """
    return _to_python(value, MAX_NESTING)


def _to_python(value: AsVal, nesting: int) -> object:
    if nesting < 0:
        raise ValueError(f"nested deeper than {MAX_NESTING} containers")
    match value:
        case AsNil():
            return None
        case AsBoolean() | AsInteger() | AsDouble() | AsString():
            return value.value
        case AsBytes(type=ParticleType.BLOB):
            return value.value
        case AsPair():
            return (_to_python(value.first, nesting - 1), _to_python(value.second, nesting - 1))
        case AsList():
            return [_to_python(item, nesting - 1) for item in value.stored()]
        case AsMap():
            return {
                _to_python(key, nesting): _to_python(item, nesting - 1)
                for key, item in value.items()
            }
        case _:
            return value
