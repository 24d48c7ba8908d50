"""The shipping of a node: its data centers, made and changed while it runs.

`apply_configuration` compares what is shipped with what the configuration says and makes the one
like the other. Every second last ship times are worked out, told to the other nodes and kept
(`asd.shipping.ship_times`), and tombstones that have been shipped everywhere are taken away. Where
there is no data center nothing of this runs, and no write is observed.
"""

from __future__ import annotations

import asyncio
import binascii
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

from aerospike_common.wire.errors import OperationError
from asd.config import Config, NamespaceConfig
from asd.config.xdr import DcConfig, XdrConfig
from asd.membership.metadata import SystemMetadata
from asd.membership.state import Membership
from asd.records.bin_times import Rules
from asd.shipping import ship_times
from asd.shipping.graves import take_cemeteries, take_shipped
from asd.shipping.link import Link
from asd.shipping.statistics import ShippingStatistics, total
from citrusleaf.cf_clock import Clock
from citrusleaf.cf_random import CfRandom
from cluster.smd import SmdItem
from storage.engine import OutOfSpace

if TYPE_CHECKING:
    from asd.bins.expressions import ExpressionCache
    from asd.process.transaction_threads import TransactionThreads
    from asd.shipping.shipper import Shipper
    from asd.space.namespace import Namespace

log = logging.getLogger("asd.xdr")

MODULE: Final = "xdr"
"""The module of the metadata that has the filters; `dc|namespace` to the expression in base64."""
TICK_S: Final = 1.0
KEEP_EVERY: Final = 5
"""Ticks between two times that last ship times are kept with the records."""
_MS_PER_S: Final = 1000


class ShippedNode(Protocol):
    """A node as its shipping sees it."""

    config: Config
    clock: Clock
    random: CfRandom
    transaction_threads: TransactionThreads
    metadata: SystemMetadata
    expressions: ExpressionCache

    @property
    def namespaces(self) -> Mapping[bytes, Namespace]:
        """The namespaces by name."""

    @property
    def cluster(self) -> Membership:
        """The cluster it is in."""


