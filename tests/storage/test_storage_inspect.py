"""`python -m storage inspect`: it names each bad block, and the store loses only what is bad."""

from __future__ import annotations

import errno
import random
import sys
from pathlib import Path

import pytest

from storage.__main__ import main
from storage.engine import DamagedRecord
from storage.inspect import inspect_file
from storage.kv import KvEngine
from storage.mapped import MappedMemoryEngine
from storage.ssd import SsdEngine
from storage.testing import FaultyDisk

COUNT = 60
START = 8192 + 2 * 4096
"""Where block 0 begins."""


def digest_of(n: int) -> bytes:
    return random.Random(n).randbytes(20)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a"
    engine = SsdEngine([str(path)], block_size=4096, names_size=4096)
    engine.open()
    engine.name_set(7, b"people")
    for n in range(COUNT):
        engine.put(digest_of(n), 1, 0, 500, 7, 0, b"%5d" % n * 60)
    engine.close()
    return path


def flip(path: Path, offset: int, bit: int = 0) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1 << bit
    path.write_bytes(data)


def blow(path: Path, offset: int, size: int) -> None:
    """Random bytes instead of what was there."""
    data = bytearray(path.read_bytes())
    data[offset : offset + size] = random.Random(offset).randbytes(size)
    path.write_bytes(data)


def inspect(path: Path, *options: str) -> int:
    return main(["inspect", str(path), *options])


def test_a_sound_store(path, capsys):
    assert inspect(path, "--verify", "--records") == 0
    said = capsys.readouterr().out
    assert "ssd device 1 of 1" in said
    assert "set 7: people" in said
    assert f"copies of records: {COUNT}, of them 0 tombstones" in said
    assert f"entries of the index that were checked: {COUNT}" in said
    assert all(digest_of(n).hex() in said for n in range(COUNT))
    assert said.endswith("bad: 0\n")


# Damage: what is said of it, and what it costs


class Places:
    """Where the records of the store at `path` stand in its file."""

    def __init__(self, path: Path) -> None:
        engine = SsdEngine([str(path)])
        engine.open()
        self.of: dict[int, tuple[int, int]] = {}
        """Record -> (offset in the file, bytes)."""
        for n in range(COUNT):
            location = engine.index.entry(engine.index.find(digest_of(n))).location
            device, block, at, place = engine.locate(location)
            self.of[n] = device.position(block) + at, place
        engine.close()

    def within(self, begin: int, end: int) -> set[int]:
        """The records of which a part stands there."""
        return {n for n, (at, size) in self.of.items() if at < end and begin < at + size}


def lost(path: Path, *, warm: bool) -> set[int]:
    """The records that a store opened on the file does not have; all others are checked."""
    index = Path(f"{path}.index")
    if not warm:
        index.unlink()
    engine = SsdEngine([str(path)], read_blocking=True)
    engine.open()
    assert engine.started_warm is warm
    gone = set()
    for n in range(COUNT):
        try:
            record = engine.get(digest_of(n))
        except DamagedRecord:
            record = None
        if record is None:
            gone.add(n)
        else:
            assert record == (1, 0, 500, 7, 0, b"%5d" % n * 60)
    assert engine.set_names == {7: b"people"}
    engine._check()
    engine.close()
    return gone


def said_of(path: Path, capsys, *options: str) -> list[str]:
    """The lines about what is bad; the status and the sum go with them."""
    assert inspect(path, *options) == 1
    lines = capsys.readouterr().out.splitlines()
    bad = [line.removeprefix("BAD: ") for line in lines if line.startswith("BAD: ")]
    assert lines[-1] == f"bad: {len(bad)}"
    return bad


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("within", [0, 5, 9, 30, 40, 60, 100, 363])
def test_a_bit_turned_over_in_a_record(path, capsys, within, warm):
    at, size = Places(path).of[17]
    flip(path, at + within)
    (bad,) = said_of(path, capsys)
    block = (at - START) // 4096
    assert bad.startswith(f"block {block} at {START + 4096 * block} {size} bytes at {at} (sequence")
    assert bad.endswith("are no records; records lost: 1")
    assert said_of(path, capsys, "--verify")[1].startswith("slot 18 of the index: no record")
    assert lost(path, warm=warm) == {17}


def test_records_beside_one_another(path, capsys):
    places = Places(path)
    at, size = places.of[17]
    blow(path, at + 5, 3 * size)
    gone = places.within(at + 5, at + 5 + 3 * size)
    assert len(gone) in (3, 4)
    assert said_of(path, capsys)[0].split("records lost: ")[1] in ("1", "2", "3", "4")
    assert len(said_of(path, capsys, "--verify")) == 1 + len(gone)
    assert lost(path, warm=False) == gone


