"""Proxying: a transaction carried to the node that serves its record, wherever that may be."""

from __future__ import annotations

from collections.abc import Callable
from enum import auto

from attrs import frozen

from cluster.messages import ProxyRequest
from cluster.outputs import Channel, Output, Request
from cluster.state_machine import Observer, State, StateMachine, table

RETRY_MS = 100


class ProxyState(State):
    """Where a proxied transaction stands."""

    WAITING = auto()
    ASKING = auto()
    DONE = auto()
    FAILED = auto()


@frozen
class Due:
    """Time to look for the server."""


@frozen
class AnswerCame:
    """The server's answer."""

    body: bytes


@frozen
class Busy:
    """Too many wait for the record there."""


@frozen
class Elsewhere:
    """That node does not serve the record (any more)."""


@frozen
class NoAnswer:
    """That node did not answer: it may have carried it out."""


@frozen
class Expired:
    """The client waits no more."""


X = ProxyState


class Proxy(StateMachine):
    """One transaction on its way. It is asked again only where it was surely not carried out. Its
    server is waited for as long as the client waits: it answers whatever becomes of it, and when
    the server dies the fabric says so."""

    TABLE = table(
        "proxy",
        (X.WAITING, Due, "_knows_a_server", X.ASKING, "_ask"),
        (X.WAITING, Expired, "", X.FAILED, ""),
        (X.ASKING, AnswerCame, "", X.DONE, "_keep"),
        (X.ASKING, Elsewhere, "", X.WAITING, ""),
        (X.ASKING, Busy, "", X.FAILED, "_note_busy"),
        (X.ASKING, NoAnswer, "", X.FAILED, "_be_in_doubt"),
        (X.ASKING, Expired, "", X.FAILED, "_be_in_doubt"),
    )

    def __init__(
        self,
        namespace: str,
        digest: bytes,
        body: bytes,
        expires: int,
        server: Callable[[], tuple[int | None, int]],
        observer: Observer | None = None,
    ) -> None:
        """`server` gives the node that serves the digest (or None) and the cluster key."""
        super().__init__(X.WAITING, observer)
        self.namespace = namespace
        self.digest = digest
        self.body = body
        self.expires = expires
        self.answer: bytes | None = None
        self.in_doubt = False
        self.is_busy = False
        self.outputs: list[Output] = []
        self.number = 0  # that of the transaction, given by who carries it
        self._server = server

    def _knows_a_server(self, _: Due, now: int) -> bool:
        return self._server()[0] is not None

    def _ask(self, _: Due, now: int) -> None:
        node, key = self._server()
        assert node is not None
        message = ProxyRequest(key, self.namespace, self.digest, self.body)
        left_ms = max(1, self.expires - now)
        self.outputs.append(Request(node, message, Channel.REPLICATION, left_ms, (self, node)))

    def _keep(self, came: AnswerCame, now: int) -> None:
        self.answer = came.body

    def _note_busy(self, _: Busy, now: int) -> None:
        self.is_busy = True

    def _be_in_doubt(self, _: object, now: int) -> None:
        self.in_doubt = True