class Shipping:
    """The data centers that one node ships to."""

    def __init__(self, node: ShippedNode, changed: Callable[[], None]) -> None:
        """`changed` is called when fast paths must be made anew."""
        self._node = node
        self._changed = changed
        self._shippers: dict[str, Shipper] = {}
        self._made_of: dict[str, object] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._running = False
        self._routes: dict[str, str] = {}
        self._ticks = 0
        node.metadata.listen(MODULE, self._filter_changed)
        self._keep_bin_times()

    @property
    def shippers(self) -> Mapping[str, Shipper]:
        """By data center."""
        return self._shippers

    # ------------------------------------------------------------------------ life

    async def run(self) -> None:
        """Ship what the configuration says. Ends by cancellation."""
        self._running = True
        self.apply_configuration(starting=True)
        self._node.cluster.hear_ship_times(self._heard)
        while True:
            await asyncio.sleep(TICK_S)
            self._ticks += 1
            if self._shippers:
                self._tick()
            self._raid()

    async def stop(self) -> None:
        """Ship no more; keep how far it has come."""
        self._running = False
        if self._shippers:
            self._keep()
        for shipper in self._shippers.values():
            self._end(shipper)
        self._shippers.clear()
        await asyncio.gather(*self._ending, return_exceptions=True)

    def apply_configuration(self, *, starting: bool = False) -> None:
        """Take up a configuration that has changed. `starting`: what it says has held since before
        the node started."""
        self._keep_bin_times()
        if not self._running:
            return
        wanted = {} if self._node.config.community else self._node.config.xdr.dcs
        for name in [name for name in self._shippers if name not in wanted]:
            self._drop(name)
        for name, config in wanted.items():
            self._follow(name, config, starting=starting)
        for namespace in self._node.namespaces.values():
            links = self._links(namespace.name)
            namespace.ships = _any_of([link.ships for link in links]) if links else None

    def _keep_bin_times(self) -> None:
        """Keep times of bins where they are asked for, from the start and not only when shipping
        runs."""
        config = self._node.config
        for namespace in self._node.namespaces.values():
            rules = None if config.community else _rules(config.xdr, namespace.config)
            if rules != namespace.bin_times:
                namespace.bin_times = rules
                self._changed()

    def go_by(self, routes: Mapping[str, str]) -> None:
        """Reach these addresses of destinations by others from now on."""
        self._routes = dict(routes)
        self.apply_configuration()

    def _links(self, namespace: str) -> list[Link]:
        return [s.links[namespace] for s in self._shippers.values() if namespace in s.links]

    def _follow(self, name: str, config: DcConfig, *, starting: bool) -> None:
        # imported here: it brings the client along, which only those need who ship
        from asd.shipping.shipper import Shipper

        made_of = (
            *(config.node_address_port, config.connector, config.use_alternate_access_address),
            *(config.auth_mode, config.auth_user, config.auth_password_file, config.tls_name),
            *(tuple(self._routes.items()), config.algorithms()),
        )
        shipper = self._shippers.get(name)
        if shipper is None or self._made_of[name] != made_of:
            links = shipper.links if shipper is not None else {}
            if shipper is not None:
                self._end(shipper)
            shipper = Shipper(self._node, config, self._routes)
            shipper.links = links
            self._shippers[name], self._made_of[name] = shipper, made_of
            self._spawn(shipper.start())
        self._follow_namespaces(shipper, config, starting=starting)

    def _follow_namespaces(self, shipper: Shipper, config: DcConfig, *, starting: bool) -> None:
        for name in [name for name in shipper.links if name not in config.attached()]:
            shipper.links.pop(name).close()
        for name in config.attached():
            namespace = self._node.namespaces.get(name.encode())
            if namespace is None:
                continue
            link = shipper.links.get(name)
            if link is not None:
                link.take_up()
                continue
            settings = config.namespace(name)
            link = Link(
                *(config, namespace, settings), from_now=not starting, changed=self._changed
            )
            if starting:
                self._take_up_kept(link)
            self._set_filter(link)
            shipper.links[name] = link
            link.follow()  # from this moment on, and not from the first lap
        shipper.soon()

    def _drop(self, name: str) -> None:
        shipper = self._shippers.pop(name)
        for link in shipper.links.values():
            link.close()
            link.namespace.engine.set_meta(ship_times.key_of(name), None)
        self._end(shipper)

    def _end(self, shipper: Shipper) -> None:
        shipper.halt()
        now_ms = self._node.clock.epoch_ms()
        for link in shipper.links.values():
            for digest in list(link.schedule.under_way):
                link.lost(digest, now_ms)
        self._spawn(shipper.stop())

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    # --------------------------------------------------------------- how far it is

    def _tick(self) -> None:
        now_ns = self._node.clock.monotonic_ns()
        now_ms = self._node.clock.epoch_ms()
        for dc, shipper in self._shippers.items():
            for link in shipper.links.values():
                link.statistics.measure(now_ns)
                link.say_abandoned()
                times = link.schedule.last_ship_times(now_ms)
                told = ship_times.pack_told(times, link.schedule.owned)
                self._node.cluster.tell_ship_times(dc, link.namespace.name, told)
        if self._ticks % KEEP_EVERY == 0:
            self._keep()

    def _raid(self) -> None:
        """Take away the tombstones that nobody needs any more."""
        for namespace in self._node.namespaces.values():
            period_s = namespace.config.xdr_tomb_raider_period
            if period_s and self._ticks % period_s == 0:
                self._take_tombstones(namespace)
                if namespace.bin_times is not None:
                    self._spawn(take_cemeteries(namespace))

    def _keep(self) -> None:
        for dc, shipper in self._shippers.items():
            for link in shipper.links.values():
                kept = ship_times.pack_kept(link.schedule.last_ms)
                try:
                    link.namespace.engine.set_meta(ship_times.key_of(dc), kept)
                except OutOfSpace as error:
                    text = "{%s} dc %s: the last ship time is not kept: %s"
                    log.warning(text, link.namespace.name, dc, error)

    def _take_up_kept(self, link: Link) -> None:
        data = link.namespace.engine.meta().get(ship_times.key_of(link.dc))
        times = ship_times.unpack_kept(data) if data is not None else None
        if times is not None:
            link.schedule.last_ms = times

    def _heard(self, dc: str, namespace: str, data: bytes) -> None:
        """Another node tells how far it has come."""
        shipper = self._shippers.get(dc)
        link = shipper.links.get(namespace) if shipper is not None else None
        told = ship_times.unpack_told(data) if link is not None else None
        if link is not None and told is not None:
            for partition, time_ms in told.items():
                link.schedule.heard(partition, time_ms)

    def _take_tombstones(self, namespace: Namespace) -> None:
        links = self._links(namespace.name)
        if links:
            times = [link.schedule.last_ms for link in links]
            self._spawn(take_shipped(namespace, [min(each) for each in zip(*times, strict=True)]))

    def rewind(self, dc: str, namespace: str, seconds: int | None) -> None:
        """Ship again what changed in the last seconds; None: everything."""
        shipper = self._shippers.get(dc)
        link = shipper.links.get(namespace) if shipper is not None else None
        if shipper is None or link is None:
            return
        link.follow()
        now_ms = self._node.clock.epoch_ms()
        link.schedule.rewind(0 if seconds is None else max(0, now_ms - seconds * _MS_PER_S))
        shipper.soon()

    # --------------------------------------------------------------------- filters

    def filter_of(self, dc: str, namespace: str) -> str | None:
        """The filter's expression in base64."""
        item = self._node.metadata.get(MODULE, f"{dc}|{namespace}")
        return item.value if item is not None else None

    def check_filter(self, text: str) -> None:
        """Raises OperationError for what is no expression in base64."""
        try:
            wire = binascii.a2b_base64(text, strict_mode=True)
        except (binascii.Error, ValueError) as error:
            raise ValueError(str(error)) from None
        self._node.expressions.filter(wire)

    def _filter_changed(self, key: str, item: SmdItem) -> None:
        dc, _, namespace = key.partition("|")
        shipper = self._shippers.get(dc)
        if shipper is not None and namespace in shipper.links:
            self._set_filter(shipper.links[namespace])

    def _set_filter(self, link: Link) -> None:
        text = self.filter_of(link.dc, link.namespace.name)
        link.filter = None
        if text is not None:
            try:
                link.filter = self._node.expressions.filter(binascii.a2b_base64(text))
            except (OperationError, binascii.Error) as error:
                name = link.namespace.name
                log.warning("{%s} dc %s: the filter is not one: %s", name, link.dc, error)

    # ------------------------------------------------------------------ statistics

    def figures(self, dc: str, namespace: str | None = None) -> list[tuple[str, Any]]:
        """What `get-stats` shows: of a namespace, or of all together with the data center's own."""
        shipper = self._shippers.get(dc)
        links = list(shipper.links.values()) if shipper is not None else []
        chosen = [link for link in links if namespace in (None, link.namespace.name)]
        return _figures(
            chosen, shipper if namespace is None else None, self._node.clock.epoch_ms(), namespace
        )


