"""Running a batch: its rows in order, a slice of time after the other, so that no batch holds up
the node.

A row is a transaction like any other command and stands or falls by itself. A batch that is done
within its first slice is answered like a single command. A longer one becomes a job of its
connection: between slices the loop turns, and frames leave as they fill.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from aerospike_common.wire.batch import (
    FLAGS_AT,
    HEADER_SIZE,
    REPEAT,
    REPEAT_SIZE,
    REPORT_FAILURES,
    RESPOND_ALL,
    Row,
    batch_header,
    head_end,
    parse_row,
    row_key,
)
from aerospike_common.wire.codes import FieldType, Info2, OpType, ResultCode
from aerospike_common.wire.errors import MessageError, OperationError
from aerospike_common.wire.message import Message, parse_batch
from asd.batch.replies import Replies, as_reads, last, row_reply
from asd.fastpath.rows import RowPath
from asd.measures.histogram import NS_PER_MS
from asd.measures.share import Share
from asd.measures.statistics import OriginStatistics
from asd.records.work import Given
from asd.space.commitment import Commitment
from asd.space.consistency import Consistency
from asd.space.namespace import Namespace
from asd.transactions.away import Away
from asd.transactions.elsewhere import Handed, have_carried, until_ready
from asd.transactions.heavy import Leave, Occupied
from asd.transactions.transaction import Reply
from storage.engine import NotResident

if TYPE_CHECKING:
    from asd.batch.node import BatchClient, BatchNode
    from asd.state import NodeState

log = logging.getLogger("asd.batch")

Transact: TypeAlias = Callable[
    ["NodeState", Namespace, Message, bytes, OriginStatistics, "BatchClient"], Reply
]
"""A transaction on one record: node, namespace, request, digest, whose counters, who asks."""

Job: TypeAlias = Coroutine[Any, Any, None]

SLICE_NS: Final = NS_PER_MS
"""Time after which a batch lets others have their turn, if there may be any."""

SLICE_BYTES: Final = 1 << 20
"""Bytes of replies after which it does so too."""

ROWS_AT_ONCE: Final = 64
"""Plain rows between two looks at the clock."""

DEFAULT_TIMEOUT_MS: Final = 30_000
"""For batches that bring no timeout."""

_NOT_ERRORS: Final = (ResultCode.OK, ResultCode.NOT_FOUND, ResultCode.FILTERED_OUT)


def answer(
    node: BatchNode, connection: BatchClient, body: bytes, transact: Transact
) -> bytes | Job:
    """The whole reply to a batch, or a job that will write it.

    Whatever happens, the reply ends with the LAST flag: clients of batches wait for it.
    """
    try:
        return _begin(node, connection, body, transact)
    except MessageError as error:
        node.statistics.demarshal_error += 1
        log.info("%s sent a malformed batch: %s", connection.peer, error)
        return last(ResultCode.PARAMETER)
    except OperationError as error:
        log.debug("%s: batch refused: %s", connection.peer, error)
        node.statistics.batch_index_error += 1
        return last(error.code)
    except Exception:  # our own bug: it costs one batch, not the connection or the server
        log.exception("%s: a batch failed inside the server", connection.peer)
        return last(ResultCode.SERVER_ERROR)


def _begin(
    node: BatchNode, connection: BatchClient, body: bytes, transact: Transact
) -> bytes | Job:
    """Raises OperationError for what is wrong with the batch as a whole, MessageError."""
    message, first, end = parse_batch(body)
    if not connection.rights.authenticated:
        raise OperationError(ResultCode.NOT_AUTHENTICATED)
    rows = body if end == len(body) else body[:end]
    batch = Batch(node, connection, message, rows, first, transact, node.clock.monotonic_ns())
    node.statistics.batch_index_initiate += 1
    batch.advance()
    if batch.ended and not batch.unsynced:
        return batch.replies.take()
    return batch.stream(connection)


class CommitFailed(Exception):
    """What rows have written did not become safe."""

    def __init__(self, code: ResultCode) -> None:
        super().__init__(code)
        self.code = code


class Batch:
    """One batch on its way through its rows."""

    __slots__ = (
        "_away",
        "_carried",
        "_client",
        "_code",
        "_data",
        "_deadline_ns",
        "_filter",
        "_flags",
        "_given",
        "_heavy",
        "_known",
        "_left",
        "_load",
        "_namespace",
        "_node",
        "_offset",
        "_path",
        "_row",
        "_row_at",
        "_share",
        "_started_ns",
        "_timeout_ms",
        "_transact",
        "ended",
        "replies",
        "unsynced",
    )

    def __init__(
        self,
        node: BatchNode,
        client: BatchClient,
        message: Message,
        rows: bytes,
        first: int,
        transact: Transact,
        started_ns: int,
    ) -> None:
        """`rows` are what begins at `first` in these bytes, their header before them.

        Raises OperationError for what is wrong with the batch as a whole.
        """
        if len(rows) < first + HEADER_SIZE:
            raise OperationError(ResultCode.PARAMETER, "no rows")
        self._left, self._flags = batch_header(rows[first : first + HEADER_SIZE])
        _check_limits(node, self._left)
        self._filter = message.fields.get(FieldType.FILTER)
        if self._filter is not None:
            node.expressions.filter(self._filter)
        self._node = node
        self._client = client
        self._transact = transact
        self._data = rows
        self._offset = first + HEADER_SIZE
        self._timeout_ms = message.transaction_ttl or DEFAULT_TIMEOUT_MS
        self._started_ns = started_ns
        self._share = Share(node.turns, node.clock.monotonic_ns, SLICE_NS)
        self._deadline_ns = started_ns + self._timeout_ms * NS_PER_MS
        # Where the last row is that does not repeat (0: none yet), what it asks for if that is
        # known, and the fast way for more of its kind if there is one.
        self._row_at = 0
        self._known = False
        self._row: Row
        self._namespace: Namespace | None
        self._path: RowPath | None = None
        self._code: int = ResultCode.OK
        self._load: Callable[[], None] | None = None
        # The row that must be done elsewhere, and what came of it.
        self._away: tuple[Namespace, bytes, Message] | None = None
        self._carried: Reply | None = None
        # The row that is heavy, or waits for one that is, and what was worked out for it.
        self._heavy: Leave | Occupied | None = None
        self._given: Given | None = None
        self.replies = Replies()
        self.unsynced: set[Commitment] = set()
        """What must be released before the replies may be sent."""
        self.ended = False
        """The last message is among the replies."""

    # ------------------------------------------------------------------- slices

    def advance(self) -> None:
        """Go on until the batch ends or this slice is over."""
        now_ns = self._node.clock.monotonic_ns
        now = now_ns()
        slice_end_ns = self._share.begin()
        self._path = None  # it may be out of date
        try:
            while self._left:
                if now >= self._deadline_ns:
                    self._end(ResultCode.TIMEOUT)
                    return
                if now >= slice_end_ns or self.replies.framed >= SLICE_BYTES:
                    return
                if not self._plain_rows():
                    self._next_row()
                now = now_ns()
            if self._code and not self._flags & REPORT_FAILURES:
                self.replies.drop_rows()
            self._end(self._code)
        except NotResident as wait:
            self._load = wait.load
        except (Away, Leave, Occupied):
            pass
        except MessageError as error:
            log.info("%s: the batch ends", error)
            self.replies.drop_rows()
            self._end(ResultCode.PARAMETER)

    async def stream(self, connection: BatchClient) -> None:
        """Do what is left, sending the replies as they come."""
        try:
            while not self.ended:
                await self._send(connection)
                await self._others_turn()
                with self._node.turns.since(self._started_ns):
                    self.advance()
            await self._send(connection)
        except TimeoutError:
            log.info("%s does not read the replies to its batch: closed", connection.peer)
            self._node.statistics.batch_index_timeout += not self.ended
            connection.abort()
        except CommitFailed as error:
            log.critical("a batch ends, its writes are in doubt: result %d", error.code)
            self._node.statistics.batch_index_error += not self.ended
            await connection.send(last(error.code))
        except asyncio.CancelledError:  # the client has gone
            self._node.statistics.batch_index_error += not self.ended
            raise
        except Exception:  # our own bug: it costs the connection, not the server
            log.exception("a batch of %s failed inside the server", connection.peer)
            connection.abort()

    async def _others_turn(self) -> None:
        """Let the loop turn, until the record that the next row needs has been read, or another
        node has done what the row asks."""
        load, self._load = self._load, None
        away, self._away = self._away, None
        heavy, self._heavy = self._heavy, None
        if load is not None:
            await self._node.transaction_threads.run(load)
        elif heavy is not None:
            self._given = await until_ready(self._node, heavy)
        elif away is not None:
            carried = await have_carried(self._node, self._client, *away, in_batch=True)
            self._carried = Reply(*carried[1:])
        else:
            await self._share.others()

    async def _send(self, connection: BatchClient) -> None:
        """Send the whole frames, once the medium has the writes they acknowledge."""
        frames = self.replies.take()
        while frames and self.unsynced:
            code = await self.unsynced.pop().wait()
            if code != ResultCode.OK:
                raise CommitFailed(code)
        if frames:
            async with asyncio.timeout(self._timeout_ms / 1000):
                await connection.send(frames)

    def _end(self, code: int) -> None:
        self.replies.end(code)
        self.ended = True
        statistics = self._node.statistics
        if code == ResultCode.OK:
            statistics.batch_index_complete += 1
        elif code == ResultCode.TIMEOUT:
            statistics.batch_index_timeout += 1
        else:
            statistics.batch_index_error += 1
        self._node.turns.count(self._node.batch_index_latency)

    # --------------------------------------------------------------------- rows

    def _plain_rows(self) -> bool:
        """Answer the next rows the fast way; False when the first of them needs the general way."""
        if self._path is None:
            return False
        limit = min(self._left, ROWS_AT_ONCE)
        replies, offset, row_at = self._path.answer(self._data, self._offset, limit)
        if not replies:
            return False
        self.replies.extend(replies)
        self._await_commitment(self._path.namespace)
        self._offset = offset
        self._left -= len(replies)
        if row_at is not None:
            self._row_at, self._known = row_at, False
        return True

    def _next_row(self) -> None:
        """Answer the next row the general way. Raises MessageError when it cannot be made out."""
        data, offset = self._data, self._offset
        if len(data) < offset + REPEAT_SIZE:
            raise MessageError("batch row cut off")
        index, digest = row_key(data, offset)
        if data[offset + FLAGS_AT] & REPEAT:
            self._repeat()
            end = offset + REPEAT_SIZE
        else:
            fields_end = head_end(data, offset)
            if self._find_path(data[offset + FLAGS_AT : fields_end]) and self._plain_rows():
                return
            self._row_at, self._path = offset, None
            end = self._parse(fields_end)
        reply = self._transaction(digest)
        self._offset = end
        self._left -= 1
        self.replies.add(row_reply(index, reply))
        if reply.code not in _NOT_ERRORS:
            if not self._flags & RESPOND_ALL:
                self._code = reply.code
        elif reply.code == ResultCode.OK and self._filter is None:
            self._learn()

    def _find_path(self, head: bytes) -> bool:
        """Is there another fast way for rows with this head than the one that was just tried?"""
        if self._filter is not None:
            return False
        before, self._path = self._path, self._client.paths.rows.find(head)
        return self._path is not before

    def _parse(self, fields_end: int) -> int:
        """Make the row at `_row_at` what is asked for; where it ends."""
        row = parse_row(self._data, self._row_at, fields_end, self._timeout_ms)
        fields = row.message.fields
        # The first field must name a namespace whatever its type says, or the batch ends.
        if next(iter(fields.values())) not in self._node.namespaces:
            raise MessageError("no such namespace")
        self._namespace = self._node.namespaces.get(fields.get(FieldType.NAMESPACE, b""))
        if self._filter is not None:
            fields.setdefault(FieldType.FILTER, self._filter)
        self._row, self._known = row, True
        return row.end

    def _repeat(self) -> None:
        """Ask again for what the last row that did not repeat asked for."""
        if not self._row_at:
            raise MessageError("the first batch row repeats")
        if not self._known:
            self._parse(head_end(self._data, self._row_at))
        if FieldType.KEY in self._row.message.fields:
            raise MessageError("a batch row with a key is repeated")

    def _transaction(self, digest: bytes) -> Reply:
        """Run the row's transaction. Whatever happens in it concerns this row alone.

        Raises NotResident when it must wait for its record, Away when another node is to do it;
        then the row is met again.
        """
        message, namespace = self._row.message, self._namespace
        if namespace is None:
            return Reply(ResultCode.NAMESPACE_NOT_FOUND)
        if self._row.refused is not None:
            return Reply(self._row.refused)
        origin = namespace.statistics.batch_sub
        try:
            reply, self._carried = self._carried, None
            if reply is None:
                given, self._given = self._given, None
                with Handed(namespace, given):
                    reply = self._transact(
                        self._node, namespace, message, digest, origin, self._client
                    )
                if namespace.consistency is not None:
                    self._await_replicas(namespace.consistency, message, digest)
        except NotResident:
            raise
        except (Leave, Occupied) as wait:
            self._heavy = wait
            raise
        except Away:
            self._away = namespace, digest, message
            raise
        except OperationError as error:
            origin.tsvc_error += 1
            return Reply(error.code)
        except Exception:  # our own bug: it costs one row, not the batch or the server
            log.exception("a batch row failed inside the server")
            return Reply(ResultCode.SERVER_ERROR)
        if message.info2 & Info2.WRITE:
            self._await_commitment(namespace)
            return reply
        if reply.n_ops and any(op.type != OpType.READ for op in message.ops):
            return reply._replace(ops=as_reads(reply.ops))
        return reply

    def _await_commitment(self, namespace: Namespace) -> None:
        """Writes in this namespace are acknowledged when those of this turn are safe."""
        if namespace.commitments.turn is not None:
            self.unsynced.add(namespace.commitments.turn)

    def _await_replicas(self, consistency: Consistency, message: Message, digest: bytes) -> None:
        """What a row has seen is told when all replicas have it."""
        waits = consistency.waits_for(message, digest)
        if waits is not None:
            self.unsynced.add(waits)

    def _learn(self) -> None:
        row, namespace = self._row, self._namespace
        assert namespace is not None
        self._path = self._client.paths.rows.learn(row.head, namespace, row.message)
        if self._path is not None:
            self._path.learn(self._data[self._row_at + FLAGS_AT : row.end], row.message)


def _check_limits(node: BatchNode, rows: int) -> None:
    config = node.config.service
    if not rows:
        raise OperationError(ResultCode.PARAMETER, "no rows")
    if not config.batch_index_threads:
        raise OperationError(ResultCode.BATCH_DISABLED)
    if 0 < config.batch_max_requests < rows:
        raise OperationError(ResultCode.BATCH_MAX_REQUESTS, f"{rows} rows")
