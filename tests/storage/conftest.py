"""What tests of ssd stores share."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from storage.ssd import SsdEngine


def _let_go(engine: SsdEngine) -> None:
    for log in engine.logs:
        log.seal()
    engine.sync()
    for log in engine.logs:
        log.forget_written()
        assert not log.memory


@pytest.fixture(scope="session")
def let_go() -> Callable[[SsdEngine], None]:
    """A function that writes everything, and keeps nothing of it in memory."""
    return _let_go
