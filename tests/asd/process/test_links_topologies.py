"""Clusters of real processes in every relation to each other, while nodes die and hang and links
are cut: in the end all that should be equal is, and nothing is missing that was acknowledged."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Final

import pytest

from aerospike_client import Client, ClientPolicy, Key, RecordNotFound, WritePolicy
from aerospike_client.errors import ServerError
from aerospike_common.wire.codes import ResultCode
from asd import Cluster, link
from asd.process.links import Link, configure

PATIENT: Final = WritePolicy(
    max_retries=200, total_timeout=60_000, sleep_between_retries=50, durable_delete=True
)
PATIENCE_S: Final = 120.0
CUT_S: Final = float(os.environ.get("LINK_CUT_S", "12"))
"""How long links are cut: longer than a destination may be away before nothing is queued for it.
`LINK_CUT_S=150 pytest ...` has them cut, and clusters hang, for minutes."""
HANG_S: Final = CUT_S / 6
OWN: Final = 60
"""Records that one side alone writes and deletes, one side each."""
SHARED: Final = 20
"""Records that all sides write: a bin of their own, and one that all write."""
CONVERGING: Final = {"bin_policy": "only-changed", "ship_bin_luts": True}

Change = Callable[["Sites"], None]


class Sites:
    """Clusters, the links between them, and what was acknowledged to those who write."""

    def __init__(
        self,
        stack: ExitStack,
        count: int,
        ways: list[tuple[int, int]],
        writers: tuple[int, ...],
        **parameters: object,
    ) -> None:
        self.converges = bool(parameters.get("ship_bin_luts"))
        self.parameters = parameters
        self.clusters = [stack.enter_context(Cluster(nodes=2)) for _ in range(count)]
        for site in range(count):
            for node in (0, 1):
                self._prepare(site, node)
        self.links: dict[tuple[int, int], Link] = {
            (a, b): stack.enter_context(
                link(self.clusters[a], self.clusters[b], delay_ms=2, name=f"to{b}", **parameters)
            )
            for a, b in ways
        }
        self.writers = writers
        self.clients = [
            stack.enter_context(Client(cluster.addresses, ClientPolicy(max_error_rate=0)))
            for cluster in self.clusters
        ]
        self.own: dict[int, int] = {}
        self.bins: dict[int, dict[str, int]] = {}
        self.last: dict[int, dict[int, int]] = {}
        self._turn = 0

    def _prepare(self, site: int, node: int) -> None:
        if self.converges:
            cluster = self.clusters[site]
            on = "set-config:context=namespace;id=test;conflict-resolve-writes=true"
            for change in (f"set-config:context=xdr;src-id={site + 1}", on):
                assert cluster.info(node, change) == "ok"

    def restart(self, site: int, node: int) -> None:
        """A node that was killed is there again, and is told what it is to ship."""
        self.clusters[site].start(node)
        self._prepare(site, node)
        for (a, b), way in self.links.items():
            if a == site:
                configure(way, node, "test", f"to{b}", **self.parameters)
        self.clusters[site].wait_stable()

    # ---------------------------------------------------------------------- writing

    def write(self, rounds: int) -> None:
        """So many times, every writer writes one record of its own, and one that is shared."""
        for _ in range(rounds):
            self._turn += 1
            for place, site in enumerate(self.writers):
                number = self._turn * 7919 % OWN // len(self.writers) * len(self.writers) + place
                self._write_own(site, number)
                if self.converges:
                    self._write_shared(site, OWN + self._turn % SHARED)

    def _write_own(self, site: int, number: int) -> None:
        key = Key("test", "s", number)
        if self._turn % 8 == 0:
            _persist(lambda: self.clients[site].remove(key, PATIENT))
            self.own.pop(number, None)
        else:
            _persist(lambda: self.clients[site].put(key, {"x": self._turn}, PATIENT))
            self.own[number] = self._turn

    def _write_shared(self, site: int, number: int) -> None:
        value = self._turn * 10 + site
        bins = {f"w{site}": value, "s": value}
        _persist(lambda: self.clients[site].put(Key("test", "s", number), bins, PATIENT))
        self.bins.setdefault(number, {})[f"w{site}"] = value
        self.last.setdefault(number, {})[site] = value

    # --------------------------------------------------------------------- checking

    def contents(self, site: int) -> dict[int, dict[str, Any]]:
        """All records of a cluster."""
        found = {}
        for number in range(OWN + SHARED):
            try:
                found[number] = dict(self.clients[site].get(Key("test", "s", number)).bins)
            except RecordNotFound:
                continue
        return found

    def wrong(self, site: int, first: dict[int, dict[str, Any]]) -> list[str]:
        """What is not as it should be; `first` are the records of the first cluster."""
        found = self.contents(site)
        told = [
            f"{site}: {number} is {found.get(number)} and not {self.own.get(number)}"
            for number in range(OWN)
            if found.get(number, {}).get("x") != self.own.get(number)
        ]
        for number, bins in self.bins.items():
            there = found.get(number, {})
            if {**there, **bins} != there or there["s"] not in self.last[number].values():
                told.append(f"{site}: {number} is {there}, without {bins}")
        if found != first:
            told.append(f"{site}: differs from the first")
        return told

    def until_settled(self) -> None:
        """Return when all have what they should."""
        end_s = time.monotonic() + PATIENCE_S
        while True:
            first = self.contents(0)
            told = [each for site in range(len(self.clusters)) for each in self.wrong(site, first)]
            if not told:
                return
            assert time.monotonic() < end_s, told[:5]
            time.sleep(0.2)

    def until_quiet(self) -> None:
        """Return when nothing is shipped any more, for a while."""
        end_s = time.monotonic() + PATIENCE_S
        before, since_s = "", time.monotonic()
        while time.monotonic() < since_s + 3:
            now = ";".join(
                cluster.info(node, f"get-stats:context=xdr;dc=to{b}")
                .partition(";success=")[2]
                .partition(";")[0]
                for (a, b) in self.links
                for cluster in [self.clusters[a]]
                for node in (0, 1)
                if cluster.is_running(node)
            )
            if now != before:
                before, since_s = now, time.monotonic()
            assert time.monotonic() < end_s, f"it goes on and on: {now}"
            time.sleep(0.2)


def _persist(command: Callable[[], object]) -> None:
    """Until it is acknowledged; also where another side's clock is ahead, or somebody is faster."""
    while True:
        try:
            command()
        except RecordNotFound:
            return
        except ServerError as error:
            if error.code != ResultCode.LOST_CONFLICT:
                raise
            time.sleep(0.01)
        else:
            return


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_active_passive(stack: ExitStack) -> None:
    """One writes, one has it: nodes of both die, the link is cut for longer than is queued for."""
    sites = Sites(stack, 2, [(0, 1)], (0,))
    sites.write(60)
    sites.clusters[0].kill(1)
    sites.write(60)
    sites.restart(0, 1)
    sites.links[0, 1].cut()
    sites.write(60)
    time.sleep(CUT_S)
    sites.clusters[1].kill(0)
    sites.links[0, 1].mend()
    sites.write(60)
    sites.restart(1, 0)
    sites.until_settled()


