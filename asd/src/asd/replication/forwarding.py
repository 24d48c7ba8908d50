"""Requests that are passed on as they came (`cluster.Forwards`), at both ends.

The node that was asked sends a request's bytes on, and its client the reply's. The node that serves
the record does it there as for a client of its own: with a fast path for its head, or the general
way (`serve`). What is more than that it refuses, and nothing has happened: a partition that is not
served here, or where other nodes may have newer versions; a record to be read from a medium, or
that is written by a heavy operation just now; a read that renews a time to live. Refused requests
go the long way (`asd.replication.carrier`).

A write's reply waits for the commitment of its turn, as a client's does; the library must not be
called while it tells of the commitment's end, so replies that waited leave in the next turn.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from struct import Struct, error
from typing import TYPE_CHECKING, Final, Protocol

from aerospike_common.wire.codes import FieldType, Info1, Info2, MessageType, ResultCode
from aerospike_common.wire.errors import MessageError, OperationError
from aerospike_common.wire.frame import frame as framed
from aerospike_common.wire.message import (
    Message,
    encode_message,
    parse_message,
    reply_frame,
)
from asd.fastpath.cache import head_size
from asd.fastpath.contract import GENERAL_WAY
from asd.membership.cluster import Clustered
from asd.replication.envelope import Outcome
from asd.space.commitment import Commitment
from asd.space.namespace import Namespace
from asd.space.ownership import ELSEWHERE, REPLICATED
from asd.state import NodeState
from asd.transactions.away import passes_on
from asd.transactions.dispatch import run_here, waits
from asd.transactions.heavy import Leave, Occupied
from asd.transactions.transaction import Reply
from citrusleaf.cf_digest import DIGEST_SIZE, partition_id
from cluster import Output
from cluster.replication.forwards import REFUSED
from storage.engine import NotResident

if TYPE_CHECKING:
    from asd.fastpath.cache import FastPaths
    from asd.measures.statistics import ProxyStatistics

log = logging.getLogger("asd.proxy")

Heard = Callable[[bytes, bool], None]
"""See `asd.state.Carries.pass_on`."""

INFO2_AT: Final = 10
"""Where a frame has its flags for writing."""
_REPLY: Final = Struct(">13xBII6xH")
"""Of a framed reply without fields: result code, generation, void-time, number of ops."""
_WRITE: Final = int(Info2.WRITE)
_ASKS: Final = int(Info1.READ)


class ForwardingNode(NodeState, Protocol):
    """A node, and the fast paths of its requests."""

    paths: FastPaths


class Forwarding:
    """The requests that a node passes on, and that are passed on to it."""

    def __init__(self, node: ForwardingNode, cluster: Clustered) -> None:
        self._node = node
        self._cluster = cluster
        self._forwards = cluster.forwards
        self._forwards.serve, self._forwards.heard = self.serve, self._heard
        self._waiting: dict[int, tuple[Heard, ProxyStatistics]] = {}
        self._late: list[Output] = []
        self._paths = node.paths.of_nodes()

    # ------------------------------------------------------------------ passing on

    def send(
        self,
        namespace: Namespace,
        digest: bytes,
        frame: bytes,
        timeout_ms: int,
        heard: Heard,
        *,
        once: bool,
        in_batch: bool = False,
    ) -> int:
        """See `asd.state.Carries.pass_on`; what comes back is a number, or 0."""
        if namespace.ownership[partition_id(digest)] != ELSEWHERE:
            return 0
        timeout_ms = timeout_ms or self._node.config.service.transaction_max_ms
        now, forwards = self._cluster.now(), self._forwards
        number, outputs = forwards.send(
            namespace.name, digest, frame, timeout_ms, now, once=once, in_batch=in_batch
        )
        if not number:
            return 0
        statistics = namespace.statistics
        counted = statistics.batch_sub_proxy if in_batch else statistics.client_proxy
        self._waiting[number] = heard, counted
        self._cluster.post(forwards, outputs)
        return number

    def _heard(self, number: int, reply: bytes, in_doubt: bool) -> None:
        heard, counted = self._waiting.pop(number)
        if in_doubt:
            counted.timeout += 1
        elif reply:
            counted.complete += 1
        heard(reply, in_doubt)

    async def carry(
        self, namespace: Namespace, digest: bytes, message: Message, *, in_batch: bool
    ) -> Outcome | None:
        """Pass on what has been taken apart; None: it must be carried."""
        future: asyncio.Future[tuple[bytes, bool]] = asyncio.get_running_loop().create_future()

        def heard(reply: bytes, in_doubt: bool) -> None:
            if not future.done():
                future.set_result((reply, in_doubt))

        fields = {**message.fields, FieldType.DIGEST: digest}  # a row has it in another place
        body = encode_message(**message._replace(fields=fields)._asdict())
        once, ttl_ms = bool(message.info2 & _WRITE), message.transaction_ttl
        frame = framed(MessageType.AS_MSG, body)
        number = self.send(namespace, digest, frame, ttl_ms, heard, once=once, in_batch=in_batch)
        if not number:
            return None
        server = self._forwards.server_of(number)
        reply, in_doubt = await future
        if in_doubt:
            return Outcome(0, ResultCode.TIMEOUT)
        return _outcome(server, reply) if reply else None

    # -------------------------------------------------------------------- serving

    def serve(
        self, node: int, number: int, once: bool, in_batch: bool, frame: bytes
    ) -> bytes | None:
        """See `cluster.replication.forwards.Serve`."""
        try:
            if len(frame) <= INFO2_AT or once != bool(frame[INFO2_AT] & _WRITE):
                return REFUSED
            reply, commitment = self._done(in_batch, frame)
        except Exception:  # our own bug, and it may have had its effect
            log.exception("a request of another node failed inside the server")
            return reply_frame(ResultCode.SERVER_ERROR)
        if commitment is None:
            return reply
        commitment.when_released(lambda: self._release(node, number, reply, commitment))
        return None

    def _done(self, in_batch: bool, frame: bytes) -> tuple[bytes, Commitment | None]:
        """The framed reply, and what it waits for."""
        size = head_size(frame, 0)
        head = frame[:size]
        found = None if in_batch else self._paths.table.get(head)
        if found is not None and found[1] == len(frame):
            path, _, latency, commitments = found
            try:
                reply = path(frame, size)
            except GENERAL_WAY:
                reply = None
            latency.since_ms = 0  # it is not counted there, where it would be forgotten
            if reply is not None:
                return reply, commitments.turn if commitments is not None else None
        try:
            return self._done_in_general(in_batch, frame[8:], head)
        except (NotResident, Leave, Occupied, MessageError):
            return REFUSED, None

    def _done_in_general(
        self, in_batch: bool, body: bytes, head: bytes
    ) -> tuple[bytes, Commitment | None]:
        node, message = self._node, parse_message(body)
        namespace = node.namespaces.get(message.fields.get(FieldType.NAMESPACE, b""))
        digest = message.fields.get(FieldType.DIGEST, b"")
        if namespace is None or len(digest) != DIGEST_SIZE or not _is_plain(namespace, message):
            return REFUSED, None
        if namespace.ownership[partition_id(digest)] > REPLICATED:
            return REFUSED, None
        statistics, heavy_before = namespace.statistics, namespace.heavy_requests
        origin = statistics.from_proxy_batch_sub if in_batch else statistics.from_proxy
        try:
            reply = run_here(node, namespace, message, digest, origin)
        except OperationError as refusal:
            reply = Reply(refusal.code)
        is_light = namespace.heavy_requests == heavy_before
        known = is_light and not in_batch and reply.code == ResultCode.OK
        if known and self._paths.wants(head, body):
            self._paths.learn(head, body, message)
        commitment = namespace.commitments.turn if waits(namespace, message) else None
        return reply_frame(*reply), commitment

    def _release(self, node: int, number: int, reply: bytes, commitment: Commitment) -> None:
        """What a reply waited for is over: it leaves in the next turn."""
        in_doubt = commitment.code != ResultCode.OK
        body = REFUSED if in_doubt else reply
        if not self._late:
            asyncio.get_running_loop().call_soon(self._send_late)
        self._late += self._forwards.reply(node, number, body, in_doubt)

    def _send_late(self) -> None:
        late, self._late = self._late, []
        self._cluster.post(self._forwards, late)


def _is_plain(namespace: Namespace, message: Message) -> bool:
    """Is it a transaction that is done at once, and by itself?"""
    if not (message.info1 & _ASKS or message.info2 & _WRITE):
        return False
    if not message.info2 & _WRITE:
        set_name = message.fields.get(FieldType.SET, b"")
        if message.record_ttl or namespace.config.read_touch_ttl_pct_of(set_name):
            return False
    return passes_on(namespace, message)


def _outcome(server: int, frame: bytes) -> Outcome:
    """What a framed reply says."""
    try:
        code, generation, void_time, n_ops = _REPLY.unpack_from(frame)
    except error as why:
        log.warning("a node answers with what is no reply: %s", why)
        return Outcome(0, ResultCode.SERVER_ERROR)
    return Outcome(server, code, generation, void_time, n_ops, frame[_REPLY.size :])
