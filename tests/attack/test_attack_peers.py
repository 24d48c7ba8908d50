"""A sample of what `make attack` does to the ports that are for other nodes."""

from __future__ import annotations

import random
from pathlib import Path

from attack.peers import PEERS, ClusterTarget


def test_a_cluster_that_is_told_lies_goes_on(tmp_path: Path) -> None:
    chance = random.Random(7)
    with ClusterTarget(tmp_path) as target:
        for attacker in PEERS:
            assert attacker(target, chance, 0.5)
            assert target.look() == []
        assert target.tracebacks() == []
