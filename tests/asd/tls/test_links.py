"""Connections between nodes by TLS: nodes find each other, and nobody else is let in or called."""

from __future__ import annotations

import asyncio
import gc
import logging
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from attrs import evolve

from asd.config import (
    Config,
    FabricConfig,
    HeartbeatConfig,
    NamespaceConfig,
    NetworkConfig,
    NetworkServiceConfig,
    ServiceConfig,
    TlsConfig,
)
from asd.config.kinds import Endpoint
from asd.node import Node
from asd.process.loops import new_event_loop
from asd.process.node_processes import free_ports
from certificates import NAME, Authority
from citrusleaf.cf_clock import SystemClock

# A connection that asyncio's loop accepts in the turn in which its server is closed is left to the
# collector: neither ours to end, nor the next test's to complain of, so `run` collects.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

HOST = "127.0.0.1"
Main = Callable[[], Awaitable[None]]
LOOPS = [asyncio.SelectorEventLoop, new_event_loop]


class Nodes:
    """Nodes of one loop."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.heartbeats: list[int] = []

    async def add(self, tls: TlsConfig, *, name: str = "blue", speaks: bool = True) -> Node:
        """Start a node that looks for the others; `speaks` TLS, or does not."""
        heartbeat, fabric = free_ports(2)
        seeds = tuple(Endpoint(HOST, port) for port in self.heartbeats)
        self.heartbeats.append(heartbeat)
        one = {"tls_name": NAME, "tls_port": heartbeat} if speaks else {"port": heartbeat}
        known = "tls_mesh_seed_address_port" if speaks else "mesh_seed_address_port"
        two = {"tls_name": NAME, "tls_port": fabric} if speaks else {"port": fabric}
        config = Config(
            service=ServiceConfig(
                cluster_name=name, node_id=f"A{len(self.heartbeats)}", tls_refresh_period=1
            ),
            network=NetworkConfig(
                service=NetworkServiceConfig(address=(HOST,), port=0),
                heartbeat=HeartbeatConfig(address=(HOST,), interval=150, **one, **{known: seeds}),
                fabric=FabricConfig(address=(HOST,), **two),
                tls={NAME: tls},
            ),
            namespaces={"test": NamespaceConfig("test", replication_factor=2)},
        )
        node = Node(config, SystemClock(), machine_id=1)
        await node.start()
        self.nodes.append(node)
        return node

    async def stop(self) -> None:
        for node in self.nodes:
            await node.stop()


def run(loop: Callable[[], asyncio.AbstractEventLoop], main: Callable[[Nodes], Awaitable[None]]):
    async def tried() -> None:
        nodes = Nodes()
        try:
            await main(nodes)
        finally:
            await nodes.stop()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(tried())
    gc.collect()


async def until(true: Callable[[], bool], within_s: float = 20.0) -> None:
    async with asyncio.timeout(within_s):
        while not true():
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("loop", LOOPS)
def test_nodes_find_each_other_by_tls(
    loop: Callable[[], asyncio.AbstractEventLoop], authority: Authority, block: TlsConfig
) -> None:
    async def main(nodes: Nodes) -> None:
        one, two = await nodes.add(block), await nodes.add(block)
        await until(lambda: len(one.cluster.nodes) == 2 == len(two.cluster.nodes))
        await until(lambda: one.cluster.is_settled() and two.cluster.is_settled())
        authority.issue_node(HOST)  # the old one goes on being good, a new node has the new one
        three = await nodes.add(block)
        await until(lambda: len(three.cluster.nodes) == 3 == len(one.cluster.nodes))

    run(loop, main)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("client", "'app' is not a node: no certificate for 'citrusleaf'"),
        ("other authority", "its certificate cannot be verified"),
        ("blacklisted", "is blacklisted"),
    ],
)
def test_strangers_are_not_let_in_and_not_called(
    loop: Callable[[], asyncio.AbstractEventLoop],
    authority: Authority,
    block: TlsConfig,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    who: str,
    said: str,
) -> None:
    strange = authority.block(authority.issue("app", HOST))
    known = block
    if who == "other authority":
        (tmp_path / "other").mkdir()
        other = Authority(tmp_path / "other")
        # it believes our nodes, which do not believe it
        strange = evolve(other.block(other.issue_node(HOST)), ca_file=authority.ca_file)
    elif who == "blacklisted":
        from cryptography import x509

        pair = authority.issue(NAME, NAME, HOST, file="gone")
        serial = x509.load_pem_x509_certificate(Path(pair.cert_file).read_bytes()).serial_number
        (tmp_path / "gone").write_text(f"{serial:x}\n")
        strange = authority.block(pair)
        known = evolve(block, cert_blacklist=str(tmp_path / "gone"))

    async def main(nodes: Nodes) -> None:
        one = await nodes.add(known)
        stranger = await nodes.add(strange)
        await until(lambda: said in caplog.text)
        await until(lambda: list(stranger.cluster.nodes) == ["A2"])
        two = await nodes.add(known)
        await until(lambda: sorted(one.cluster.nodes) == ["A1", "A3"] == sorted(two.cluster.nodes))
        assert list(stranger.cluster.nodes) == ["A2"]

    with caplog.at_level(logging.WARNING):
        run(loop, main)


def test_who_does_not_speak_tls_is_told_of(
    block: TlsConfig, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(nodes: Nodes) -> None:
        one = await nodes.add(block)
        plain = await nodes.add(block, speaks=False)
        await until(lambda: "refused, by TLS: it does not speak TLS" in caplog.text)
        await until(lambda: list(plain.cluster.nodes) == ["A2"])
        await until(lambda: list(one.cluster.nodes) == ["A1"])

    run(new_event_loop, main)


def test_a_node_of_another_cluster_is_told_of(
    block: TlsConfig, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(nodes: Nodes) -> None:
        one = await nodes.add(block, speaks=False)
        other = await nodes.add(block, name="red", speaks=False)
        said = f"heartbeat: {HOST}:"
        await until(lambda: "refused: a node of cluster 'red'" in caplog.text)
        assert said in caplog.text
        await until(lambda: list(one.cluster.nodes) == ["A1"])
        await until(lambda: list(other.cluster.nodes) == ["A2"])

    run(new_event_loop, main)


def test_what_is_no_node_at_all_is_told_of(
    block: TlsConfig, caplog: pytest.LogCaptureFixture
) -> None:
    async def main(nodes: Nodes) -> None:
        await nodes.add(block, speaks=False)
        _, writer = await asyncio.open_connection(HOST, nodes.heartbeats[0])
        writer.write(b"GET / HTTP/1.1\r\n\r\n" * 100)
        await until(lambda: f"heartbeat: {HOST}:" in caplog.text)
        writer.close()

    run(new_event_loop, main)


def test_a_handshake_with_no_node_shows_no_byte(block: TlsConfig) -> None:
    """Who has no certificate gets nothing, not even a pulse."""

    async def main(nodes: Nodes) -> None:
        await nodes.add(block)
        context = ssl.create_default_context(cafile=block.ca_file)
        got = b""
        try:
            reader, writer = await asyncio.open_connection(
                HOST, nodes.heartbeats[0], ssl=context, server_hostname=NAME
            )
            got = await reader.read()
            writer.close()
        except OSError:
            pass
        assert got == b""

    run(new_event_loop, main)
