"""`Task`: something that the nodes are doing, to be waited for."""

from __future__ import annotations

from collections.abc import Callable

from aerospike_client.blocking.engine import Engine
from aerospike_client.scripts.effects import Script
from aerospike_client.scripts.info import until


class Task:
    """An index being built, a function spreading, a job in the background."""

    def __init__(
        self, engine: Engine, what: str, poll: Callable[[], Script[bool]], task_id: int = 0
    ) -> None:
        self._engine = engine
        self._what = what
        self._poll = poll
        #: By this number the nodes know a job (`query-show`); 0 for other things.
        self.task_id = task_id

    def is_done(self) -> bool:
        """Whether it is through on all nodes."""
        return self._engine.run(self._poll())

    def wait(self, timeout_ms: int = 0) -> None:
        """Return when it is through on all nodes. TimedOut after `timeout_ms` (0 = never)."""
        self._engine.run(until(self._poll, timeout_ms, self._what))
