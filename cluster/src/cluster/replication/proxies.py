"""The transactions of one node that are with other nodes, or look for the one that serves them: the
long way by proxy. Each is a machine of its own (`cluster.replication.proxy`)."""

from __future__ import annotations

from collections.abc import Callable

from cluster.fabric import FOREVER
from cluster.messages import ProxyReply
from cluster.outputs import Answered, Output
from cluster.partitions.service import Partitions
from cluster.replication.proxy import (
    RETRY_MS,
    AnswerCame,
    Busy,
    Due,
    Elsewhere,
    Expired,
    NoAnswer,
    Proxy,
    ProxyState,
)
from cluster.state_machine import Observer
from cluster.wire import Message


class Proxies:
    """Those that are under way. Inputs return outputs; `deadline` says when `tick` is due."""

    def __init__(
        self,
        me: int,
        partitions: Partitions,
        partition_of: Callable[[bytes], int],
        observer: Observer | None,
    ) -> None:
        self.deadline = FOREVER
        self._me = me
        self._partitions = partitions
        self._partition_of = partition_of
        self._observer = observer
        self._all: dict[int, Proxy] = {}

    def __len__(self) -> int:
        return len(self._all)

    def begin(
        self, number: int, namespace: str, digest: bytes, body: bytes, expires: int, now: int
    ) -> list[Output]:
        """Send a transaction to the node that serves its record, once there is one."""
        space, partition = self._partitions.spaces[namespace], self._partition_of(digest)

        def server() -> tuple[int | None, int]:
            return space.server(partition), self._partitions.cluster_key

        proxy = Proxy(namespace, digest, body, expires, server, self._observer)
        proxy.number = number
        self._all[number] = proxy
        proxy.fire(Due(), now)
        self._wake_for(proxy, now)
        return self._drain(proxy)

    def answered(self, proxy: Proxy, reply: Message | None, now: int) -> list[Output]:
        """What the node that was asked has answered; None: nothing."""
        if not isinstance(reply, ProxyReply) or reply.in_doubt:
            proxy.fire(NoAnswer(), now)
        elif reply.busy:
            proxy.fire(Busy(), now)
        elif reply.elsewhere:
            space = self._partitions.spaces[proxy.namespace]
            if space.is_ready:
                space.hear_of(self._partition_of(proxy.digest), reply.elsewhere)
            proxy.fire(Elsewhere(), now)
            self._wake_for(proxy, now)
        else:
            proxy.fire(AnswerCame(reply.body), now)
        return self._drain(proxy) if proxy.number in self._all else []

    def tick(self, now: int) -> tuple[list[Output], list[Proxy]]:
        """Look for servers again, give up what has waited long enough; those that this node itself
        serves meanwhile, which are under way here no more. O(of them)."""
        outputs: list[Output] = []
        ours: list[Proxy] = []
        for proxy in list(self._all.values()):
            space = self._partitions.spaces[proxy.namespace]
            server = space.server(self._partition_of(proxy.digest))
            if proxy.expires <= now:
                proxy.fire(Expired(), now)
            elif proxy.state is ProxyState.WAITING and server == self._me:
                ours.append(self._all.pop(proxy.number))
                continue
            else:
                proxy.fire(Due(), now)
            outputs += self._drain(proxy)
        self.deadline = FOREVER
        for proxy in self._all.values():
            self._wake_for(proxy, now)
        return outputs, ours

    def _wake_for(self, proxy: Proxy, now: int) -> None:
        """Look for a server again soon; one that was asked is waited for."""
        waits = proxy.state is ProxyState.WAITING
        self.deadline = min(self.deadline, now + RETRY_MS if waits else proxy.expires)

    def _drain(self, proxy: Proxy) -> list[Output]:
        outputs, proxy.outputs = proxy.outputs, []
        if proxy.state in (ProxyState.DONE, ProxyState.FAILED):
            del self._all[proxy.number]
            outputs.append(Answered(proxy.number, proxy.answer, proxy.in_doubt, proxy.is_busy))
        return outputs