def _rules(section: XdrConfig, config: NamespaceConfig) -> Rules | None:
    """How times of bins are kept; None: nobody needs them."""
    ways, resolves = section.ways_of(config.name), config.conflict_resolve_writes
    merges = resolves or any(way.forward for way in ways)
    if not merges and not any(way.keeps_bin_times for way in ways):
        return None
    return Rules(section.src_id, merges, resolves)


def _any_of(
    checks: Iterable[Callable[[int, int], bool]],
) -> Callable[[int, int], bool]:
    every = tuple(checks)
    return lambda set_id, flags: any(check(set_id, flags) for check in every)


def _figures(
    links: list[Link], shipper: Shipper | None, now_ms: int, namespace: str | None
) -> list[tuple[str, Any]]:
    figures: ShippingStatistics = total(link.statistics for link in links)
    schedules = [link.schedule for link in links]
    lag_ms = max([0, *(schedule.lag_ms(now_ms) for schedule in schedules)])
    rows: list[tuple[str, Any]] = [
        ("lag", lag_ms // _MS_PER_S),
        ("bytes_shipped", figures.bytes_shipped),
        ("in_queue", sum(schedule.backlog for schedule in schedules)),
        ("in_progress", sum(len(schedule.under_way) for schedule in schedules)),
        ("success", figures.success),
        ("abandoned", figures.abandoned),
        ("not_found", figures.not_found),
        ("filtered_out", figures.filtered_out),
        ("retry_no_node", figures.retry_no_node),
        ("retry_conn_reset", figures.retry_conn_reset),
        ("retry_dest", figures.retry_dest),
        ("recoveries", figures.recoveries),
        ("recoveries_pending", sum(len(schedule.recovery) for schedule in schedules)),
        ("hot_keys", figures.hot_keys),
        ("uncompressed_pct", f"{figures.uncompressed_pct:.3f}"),
        ("compression_ratio", f"{figures.compression_ratio:.3f}"),
    ]
    if namespace is None:
        rows.append(("nodes", shipper.nodes if shipper is not None else 0))
    rows.append(("throughput", figures.throughput))
    if namespace is None:
        rows.append(("latency_ms", round(figures.latency_ms)))
        rows.append(("lap_us", shipper.lap_us if shipper is not None else 0))
    return rows
