"""The values of the database, what goes with them, and its wire protocol.

Here are the values by name, and the way between them and plain Python. Everything else is imported
from its own module: serializers (`as_msgpack_serializer`), streams (`as_stream`), what a language
for users' functions implements (`as_module`, `as_rec`, `as_aerospike`), passwords (`as_password`),
and the protocol's codecs (`wire`).
"""

from aerospike_common.as_arraylist import AsArraylist
from aerospike_common.as_boolean import AsBoolean
from aerospike_common.as_bytes import AsBytes
from aerospike_common.as_double import AsDouble
from aerospike_common.as_geojson import AsGeojson
from aerospike_common.as_hashmap import AsHashmap
from aerospike_common.as_integer import AsInteger
from aerospike_common.as_list import AsList
from aerospike_common.as_map import AsMap
from aerospike_common.as_nil import NIL, AsNil
from aerospike_common.as_orderedmap import AsOrderedmap
from aerospike_common.as_pair import AsPair
from aerospike_common.as_python import from_python, to_python
from aerospike_common.as_string import AsString
from aerospike_common.as_stringmap import AsStringmap
from aerospike_common.as_val import AsVal, Rank

__all__ = [
    "AsVal",
    "Rank",
    # scalars
    "AsNil",
    "NIL",
    "AsBoolean",
    "AsInteger",
    "AsDouble",
    "AsString",
    "AsBytes",
    "AsGeojson",
    # containers
    "AsPair",
    "AsList",
    "AsArraylist",
    "AsMap",
    "AsHashmap",
    "AsOrderedmap",
    "AsStringmap",
    # to and from plain Python
    "from_python",
    "to_python",
]
