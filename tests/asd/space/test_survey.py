"""The survey of records: what its passes find is what a count one by one gives."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asd.config import NamespaceConfig
from asd.measures.turns import Turns
from asd.process.transaction_threads import TransactionThreads
from asd.space.engines import make_engine
from asd.space.namespace import Namespace
from asd.space.survey import SIZE_BUCKETS, TTL_BUCKETS, LogHistogram, RecordSurvey
from citrusleaf.cf_clock import VirtualClock
from storage.engine import TOMBSTONE

RECORDS = st.lists(
    st.tuples(
        st.sampled_from([b"", b"one", b"two"]),
        st.one_of(st.just(0), st.integers(1, 3600 * 24 * 365)),  # seconds to live
        st.integers(1, 5000),  # bytes
    ),
    max_size=60,
)


@pytest.fixture(scope="module")
def threads() -> Iterator[TransactionThreads]:
    pool = TransactionThreads(1, 1)
    yield pool
    pool.stop()


def make_namespace(threads: TransactionThreads) -> Namespace:
    config = NamespaceConfig("test", nsup_period=120)
    engine = make_engine(config)
    clock = VirtualClock()
    turns = Turns(clock.monotonic_ns, lambda end: None)
    return Namespace(config, engine, clock, threads, turns, community=True)


def numbers(text: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in text.split(":"))


@given(RECORDS)
def test_a_survey_counts_what_is_there(threads, records) -> None:
    namespace = make_namespace(threads)
    now_s = namespace.clock.epoch_s()
    for number, (set_name, ttl, size) in enumerate(records):
        void_time = now_s + ttl if ttl else 0
        digest = number.to_bytes(20, "little")
        namespace.store(digest, 1, void_time, set_name, False, bytes(size))
    namespace.engine.put(b"t" * 20, 1, 0, 1, 0, TOMBSTONE, b"")
    survey = RecordSurvey(namespace)
    assert survey.latest is None
    asyncio.run(survey.count())
    asyncio.run(survey.survey())
    assert survey.non_expirable == sum(ttl == 0 for _, ttl, _ in records)
    found = survey.latest
    assert found is not None
    for set_name in (None, b"one", b"two"):
        set_id = None if set_name is None else namespace.find_set(set_name)
        if set_name is not None and set_id is None:
            continue
        mine = [row for row in records if set_name is None or row[0] == set_name]
        ttls = found.histogram("ttl", set_id)
        width = ttls.width
        for bucket, count in enumerate(ttls.buckets):
            assert count == sum(ttl != 0 and ttl // width == bucket for _, ttl, _ in mine) or (
                bucket == TTL_BUCKETS - 1
            )
        assert sum(ttls.buckets) == sum(ttl != 0 for _, ttl, _ in mine)
        sizes = found.histogram("object-size-linear", set_id)
        assert len(sizes.buckets) == SIZE_BUCKETS
        assert sum(sizes.buckets) == len(mine)
        assert sizes.buckets[0] == sum(size < sizes.width for *_, size in mine)
        log = found.histogram("object-size", set_id)
        assert isinstance(log, LogHistogram)
        assert log.buckets[10] == sum(512 <= size < 1024 for *_, size in mine)
        assert sum(log.buckets) == len(mine)


def test_the_texts_that_tools_read(threads) -> None:
    namespace = make_namespace(threads)
    for number, size in enumerate([70, 100, 2000]):
        void_time = namespace.clock.epoch_s() + 1000
        namespace.store(bytes([number] * 20), 1, void_time, b"", False, bytes(size))
    survey = RecordSurvey(namespace)
    asyncio.run(survey.survey())
    assert survey.latest is not None
    assert str(survey.latest.histogram("object-size")) == "units=bytes:[64-128)=2:[1K-2K)=1"
    linear = numbers(str(survey.latest.histogram("object-size-linear")))
    assert (linear["units"], linear["bucket-width"]) == ("bytes", "1024")
    assert linear["buckets"].startswith("2,1,0,")
    ttl = numbers(str(survey.latest.histogram("ttl")))
    assert (ttl["units"], ttl["hist-width"], ttl["bucket-width"]) == ("seconds", "1000", "10")
    assert ttl["buckets"] == ",".join(["0"] * 99 + ["3"])


async def run_for(survey: RecordSurvey, clock: VirtualClock, seconds: int) -> None:
    """Let a survey run while its clock goes on, in no time."""
    real_sleep = asyncio.sleep

    async def sleep(delay: float) -> None:
        clock.advance(delay)
        await real_sleep(0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asd.space.survey.asyncio.sleep", sleep)
        task = asyncio.create_task(survey.run())
        until_ms = clock.monotonic_ms() + 1000 * seconds
        while clock.monotonic_ms() < until_ms:
            await real_sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_surveys_come_when_they_are_due(threads) -> None:
    namespace = make_namespace(threads)
    namespace.store(b"k" * 20, 1, 0, b"", False, b"12")
    namespace.config.set("nsup-hist-period", "100")
    survey = RecordSurvey(namespace)
    asyncio.run(run_for(survey, namespace.clock, 60))
    assert survey.non_expirable == 1
    assert survey.latest is None
    asyncio.run(run_for(survey, namespace.clock, 60))
    assert survey.latest is not None
