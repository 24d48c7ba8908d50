"""Media that are slow, full or dead, seen through a server: result codes, figures, log lines."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from aerospike_common.wire.codes import ResultCode
from asd import Server
from asd.config import read_config, set_config
from storage.testing import FaultyDisk

CONFIG = """
namespace test {{
    replication-factor 1
    nsup-period 2m
    storage-engine device {{
        file test
        {parameters}
    }}
}}
namespace other {{
    replication-factor 1
    storage-engine device {{
        file other
        {parameters}
    }}
}}
"""
VALUE = bytes(1_000_000)


@contextmanager
def serving(disk: FaultyDisk, *parameters: str) -> Iterator[int]:
    """The port of a server whose two namespaces are on the disk."""
    text = CONFIG.format(parameters="\n".join(parameters))
    config = read_config(f"network {{ service {{ port 0\n}} }}\n{text}")
    with Server(in_thread=True, config=config, disk=disk) as it:
        yield it.address[1]


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Gate:
    """Holds up writes to one file until it is opened."""

    def __init__(self, disk: FaultyDisk, path: str) -> None:
        self._path = path
        self._open = threading.Event()
        disk.on_io = self._pass

    def _pass(self, operation: str, path: str) -> None:
        if operation == "pwrite" and path == self._path:
            self._open.wait(20)

    def open(self) -> None:
        self._open.set()


# ------------------------------------------------------------------- slow


def test_a_device_that_does_not_keep_up_is_overloaded(wire: Any) -> None:
    disk = FaultyDisk()
    with serving(disk, "max-write-cache 16M") as port:
        client = wire(port)
        assert client.put("test", 0, b"before") == 0
        gate = Gate(disk, "test")
        try:
            codes = [client.put("test", n, VALUE) for n in range(1, 40)]
            accepted = codes.index(ResultCode.DEVICE_OVERLOAD)
            assert set(codes[:accepted]) == {0}
            assert set(codes[accepted:]) == {ResultCode.DEVICE_OVERLOAD}
            assert 20 <= accepted <= 24  # two blocks that wait, and the one being filled
            assert client.get("test", 0) == (0, b"before")
            assert client.get("test", 20) == (0, VALUE)
            figures = client.figures("test")
            assert figures["storage-engine.file[0].write_q"] == "2"
            assert int(figures["client_write_error"]) == 39 - accepted
            assert figures["storage-engine.max-write-cache"] == "16777216"
            assert client.put("other", 1, VALUE) == 0
            larger = "set-config:context=namespace;id=test;max-write-cache=32M"
            assert client.info(larger) == "ok"
            assert client.put("test", 50, VALUE) == 0
        finally:
            gate.open()
        eventually(lambda: client.figures("test")["storage-engine.file[0].write_q"] == "0")
        assert [client.put("test", n, VALUE) for n in range(40)] == [0] * 40


def test_what_gathers_is_written_before_the_flush(wire: Any) -> None:
    disk = FaultyDisk()
    with serving(disk, "flush-size 128K", "flush-max-ms 1000") as port:
        client = wire(port)
        for n in range(40):
            assert client.put("test", n, VALUE) == 0
        eventually(lambda: client.figures("test")["storage-engine.file[0].writes"] == "4")
        assert client.figures("test")["storage-engine.flush-size"] == "131072"
        sizes = {
            len(event.data)
            for event in disk.trace
            if getattr(event, "path", "") == "test" and hasattr(event, "data")
        }
        assert max(sizes) == 128 << 10
        assert client.info("set-config:context=namespace;id=test;flush-size=100K").startswith("ERR")
        assert client.info("set-config:context=namespace;id=test;flush-size=256K") == "ok"
        del disk.trace[:]
        for n in range(10):
            client.put("test", n, VALUE)
        eventually(
            lambda: any(len(getattr(event, "data", b"")) == 256 << 10 for event in disk.trace)
        )


def test_the_pace_of_defragmentation_is_told_and_changed(wire: Any) -> None:
    with serving(FaultyDisk(), "defrag-queue-min 3", "defrag-sleep 50000") as port:
        client = wire(port)
        said = client.info("get-config:context=namespace;id=test")
        assert "storage-engine.defrag-queue-min=3;storage-engine.defrag-sleep=50000" in said
        for round_ in range(3):
            for n in range(30):
                assert client.put("test", n, VALUE) == 0, round_
        assert client.info("set-config:context=namespace;id=test;defrag-queue-min=0") == "ok"
        assert client.info("set-config:context=namespace;id=test;defrag-sleep=0") == "ok"
        said = client.info("get-config:context=namespace;id=test")
        assert "storage-engine.defrag-queue-min=0;storage-engine.defrag-sleep=0" in said


def test_the_tomb_raider_leaves_what_an_older_copy_needs(
    wire: Any, caplog: pytest.LogCaptureFixture
) -> None:
    config = read_config("network { service { port 0\n} }\n" + CONFIG.format(parameters=""))
    for name, value in [("tomb-raider-period", "100"), ("tomb-raider-eligible-age", "50")]:
        set_config(config, "namespace", "test", None, name, value)
    caplog.set_level(logging.INFO, "asd")
    with Server(in_thread=True, config=config, disk=FaultyDisk()) as server:
        client = wire(server.address[1])
        for n in range(20):
            assert client.put("test", n, VALUE) == 0
        assert client.delete("test", 1, durable=True) == 0
        server.clock.advance(200)
        eventually(lambda: "{test} took 0 tombstones away" in caplog.text)
        assert client.figures("test")["tombstones"] == "1"
        assert client.get("test", 2) == (0, VALUE)


# ------------------------------------------------------------------- full


def write_until_refused(client: Any, namespace: str) -> tuple[int, int]:
    """How many records were taken, and the code of the refusal."""
    for n in range(1, 500):
        code = client.put(namespace, n, VALUE)
        if code:
            return n - 1, code
    raise AssertionError("there is no end to it")


LIMITS = ("stop-writes-used-pct 0", "stop-writes-avail-pct 0", "max-write-cache 1G")


@pytest.mark.parametrize("way", ["filesize", "disk"])
def test_a_full_device_answers_out_of_space_and_goes_on(way: str, wire: Any) -> None:
    disk = FaultyDisk()
    limits = (*LIMITS, "filesize 64M") if way == "filesize" else LIMITS
    with serving(disk, *limits) as port:
        client = wire(port)
        if way == "disk":
            disk.capacity_bytes = 90 << 20
        count, code = write_until_refused(client, "test")
        assert code == ResultCode.OUT_OF_SPACE
        assert count > 20
        assert all(client.get("test", n) == (0, VALUE) for n in range(1, count + 1))
        assert client.get("test", count + 1)[0] == ResultCode.NOT_FOUND
        assert client.put("test", 1, VALUE) == ResultCode.OUT_OF_SPACE
        assert client.figures("other")["stop_writes"] == "false"
        for n in range(1, count + 1, 2):
            assert client.delete("test", n) == 0
        eventually(lambda: client.put("test", 1000, b"room again") == 0)
        assert all(client.get("test", n) == (0, VALUE) for n in range(2, count + 1, 2))


def test_writes_stop_with_the_part_used_of_the_file(wire: Any) -> None:
    with serving(FaultyDisk(), "filesize 64M", "stop-writes-used-pct 30") as port:
        client = wire(port)
        for n in range(21):
            assert client.put("test", n, VALUE) == 0
        eventually(lambda: client.figures("test")["stop_writes"] == "true")
        assert client.put("test", 0, b"x") == ResultCode.OUT_OF_SPACE
        assert client.get("test", 0) == (0, VALUE)
        assert client.info("set-config:context=namespace;id=test;stop-writes-used-pct=90") == "ok"
        eventually(lambda: client.put("test", 0, b"x") == 0)


# ------------------------------------------------------------------- dead


@pytest.mark.parametrize("commit", ["true", "false"])
def test_a_dead_device_fails_its_namespace_loudly_and_no_other(
    commit: str, wire: Any, caplog: pytest.LogCaptureFixture
) -> None:
    disk = FaultyDisk()
    with serving(disk, f"commit-to-device {commit}", "flush-max-ms 50") as port:
        client = wire(port)
        assert [client.put(name, 1, b"one") for name in ("test", "other")] == [0, 0]
        disk.dead.add("test")
        codes = []
        eventually(lambda: codes.append(client.put("test", 2, b"two")) or codes[-1] != 0)
        if commit == "true":  # what cannot be synced is not acknowledged, nor denied
            assert codes == [ResultCode.TIMEOUT]
            assert client.get("test", 2) == (0, b"two")
        else:
            assert codes[-1] == ResultCode.SERVER_ERROR
        eventually(lambda: client.figures("test")["stop_writes"] == "true")
        time.sleep(1.2)  # the watch of memory and space does not let writes go on
        assert client.put("test", 3, b"three") == ResultCode.SERVER_ERROR
        assert client.put("test", 1, b"again") == ResultCode.SERVER_ERROR
        assert client.delete("test", 1, durable=True) == ResultCode.SERVER_ERROR
        assert client.get("test", 1) == (0, b"one")
        assert client.figures("test")["stop_writes"] == "true"
        assert client.put("other", 2, b"two") == 0
        assert client.get("other", 2) == (0, b"two")
        assert client.figures("other")["stop_writes"] == "false"
        disk.dead.clear()  # what was lost meanwhile is lost: it takes a restart
        time.sleep(0.2)
        assert client.put("test", 4, b"four") == ResultCode.SERVER_ERROR
    loud = [record for record in caplog.records if record.levelno == logging.CRITICAL]
    assert any("{test} the medium failed" in record.getMessage() for record in loud)
    assert not any("{other}" in record.getMessage() for record in loud)
    assert not any(record.exc_info for record in caplog.records)


def test_a_device_that_cannot_be_read_costs_what_is_not_in_memory(wire: Any) -> None:
    disk = FaultyDisk()
    with serving(disk, "post-write-cache 0") as port:
        client = wire(port)
        for n in range(30):
            assert client.put("test", n, VALUE) == 0
        eventually(lambda: client.figures("test")["storage-engine.file[0].write_q"] == "0")
        assert client.put("test", 100, VALUE) == 0
        disk.unreadable.add("test")
        codes = [client.get("test", n)[0] for n in range(30)]
        assert codes.count(ResultCode.SERVER_ERROR) > 5
        assert client.get("test", 100) == (0, VALUE)
        disk.unreadable.clear()
        assert all(client.get("test", n) == (0, VALUE) for n in range(30))


def test_a_device_that_dies_at_the_end_costs_no_other_namespace_its_quick_start(
    wire: Any, caplog: pytest.LogCaptureFixture
) -> None:
    disk = FaultyDisk()
    with serving(disk, "flush-max-ms 1000") as port:
        client = wire(port)
        for name in ("test", "other"):
            assert client.put(name, 1, b"one") == 0
        disk.dead.add("test")
    assert "{test} was not written to the end" in caplog.text
    assert disk.exists("other.index")
    disk.dead.clear()
    with serving(disk) as port:
        assert wire(port).get("other", 1) == (0, b"one")
