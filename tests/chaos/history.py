"""What was asked of the cluster and what came of it, one line an operation."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from aerospike_common.wire import ResultCode

Value: TypeAlias = int | list[int] | None
Place: TypeAlias = tuple[str, str, str]
"""Namespace, set, key. A set is a workload, see `chaos.workloads`."""

OK: Final = int(ResultCode.OK)
LOGICAL: Final = frozenset(
    map(
        int,
        (OK, ResultCode.NOT_FOUND, ResultCode.GENERATION, ResultCode.RECORD_EXISTS),
    )
)
"""Answers that say something of the record, and so are no failures."""


class Operation(NamedTuple):
    """One operation. Times are seconds of the machine's wall clock."""

    lane: str
    """Who: `official-0`, `own-1`, `asyncio-0`, `raw-0` ..."""
    namespace: str
    set_name: str
    key: str
    act: str
    """`write`, `delete`, `read`, `query`."""
    value: Value
    """What was written, or what was read (None: not found)."""
    start: float
    end: float
    code: int
    """The server's result code, or a client's own, which is negative."""
    in_doubt: bool
    generation: int
    """Of the record after a write, or as it was read; 0: not told."""
    life_s: int = 0
    """How long what was written was to live; 0: for ever."""

    @property
    def place(self) -> Place:
        """Which record."""
        return self.namespace, self.set_name, self.key

    @property
    def acknowledged(self) -> bool:
        """Was the client told that it is done?"""
        return self.code == OK

    @property
    def failed(self) -> bool:
        """Was there no answer that says something of the record?"""
        return self.code not in LOGICAL

    @property
    def refused(self) -> bool:
        """Was the client told that it was not done?"""
        return not self.acknowledged and not self.in_doubt


def line(operation: Operation) -> str:
    """For the history's file."""
    return json.dumps(operation, separators=(",", ":")) + "\n"


def read_histories(paths: Iterable[Path]) -> list[Operation]:
    """All operations of these files by their start. A line that was cut off is left out."""
    operations: list[Operation] = []
    for path in paths:
        texts = path.read_text("utf-8").splitlines(keepends=True)
        operations += [Operation(*json.loads(text)) for text in texts if text.endswith("\n")]
    operations.sort(key=lambda each: each.start)
    return operations


def by_place(operations: Iterable[Operation]) -> Mapping[Place, list[Operation]]:
    """The operations on each record, in their order."""
    found: dict[Place, list[Operation]] = defaultdict(list)
    for operation in operations:
        found[operation.place].append(operation)
    return found


def tell(operation: Operation) -> str:
    """An operation for people."""
    took_ms = 1000 * (operation.end - operation.start)
    came = "ok" if operation.acknowledged else f"code {operation.code}"
    if operation.in_doubt:
        came += ", in doubt"
    if operation.generation:
        came += f", generation {operation.generation}"
    value = operation.value if not isinstance(operation.value, list) else operation.value[-5:]
    return (
        f"{operation.start:.3f} +{took_ms:.0f} ms  {operation.lane:<10} {operation.act:<6} "
        f"{value}  {came}"
    )
