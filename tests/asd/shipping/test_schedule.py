"""The schedule as a state machine: whatever fails, in the end the destination has what is here."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from asd.shipping.failure_handler import SETTLE_MS
from asd.shipping.logger import observer
from asd.shipping.schedule import Schedule

PARTITIONS = (0, 1, 4095)
DIGESTS = [
    bytes((partition & 0xFF, partition >> 8)) + bytes((key,)) * 18
    for partition in PARTITIONS
    for key in range(4)
]
LIMIT = 3
EVERY = frozenset(PARTITIONS)


def partition_of(digest: bytes) -> int:
    return digest[0] | (digest[1] & 15) << 8


class Shipping(RuleBasedStateMachine):
    """One namespace, one destination, and a network that loses, delays and turns round."""

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 100_000
        self.schedule = Schedule(LIMIT, self.now_ms)
        self.changed = observer(self.schedule.logger, lambda set_id, flags: True)
        self.here: dict[bytes, tuple[int, int]] = {}
        """Version and time."""
        self.there: dict[bytes, int] = {}
        self.network: dict[bytes, int] = {}
        """Under way, with the version that was read."""
        self.late: list[tuple[bytes, int]] = []
        """Given up here, and still on their way."""
        self.owned = EVERY
        self.versions = 0
        self.schedule.own(EVERY, from_now=True)

    def scan(self, partition: int, since_ms: int) -> list[tuple[int, bytes]]:
        return sorted(
            (time_ms, digest)
            for digest, (_, time_ms) in self.here.items()
            if partition_of(digest) == partition and time_ms > since_ms
        )

    @rule(digest=st.sampled_from(DIGESTS))
    def write(self, digest: bytes) -> None:
        self.now_ms += 1
        self.versions += 1
        self.here[digest] = self.versions, self.now_ms
        if partition_of(digest) in self.owned:
            self.changed(digest, (1, 0, self.now_ms, 0, 0, b""))

    @rule(passed_ms=st.integers(1, 400))
    def wait(self, passed_ms: int) -> None:
        self.now_ms += passed_ms

    @rule(
        reached=st.frozensets(st.sampled_from(PARTITIONS), min_size=1),
        room=st.integers(1, 5),
        delay_ms=st.sampled_from((0, 0, 50)),
        hot_key_ms=st.sampled_from((0, 100)),
        recoveries=st.integers(0, 2),
    )
    def lap(
        self,
        reached: frozenset[int],
        room: int,
        delay_ms: int = 0,
        hot_key_ms: int = 0,
        recoveries: int = 0,
    ) -> None:
        taken = self.schedule.take(
            *(self.now_ms, room, reached.__contains__, self.scan),
            delay_ms=delay_ms,
            hot_key_ms=hot_key_ms,
            most_recoveries=recoveries,
        )
        assert len(taken) <= room
        for digest, partition in taken:
            assert digest not in self.network, "two shipments of a record are under way"
            assert partition == partition_of(digest)
            assert partition in self.owned & reached
            self.network[digest] = self.here[digest][0]

    @precondition(lambda self: self.network)
    @rule(data=st.data(), answer=st.sampled_from(("done", "done", "retry", "lost", "late")))
    def answer(self, data: st.DataObject, answer: str) -> None:
        digest = data.draw(st.sampled_from(sorted(self.network)))
        version = self.network.pop(digest)
        if answer == "done":
            self.there[digest] = version
            self.schedule.complete(digest, self.now_ms)
        elif answer == "retry":
            self.schedule.retry(digest, self.now_ms, in_doubt=False)
        else:
            if answer == "late":
                self.late.append((digest, version))
            self.schedule.retry(digest, self.now_ms, in_doubt=True)

    @precondition(lambda self: self.late)
    @rule()
    def arrive_late(self) -> None:
        digest, version = self.late.pop(0)
        self.there[digest] = version

    @rule(owned=st.frozensets(st.sampled_from(PARTITIONS)))
    def own(self, owned: frozenset[int]) -> None:
        """A record in doubt is in doubt no more for who takes its partition over, so what is late
        has come by then."""
        while self.late:
            self.arrive_late()
        self.owned = owned
        self.schedule.own(owned)

    @rule(passed_ms=st.integers(0, 1000))
    def rewind(self, passed_ms: int) -> None:
        while self.late:
            self.arrive_late()
        self.schedule.rewind(self.now_ms - passed_ms)

    @rule(reached=st.frozensets(st.sampled_from(PARTITIONS)))
    def give_up(self, reached: frozenset[int]) -> None:
        while self.late:
            self.arrive_late()
        self.schedule.give_up_logging(reached.__contains__)

    @invariant()
    def the_last_ship_time_passes_no_change_that_is_not_shipped(self) -> None:
        times = self.schedule.last_ship_times(self.now_ms)
        for digest, (version, time_ms) in self.here.items():
            partition = partition_of(digest)
            if partition in self.owned and self.there.get(digest, 0) < version:
                known_late = any(each == digest for each, _ in self.late)
                assert times[partition] < time_ms or known_late or digest in self._doubted

    @property
    def _doubted(self) -> set[bytes]:
        """Shipped, overtaken by something late, and to be shipped once more."""
        waiting = self.schedule.failures._waiting.values()
        return {digest for each in waiting for digest in each} | set(self.network)

    @invariant()
    def all_is_well_within(self) -> None:
        self.schedule._check()
        assert self.schedule.under_way.keys() == self.network.keys()

    def teardown(self) -> None:
        """The network works again: in the end both sides are alike."""
        while self.late:
            self.arrive_late()
        self.owned = EVERY
        self.schedule.own(EVERY)
        for _ in range(200):
            self.now_ms += SETTLE_MS // 20
            self.lap(EVERY, 5)
            for digest in list(self.network):
                self.there[digest] = self.network.pop(digest)
                self.schedule.complete(digest, self.now_ms)
        assert self.there == {digest: version for digest, (version, _) in self.here.items()}
        assert self.schedule.backlog == 0
        assert len(self.schedule.recovery) == 0
        assert self.schedule.lag_ms(self.now_ms) == 0


TestShipping = Shipping.TestCase
TestShipping.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)


def test_a_hot_key_is_shipped_once_in_so_long() -> None:
    schedule = Schedule(1024, 0)
    schedule.own([0], from_now=True)
    digest, shipped = DIGESTS[0], 0
    for now_ms in range(0, 1000, 10):
        schedule.logger.note(digest, now_ms)
        for taken, _ in schedule.take(now_ms, 10, lambda p: True, lambda p, t: [], hot_key_ms=100):
            schedule.complete(taken, now_ms)
            shipped += 1
    assert shipped == 10
    assert schedule.hot_keys > 50


def test_a_write_waits_for_its_delay() -> None:
    schedule = Schedule(1024, 0)
    schedule.own([0], from_now=True)
    schedule.logger.note(DIGESTS[0], 1000)
    late = {"delay_ms": 500}
    assert not schedule.take(1499, 10, lambda p: True, lambda p, t: [], **late)
    assert schedule.take(1500, 10, lambda p: True, lambda p, t: [], **late)


def test_a_destination_that_is_away_costs_nothing_but_a_time() -> None:
    schedule = Schedule(1024, 500)
    schedule.own([0], from_now=True)
    for number in range(100):
        schedule.logger.note(b"\0\0" + bytes((number,)) * 18, 1000 + number)
    schedule.give_up_logging(lambda partition: False)
    assert schedule.backlog == 0
    assert schedule.last_ship_times(5000)[0] == 999
    asked = []
    schedule.take(6000, 10, lambda p: True, lambda p, t: asked.append((p, t)) or [])
    assert asked == [(0, 999)]


def test_a_retry_that_fails_again_by_way_of_the_queue_keeps_its_older_change() -> None:
    """It used to take the later change's time, and the last ship time passed the older one."""
    schedule = Schedule(1024, 0)
    schedule.own([0], from_now=True)
    digest, everywhere = DIGESTS[0], lambda partition: True
    schedule.logger.note(digest, 1000)
    assert schedule.take(1000, 10, everywhere, lambda p, t: []) == [(digest, 0)]
    schedule.retry(digest, 1001, in_doubt=True)
    schedule.logger.note(digest, 1050)  # written again before its pause is over
    assert schedule.take(1050, 10, everywhere, lambda p, t: []) == [(digest, 0)]
    assert schedule.under_way[digest].time_ms == 1050, "it went by the queue"
    schedule.retry(digest, 1051, in_doubt=False)
    assert schedule.last_ship_times(5000)[0] == 999
    assert schedule.take(5000, 10, everywhere, lambda p, t: []) == [(digest, 0)]
    assert schedule.under_way[digest].since_ms == 1000, "bins changed since then are not shipped"
    schedule.complete(digest, 5001)
    assert schedule.failures.count(0) == 1, "the first is in doubt still: it goes once more"