@pytest.mark.parametrize("bit", range(0, 8 * 32, 5))
def test_a_bit_turned_over_in_the_header_of_a_block_costs_nothing(path, capsys, bit):
    flip(path, START + 2 * 4096 + bit // 8, bit % 8)
    assert said_of(path, capsys, "--verify") == [
        f"block 2 at {START + 2 * 4096} has a damaged header; its records are told by their own"
    ]
    assert lost(path, warm=False) == set()


def test_the_first_sector_of_a_block(path, capsys):
    """Without it nothing in the block can be told from what an earlier life of it has left."""
    places = Places(path)
    blow(path, START + 4096, 512)
    gone = places.within(START + 4096, START + 2 * 4096)
    first, *slots = said_of(path, capsys, "--verify")
    assert first.startswith(f"block 1 at {START + 4096} has a damaged header; records lost: ")
    assert len(slots) == len(gone) > 5
    assert lost(path, warm=False) == gone


def test_a_misdirected_block(path, capsys):
    places = Places(path)
    data = bytearray(path.read_bytes())
    data[START + 3 * 4096 : START + 4 * 4096] = data[START + 4096 : START + 2 * 4096]
    path.write_bytes(data)
    gone = places.within(START + 3 * 4096, START + 4 * 4096)
    first, *slots = said_of(path, capsys, "--verify")
    assert first.startswith(f"block 3 at {START + 3 * 4096} holds block 1, misdirected")
    assert len(slots) == len(gone) > 5
    assert lost(path, warm=False) == gone


def test_a_block_of_another_device(path, capsys, tmp_path):
    places = Places(path)
    other = SsdEngine([str(tmp_path / "other")], block_size=4096, names_size=4096)
    other.open()
    for n in range(COUNT):
        other.put(digest_of(1000 + n), 1, 0, 500, 7, 0, b"stranger" * 40)
    other.close()
    data = bytearray(path.read_bytes())
    block = slice(START + 3 * 4096, START + 4 * 4096)
    data[block] = (tmp_path / "other").read_bytes()[block]
    path.write_bytes(data)
    assert said_of(path, capsys)[0].startswith(f"block 3 at {block.start} is another device's")
    assert lost(path, warm=False) == places.within(block.start, block.stop)


@pytest.mark.parametrize(("block", "within"), [(4, 1000), (4, 4000), (2, 40), (5, 0)])
def test_a_file_cut_off(path, capsys, block, within):
    places = Places(path)
    end = START + block * 4096 + within
    gone = places.within(end, 1 << 30)
    with path.open("r+b") as file:
        file.truncate(end)
    bad = said_of(path, capsys, "--verify")
    if within:
        cut = f"block {block} at {end - within} is cut off: the file ends {4096 - within} bytes"
        assert bad.pop(0) == f"{cut} too early"
    assert len(bad) == len(gone) > 0
    assert lost(path, warm=False) == gone


@pytest.mark.parametrize("copy", [0, 4096])
def test_one_header_damaged(path, capsys, copy):
    flip(path, copy + 60)
    assert said_of(path, capsys) == [f"the copy of the header at {copy}"]
    assert lost(path, warm=False) == set()


def test_damaged_names(path, capsys):
    flip(path, 8192 + 4096 + 30)
    assert said_of(path, capsys) == [f"the copy of the names of sets at {8192 + 4096}"]


def test_much_damage_at_once_and_a_warm_start(path, capsys):
    places = Places(path)
    gone = set()
    for n in (3, 25, 44):
        flip(path, places.of[n][0] + 80)
        gone.add(n)
    flip(path, START + 4096 + 3)  # a block's header
    bad = said_of(path, capsys, "--verify")
    assert len(bad) == 3 + 1 + len(gone)
    assert lost(path, warm=True) == gone


def test_a_device_that_cannot_be_read_everywhere(capsys):
    disk = FaultyDisk()
    engine = SsdEngine(["a"], disk, block_size=16384, names_size=4096)
    engine.open()
    for n in range(COUNT):
        engine.put(digest_of(n), 1, 0, 500, 7, 0, b"%5d" % n * 60)
    engine.close()
    device = disk.open("a", create=False)

    class Scratched:
        size = device.size

        def pread(self, offset: int, size: int) -> bytes:
            if offset <= START + 8192 < offset + size:
                raise OSError(errno.EIO, "Input/output error")
            return device.pread(offset, size)

    assert inspect_file(Scratched(), print, lambda done, total: None) == 2  # type: ignore[arg-type]  # a stand-in
    said = capsys.readouterr().out
    assert f"BAD: block 0 at {START} cannot be read whole: Input/output error" in said
    assert int(said.split("copies of records: ")[1].split(",")[0]) in (COUNT - 12, COUNT - 13)


def test_both_headers_damaged(path, capsys):
    flip(path, 60)
    flip(path, 4096 + 60)
    assert inspect(path) == 1
    assert "BAD: the copy of the header at 4096" in capsys.readouterr().out


def test_an_index(path, capsys):
    assert inspect(Path(f"{path}.index"), "--verify", "--records") == 0
    assert f"index of {COUNT} slots" in capsys.readouterr().out
    flip(Path(f"{path}.index"), 20)
    assert inspect(Path(f"{path}.index"), "--verify") == 1


def test_an_index_cut_off(path, capsys):
    index = Path(f"{path}.index")
    for size in (5000, 100, 20):
        index.write_bytes(index.read_bytes()[:size])
        assert inspect(index, "--verify") == 1
        assert "BAD: the " in capsys.readouterr().out


def test_other_files(tmp_path, capsys):
    engine = MappedMemoryEngine(str(tmp_path / "memory"))
    engine.open()
    engine.close()
    assert inspect(tmp_path / "memory") == 0
    kv = KvEngine(str(tmp_path / "kv"))
    kv.open()
    kv.close()
    capsys.readouterr()
    (tmp_path / "letter").write_bytes(b"dear")
    (tmp_path / "empty").write_bytes(b"")
    for name, complaint in [
        ("letter", "not a file of this package: neither a device, an index nor mapped data"),
        ("empty", "not a file of this package: neither a device, an index nor mapped data"),
        ("nothing", "No such file or directory"),
        (".", "Is a directory"),
        ("kv", "an LMDB file, as the engine kv has: look at it with mdb_stat and mdb_dump"),
    ]:
        assert inspect(tmp_path / name) == 2
        said = capsys.readouterr()
        assert said.err == f"{tmp_path / name}: {complaint}\n"
        assert said.out == ""


def test_the_bar_of_progress_is_for_terminals_only(path, capsys, monkeypatch):
    assert inspect(path) == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert inspect(path) == 0
    said = capsys.readouterr().err
    assert "\r[" in said
    assert said.endswith("\r")
    assert said.rstrip("\r").endswith(" ")
