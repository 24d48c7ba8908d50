"""Info commands of a cluster side by side: what the real server answered, and what we do.

`cluster_answers.txt` is the recording; what cannot be the same (ports, keys, figures of the
machine) stands there as a placeholder. What differs stands there too, with the reason, and is
checked to differ, so that the list can only shrink.
"""

from __future__ import annotations

import base64
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from attrs import define, field

from asd import Cluster

RECORDING: Final = Path(__file__).with_name("cluster_answers.txt")
PLACEHOLDERS: Final = {
    "key": "[0-9A-F]{1,12}",
    "bitmap": "[A-Za-z0-9+/]{682}[A-Za-z0-9+/=]{2}",
    "number": "[0-9]+",
    "text": "[^;]+",
    "name": "citrusleaf",
}


@define
class Recorded:
    """One command and what it was answered."""

    command: str
    answers: list[str] = field(factory=list)
    rows: list[str] = field(factory=list)

    def answer_of(self, node: int) -> str:
        """What this node answered."""
        return self.answers[node if len(self.answers) > 1 else 0]


def recording() -> list[Recorded]:
    found: list[Recorded] = []
    for line in RECORDING.read_text("utf-8").splitlines():
        if line.startswith("> "):
            found.append(Recorded(line[2:]))
        elif found and line.startswith("    "):
            found[-1].rows.append(line.strip())
        elif found:
            found[-1].answers.append(line)
    return found


ALL: Final = recording()
TABLES: Final = [each for each in ALL if each.rows]
TEXTS: Final = [each for each in ALL if not each.rows]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(
        nodes=3, namespaces=["test", "bar"], arguments=["--edition", "community"]
    ) as running:
        for node in range(3):
            said = running.info(node, "set-config:context=namespace;id=bar;replication-factor=1")
            assert said == "ok"
        rebalance(running, 2)
        yield running


def rebalance(cluster: Cluster, principal: int) -> None:
    """Balance anew, and wait until that is done."""
    before = cluster.info(principal, "rebalance-generation")
    assert cluster.info(principal, "recluster:") == "ok"
    while cluster.info(principal, "rebalance-generation") == before:
        time.sleep(0.05)
    cluster.wait_stable()


def pattern(cluster: Cluster, template: str) -> str:
    """A regular expression of the answers that are as the recorded one."""

    def one(found: re.Match[str]) -> str:
        kind, _, node = found[1].partition(":")
        if kind == "service":
            host, port = cluster.addresses[int(node)]
            return re.escape(f"{host}:{port}")
        if kind == "heartbeat":
            return r"127\.0\.0\.1:" + figures(cluster, int(node), "network")["heartbeat.port"]
        return PLACEHOLDERS[kind]

    parts = re.split(r"(\{[a-z]+(?::[0-9])?\})", template)
    return "".join(
        one(re.fullmatch(r"\{(.*)\}", part) or pytest.fail(part)) if number % 2 else re.escape(part)
        for number, part in enumerate(parts)
    )


def figures(cluster: Cluster, node: int, context: str) -> dict[str, str]:
    said = cluster.info(node, f"get-config:context={context}")
    return dict(row.split("=", 1) for row in said.split(";"))


@pytest.mark.parametrize("recorded", TEXTS, ids=lambda each: each.command)
def test_the_answer_is_the_real_ones(cluster: Cluster, recorded: Recorded) -> None:
    for node in range(3):
        wanted = pattern(cluster, recorded.answer_of(node))
        said = cluster.info(node, recorded.command)
        assert re.fullmatch(wanted, said), (node, recorded.answer_of(node), said)
    if recorded.command == "recluster:":
        cluster.wait_stable()


@pytest.mark.parametrize("recorded", TABLES, ids=lambda each: each.command)
def test_the_rows_are_the_real_ones(cluster: Cluster, recorded: Recorded) -> None:
    cluster.wait_stable()
    for node in range(3):
        said = [row.split("=", 1) for row in cluster.info(node, recorded.command).split(";")]
        wanted = [row.split("=", 1) for row in recorded.rows]
        assert in_order([name for name, _ in wanted], [name for name, _ in said])
        values = dict(said)
        for name, value in wanted:
            real, differs, _ = value.partition(" ~ ")
            assert as_recorded(real, values[name]) != bool(differs), (name, value, values[name])


