"""The short cut for the most common update does what get and put would do, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.engine import TOMBSTONE, Exchanges, NotResident, Overwrites
from storage.memory import MemoryEngine
from storage.ssd import SsdEngine
from storage.testing import FaultyDisk

DIGEST = bytes(range(20))
START = b"\x00\x01head"

RECORDS = st.tuples(
    st.sampled_from([1, 2, 65534, 65535]),
    st.sampled_from([0, 9]),
    st.just(500),
    st.sampled_from([1, 2]),
    st.sampled_from([0, 1, TOMBSTONE]),
    st.sampled_from([START + b"old", START + b"longer", b"\x00\x02headold", b""]),
)


def ssd(disk: FaultyDisk | None = None, **options: Any) -> SsdEngine:
    """A small ssd store on two devices."""
    disk = disk or FaultyDisk()
    sizes = {"block_size": 4096, "names_size": 4096, "cache_bytes": 0}
    engine = SsdEngine(["a", "b"], disk, **sizes, **options)
    engine.open()
    return engine


LetGo = Callable[[SsdEngine], None]

MAKE: dict[str, Callable[[], Any]] = {
    "memory": MemoryEngine,
    "ssd": ssd,
    "ssd on the device": ssd,
    "ssd compressed": lambda: ssd(compression="lz4"),
}


@pytest.mark.parametrize("name", MAKE)
@given(st.none() | RECORDS, st.sampled_from([START + b"new", START + b"longest"]))
def test_it_agrees_with_get_and_put(let_go: LetGo, name: str, record: Any, payload: bytes) -> None:
    engine = MAKE[name]()
    if record is not None:
        engine.put(DIGEST, *record)
    if name == "ssd on the device":
        let_go(engine)
    before = engine.get(DIGEST)
    fits = (
        before is not None
        and before[1:5] == (0, 500, 1, 0)
        and before[5].startswith(START)
        and len(before[5]) == len(payload)
        and name != "ssd compressed"  # put compresses
    )
    generation = engine.overwrite(DIGEST, 600, 1, START, payload)
    if not fits:
        assert generation == 0
        assert engine.get(DIGEST) == before
        return
    assert before is not None
    assert generation == before[0] % 65535 + 1
    assert engine.get(DIGEST) == (generation, 0, 600, 1, 0, payload)
    if isinstance(engine, SsdEngine):
        engine._check()
    engine.index._check()


@pytest.mark.parametrize("make", [MemoryEngine, ssd])
def test_a_record_that_was_updated_later_is_left_to_put(make: Callable[[], Any]) -> None:
    engine = make()
    engine.put(DIGEST, 1, 0, 500, 1, 0, START + b"old")
    before = engine.get(DIGEST)
    assert engine.overwrite(DIGEST, 499, 1, START, START + b"new") == 0
    if isinstance(engine, Exchanges):
        assert engine.exchange(DIGEST, 499, 1, START, START + b"new") is None
    assert engine.get(DIGEST) == before
    assert engine.overwrite(DIGEST, 500, 1, START, START + b"new") == 2


def test_what_overwrites_by_configuration_has_it() -> None:
    assert isinstance(MemoryEngine(), Overwrites)
    assert isinstance(ssd(), Overwrites)


def test_what_would_have_to_be_waited_for_is_left_to_put(let_go: LetGo) -> None:
    disk = FaultyDisk()
    engine = ssd(disk)
    engine.put(DIGEST, 1, 0, 500, 1, 0, START + b"old")
    let_go(engine)
    disk.slow.update(disk.files)
    assert engine.overwrite(DIGEST, 600, 1, START, START + b"new") == 0
    with pytest.raises(NotResident):
        engine.get(DIGEST)


def test_what_no_sync_has_begun_to_write_makes_no_garbage() -> None:
    engine = ssd()
    engine.put(DIGEST, 1, 0, 500, 1, 0, START + b"old")
    used = [log.head.end for log in engine.logs if log.head]
    for number in range(100):
        assert engine.overwrite(DIGEST, 600, 1, START, START + b"%03d" % number)
    assert [log.head.end for log in engine.logs if log.head] == used
    engine.sync()
    assert engine.overwrite(DIGEST, 700, 1, START, START + b"new") == 102
    assert [log.head.end for log in engine.logs if log.head] != used
    engine._check()


def test_the_newer_payload_is_there_after_a_crash() -> None:
    disk = FaultyDisk()
    engine = ssd(disk)
    engine.put(DIGEST, 1, 0, 500, 1, 0, START + b"old")
    for number in range(200):  # some blocks are filled and used again
        payload = START + b"%03d" % number
        assert engine.overwrite(DIGEST, 600 + number, 1, START, START + b"old") == 2 * number + 2
        assert engine.overwrite(DIGEST, 600 + number, 1, START, payload) == 2 * number + 3
        if number % 30 == 0:
            engine.sync()
    engine.sync()
    engine._check()
    again = ssd(FaultyDisk({path: bytearray(data) for path, data in disk.files.items()}))
    assert again.get(DIGEST) == (401, 0, 799, 1, 0, START + b"199")
