"""`QueryAttempts`: the life of a query, split by node and partition, and where it stands.

A query reads partitions, and each partition from one node. It goes in rounds: in each, the
partitions that are not through are divided among the nodes that hold them, and every node is asked
for its share once. What makes this safe to repeat is the cursor. Records of a partition come in a
fixed order (by digest, or by place in the index), so "after this digest" continues a partition on
any node, without a record twice and without one left out. The cursor moves as records are
*taken*, not as they arrive: an application that stops in the middle of a page and keeps the cursor
gets the rest of that page later. (What was taken is counted when somebody asks for the cursor, and
when some records are through: to move it with each would cost a tenth of a scan.)

A partition is through when its node's reply ends well and did not end because of `max_records`; in
that case nobody knows which partitions were read to their end, so all of the share stay open. It is
asked elsewhere in the next round when the node says it has not got it, when the connection breaks
or when the node runs out of time. Rounds that follow a failure count against `max_retries`; those
that fetch what is missing to `max_records` do not.

`max_records` is divided among the nodes. Should one have less than its part, the others are asked
for more in the next round.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from operator import length_hint
from typing import Final

import attrs

from aerospike_client.commands.query import Query, foreground_frame
from aerospike_client.commands.query_replies import Page, RecordsReader
from aerospike_client.core.command import RETRIED_CODES, told
from aerospike_client.core.nodes import Node
from aerospike_client.core.session import ENDED
from aerospike_client.core.view import ClusterView
from aerospike_client.errors import (
    ClientError,
    ConnectionFailed,
    NodeUnavailable,
    TimedOut,
    server_error,
)
from aerospike_client.policies import QueryPolicy
from aerospike_client.queries import QueryCursor
from aerospike_client.record import Record
from aerospike_common.wire import ResultCode
from citrusleaf.cf_digest import DIGEST_SIZE

_LOWER_HALF: Final = bytes(byte & 15 for byte in range(256))
"""Partitions are counted by a digest's first byte and half of its second."""

_RUNS: Final = re.compile(rb"(..)\1*", re.DOTALL).finditer

_RETRIED: Final = RETRIED_CODES | {ResultCode.SINDEX_NOT_FOUND, ResultCode.SINDEX_NOT_READABLE}
"""An index that is new on the cluster is not on every node yet."""


@attrs.define(eq=False)
class QueryShare:
    """The part of a query that one node is asked for in one round."""

    node: Node
    partitions: list[int]
    #: 0 = all.
    max_records: int
    frame: bytes
    begun_us: int
    delivered: int = 0
    #: Whether its reply has ended.
    over: bool = False
    #: Whether it broke off.
    failed: bool = False
    #: Whether the node does not know the session any more: it is to be forgotten.
    session_ended: bool = False


@attrs.define(eq=False)
class _HandedOut:
    """Records that are being taken."""

    share: QueryShare
    records: list[Record]
    iterator: Iterator[Record]
    #: As `Page` has them.
    bvals: dict[int, int]
    #: How many the cursor has been moved by.
    settled: int = 0


