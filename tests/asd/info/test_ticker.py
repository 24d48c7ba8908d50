"""The ticker: when it speaks, and what of the node its lines tell."""

import asyncio
import logging
from collections.abc import Iterator

import pytest

from asd.config import Config, NamespaceConfig
from asd.info.ticker import Ticker, size_text
from asd.measures.histogram import NS_PER_MS
from asd.node import Node
from asd.process.machine import Machine, Readings
from citrusleaf.cf_clock import VirtualClock


class KnownMachine(Machine):
    """A machine that always says the same."""

    def read(self) -> Readings:
        return Readings(
            memory_total=4 << 30,
            memory_free=1 << 30,
            cpu_user_pct=12.4,
            cpu_kernel_pct=3.0,
            process_cpu_pct=40.0,
            process_memory=80 << 20,
            process_threads=5,
        )


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def node(clock: VirtualClock) -> Iterator[Node]:
    namespaces = {"test": NamespaceConfig("test", nsup_period=120)}
    made = Node(Config(namespaces=namespaces), clock, machine_id=1, machine=KnownMachine())
    yield made
    made.transaction_threads.stop()


async def run_for(ticker: Ticker, clock: VirtualClock, seconds: int) -> None:
    """Let the ticker run while its clock goes on, in no time."""
    real_sleep = asyncio.sleep

    async def sleep(delay: float) -> None:
        clock.advance(delay)
        await real_sleep(0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asd.info.ticker.asyncio.sleep", sleep)
        task = asyncio.create_task(ticker.run())
        until_ms = clock.monotonic_ms() + 1000 * seconds
        while clock.monotonic_ms() < until_ms:
            await real_sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def rounds(caplog: pytest.LogCaptureFixture) -> int:
    """How often the ticker has spoken."""
    return sum(message.startswith("system: ") for message in caplog.messages)


def test_it_speaks_every_interval(node: Node, clock: VirtualClock, caplog) -> None:
    caplog.set_level(logging.INFO, "asd")
    asyncio.run(run_for(Ticker(node), clock, 35))
    assert rounds(caplog) == 3
    node.config.service.set("ticker-interval", "5")
    asyncio.run(run_for(Ticker(node), clock, 21))
    assert rounds(caplog) == 3 + 4


def test_an_interval_of_0_silences_it_and_slices_go_on(node, clock, caplog) -> None:
    caplog.set_level(logging.INFO, "asd")
    node.config.service.set("ticker-interval", "0")
    asyncio.run(run_for(Ticker(node), clock, 25))
    assert rounds(caplog) == 0
    assert node.namespaces[b"test"].read_latency.slice == (0.0, [0.0] * 17)


def test_its_lines_tell_how_the_node_is(node, clock, caplog) -> None:
    caplog.set_level(logging.INFO, "asd")
    space = node.namespaces[b"test"]
    for number in range(100):
        space.store(bytes([number] * 20), 1, 0, b"s", False, b"\0\0")
    space.statistics.client.read_success = 77
    space.statistics.expired_objects = 4
    node.statistics.client_connections_opened = 9
    ticker = Ticker(node)
    asyncio.run(run_for(ticker, clock, 1))
    space.read_latency.add_many(NS_PER_MS // 2, 990)
    space.read_latency.add_many(3 * NS_PER_MS, 10)
    asyncio.run(run_for(ticker, clock, 9))  # begins its first slice anew
    space.read_latency.tick(clock.monotonic_ns() + 1)
    caplog.clear()
    ticker.say()
    text = "\n".join(caplog.messages)
    assert (
        "system: cpu 12% user 3% kernel, memory free 1.0 GiB (25%);"
        " process: cpu 40%, memory 80.0 MiB, 5 threads"
    ) in text
    assert "9 opened" in text
    assert "{test} 100 records, 0 tombstones; index 6.2 KiB" in text
    assert "4 expired" in text
    assert "reads 77 found" in text


def test_latencies_are_summed_up(node, clock, caplog) -> None:
    caplog.set_level(logging.INFO, "asd")
    histogram = node.namespaces[b"test"].write_latency
    histogram.tick(0)
    histogram.add_many(NS_PER_MS // 2, 985)
    histogram.add_many(3 * NS_PER_MS, 14)
    histogram.add_many(200 * NS_PER_MS, 1)
    histogram.tick(10 * 1_000_000_000)
    Ticker(node).say()
    assert (
        "{test}-write: 100/s, 98.50% within 1 ms, 99% within 4 ms, 99.9% within 4 ms"
        in caplog.messages
    )
    assert not any("{test}-read:" in message for message in caplog.messages), "it was idle"


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (3 << 29, "1.5 GiB"),
        (5 << 50, "5120.0 TiB"),
    ],
)
def test_sizes_for_people(size: int, text: str) -> None:
    assert size_text(size) == text