def in_order(wanted: list[str], said: list[str]) -> bool:
    """Are these names among those, in this order?"""
    rest = iter(said)
    return all(any(name == each for each in rest) for name in wanted)


def as_recorded(real: str, said: str) -> bool:
    return real == "*" or (int(said) > 0 if real == "+" else real == said)


def test_the_bitmaps_of_the_nodes_share_the_partitions_out(cluster: Cluster) -> None:
    rows = [partitions(cluster, node) for node in range(3)]
    for partition in range(4096):
        of_test = [each["test", partition] for each in rows]
        assert sorted(row["replica"] for row in of_test) == ["-1", "0", "1"]
        assert sorted(row["succession"] for row in of_test) == ["0", "1", "2"]
        assert Counter(row["state"] for row in of_test) == {"S": 2, "A": 1}
        assert len({row["proxy_dst"] for row in of_test}) == 1


#: Of a settled partition, by this node's place in it, as the real server's.
SETTLED: Final = {
    "0": "S:2:0:0:0:{me}:{me}:0:0:0:0:0:0:1:{key}.0.mp-:{key}.0.mp-",
    "1": "S:2:1:1:0:0:{master}:0:0:0:0:0:0:1:{key}.0.-p-:{key}.0.-p-",
    "-1": "A:2:-1:2:0:0:{master}:0:0:0:0:0:0:0:000000000000.0.-p-:{key}.0.-p-",
}


def test_each_row_of_partition_info_is_as_the_real_ones(cluster: Cluster) -> None:
    key = cluster.wait_stable().lower().zfill(12)
    for node in range(3):
        me = cluster.info(node, "node")
        for (name, _), row in partitions(cluster, node).items():
            wanted = SETTLED[row["replica"]].format(me=me, master=row["proxy_dst"], key=key)
            if name == "test":
                assert ":".join(list(row.values())[2:]) == wanted


def partitions(cluster: Cluster, node: int) -> dict[tuple[str, int], dict[str, str]]:
    head, *rows = cluster.info(node, "partition-info").split(";")
    names = head.split(":")
    found = [dict(zip(names, row.split(":"), strict=True)) for row in rows]
    return {(row["namespace"], int(row["partition"])): row for row in found}


def test_what_can_be_changed_at_run_time(cluster: Cluster) -> None:
    answers = {
        "service;min-cluster-size=9": "ERROR:4:invalid set-config parameter",
        "service;min-cluster-size=1": "ok",
        "service;migrate-threads=2": "ok",
        "service;migrate-max-num-incoming=4": "ok",
        "service;migrate-fill-delay=1": "ERROR:25:enterprise only",
        "network;heartbeat.interval=150": "ok",
        "network;heartbeat.timeout=10": "ok",
        "namespace;id=test;migrate-order=3": "ok",
        "namespace;id=test;migrate-sleep=1": "ok",
        "namespace;id=test;rack-id=1": "ERROR:25:enterprise only",
        "namespace;id=test;prefer-uniform-balance=true": "ERROR:25:enterprise only",
        "namespace;id=test;replication-factor=2": "ok",
    }
    for node in range(3):
        for change, answer in answers.items():
            assert cluster.info(node, f"set-config:context={change}") == answer, change
    assert figures(cluster, 0, "network")["heartbeat.interval"] == "150"
    cluster.wait_stable()


