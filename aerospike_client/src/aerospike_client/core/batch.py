"""`BatchAttempts`: the life of a batch, split by node and put together again.

A batch goes in rounds. In each, the rows that have no answer yet are divided among the nodes that
hold them, and every node gets its share in one request (`Share`). A face sends all shares of a
round before it reads the first reply, so that the nodes work at the same time, and reports the
frames of the replies (`received`) or what went wrong (`failed`). When all shares are over,
`next_round` says what is left to do: the rows whose node did not answer go, as the policy allows,
to the next replica.

A row is settled by the first answer to it. Rows of writing kinds whose share was sent and came to
no end are in doubt from then on, as single writes are. Nothing here raises for a row: each ends as
a `BatchResult` with a record or an error of its own.

A node that does not know the session any more gets its rows again, once, in a round that is not
counted: it has done nothing.

The result code that ends a share speaks of the share: with `respond_all_keys` off, of the row that
stopped it. It becomes the error of those rows of the share that have no answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from aerospike_client.batches import BatchResult
from aerospike_client.commands.bins import BinsReader
from aerospike_client.commands.flags import expression_bytes, server_timeout
from aerospike_client.commands.replies import batch_page
from aerospike_client.core.command import RETRIED_CODES, told
from aerospike_client.core.nodes import Node
from aerospike_client.core.session import ENDED
from aerospike_client.core.view import ClusterView
from aerospike_client.errors import (
    BadReply,
    ClientError,
    ConnectionFailed,
    NodeUnavailable,
    TimedOut,
    server_error,
)
from aerospike_client.key import Key
from aerospike_client.policies import BatchPolicy, Replica
from aerospike_client.record import Record
from aerospike_common.wire import Info1, ResultCode
from aerospike_common.wire.request import BatchFlag, BatchRow, encode_batch
from citrusleaf.cf_digest import PARTITIONS

_OK: Final = int(ResultCode.OK)
_new: Final = tuple.__new__
_NOBODY: Final[tuple[Node | None, ...]] = (None,) * PARTITIONS


@attrs.define(eq=False)
class PlannedRow:
    """A row as it travels."""

    key: Key
    content: BatchRow
    writes: bool
    replica: Replica
    #: Whether every operation's answer is wanted for itself.
    detailed: bool
    in_doubt: bool = False


@attrs.define(eq=False)
class Share:
    """The part of a batch that goes to one node in one round."""

    node: Node
    #: Their numbers in the batch.
    rows: list[int]
    frame: bytes
    begun_us: int
    #: 0 = never.
    deadline_us: int
    timeout_us: int
    #: Whether its reply has ended or failed.
    over: bool = False
    #: Whether the node does not know the session any more: it is to be forgotten.
    session_ended: bool = False


class BatchAttempts:
    """The state machine described above. Times are microseconds of one monotonic clock."""

    def __init__(
        self, view: ClusterView, rows: list[PlannedRow], policy: BatchPolicy, now_us: int
    ) -> None:
        self._view = view
        self._rows = rows
        self._detailed = [row.detailed for row in rows]
        self._read_bins = BinsReader().read
        self._policy = policy
        total_us = policy.total_timeout * 1000
        self._deadline_us = now_us + total_us if total_us else 0
        self._round = 0
        self._offset = view.start_of(policy.replica)
        self._results: list[BatchResult | None] = [None] * len(rows)
        #: How many rows have no result yet.
        self._open = len(rows)
        #: Row -> why its attempt in this round failed.
        self._causes: dict[int, ClientError] = {}
        self._failures: list[tuple[str, str]] = []
        self._shares: list[Share] = []
        #: Nodes whose sessions had ended, and rounds that are not counted for it.
        self._renewed: set[Node] = set()
        self._uncounted = 0

    # ------------------------------------------------------------------ rounds

    def next_round(self, now_us: int) -> list[Share]:
        """The shares to send now; none when the batch is over (`results`).

        All shares of the round before must be over. Pause for `pause_us` before later rounds.
        """
        assert all(share.over for share in self._shares)
        renewed = any(share.session_ended for share in self._shares)
        if self._open and self._round and not renewed and not self._may_go_on(now_us):
            self._give_up()
        if not self._open:
            return []
        self._causes = {}
        self._uncounted += renewed
        groups = self._divided()
        self._round += 1
        if not groups:
            self._give_up()
            return []
        self._shares = [self._share(node, rows, now_us) for node, rows in groups.items()]
        return self._shares

    @property
    def pause_us(self) -> int:
        """How long to pause before the next round, if there is to be one."""
        return self._policy.sleep_between_retries * 1000 if self._round and self._open else 0

    def _may_go_on(self, now_us: int) -> bool:
        if self._round - self._uncounted > self._policy.max_retries:
            return False
        return not self._deadline_us or now_us < self._deadline_us

    def _divided(self) -> dict[Node, list[int]]:
        """The open rows by the nodes that are to be asked for them."""
        groups: dict[Node, list[int]] = {}
        attempt = self._offset + self._round - self._uncounted
        choose, results = self._view.choose, self._results
        column: Sequence[Node | None] = _NOBODY
        table_of = ""
        for number, row in enumerate(self._rows):
            if results[number] is not None:
                continue
            namespace, _, _, digest = row.key
            pid = (digest[0] | digest[1] << 8) & 4095
            if namespace != table_of or row.replica is not Replica.SEQUENCE:
                column, table_of = self._column(namespace, attempt, row.replica)
            node = column[pid]
            if node is None or not node.active:
                node = choose(namespace, pid, row.replica, attempt)
            if node is None:
                where = f"partition {pid} of {namespace!r}"
                self._causes[number] = NodeUnavailable(f"no node is known for {where}")
            elif node in groups:
                groups[node].append(number)
            else:
                groups[node] = [number]
        return groups

    def _column(
        self, namespace: str, attempt: int, replica: Replica
    ) -> tuple[Sequence[Node | None], str]:
        """The nodes that SEQUENCE asks in this attempt, by partition, and of which namespace they
        are; nobody for other orders, which depend on more than the partition."""
        table = self._view.tables.get(namespace)
        if table is None or not table.columns or replica is not Replica.SEQUENCE:
            return _NOBODY, ""
        columns = table.columns
        return columns[attempt % len(columns)], namespace

    def _share(self, node: Node, numbers: list[int], now_us: int) -> Share:
        policy = self._policy
        deadline_us = self._deadline_us
        limit_us = policy.socket_timeout * 1000
        if limit_us and (not deadline_us or now_us + limit_us < deadline_us):
            deadline_us = now_us + limit_us
        rows = self._rows
        frame = encode_batch(
            _flags(policy),
            [(number, rows[number].key[3], rows[number].content) for number in numbers],
            expression_bytes(policy.filter_expression)
            if policy.filter_expression is not None
            else None,
            server_timeout(policy),
            Info1.BATCH | (Info1.COMPRESS_RESPONSE if policy.compress else 0),
        )
        timeout_us = deadline_us - now_us if deadline_us else 0
        return Share(node, numbers, frame, now_us, deadline_us, timeout_us)

    # ------------------------------------------------------------------ events

    def received(self, share: Share, body: bytes, now_us: int) -> bool:
        """A frame of a share's reply; whether it was the last. Raises MessageError."""
        rows, code = batch_page(body, self._detailed, self._read_bins)
        results, planned = self._results, self._rows
        for number, row_code, generation, void_time, bins, answers in rows:
            if row_code == _OK and results[number] is None:
                key = planned[number].key
                record = _new(Record, (key, bins, generation, void_time, answers))
                results[number] = BatchResult(key, record)
                self._open -= 1
            else:
                self._settle(share, number, row_code, bins)
        if code is None:
            return False
        share.over = True
        share.node.metrics.batch.add(now_us - share.begun_us)
        self._end(share, code)
        return True

    def _end(self, share: Share, code: int) -> None:
        """A share's reply has ended with this result code."""
        if code:
            share.node.metrics.refusals += 1
            self._failures.append((str(share.node.address), str(server_error(code).args[0])))
        if code in ENDED and share.node not in self._renewed:
            share.session_ended = True
            self._renewed.add(share.node)
        for number in self._unanswered(share):
            row = self._rows[number]
            row.in_doubt |= row.writes and code == ResultCode.TIMEOUT
            if not code:
                self._refuse(number, BadReply("the reply has no answer to the row"))
            elif code in RETRIED_CODES or share.session_ended:
                self._causes[number] = server_error(code, node=str(share.node))
            else:
                self._refuse(number, server_error(code, node=str(share.node)))

    def _settle(self, share: Share, number: int, code: int, bins: Mapping[str, Any]) -> None:
        """An answer that is not OK, or comes a second time."""
        if self._results[number] is not None:
            return
        if code == ResultCode.PARTITION_UNAVAILABLE:
            self._causes[number] = server_error(code, node=str(share.node))
        elif code == ResultCode.UDF_EXECUTION:
            self._refuse(number, server_error(code, str(bins.get("FAILURE", ""))))
        else:
            self._refuse(number, server_error(code, node=str(share.node)))

    def failed(self, share: Share, reason: str, *, sent: bool, expired: bool = False) -> None:
        """A share's reply did not come, or not to its end: `reason` completes "the node ..."."""
        share.over = True
        node = share.node
        node.errors += 1
        if expired:
            node.metrics.timeouts += 1
        else:
            node.metrics.connection_errors += 1
        self._failures.append((str(node.address), reason))
        kind: type[ClientError] = TimedOut if expired else ConnectionFailed
        for number in self._unanswered(share):
            row = self._rows[number]
            row.in_doubt |= sent and row.writes
            self._causes[number] = kind(f"{node.address} {reason}", node=str(node))

    def _unanswered(self, share: Share) -> list[int]:
        return [
            number
            for number in share.rows
            if self._results[number] is None and number not in self._causes
        ]

    def _refuse(self, number: int, error: ClientError) -> None:
        if self._results[number] is None:
            error.attempts = self._round
            error.in_doubt = self._rows[number].in_doubt
            self._results[number] = BatchResult(self._rows[number].key, error=error)
            self._open -= 1

    def _give_up(self) -> None:
        text = told(self._failures)
        for number, result in enumerate(self._results):
            if result is None:
                cause = self._causes.get(number) or TimedOut("the batch's time was over")
                told_more = type(cause)(
                    f"{cause.args[0]}; in all: {text}" if text else cause.args[0],
                    code=cause.code,
                    node=cause.node,
                )
                self._refuse(number, told_more)

    @property
    def results(self) -> list[BatchResult]:
        """What became of the rows, in their order; only when the batch is over."""
        assert not self._open
        return [result for result in self._results if result is not None]

    def _check(self) -> None:
        assert self._open == self._results.count(None)
        assert all(row.writes or not row.in_doubt for row in self._rows)


def _flags(policy: BatchPolicy) -> int:
    return (
        BatchFlag.REPORT_FAILING_ROW
        | (BatchFlag.ALLOW_INLINE if policy.allow_inline else 0)
        | (BatchFlag.ALLOW_INLINE_SSD if policy.allow_inline_ssd else 0)
        | (BatchFlag.RESPOND_ALL_KEYS if policy.respond_all_keys else 0)
    )
