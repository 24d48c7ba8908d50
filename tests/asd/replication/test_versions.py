"""Partition versions with the engine: they never say more after a restart than is true."""

from __future__ import annotations

from pathlib import Path

import pytest

from asd.config import NamespaceConfig, StorageConfig
from asd.replication import versions
from asd.space.engines import make_engine
from cluster import PartitionVersion
from storage.engine import Engine

FULL = PartitionVersion(7, True, True)
DIGEST = bytes(20)  # of partition 0


def ssd(path: Path, *, commit: bool = False) -> Engine:
    storage = StorageConfig("ssd", file=(str(path),), filesize=32 << 20, commit_to_device=commit)
    engine = make_engine(NamespaceConfig("test", storage_engine=storage))
    engine.open()
    return engine


def test_they_outlive_a_clean_stop(tmp_path: Path) -> None:
    engine = ssd(tmp_path / "a")
    assert versions.load(engine) == {}
    versions.save(engine, 4095, FULL)
    versions.save(engine, 1, FULL)
    versions.save(engine, 1, None)
    versions.close(engine)
    engine.close()
    again = ssd(tmp_path / "a")
    assert versions.load(again) == {4095: FULL}
    again.close()


@pytest.mark.parametrize(("commit", "full"), [(False, False), (True, True)])
def test_after_a_crash_a_copy_may_lack_its_last_second(
    tmp_path: Path, commit: bool, full: bool
) -> None:
    engine = ssd(tmp_path / "a", commit=commit)
    versions.load(engine)
    versions.save(engine, 1, FULL)
    engine.sync()
    again = ssd(tmp_path / "a", commit=commit)  # the other one just ends
    assert versions.load(again)[1].full is full
    again.close()
    engine.close()


def test_records_of_a_node_alone_are_a_full_copy_of_no_cluster(tmp_path: Path) -> None:
    engine = ssd(tmp_path / "a")
    engine.put(DIGEST, 1, 0, 0, 0, 0, b"\0\0")
    assert versions.load(engine) == {0: PartitionVersion(0, True)}
    engine.close()


def test_a_node_alone_forgets_what_was_known_of_copies_elsewhere(tmp_path: Path) -> None:
    engine = ssd(tmp_path / "a")
    versions.load(engine)
    versions.save(engine, 1, FULL)
    versions.forget(engine)
    assert dict(engine.meta()) == {}
    engine.close()
