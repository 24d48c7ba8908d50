"""What one client sees of an object does not go back: monotonic reads, and its own writes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Final

from asd.simulation.history import Operation
from cluster.simulation.checks import Violation

SESSION: Final = "session"
"""A read that must have what its client has seen before, and may not have the latest."""
READS: Final = ("read", SESSION)


def check_sessions(operations: Iterable[Operation], *, stays: bool = False) -> None:
    """Held by the generations that each client was told, object by object; a client that was told
    of no record begins anew, unless a record `stays` once it is there. Raises Violation.

    For histories in which generations only rise, or records are gone for a time.
    """
    seen: dict[tuple[str, Hashable], Operation] = {}
    for operation in sorted(operations, key=lambda each: each.begun):
        if not operation.done:
            continue
        who = operation.client, operation.place
        if not operation.generation:
            before = seen.pop(who, None) if operation.act in (*READS, "remove") else None
            if stays and before is not None and before.before(operation):
                raise Violation(f"a session goes back:\n{before}\n{operation}")
            continue
        before = seen.get(who)
        if before is None or operation.generation >= before.generation:
            seen[who] = operation
        elif before.before(operation):
            raise Violation(f"a session goes back:\n{before}\n{operation}")
