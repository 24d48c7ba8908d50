"""Times of bins: data centers that write the same records come to the same, whatever the way of
what they ship."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from aerospike_common.wire.codes import ParticleType
from asd.bins.particle import Particle
from asd.records.bin_times import (
    CAME,
    NEVER,
    BinTimes,
    Lost,
    Rules,
    after,
    changed,
    is_told,
    merge,
    order,
    pack,
    stamp,
    stamp_ms,
    tidied,
    times_of,
    unpack,
)
from asd.records.record import (
    BIN_TIMES,
    KEY_STORED,
    Bins,
    pack_payload,
    stored_key,
    with_bin_times,
    without_bin_times,
    without_key,
)

NAMES = [b"a", b"b"]
names = st.sampled_from(NAMES)
stamps = st.builds(stamp, st.integers(0, 50), st.integers(0, 3), st.integers(0, 2))
SITES = 3


def value(number: int) -> Particle:
    return Particle(ParticleType.INTEGER, number.to_bytes(8, "big"))


class Sites(RuleBasedStateMachine):
    """Data centers with clocks of their own, one record, and a post that keeps letters as long as
    it likes, delivers some twice, loses some. The model is a heap of all writes."""

    def __init__(self) -> None:
        super().__init__()
        self.times = [NEVER] * SITES
        self.bins: list[Bins] = [{} for _ in range(SITES)]
        self.clocks = [100] * SITES
        self.written: list[tuple[int, bytes | None, Particle | None]] = []
        self.letters: list[tuple[int, bytes, Bins]] = []
        self.number = 0

    @initialize(ahead=st.lists(st.integers(0, 20), min_size=SITES, max_size=SITES))
    def clocks_differ(self, ahead: list[int]) -> None:
        self.clocks = [100 + each for each in ahead]

    @rule(site=st.integers(0, SITES - 1), ms=st.integers(-3, 5))
    def time_passes(self, site: int, ms: int) -> None:
        self.clocks[site] += ms

    @rule(
        site=st.integers(0, SITES - 1),
        wanted=st.dictionaries(names, st.booleans(), min_size=1),
        ms=st.integers(0, 2),
    )
    def write(self, site: int, wanted: dict[bytes, bool], ms: int) -> None:
        """Write these bins, or delete them."""
        self.clocks[site] += ms
        old, new = self.bins[site], dict(self.bins[site])
        for name, lives in wanted.items():
            self.number += 1
            new[name] = value(self.number)
            if not lives:
                del new[name]
        self._wrote(site, changed(self.times[site], old, new, wanted, *self._now(site)), new)

    @rule(site=st.integers(0, SITES - 1), lives=st.booleans())
    def replace(self, site: int, lives: bool) -> None:
        """A write that replaces the record, or the record's end."""
        self.number += 1
        new = {b"a": value(self.number)} if lives else {}
        old, time = self.bins[site], self.times[site]
        self._wrote(site, changed(time, old, new, set(), *self._now(site), replaces=True), new)

    def _now(self, site: int) -> tuple[int, Rules]:
        return self.clocks[site], Rules(site + 1, merges=True, refuses=False)

    def _wrote(self, site: int, times: BinTimes, new: Bins) -> None:
        """Put what was written on the heap."""
        before, old = self.times[site], self.bins[site]
        if order(times.floor) > order(before.floor):
            self.written.append((order(times.floor), None, None))
        for name in {*old, *new, *times.named}:
            if times.of(name, new) != before.of(name, old):
                self.written.append((order(times.of(name, new)), name, new.get(name)))
        self.bins[site] = new
        self.times[site] = self._kept(times, new, self.clocks[site], site + 1)

    def _kept(self, times: BinTimes, bins: Bins, ms: int = 0, source: int = 0) -> BinTimes:
        """As it is read from a store; a record may tell as much by itself."""
        times = tidied(times, bins)
        if is_told(times, bins, ms, source):
            return BinTimes(0, stamp(ms, source), {})
        times = unpack(pack(times))
        assert all(order(times.of(name, bins)) > order(times.floor) for name in bins)
        return times

    @rule(site=st.integers(0, SITES - 1), some=st.sets(names))
    def post(self, site: int, some: set[bytes]) -> None:
        """Some of the bins go: what is not told is told another time."""
        times, bins = self.times[site], self.bins[site]
        sent = {name: times.of(name, bins) for name in some if name in bins or name in times.named}
        there = {name: bins[name] for name in some if name in bins}
        letter = pack(tidied(BinTimes(times.floor, 0, sent), there))
        self.letters.append((site, letter, there))

    @rule(data=st.data(), site=st.integers(0, SITES - 1), again=st.booleans())
    def deliver(self, data: Any, site: int, again: bool) -> None:
        if self.letters:
            at = data.draw(st.integers(0, len(self.letters) - 1))
            sender, letter, bins = self.letters[at]
            if sender != site:
                self._take(site, unpack(letter), bins)
            if not again:
                del self.letters[at]

    def _take(self, site: int, sent: BinTimes, bins: Bins) -> None:
        merged = merge(self.times[site], self.bins[site], sent, bins)
        if merged is not None:
            times, self.bins[site] = merged
            self.times[site] = self._kept(times, self.bins[site])
        assert merge(self.times[site], self.bins[site], sent, bins) is None, "twice is once"

    def teardown(self) -> None:
        """In the end all tell all; then nobody has anything to tell."""
        for _ in range(2):
            for site in range(SITES):
                for other in range(SITES):
                    self._take(other, self.times[site], self.bins[site])
        expected: Bins = {}
        for _, name, what in sorted(self.written, key=lambda each: (each[0], each[1] is None)):
            if name is None:
                expected.clear()
            elif what is None:
                expected.pop(name, None)
            else:
                expected[name] = what
        assert self.bins == [expected] * SITES