#: What each of four nodes said of a partition, with a fourth node come and migrations frozen: its
#: place among the replicas, state, flags of its version, whether it names the working master, the
#: columns that clients are told of, immigrations, emigrations. In one place we differ: here the old
#: master, which stays a replica, hears back from the new one (immigrations 1; the real one's 0).
FROZEN: Final = {
    "nothing moves": {
        ("-1", "A", "-p-", "", "", "0", "0/0"): 2,
        ("0", "S", "mp-", "wm", "0", "0", "0/0"): 1,
        ("1", "S", "-p-", "", "1", "0", "0/0"): 1,
    },
    "the fourth will be master": {
        ("-1", "A", "-p-", "", "", "0", "0/0"): 1,
        ("-1", "Z", "-s-", "", "", "0", "0/0"): 1,
        ("0", "D", "-se", "wm", "", "1", "0/0"): 1,
        ("1", "S", "mp-", "wm", "01", "1", "1/1"): 1,
    },
    "the fourth will be a replica": {
        ("-1", "A", "-p-", "", "", "0", "0/0"): 1,
        ("-1", "Z", "-s-", "", "", "0", "0/0"): 1,
        ("0", "S", "mp-", "wm", "01", "0", "1/1"): 1,
        ("1", "D", "-se", "", "", "1", "0/0"): 1,
    },
}

JOINED: Final = {
    "cluster-stable:": "ERROR:7:unstable cluster",
    "cluster-stable:ignore-migrations=true": "{key}",
    "cluster-stable:size=4": "ERROR:7:unstable cluster",
    "cluster-stable:size=4;namespace=test": "ERROR:7:unstable cluster",
    "cluster-stable:size=3": "ERROR:7:cluster not specified size",
    "replicas:max=2": "test:0,2,{bitmap},{bitmap}",
    "replicas:max=0": "test:0,2,{bitmap},{bitmap}",
    "tip:host=nohost;port=1": "ok",
    "namespace/nope": "type=unknown",
}


def test_a_join_with_migrations_frozen_shows_what_the_real_ones_shows() -> None:
    with Cluster(nodes=3, arguments=["--edition", "community"]) as cluster:
        for node in range(3):
            change = "set-config:context=service;migrate-threads=0"
            assert cluster.info(node, change) == "ok"
        cluster.add()
        while any("size=4" in why for why in unsettled(cluster)):
            time.sleep(0.05)
        for command, answer in JOINED.items():
            for node in range(4):
                said = cluster.info(node, command)
                assert re.fullmatch(pattern(cluster, answer), said), (command, node, said)
        assert Counter(patterns(cluster)).keys() == FROZEN.keys()
        for node in range(3):
            change = "set-config:context=service;migrate-threads=1"
            assert cluster.info(node, change) == "ok"
        cluster.wait_stable()


def unsettled(cluster: Cluster) -> list[str]:
    """Which nodes are not in the cluster of four yet, or have no plan of it."""
    command = "cluster-stable:size=4;ignore-migrations=true"
    found = [f"size=4: {node}" for node in range(4) if "ERROR" in cluster.info(node, command)]
    return found + [f"size=4: {node}" for node in range(4) if len(partitions(cluster, node)) < 4096]


def patterns(cluster: Cluster) -> Iterator[str]:
    """Of each partition, which of the `FROZEN` it is."""
    names = {frozenset(pattern.items()): name for name, pattern in FROZEN.items()}
    rows = [partitions(cluster, node) for node in range(4)]
    listed = [columns(cluster, node) for node in range(4)]
    for partition in range(4096):
        said = Counter(
            shown(rows[node]["test", partition], listed[node][partition]) for node in range(4)
        )
        yield names.get(frozenset(said.items()), f"unknown: {said}")


def shown(row: dict[str, str], listed: str) -> tuple[str, ...]:
    flags = row["version"].rpartition(".")[2]
    working = "wm" if row["working_master"] != "0" else ""
    sends = f"{row['emigrates']}/{row['lead_emigrates']}"
    return row["replica"], row["state"], flags, working, listed, row["immigrates"], sends


def columns(cluster: Cluster, node: int) -> list[str]:
    """Of each partition, the columns of `replicas` in which a node is listed."""
    _, _, *bitmaps = cluster.info(node, "replicas").split(",")
    bits = [int.from_bytes(base64.b64decode(bitmap), "big") for bitmap in bitmaps]
    return [
        "".join(str(column) for column, each in enumerate(bits) if each >> (4095 - number) & 1)
        for number in range(4096)
    ]