class QueryAttempts:
    """The state machine described above. Times are microseconds of one monotonic clock."""

    def __init__(
        self,
        view: ClusterView,
        query: Query,
        policy: QueryPolicy,
        cursor: QueryCursor,
        task_id: int,
        now_us: int,
        *,
        particles: bool = False,
    ) -> None:
        """`cursor` is moved by the query. `particles`: values stay as they came."""
        self._reader = RecordsReader(query.namespace, particles=particles)
        self._cursor = cursor
        self._handed_out: _HandedOut | None = None
        self.policy = policy
        self.query = query
        total_us = policy.total_timeout * 1000
        #: When the query ends, 0 = never.
        self.deadline_us = now_us + total_us if total_us else 0
        self._view = view
        self._task_id = task_id
        self._failed_rounds = 0
        self._offset = view.start_of(policy.replica)
        #: Records of the rounds before this one.
        self._delivered = 0
        self._shares: list[QueryShare] = []
        self._cause: ClientError | None = None
        #: Nodes whose sessions had ended: each is asked once more.
        self._renewed: set[Node] = set()
        self._failures: list[tuple[str, str]] = []

    # ------------------------------------------------------------------ rounds

    def next_round(self, now_us: int) -> list[QueryShare]:
        """The shares to ask for now, one after the other or at once; none when all is there.

        Raises the ClientError that ended the query for good.
        """
        cursor, policy = self.cursor, self.policy
        self._delivered += sum(share.delivered for share in self._shares)
        self._shares = shares = []
        wanted = policy.max_records - self._delivered if policy.max_records else 0
        if not cursor.todo or (policy.max_records and wanted <= 0):
            return []
        if self._cause is not None:
            self._failed_rounds += 1
            late = self.deadline_us and now_us >= self.deadline_us
            if self._failed_rounds > policy.max_retries or late:
                raise self._failure()
            self._cause = None
        groups = self._divided()
        for place, (node, partitions) in enumerate(groups.items()):
            part = wanted // len(groups) + (place < wanted % len(groups)) if wanted else 0
            if wanted and not part:
                continue  # fewer records wanted than there are nodes
            frame = foreground_frame(self.query, policy, self._task_id, cursor, partitions, part)
            shares.append(QueryShare(node, partitions, part, frame, now_us))
        # A node remembers the ids of its queries, and refuses one that it has had.
        self._task_id = (self._task_id + 1) % (1 << 64)
        return shares

    @property
    def pause_us(self) -> int:
        """How long to pause before the next round."""
        return self.policy.sleep_between_retries * 1000 if self._cause is not None else 0

    def _divided(self) -> dict[Node, list[int]]:
        groups: dict[Node, list[int]] = {}
        namespace, replica = self.query.namespace, self.policy.replica
        attempt = self._offset + self._failed_rounds
        first = self._view.first_choices(namespace, replica, attempt)
        for pid in sorted(self._cursor.todo):
            if first is not None and (node := first[pid]) in groups and node.active:
                groups[node].append(pid)
                continue
            node = self._view.choose(namespace, pid, replica, attempt)
            if node is not None:
                groups.setdefault(node, []).append(pid)
            elif self._cause is None:
                self._lack(pid)
        if not groups:
            raise self._failure()
        return groups

    def _lack(self, pid: int) -> None:
        namespace = self.query.namespace
        if namespace in self._view.tables:
            text = f"no node is known for partition {pid} of {namespace!r}"
        else:
            text = self._view.lack_of(namespace)
        self._cause = NodeUnavailable(text)

    # ------------------------------------------------------------------ events

    def records(self, share: QueryShare, body: bytes, now_us: int) -> Iterator[Iterator[Record]]:
        """The records in a frame of a share's reply, some at a time, each to be taken before the
        next are asked for. When all are, `share.over` says whether that was the last frame.

        Raises MessageError, and the ClientError of a node that refuses the query.
        """
        page = Page()
        for records in self._reader.records(body, page):
            iterator = iter(records)
            self._handed_out = _HandedOut(share, records, iterator, page.bvals)
            yield iterator
            self._settle()
            del records  # what is through makes room for what is next
        if page.unavailable:
            self._lacking(share, set(page.unavailable))
        if page.end is not None:
            share.over = True
            share.node.metrics.query.add(now_us - share.begun_us)
            if page.end:
                self._refused(share, page.end)
            else:
                self._ended(share)

    @property
    def cursor(self) -> QueryCursor:
        """Where the query stands: behind the record taken last."""
        self._settle()
        return self._cursor

    def _settle(self) -> None:
        """Move the cursor by the records that were taken since this was done last."""
        out = self._handed_out
        if out is None:
            return
        begin, end = out.settled, len(out.records) - length_hint(out.iterator)
        if end == len(out.records):
            self._handed_out = None
        out.settled = end
        out.share.delivered += end - begin
        records = out.records[begin:end]
        _move(self._cursor.digests, [record[0][3] for record in records])
        for number, bval in out.bvals.items():
            if begin <= number < end:
                self._cursor.bvals[records[number - begin].key.partition_id] = bval

    def _lacking(self, share: QueryShare, missing: set[int]) -> None:
        share.partitions = [pid for pid in share.partitions if pid not in missing]
        self._failures.append((str(share.node.address), "has partitions no more"))
        self._cause = server_error(
            ResultCode.PARTITION_UNAVAILABLE,
            f"{share.node.address} has {len(missing)} partitions no more",
            node=str(share.node),
        )

    def _refused(self, share: QueryShare, code: int) -> None:
        error = server_error(code, node=str(share.node))
        share.node.metrics.refusals += 1
        if code in ENDED and share.node not in self._renewed:
            self._renewed.add(share.node)
            share.session_ended = True
            return
        if code not in _RETRIED:
            raise error
        self._failures.append((str(share.node.address), str(error.args[0])))
        self._cause = error

    def _ended(self, share: QueryShare) -> None:
        if not share.max_records or share.delivered < share.max_records:
            self._cursor.todo.difference_update(share.partitions)
            for pid in share.partitions:
                self._cursor.digests.pop(pid, None)
                self._cursor.bvals.pop(pid, None)

    def failed(self, share: QueryShare, reason: str, *, expired: bool = False) -> None:
        """A share's reply broke off: `reason` completes "the node ..."."""
        share.failed = True
        node = share.node
        node.errors += 1
        if expired:
            node.metrics.timeouts += 1
        else:
            node.metrics.connection_errors += 1
        self._failures.append((str(node.address), reason))
        kind: type[ClientError] = TimedOut if expired else ConnectionFailed
        self._cause = kind(f"{node.address} {reason}", node=str(node))

    def _failure(self) -> ClientError:
        cause = self._cause
        assert cause is not None
        if self._failures:
            where = f"query of {self.query.namespace!r}"
            cause = type(cause)(
                f"{where}: {told(self._failures)}", code=cause.code, node=cause.node
            )
        cause.attempts = self._failed_rounds
        return cause


def _move(cursor: dict[int, bytes], digests: list[bytes]) -> None:
    """The latest digest of each partition into the cursor: one step for as many as come together,
    for most records of a partition do."""
    joined = b"".join(digests)
    partitions = bytearray(2 * len(digests))
    partitions[::2] = joined[::DIGEST_SIZE]
    partitions[1::2] = joined[1::DIGEST_SIZE].translate(_LOWER_HALF)
    for run in _RUNS(partitions):
        end = run.end()
        pid = partitions[end - 2] | partitions[end - 1] << 8
        cursor[pid] = digests[end // 2 - 1]
