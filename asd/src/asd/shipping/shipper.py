"""The shipper: sends what the schedules of a data center's namespaces give it, lap after lap.

A lap asks each namespace for the records whose turn it is, reads them as they are now, and sends
them down the pipelines, all with one write to each connection. Answers end shipments as they come.
A lap follows the one before after `period-ms`; at once when answers have made room for a whole one
and more waits: so an idle destination costs ten looks a second, and one that catches up is kept
busy.

What bounds it: `MOST_UNDER_WAY` records of a namespace are under way, `A_LAP` are read in one turn
of the loop (clients are served between), `max-throughput` a second go. What does not go stays in
the queues, which have their own bounds.

A destination of which no node can be reached for `AWAY_MS` is away: nothing is queued for it any
more, and what changes is found by recovery when it is back.

Rejected: a task a record (twice the cost of the record itself), and laps only by time (a limit to
throughput that nobody asked for).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

from aerospike_client.aio.pipeline import Answers
from aerospike_client.errors import ClientError
from aerospike_client.settings import Settings
from aerospike_common.wire.errors import OperationError
from asd.config import Config
from asd.config.xdr import DcConfig
from asd.process.transaction_threads import TransactionThreads
from asd.shipping.destination import (
    ClusterDestination,
    ConnectorDestination,
    Destination,
    has_room,
)
from asd.shipping.introduction import nodes_of, policy_of, seeds_of
from asd.shipping.link import Link
from citrusleaf.cf_clock import Clock
from citrusleaf.cf_random import CfRandom
from storage.engine import NotResident

log = logging.getLogger("asd.xdr")

MOST_UNDER_WAY: Final = 2048
A_LAP: Final = 256
AWAY_MS: Final = 10_000
_US_PER_MS: Final = 1000
_BURST_MS: Final = 100


class ShippingNode(Protocol):
    """A node as shippers see it."""

    config: Config
    clock: Clock
    random: CfRandom
    transaction_threads: TransactionThreads


Token: TypeAlias = tuple[Link, bytes]
"""What a request is for: its link and the record's digest."""

Unread: TypeAlias = tuple[bytes, int, Callable[[], None]]
"""Digest and partition of a record that is not in memory, and what reads it."""


