"""The storage-engine context: what each engine takes, shows, and says it does not do."""

from __future__ import annotations

from typing import Any

import pytest

from asd.config import ConfigFileError, InvalidParameterError, get_config, read_config, set_config
from asd.space.engines import apply_storage, make_engine
from citrusleaf.cf_clock import VirtualClock
from storage.ssd import SsdEngine
from storage.testing import FaultyDisk


def with_storage(engine: str, *lines: str) -> str:
    """The text of a configuration; the first of `lines` is on line 4."""
    places = "" if engine == "memory" else "file a"
    body = "\n".join(lines)
    return f"namespace test {{\nstorage-engine {engine} {{\n{places}\n{body}\n}}\n}}\n"


def complaint(text: str) -> str:
    with pytest.raises(ConfigFileError) as caught:
        read_config(text, "a.conf")
    (problem,) = caught.value.problems
    return str(problem)


def notices(text: str) -> list[str]:
    return [str(notice) for notice in read_config(text, "a.conf").notices]


def test_there_is_no_write_block_size() -> None:
    assert complaint(with_storage("device", "write-block-size 128K")) == (
        "a.conf:4: 'write-block-size' is obsolete in the context 'storage-engine'; instead:"
        " flush-size for the bytes of one write (blocks are 8 MiB); remove it"
    )


@pytest.mark.parametrize("size", ["3M", "5000", "4097"])
def test_a_flush_size_is_a_power_of_two(size: str) -> None:
    assert "is not a power of 2" in complaint(with_storage("device", f"flush-size {size}"))
    config = read_config(with_storage("device", "flush-size 128K"))
    with pytest.raises(InvalidParameterError, match="not a power of 2"):
        set_config(config, "namespace", "test", None, "flush-size", size)
    assert config.namespaces["test"].storage_engine.flush_size == 128 << 10


def test_what_cannot_be_done_is_said_and_why() -> None:
    lines = ("direct-files true", "disable-odsync true", "flush-size 1M")
    assert notices(with_storage("device", *lines)) == [
        "a.conf:4: 'direct-files' is accepted for compatibility, without effect:"
        " all files and devices go through the page cache; reads rely on it",
        "a.conf:5: 'disable-odsync' is accepted for compatibility, without effect:"
        " no write syncs by itself; flush-max-ms and commit-to-device say when one does",
    ]


@pytest.mark.parametrize(
    ("line", "engines"),
    [
        ("max-write-cache 128M", {"device", "ssd"}),
        ("flush-size 128K", {"device", "ssd"}),
        ("defrag-queue-min 3", {"device", "ssd"}),
        ("defrag-sleep 3", {"device", "ssd"}),
        ("defrag-lwm-pct 60", {"device", "ssd", "memory"}),
        ("post-write-cache 1M", {"device", "ssd"}),
        ("filesize 1G", {"device", "ssd", "ssd_cold", "kv"}),
        ("data-size 1G", {"memory"}),
        ("commit-to-device true", {"device", "ssd", "ssd_cold", "kv"}),
        ("flush-max-ms 100", {"memory", "device", "ssd", "ssd_cold", "kv"}),
    ],
)
def test_an_engine_that_does_not_do_it_says_so(line: str, engines: set[str]) -> None:
    for engine in {"memory", "device", "ssd", "ssd_cold", "kv"} - {
        "memory" if line.startswith("commit") else ""
    }:
        told = notices(with_storage(engine, line))
        if engine in engines:
            assert not told
        else:
            assert told[0].startswith(f"a.conf:4: '{line.split()[0]}' is accepted for compat")
            assert told[0].endswith(f", not {engine}")


def test_get_config_shows_what_the_engine_does() -> None:
    def names(engine: str) -> set[str]:
        rows = get_config(read_config(with_storage(engine)), "namespace", "test")
        return {name.removeprefix("storage-engine.") for name, _ in rows}

    own = {"flush-size", "post-write-cache", "read-page-cache", "cold-start-empty"}
    assert own <= names("device")
    assert own <= names("ssd")
    assert not own & names("memory")


def test_an_engine_has_the_parameters_and_takes_up_their_changes() -> None:
    text = with_storage(
        "ssd", "flush-size 128K", "max-write-cache 32M", "defrag-queue-min 3", "defrag-sleep 70"
    )
    config = read_config(text)
    namespace = config.namespaces["test"]
    clock = VirtualClock()
    engine = make_engine(namespace, clock, FaultyDisk())
    assert isinstance(engine, SsdEngine)

    def tuning() -> Any:
        now = engine.tuning
        return now.flush_size, now.max_write_cache, now.defrag_queue_min, now.defrag_sleep_us

    assert tuning() == (128 << 10, 32 << 20, 3, 70)
    assert engine.tuning.clock is clock
    for name, value in [
        ("flush-size", "256K"),
        ("max-write-cache", "64M"),
        ("defrag-queue-min", "0"),
        ("defrag-sleep", "0"),
    ]:
        set_config(config, "namespace", "test", None, name, value)
    apply_storage(engine, namespace)
    assert tuning() == (256 << 10, 64 << 20, 0, 0)
