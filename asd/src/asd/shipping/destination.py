"""Destinations: the connections to a data center, and which of them takes a partition's records.

A *cluster* is spoken to as any client does, by this project's own: it is tended, its partition
table says which node is the master, and each node has a few pipelines (`aerospike_client.aio.
pipeline`), so any cluster of the protocol can be one. A *connector* takes records and knows no
partitions: they are spread over its addresses, a partition to each as long as it answers.

A pipeline that is missing is opened in the background and tried again after a pause that doubles;
until it is there the partition has none, and its records stay where they are.

Where something else than zlib is wanted for compression, each connection to a node of a cluster
begins with the question whether the node takes it (`asd.shipping.compression`). A connector is not
asked, and gets zlib.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Final, Protocol

from aerospike_client.aio.engine import Engine
from aerospike_client.aio.pipeline import Answers, Pipeline
from aerospike_client.aio.pools import Pools
from aerospike_client.core.addresses import Address, Seed
from aerospike_client.core.nodes import Node
from aerospike_client.errors import ClientError
from aerospike_client.policies import ClientPolicy
from aerospike_client.settings import Settings
from aerospike_client.tls import Tls
from aerospike_client.transport import Broken, Expired
from aerospike_common.wire.codes import MessageType, ResultCode
from aerospike_common.wire.frame import frame
from aerospike_common.wire.info import encode_info_request
from asd.shipping.compression import ASKED, EVERYBODYS, heard
from citrusleaf.cf_clock import Clock

log = logging.getLogger("asd.xdr_client")

PIPELINES: Final = 2
"""Connections to each node of a cluster."""
MOST_UNDER_WAY: Final = 1024
"""Requests of one pipeline that are not answered."""
ANSWER_US: Final = 10_000_000
"""After so long without an answer a connection is given up."""
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 2.0

UNKNOWN_HERE: Final = frozenset({ResultCode.NOT_AUTHENTICATED, ResultCode.SESSION_EXPIRED})
"""Result codes of a node with which nobody is logged in on this connection."""

Replied = Callable[[Answers, int], None]
"""Result codes with their tokens, and microseconds that the last took."""
Lost = Callable[[list[object], str], None]
"""Tokens that will not be answered, and why."""


class ShippingPipeline(Pipeline):
    """A pipeline to a node that may take more than the protocol's own compression."""

    takes: frozenset[str] = EVERYBODYS


class Destination(Protocol):
    """Where records go."""

    async def start(self) -> None:
        """Look for it. It need not be there."""

    async def stop(self) -> None:
        """Close everything; what is under way is lost."""

    def route(self, namespace: str, partition: int) -> ShippingPipeline | None:
        """The pipeline that takes the records of a partition, if it is open. One that is full
        (`has_room`) is the partition's all the same: what goes there waits for it."""

    def flush(self) -> None:
        """Let go what was sent, and give up connections that do not answer."""

    @property
    def nodes(self) -> int:
        """Nodes that are connected."""