class Shipper:
    """The shipping to one data center."""

    def __init__(self, node: ShippingNode, config: DcConfig, routes: dict[str, str]) -> None:
        """`routes`: by which other addresses some are reached."""
        self._config = node.config
        self.config = config
        self.links: dict[str, Link] = {}
        self._clock = node.clock
        self._random = node.random
        self._threads = node.transaction_threads
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | asyncio.Handle | None = None
        self._is_due = False
        self._reading: set[asyncio.Task[None]] = set()
        self._allowance: dict[str, tuple[float, int]] = {}
        self._reached_ms = node.clock.monotonic_ms()
        self._gave_up_ms = 0
        self._stopped = False
        self.lap_us = 0
        """How long the last lap took."""
        self.destination = self._make_destination(routes)

    def _make_destination(self, routes: dict[str, str]) -> Destination | None:
        """None while it has no address, or what it takes to connect cannot be used."""
        config, tls = self.config, self._config.network.tls
        if not config.node_address_port:
            return None
        try:
            policy = policy_of(config, tls, routes)
            heard = self._replied, self._lost
            if config.connector:
                return ConnectorDestination(nodes_of(config), policy, self._clock, *heard)
            settings = Settings.of(seeds_of(config), policy, self._random)
        except (ClientError, OSError) as error:
            log.warning("dc %s cannot be connected to: %s", config.name, error)
            return None
        return ClusterDestination(settings, self._clock, *heard, config.algorithms())

    async def start(self) -> None:
        """Begin."""
        if self.destination is not None:
            await self.destination.start()
        self._later(0)

    def halt(self) -> None:
        """Make no more laps, and listen to nobody."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    async def stop(self) -> None:
        """End; what is under way is lost, and other nodes or the next start ship it again."""
        self.halt()
        for task in self._reading:
            task.cancel()
        await asyncio.gather(*self._reading, return_exceptions=True)
        if self.destination is not None:
            await self.destination.stop()

    @property
    def nodes(self) -> int:
        """Nodes of the destination that are known."""
        return self.destination.nodes if self.destination is not None else 0

    # ------------------------------------------------------------------------ laps

    def _later(self, delay_ms: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self._stopped:
            self._timer = self._loop.call_later(delay_ms / 1000, self._run_lap)

    def soon(self) -> None:
        """Have the next lap at once."""
        if not self._is_due and not self._stopped:
            self._is_due = True
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._loop.call_soon(self._run_lap)

    def _run_lap(self) -> None:
        self._is_due = False
        self._later(self.config.period_ms)
        started_us = self._clock.monotonic_us()
        try:
            more = self._lap()
        except Exception:  # our own bug: it costs one lap, and the next ones may do
            log.exception("dc %s: a lap failed inside the server", self.config.name)
            return
        self.lap_us = self._clock.monotonic_us() - started_us
        if more:
            self.soon()

    def _lap(self) -> bool:
        """Ship what may go; True when there is more that could go at once."""
        destination = self.destination
        more = False
        for link in self.links.values():
            link.follow()
            if destination is None:
                continue
            room = min(A_LAP, MOST_UNDER_WAY - len(link.schedule.under_way))
            room = min(room, self._allowed(link))
            if room <= 0:
                continue
            if not destination.nodes:
                link.no_node()
            ready = _ready_by(destination, link.remote)
            taken = link.take(room, ready, self.config.max_recoveries_interleaved)
            unread = self._ship(link, destination, taken)
            if unread:
                self._read(link, unread)
            more |= len(taken) == room
        if destination is not None:
            destination.flush()
            self._look_whether_away(destination)
        return more

    def _allowed(self, link: Link) -> int:
        """How many records may go now, by `max-throughput`. Those that go are taken off by
        `_ship`."""
        rate = link.config.max_throughput
        now_us = self._clock.monotonic_us()
        left, since_us = self._allowance.get(link.namespace.name, (0.0, now_us))
        most = rate * _BURST_MS / 1000
        left = min(most, left + rate * (now_us - since_us) / 1e6)
        self._allowance[link.namespace.name] = left, now_us
        return int(left)

    def _ship(
        self, link: Link, destination: Destination, taken: list[tuple[bytes, int]]
    ) -> list[Unread]:
        """Read the records and send them; those that are not in memory."""
        unread: list[Unread] = []
        now_ms = self._clock.epoch_ms()
        sent = size = 0
        pipeline, its_partition = None, -1
        request, compresses = link.requests(), link.config.enable_compression
        for digest, partition in taken:
            try:
                frame = request(digest)
            except NotResident as wait:
                unread.append((digest, partition, wait.load))
                continue
            except OperationError as error:
                link.damaged(digest, error)
                continue
            if frame is None:
                link.schedule.complete(digest, now_ms)
                continue
            if partition != its_partition:
                its_partition, pipeline = partition, destination.route(link.remote, partition)
            if pipeline is None:
                link.unsent(digest, now_ms)
                continue
            if compresses:
                frame = link.packed(frame, pipeline.takes)
            sent += 1
            size += len(frame)
            pipeline.send(frame, (link, digest))
        link.statistics.bytes_shipped += size
        left, since_us = self._allowance[link.namespace.name]
        self._allowance[link.namespace.name] = left - sent, since_us
        return unread

    def _read(self, link: Link, unread: list[Unread]) -> None:
        """Read from the medium what is not in memory, then ship it."""

        async def read() -> None:
            await asyncio.gather(*(self._threads.run(load) for _, _, load in unread))
            if self.destination is None or self.links.get(link.namespace.name) is not link:
                return
            taken = [(digest, partition) for digest, partition, _ in unread]
            again = self._ship(link, self.destination, taken)
            self.destination.flush()
            for digest, _, _ in again:  # gone from memory once more
                link.unsent(digest, self._clock.epoch_ms())

        task = self._loop.create_task(read())
        self._reading.add(task)
        task.add_done_callback(self._reading.discard)

    # --------------------------------------------------------------------- answers

    def _replied(self, answers: Answers, took_us: int) -> None:
        if self._stopped:
            return
        now_ms = self._clock.epoch_ms()
        self._reached_ms = self._clock.monotonic_ms()
        more = False
        arrived: dict[Link, list[bytes]] = {}
        for (link, digest), code in answers:
            if link not in arrived:
                arrived[link] = []
            if code:
                link.ended(digest, code, now_ms)
            else:
                arrived[link].append(digest)
        for link, digests in arrived.items():
            link.arrived(digests, now_ms)
            link.statistics.add_latency(took_us / _US_PER_MS)
            schedule = link.schedule
            if len(schedule.under_way) <= MOST_UNDER_WAY - A_LAP:  # a lap costs, whatever it takes
                more |= bool(schedule.logger.waiting or schedule.recovery.running)
        if more:
            self.soon()

    def _lost(self, tokens: list[object], reason: str) -> None:
        if self._stopped:
            return
        now_ms = self._clock.epoch_ms()
        for token in tokens:
            assert isinstance(token, tuple)
            link, digest = token
            link.lost(digest, now_ms)

    # ------------------------------------------------------------------------ away

    def _look_whether_away(self, destination: Destination) -> None:
        now_ms = self._clock.monotonic_ms()
        if any(
            destination.route(link.remote, p) for link in self.links.values() for p in (0, 2049)
        ):
            self._reached_ms = now_ms
        elif now_ms > self._reached_ms + AWAY_MS and now_ms > self._gave_up_ms + AWAY_MS // 10:
            self._gave_up_ms = now_ms
            for link in self.links.values():
                link.schedule.give_up_logging(_reached_by(destination, link.remote))


def _reached_by(destination: Destination, remote: str) -> Callable[[int], bool]:
    """Is there a node for a partition's records?"""
    return lambda partition: destination.route(remote, partition) is not None


def _ready_by(destination: Destination, remote: str) -> Callable[[int], bool]:
    """Is there room for a partition's records, in this lap?"""
    route, known = destination.route, dict[int, bool]()

    def ready(partition: int) -> bool:
        is_ready = known.get(partition)
        if is_ready is None:
            pipeline = route(remote, partition)
            is_ready = known[partition] = pipeline is not None and has_room(pipeline)
        return is_ready

    return ready
