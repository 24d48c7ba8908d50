"""CfRandom: one stream however it is cut, repeatable by seed, even, and safe between threads."""

import random
import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citrusleaf.cf_random import CfRandom


@given(
    st.integers(0, 2**64),
    st.lists(st.integers(0, 50), max_size=20),
    st.sampled_from([4, 8, 64, 4096]),
)
def test_draws_are_pieces_of_one_stream(seed: int, sizes: list[int], buffer_size: int) -> None:
    source = CfRandom(seed, buffer_size=buffer_size)
    drawn = []
    for size in sizes:
        drawn.append(source.get_bytes(size))
        source._check()
    assert [len(piece) for piece in drawn] == sizes
    assert b"".join(drawn) == random.Random(seed).randbytes(1024)[: sum(sizes)]


@given(st.integers(0, 2**32))
def test_numbers_come_from_the_stream(seed: int) -> None:
    source, same = CfRandom(seed), CfRandom(seed)
    assert source.u32() == int.from_bytes(same.get_bytes(4), "little")
    assert source.u64() == int.from_bytes(same.get_bytes(8), "little")


@given(st.integers(1, 2**80), st.integers(0, 2**32))
def test_below_stays_below(limit: int, seed: int) -> None:
    source = CfRandom(seed)
    assert all(0 <= source.below(limit) < limit for _ in range(20))


def test_below_is_even() -> None:
    source = CfRandom(seed=1)
    counts = Counter(source.below(6) for _ in range(6000))
    assert counts.keys() == set(range(6))
    assert all(850 < count < 1150 for count in counts.values())


def test_unseeded_sources_differ() -> None:
    assert CfRandom().get_bytes(32) != CfRandom().get_bytes(32)


def test_limits() -> None:
    with pytest.raises(ValueError, match="positive"):
        CfRandom().below(0)
    with pytest.raises(ValueError, match="negative"):
        CfRandom().get_bytes(-1)
    for buffer_size in (0, -4, 6):
        with pytest.raises(ValueError, match="multiple of 4"):
            CfRandom(buffer_size=buffer_size)


def test_threads_share_the_stream_without_repeats() -> None:
    source = CfRandom(seed=7, buffer_size=64)
    drawn: list[int] = []

    def work() -> None:
        mine = [source.u64() for _ in range(1000)]
        drawn.extend(mine)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = CfRandom(seed=7)
    assert sorted(drawn) == sorted(alone.u64() for _ in range(4000))
