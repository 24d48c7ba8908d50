"""A built expression: what it gives on a record, and whether a filter lets the record through."""

from __future__ import annotations

from typing import Any, Final

from asd.bins.expressions.compiler import Compiler, decode
from asd.bins.expressions.logic import LOOP_SLOTS
from asd.bins.expressions.record import RecordView
from asd.bins.expressions.regex import MEMORY_MAX
from asd.bins.expressions.values import UNKNOWN, Run, Value

MOST_DOUBLINGS: Final = 20


class Expression:
    """A compiled expression: immutable, to be evaluated on any number of records.

    `result_type`    what `evaluate` gives when it is not UNKNOWN.
    `metadata_only`  whether neither the key nor any bin is looked at.
    `weight`         bytes it may keep besides what grows with its wire form: tables of regexes.
    `sized`, `growth`, `passes`  what it costs: see `effort`.
    `run`, `slots`   what `evaluate` calls: with a record and a frame of so many variables.
    """

    __slots__ = (
        *("_metadata_run", "_tree", "growth", "metadata_only", "passes", "result_type"),
        *("run", "sized", "slots", "weight"),
    )

    def __init__(self, tree: Any, *, in_path: bool = False, depth: int = 0) -> None:
        """Build from a decoded wire form; `OperationError` when it is malformed or ill-typed.

        `in_path` for an expression over elements, `depth` for one that stands inside another.
        """
        compiler = Compiler(in_path=in_path, depth=depth)
        code = compiler.compile(tree)
        self.result_type: Final = code.type
        self.metadata_only: Final = not compiler.uses_bins
        self.run: Final = code.run
        self.slots = compiler.slots
        self.weight: Final = compiler.regexes * MEMORY_MAX
        self.sized: Final = tuple(compiler.sized)
        self.passes: Final = compiler.passes
        self.growth: Final = 1 << min(compiler.modifies, MOST_DOUBLINGS)
        # What the metadata alone may decide is built when first asked for.
        self._tree = tree if compiler.uses_metadata and compiler.uses_bins else None
        self._metadata_run: Run | None = code.run if self.metadata_only else None

    def effort(self, size: int) -> int:
        """Bytes that are gone through, at most, where the bins in `sized` have so many.

        A call may double what it is given, and be given what another has doubled."""
        return self.passes * self.growth * size

    def evaluate(self, record: RecordView) -> Value:
        """The value on this record, or UNKNOWN. Never raises."""
        return self.run(record, [None] * self.slots)

    def evaluate_element(
        self, record: RecordView, key: Any, value: Any, index: int | None
    ) -> Value:
        """The value for one element, as `evaluate`; built with `in_path` only."""
        return self.run(record, [key, value, index, *[None] * (self.slots - LOOP_SLOTS)])

    def matches(self, record: RecordView) -> bool:
        """Whether, as a filter, it lets the record through; unknown does not.

        Evaluating never contradicts what the metadata alone decided, so a record whose bins are
        at hand is evaluated once, whole. What a durable delete left behind never matches.
        """
        return self.run(record, [None] * self.slots) is True and not record.is_tombstone

    def matches_metadata(self, record: RecordView) -> bool | None:
        """The filter's decision from the metadata alone, None when that takes the bins."""
        run = self._metadata_run
        if run is None:
            if self._tree is None:
                return None
            compiler = Compiler(metadata_only=True)
            run = self._metadata_run = compiler.compile(self._tree).run
        decision = run(record, [None] * self.slots)
        return None if decision is UNKNOWN and not self.metadata_only else decision is True


def compile_expression(wire: bytes) -> Expression:
    """Build the expression of a wire form; the whole of `wire` must be one.

    `OperationError(PARAMETER)` when it is malformed, ill-typed, nested too deeply or too large.
    """
    return Expression(decode(wire))