def test_active_active(stack: ExitStack) -> None:
    """Both write the same records: bins of their own, and one that both write."""
    sites = Sites(stack, 2, [(0, 1), (1, 0)], (0, 1), **CONVERGING)
    sites.write(60)
    for way in sites.links.values():
        way.cut()
    sites.write(60)
    time.sleep(CUT_S)
    sites.clusters[0].kill(1)
    for way in sites.links.values():
        way.mend()
    sites.write(60)
    for node in (0, 1):
        sites.clusters[1].pause(node)
    time.sleep(HANG_S)
    for node in (0, 1):
        sites.clusters[1].resume(node)
    sites.clusters[1].wait_stable()
    sites.write(60)
    sites.restart(0, 1)
    sites.clusters[1].kill(0)
    sites.write(60)
    sites.until_settled()
    sites.until_quiet()


def test_a_star(stack: ExitStack) -> None:
    """All write; those outside tell the one in the middle, which tells the others."""
    ways = [(0, 1), (1, 0), (0, 2), (2, 0)]
    sites = Sites(stack, 3, ways, (0, 1, 2), forward=True, **CONVERGING)
    sites.write(40)
    sites.links[1, 0].cut()
    sites.clusters[0].kill(0)
    sites.write(40)
    time.sleep(CUT_S)
    sites.links[1, 0].mend()
    sites.restart(0, 0)
    sites.clusters[2].pause(1)
    sites.write(20)
    sites.clusters[2].resume(1)
    sites.clusters[2].wait_stable()
    sites.write(40)
    sites.until_settled()
    sites.until_quiet()


def test_a_chain(stack: ExitStack) -> None:
    """One writes, and the last has it by way of the one between."""
    sites = Sites(stack, 3, [(0, 1), (1, 2)], (0,), forward=True)
    sites.write(60)
    sites.links[1, 2].cut()
    sites.write(60)
    time.sleep(CUT_S)
    sites.clusters[1].kill(0)
    sites.write(60)
    sites.links[1, 2].mend()
    sites.restart(1, 0)
    sites.clusters[0].kill(1)
    sites.write(60)
    sites.until_settled()
    sites.until_quiet()


def test_a_ring(stack: ExitStack) -> None:
    """All write, and each tells the next alone: nothing goes round for ever."""
    ways = [(0, 1), (1, 2), (2, 0)]
    sites = Sites(stack, 3, ways, (0, 1, 2), forward=True, **CONVERGING)
    sites.write(40)
    sites.links[0, 1].cut()
    sites.write(40)
    time.sleep(CUT_S)
    sites.clusters[2].kill(1)
    sites.write(40)
    sites.links[0, 1].mend()
    sites.restart(2, 1)
    sites.write(40)
    sites.until_settled()
    sites.until_quiet()
