"""Expressions: a typed language over one record, as msgpack lists.

Filters, expression reads and writes, path expressions and index expressions all are one: `table`
lists its operations, `values` says what a value is, `record` what an expression sees of a record.
"""

from __future__ import annotations

from asd.bins.expressions.cache import ExpressionCache
from asd.bins.expressions.expression import Expression, compile_expression
from asd.bins.expressions.ops import modify, read
from asd.bins.expressions.paths import RecordPaths
from asd.bins.expressions.record import RecordView, record_size
from asd.bins.expressions.values import REMOVE, UNKNOWN, ExpType, Value, to_particle

__all__ = [
    "REMOVE",
    "UNKNOWN",
    "ExpType",
    "Expression",
    "ExpressionCache",
    "RecordPaths",
    "RecordView",
    "Value",
    "compile_expression",
    "modify",
    "read",
    "record_size",
    "to_particle",
]
