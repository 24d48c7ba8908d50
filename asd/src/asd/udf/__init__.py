"""Users' functions: Lua modules, functions on records, and aggregations.

`UdfModules`       the registered modules of a node
`udf`              the transaction that calls a function on a record
`apply_to_record`  the same for a record of a background job
`Aggregation`      a stream function over the records of a query
"""

from asd.udf.aggregation import Aggregation, AggregationError
from asd.udf.modules import UdfModules
from asd.udf.record_udf import Call, apply_to_record, check_enabled, udf

__all__ = [
    "Aggregation",
    "AggregationError",
    "Call",
    "UdfModules",
    "apply_to_record",
    "check_enabled",
    "udf",
]
