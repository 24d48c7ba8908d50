"""Operations on all the elements that a path leads to. Servers from 8.1."""

from __future__ import annotations

from typing import Any

from aerospike_client.errors import InvalidParameter
from aerospike_client.operations.codes import ON_PATH, PATH_NO_FAIL, SelectMode
from aerospike_client.operations.context import Context, encode
from aerospike_client.operations.operation import packed
from aerospike_client.operations.scalars import tree_of
from aerospike_common.wire import Op, OpType


def select(
    bin: str, path: Context, mode: SelectMode = SelectMode.VALUES, *, no_fail: bool = False
) -> Op:
    """Read the elements; with `no_fail`, without those of which a condition cannot be computed."""
    return packed(OpType.CDT_READ, bin, _op_list(path, mode, no_fail))


def modify(bin: str, path: Context, expression: Any, *, no_fail: bool = False) -> Op:
    """Replace each element by what `expression` makes of it; `remove_element()` removes it."""
    op_list = [*_op_list(path, SelectMode.APPLY, no_fail), tree_of(expression)]
    return packed(OpType.CDT_MODIFY, bin, op_list)


def _op_list(path: Context, mode: SelectMode, no_fail: bool) -> list[Any]:
    if not path:
        raise InvalidParameter("where to? a path has steps such as all_children()")
    return [ON_PATH, encode(path), mode | (PATH_NO_FAIL if no_fail else 0)]