TestSites = Sites.TestCase
TestSites.settings = settings(max_examples=100, stateful_step_count=25, deadline=None)


@given(
    floor=stamps,
    rest=stamps,
    named=st.dictionaries(names, stamps),
    key=st.sampled_from([b"", b"\3k"]),
)
def test_what_is_packed_is_read_and_no_reply_has_it(
    floor: int, rest: int, named: dict[bytes, int], key: bytes
) -> None:
    times, bins = BinTimes(floor, rest | CAME, named), {b"a": value(1), b"b": value(2)}
    plain, flags = pack_payload(bins, key), KEY_STORED if key else 0
    payload = with_bin_times(plain, flags, pack(times))
    record = (1, 0, 5, 0, flags | BIN_TIMES, payload)
    assert times_of(record, 7) == times
    assert without_key(payload, flags | BIN_TIMES) == without_key(plain, flags)
    assert stored_key(payload, flags | BIN_TIMES) == key
    assert without_bin_times(payload, flags) == plain
    short = tidied(times, bins)
    assert [short.of(name, bins) for name in bins] == [times.of(name, bins) for name in bins]


@pytest.mark.parametrize("block", [b"", b"\0" * 15, b"\0" * 24, b"\0" * 24 + b"\5ab"])
def test_a_damaged_block_is_found(block: bytes) -> None:
    with pytest.raises((ValueError, struct.error)):
        unpack(block)


@given(held=stamps, time_ms=st.integers(0, 50), source=st.integers(0, 3))
def test_a_write_is_above_what_it_writes_over(held: int, time_ms: int, source: int) -> None:
    new = after(held | CAME, time_ms, source)
    assert order(new) > order(held)
    assert new == stamp(time_ms, source) or stamp_ms(new) <= stamp_ms(held) + 1


def test_a_write_that_is_earlier_than_anothers_is_refused_where_that_is_asked_for() -> None:
    bins = {b"a": value(1), b"b": value(2)}
    held = BinTimes(0, stamp(50, 2) | CAME, {b"b": stamp(40, 1)})
    strict = Rules(1, merges=True, refuses=True)
    with pytest.raises(Lost):
        changed(held, bins, {**bins, b"a": value(3)}, {b"a"}, 50, strict)
    times = changed(held, bins, {**bins, b"b": value(3)}, {b"b"}, 45, strict)
    assert times.of(b"b", bins) == stamp(45, 1)
    assert times.of(b"a", bins) == stamp(50, 2) | CAME
    times = changed(held, bins, {**bins, b"a": value(3)}, {b"a"}, 51, strict)
    assert is_told(BinTimes(0, times.of(b"a", bins), {}), [b"a"], 51, 1)


def test_a_deleted_bin_is_told_by_no_record() -> None:
    """A write that deleted a bin and wrote the only other one left no trace of the deleted one."""
    own, bins = stamp(50, 1), {b"a": value(1)}
    assert is_told(BinTimes(0, own, {}), bins, 50, 1)
    assert is_told(BinTimes(0, 0, {b"a": own}), bins, 50, 1)
    assert not is_told(BinTimes(0, own, {b"b": own}), bins, 50, 1)
    assert not is_told(BinTimes(1, own, {}), bins, 50, 1)


def test_equal_times_are_decided_by_the_source() -> None:
    one = BinTimes(0, stamp(50, 1), {}), {b"a": value(9)}
    two = BinTimes(0, stamp(50, 2), {}), {b"a": value(1)}
    merged = merge(*one, *two)
    assert merged is not None
    assert merged[1] == {b"a": value(1)}
    assert merge(*two, *one) is None
