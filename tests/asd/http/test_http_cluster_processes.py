"""The cluster on the page of one of three real nodes: at rest, while a fourth is filled, and after.

With `KEEP_PICTURES=DIR` pictures of the page are left there to be looked at.
"""

from __future__ import annotations

import json
import os
import re
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from asd import Cluster
from asd.process.node_processes import DidNotStart, free_ports

PICTURES = os.environ.get("KEEP_PICTURES", "")


def started() -> tuple[Cluster, int]:
    """A running cluster and the port of the page of its first node: others when somebody was
    quicker to take a port."""
    for _ in range(3):
        (port,) = free_ports(1)
        cluster = Cluster(nodes=3)
        first = cluster._processes.nodes[0]
        first.arguments = (*first.arguments, "--http-port", str(port))
        with suppress(DidNotStart):
            return cluster.__enter__(), port
    raise AssertionError("no node starts")


@pytest.fixture(scope="module")
def page() -> Iterator[tuple[Cluster, int]]:
    """`started`, and stopped in the end."""
    cluster, port = started()
    try:
        yield cluster, port
    finally:
        cluster.stop()


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=30) as answer:
        text: str = answer.read().decode()
    return text


def shown(port: int, wanted: Callable[[Any], bool]) -> Any:
    """The cluster as the page is told of it, as soon as it is as wanted."""
    until_s = time.monotonic() + 60
    while not wanted(cluster := json.loads(get(port, "status.json"))["cluster"]):
        assert time.monotonic() < until_s, cluster
        time.sleep(0.1)
    return cluster


def freeze(cluster: Cluster, threads: int) -> None:
    for node in range(3):
        cluster.info(node, f"set-config:context=service;migrate-threads={threads}")


def keep(browser: Any, port: int, name: str) -> None:
    """Leave pictures to be looked at, if they are wanted."""
    for width, dark in product((1200, 400), (False, True)) if PICTURES else ():
        file = Path(PICTURES) / f"{name}-{width}{'-dark' * dark}.png"
        browser.picture(port, file, width=width, dark=dark)


def test_at_rest(page: tuple[Cluster, int]) -> None:
    cluster, port = page
    told = shown(port, lambda told: told["settled"])
    assert [node["id"] for node in told["nodes"]] == ["A3", "A2", "A1"]
    assert told["integrity"]
    addresses = {address for node in told["nodes"] for address in node["addresses"]}
    assert addresses == {f"{host}:{port}" for host, port in cluster.addresses}
    for space in told["namespaces"]:
        maps = [cluster.info(node, "partition-info") for node in range(3)]
        rows = [row.split(":") for each in maps for row in each.split(";")[1:]]
        serving = {int(row[1]): row[8] for row in rows if row[0] == space["name"] and row[7] != "0"}
        masters = [told["nodes"][place]["id"] for place in space["masters"]]
        assert masters == [serving[partition] for partition in range(4096)]
        assert Counter(space["roles"])["m"] == masters.count("A1")
        assert set(space["roles"]) == {"m", "r", "n"}


def test_metrics_of_a_cluster(page: tuple[Cluster, int]) -> None:
    _, port = page
    text = get(port, "metrics")
    figures = {
        (kind, role): int(count)
        for kind, role, count in re.findall(
            r'namespace_partitions\{.*ns="(\w+)",role="(\w+)",state="settled"\} (\d+)', text
        )
    }
    assert len(figures) == 3
    assert sum(figures.values()) == 4096
    assert re.search(r"aerospike_node_stats_cluster_size\{.*\} 3\n", text)
    assert re.search(r'peer_clock_skew_ms\{.*peer="A2"\} -?\d+\n', text)


def test_the_page_at_rest(page: tuple[Cluster, int], browser: Any) -> None:
    _, port = page
    shown(port, lambda told: told["settled"])
    dom = browser.dom(port)
    masters, roles, (moving,) = browser.counts(dom)
    assert len(masters) == 4
    for counted in (masters, roles):
        assert counted[-1] == 4096 == sum(counted[:-1])
    assert moving == 0
    assert "Nothing migrates here" in dom
    keep(browser, port, "rest")


@pytest.fixture(scope="module")
def filling(page: tuple[Cluster, int]) -> tuple[Cluster, int]:
    """The same with a fourth node, which waits to be filled."""
    cluster, port = page
    freeze(cluster, 0)
    cluster.add()
    shown(port, lambda told: len(told["nodes"]) == 4 and told["namespaces"][0]["roles"])
    return page


def test_while_a_fourth_node_is_filled(filling: tuple[Cluster, int]) -> None:
    told = shown(filling[1], lambda told: not told["settled"])
    space = told["namespaces"][0]
    progress = space["progress"]
    assert 0 < progress["to_send"] == progress["planned_to_send"] < 4096
    moving = sum(letter.isupper() for letter in space["roles"])
    assert 0 < moving <= progress["to_send"] + progress["to_come"]


def test_the_page_while_a_fourth_node_is_filled(filling: tuple[Cluster, int], browser: Any) -> None:
    _, port = filling
    dom = browser.dom(port)
    _, _, (moving,) = browser.counts(dom)
    assert moving
    assert re.search(r"test, to send.*?([\d,]+) of \1 partitions left", dom)
    keep(browser, port, "moving")


def test_in_the_end_every_node_knows_who_serves(filling: tuple[Cluster, int]) -> None:
    cluster, port = filling
    freeze(cluster, 1)
    cluster.wait_stable()

    def as_planned(told: Any) -> bool:
        counted = Counter(told["namespaces"][0]["masters"])
        return bool(told["settled"]) and len(counted) == 4 and min(counted.values()) > 800

    told = shown(port, as_planned)
    progress = told["namespaces"][0]["progress"]
    assert progress["to_send"] == progress["to_come"] == 0 < progress["planned_to_send"]
    assert told["nodes"][0]["id"] == "A4"