class Pipelines:
    """The pipelines to all nodes, by the node and a number."""

    def __init__(
        self,
        pools: Pools,
        clock: Clock,
        replied: Replied,
        lost: Lost,
        wanted: frozenset[str] = EVERYBODYS,
    ) -> None:
        """`wanted`: how requests are to be compressed, where a node takes it."""
        self._wanted = wanted
        self._told_missing = False
        self._pools = pools
        self._clock = clock
        self._replied = replied
        self._lost = lost
        self._open: dict[tuple[Hashable, int], ShippingPipeline] = {}
        self._opening: dict[tuple[Hashable, int], asyncio.Task[None]] = {}
        self._pauses_s: dict[Hashable, float] = {}
        self._unknown: set[Hashable] = set()
        """Nodes that do not know us any more, and want another login."""

    def get(
        self, node: Hashable, number: int, address: Address, name: str, tls_name: str = ""
    ) -> ShippingPipeline | None:
        """The pipeline, if it is open; one that is not there is opened."""
        place = node, number
        pipeline = self._open.get(place)
        if pipeline is None or not pipeline.open:
            if place not in self._opening:
                self._opening[place] = asyncio.get_running_loop().create_task(
                    self._dial(place, address, name, tls_name)
                )
            return None
        return pipeline

    async def _dial(
        self, place: tuple[Hashable, int], address: Address, name: str, tls_name: str
    ) -> None:
        node = place[0]
        pause_s = self._pauses_s.get(node, 0.0)
        try:
            await asyncio.sleep(pause_s)
            renew = node in self._unknown
            dialled = self._pools.dial(address, name, ShippingPipeline, tls_name, renew=renew)
            pipeline = await dialled
            if not self._wanted <= EVERYBODYS:
                pipeline.takes = await self._ask(address, pipeline)
        except (Broken, Expired, ClientError) as error:
            if node not in self._pauses_s:
                log.warning("%s %s", address, error)
            self._pauses_s[node] = min(max(FIRST_PAUSE_S, 2 * pause_s), LONGEST_PAUSE_S)
        else:
            self._unknown.discard(node)
            replied = partial(self._answered, node, pipeline)
            pipeline.begin(replied, partial(self._ended, address))
            self._open[place] = pipeline
            if self._pauses_s.pop(node, None):
                log.info("%s can be reached again", address)
        finally:
            del self._opening[place]

    async def _ask(self, address: Address, pipeline: ShippingPipeline) -> frozenset[str]:
        """Which ways of compression the node takes. Raises Broken."""
        question = frame(MessageType.INFO, encode_info_request([ASKED]))
        try:
            reply = await pipeline.exchange(question, self._clock.monotonic_us() + ANSWER_US)
        except BaseException:
            pipeline.close()
            raise
        takes = heard(reply)
        missing = ", ".join(sorted(self._wanted - takes))
        if missing and not self._told_missing:
            self._told_missing = True
            log.warning("%s does not take %s: what it gets is compressed by zlib", address, missing)
        return takes

    def _answered(self, node: Hashable, pipeline: Pipeline, answers: Answers, took_us: int) -> None:
        self._replied(answers, took_us)
        if answers[-1][1] in UNKNOWN_HERE:  # the session is over: log in anew
            self._unknown.add(node)
            pipeline.close()

    def _ended(self, address: Address, tokens: list[object], reason: str) -> None:
        if tokens:
            log.info("%s %s: %d records are shipped again", address, reason, len(tokens))
        self._lost(tokens, reason)

    def flush(self) -> None:
        """Send what waits; close connections that owe an answer for too long."""
        for place, pipeline in list(self._open.items()):
            pipeline.flush()
            if pipeline.oldest_us > ANSWER_US:
                pipeline.close()
            if not pipeline.open:
                del self._open[place]

    def keep(self, wanted: Callable[[Hashable], bool]) -> None:
        """Close the pipelines to all other nodes."""
        for place, pipeline in list(self._open.items()):
            if not wanted(place[0]):
                pipeline.close()

    @property
    def nodes(self) -> int:
        """Nodes that have one that is open."""
        return len({place[0] for place, pipeline in self._open.items() if pipeline.open})

    async def stop(self) -> None:
        """Close all."""
        tasks = list(self._opening.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.keep(lambda node: False)


class ClusterDestination:
    """A cluster."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        replied: Replied,
        lost: Lost,
        wanted: frozenset[str],
    ) -> None:
        """`wanted`: as of `Pipelines`."""
        self._engine = Engine(settings, clock)
        self._pipelines = Pipelines(self._engine.pools, clock, replied, lost, wanted)
        self._starting: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to look for it; see `Destination`."""
        self._starting = asyncio.get_running_loop().create_task(self._engine.start())

    async def stop(self) -> None:
        """See `Destination`."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        await self._pipelines.stop()
        await self._engine.stop()

    def route(self, namespace: str, partition: int) -> ShippingPipeline | None:
        """See `Destination`."""
        table = self._engine.view.tables.get(namespace)
        node = table.master(partition) if table is not None else None
        if node is None:
            return None
        return self._pipelines.get(
            node, partition % PIPELINES, node.address, node.name, node.tls_name
        )

    def flush(self) -> None:
        """See `Destination`."""
        self._pipelines.flush()
        self._pipelines.keep(lambda node: isinstance(node, Node) and node.active)

    @property
    def nodes(self) -> int:
        """See `Destination`."""
        return len(self._engine.view.active_nodes())


class ConnectorDestination:
    """A connector, at one or more addresses."""

    def __init__(
        self,
        nodes: Sequence[Seed],
        policy: ClientPolicy,
        clock: Clock,
        replied: Replied,
        lost: Lost,
    ) -> None:
        self._nodes = nodes
        tls = Tls(policy.tls) if policy.tls is not None else None
        self._pipelines = Pipelines(Pools(policy, None, clock, tls), clock, replied, lost)

    async def start(self) -> None:
        """See `Destination`."""

    async def stop(self) -> None:
        """See `Destination`."""
        await self._pipelines.stop()

    def route(self, namespace: str, partition: int) -> ShippingPipeline | None:
        """See `Destination`. One address after the other is tried, the partition's own first."""
        for offset in range(len(self._nodes)):
            address, tls_name = self._nodes[(partition + offset) % len(self._nodes)]
            pipeline = self._pipelines.get(address, 0, address, str(address), tls_name)
            if pipeline is not None:
                return pipeline
        return None

    def flush(self) -> None:
        """See `Destination`."""
        self._pipelines.flush()

    @property
    def nodes(self) -> int:
        """See `Destination`."""
        return self._pipelines.nodes


def has_room(pipeline: Pipeline) -> bool:
    """May more be sent there now?"""
    return pipeline.writable and pipeline.load < MOST_UNDER_WAY
