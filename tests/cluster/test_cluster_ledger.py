"""The simulation's ledger: what it calls lost, and what not."""

from __future__ import annotations

import pytest

from cluster.messages import RecordRow
from cluster.partitions.config import NamespaceConfig
from cluster.records import TOMBSTONE, ConflictPolicy
from cluster.simulation import Ledger, SimulatedStore, Violation
from cluster.simulation.store import partition_of

NAMESPACE = "ns0"
DIGEST = bytes((10, 7))
BY_TIME = ConflictPolicy.LAST_UPDATE_TIME


def version(name: bytes, generation: int, updated_ms: int, flags: int = 0) -> RecordRow:
    return DIGEST, generation, updated_ms, 0, "", flags, name


EARLY = version(b"early", 1, 9000)
"""Written by a clock that is ahead."""
DELETED = version(b"deleted", 2, 5000, TOMBSTONE)
"""Made of it by a clock that is behind: by last-update-time the older version wins."""
LATE = version(b"late", 2, 4000)
"""Made of it once more, after it had come back."""


def ledger_of_a_deletion(may_come_back: list[RecordRow]) -> Ledger:
    """`EARLY` was written and `DELETED`, clients were told, and everything was at rest."""
    ledger = Ledger([NamespaceConfig(NAMESPACE, policy=BY_TIME)])
    ledger.answered(ledger.executed(NAMESPACE, 1, EARLY, None))
    ledger.answered(ledger.executed(NAMESPACE, 2, DELETED, EARLY))
    ledger.rest(NAMESPACE, 2, {DIGEST: DELETED}, may_come_back)
    return ledger


def test_what_follows_from_a_dropped_copy_that_a_crash_brought_back_is_no_loss():
    ledger = ledger_of_a_deletion([DELETED, EARLY])
    ledger.answered(ledger.executed(NAMESPACE, 3, LATE, EARLY))
    ledger.check_nothing_lost(NAMESPACE, partition_of(DIGEST), [{DIGEST: LATE}])


def test_a_version_that_is_gone_for_good_explains_no_loss():
    ledger = ledger_of_a_deletion([DELETED])
    ledger.answered(ledger.executed(NAMESPACE, 3, LATE, EARLY))
    with pytest.raises(Violation, match="is lost"):
        ledger.check_nothing_lost(NAMESPACE, partition_of(DIGEST), [{DIGEST: LATE}])


def test_a_dropped_copy_may_come_back_until_its_disk_has_dropped_it_too():
    store = SimulatedStore(BY_TIME)
    store.put(EARLY)
    store.put(DELETED)
    store.drop(partition_of(DIGEST))
    assert not store.live
    assert list(store.may_come_back()) == [EARLY, DELETED]
    store.flush(1)
    assert list(store.may_come_back()) == [EARLY, DELETED]
    store.flush(store.position)
    assert not list(store.may_come_back())
