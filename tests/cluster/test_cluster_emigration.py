"""An emigration by itself: what it sends again, and when."""

from __future__ import annotations

from cluster.messages import EmigrateStart, ImmigrateReady
from cluster.partitions.config import MigrateConfig
from cluster.partitions.emigration import Due, Emigration, Rests


def test_what_is_not_answered_is_sent_again_after_ever_longer():
    """Thousands of emigrations at a time sent everything anew before the first answer came, and
    none of them ever ended."""
    emigration = Emigration((7, "ns", 3), 2, ("partitions", 1), MigrateConfig(retransmit_ms=400))
    emigration.begin(0)
    waits = []
    for _ in range(5):
        waits.append(emigration.patience_ms)
        emigration.fire(Due(), sum(waits))
    assert waits == [400, 800, 1600, 3200, 3200]
    sent = [output.message for output in emigration.outputs]
    assert sent == [EmigrateStart(7, "ns", 3)] * 6
    emigration.fire(ImmigrateReady(7, "ns", 3), 10_000)
    assert emigration.patience_ms == 400


def test_emigrations_rest_longer_while_clients_ask_and_together():
    asked = False
    rests = Rests(lambda: asked)
    assert rests.due_ms(10_000, 0) == 0, "who is not to rest does not"
    assert [rests.due_ms(1000, 1) for _ in range(4)] == [0, 0, 3, 0]
    asked = True
    assert rests.due_ms(40, 1) == 3, "a thousand are owed from before"
    assert rests.due_ms(16, 1) == 0
    assert rests.due_ms(10, 5000) == 50, "who is to rest longer does"
    assert rests.due_ms(10_000, 0) == 0
