"""`python -m storage inspect`: it names each bad block, and the store loses only what is bad."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from storage.__main__ import main
from storage.mapped import MappedMemoryEngine
from storage.ssd import SsdEngine

COUNT = 60


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


def flip(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
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


def test_damage_is_named_and_nothing_else_is_lost(path, capsys):
    start = 8192 + 2 * 4096
    flip(path, start + 100)  # a record of block 0
    flip(path, start + 2 * 4096 + 3000)  # one of block 2
    flip(path, start + 3 * 4096 + 5)  # the header of block 3
    assert inspect(path, "--verify") == 1
    said = capsys.readouterr().out
    for block in (0, 2):
        assert f"BAD: block {block} (" in said
    assert "BAD: block 3 has a damaged header" in said
    assert "BAD: block 1" not in said
    Path(f"{path}.index").unlink()
    engine = SsdEngine([str(path)], read_blocking=True)
    engine.open()
    lost = [n for n in range(COUNT) if engine.get(digest_of(n)) is None]
    assert len(lost) == said.count("BAD: slot")
    assert 3 <= len(lost) <= 2 + 4096 // 368
    assert all(
        engine.get(digest_of(n))[5] == b"%5d" % n * 60 for n in range(COUNT) if n not in lost
    )
    engine.close()


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


def test_other_files(tmp_path, capsys):
    letter = tmp_path / "letter"
    letter.write_bytes(b"dear")
    assert inspect(letter) == 2
    assert inspect(tmp_path / "nothing") == 2
    engine = MappedMemoryEngine(str(tmp_path / "memory"))
    engine.open()
    engine.close()
    assert inspect(tmp_path / "memory") == 0
