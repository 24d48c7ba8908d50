"""What one client sees of an object does not go back: monotonic reads, and its own writes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from asd.simulation.history import Operation
from cluster.simulation.checks import Violation


def check_sessions(operations: Iterable[Operation]) -> None:
    """Held by the generations that each client was told, object by object; a client that was told
    of no record begins anew. Raises Violation.

    For histories in which generations only rise, or records are gone for a time.
    """
    seen: dict[tuple[str, Hashable], Operation] = {}
    for operation in sorted(operations, key=lambda each: each.begun):
        if not operation.done:
            continue
        who = operation.client, operation.place
        if not operation.generation:
            if operation.act in ("read", "remove"):
                seen.pop(who, None)
            continue
        before = seen.get(who)
        if before is None or operation.generation >= before.generation:
            seen[who] = operation
        elif before.before(operation):
            raise Violation(f"a session goes back:\n{before}\n{operation}")
