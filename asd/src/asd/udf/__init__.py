"""Users' functions: Lua modules, functions on records, and aggregations.

`UdfModules`       the registered modules of a node
`Call`             what a request asks to be called
`lua_record`       a record as functions are given it
`Aggregation`      a stream function over the records of a query

The transaction that calls a function on a record is `asd.transactions.udf`.
"""

from asd.udf.aggregation import Aggregation, AggregationError
from asd.udf.call import Call, lua_record
from asd.udf.modules import UdfModules

__all__ = [
    "Aggregation",
    "AggregationError",
    "Call",
    "UdfModules",
    "lua_record",
]
