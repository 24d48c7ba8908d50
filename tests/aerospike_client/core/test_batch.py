"""Batches: divided, answered in pieces, tried again."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from views import view_of

from aerospike_client import (
    BatchPolicy,
    BatchPut,
    BatchRead,
    BatchRow,
    ConnectionFailed,
    Key,
    NodeUnavailable,
    RecordNotFound,
    Replica,
    ServerError,
    TimedOut,
)
from aerospike_client.commands import batch
from aerospike_client.core.batch import BatchAttempts, Share
from aerospike_common.wire import MessageError, encode_reply

KEYS = [Key("test", "s", number) for number in range(10)]
READS = [BatchRead(key) for key in KEYS]
WRITES = [BatchPut(key, {"a": 1}) for key in KEYS]


def attempts_of(
    rows: Sequence[BatchRow], policy: BatchPolicy | None = None, *nodes: str
) -> BatchAttempts:
    view = view_of(*(nodes or ("A", "B")))
    policy = policy or BatchPolicy()
    return BatchAttempts(view, batch.plan(view, rows, policy), policy, 0)


def only(shares: list[Share]) -> Share:
    assert len(shares) == 1
    return shares[0]


def answer(attempts: BatchAttempts, share: Share, code: int = 0, last: int = 0) -> None:
    rows = b"".join(encode_reply(code, 1, row=number) for number in share.rows)
    assert not attempts.received(share, rows, 1)
    assert attempts.received(share, encode_reply(last, info3=1), 2)
    attempts._check()


def test_a_batch_that_is_answered_is_over() -> None:
    attempts = attempts_of(READS)
    answer(attempts, only(attempts.next_round(0)))
    assert attempts.next_round(1) == []
    assert [result.key for result in attempts.results] == KEYS
    assert all(result.ok for result in attempts.results)


def test_unanswered_rows_go_to_the_next_copy() -> None:
    attempts = attempts_of(READS)
    share = only(attempts.next_round(0))
    attempts.received(share, encode_reply(2, row=3) + encode_reply(0, 5, row=4), 1)
    attempts.failed(share, "broke", sent=True)
    again = only(attempts.next_round(2))
    assert (share.node.name, again.node.name) == ("A", "B")
    assert again.rows == [0, 1, 2, 5, 6, 7, 8, 9]
    answer(attempts, again)
    assert attempts.next_round(3) == []
    results = attempts.results
    assert isinstance(results[3].error, RecordNotFound)
    assert results[4].unwrap().generation == 5
    assert sum(result.ok for result in results) == 9


@pytest.mark.parametrize(("rows", "in_doubt"), [(READS, False), (WRITES, True)])
def test_rows_without_an_answer_fail_each_for_itself(
    rows: Sequence[BatchRow], in_doubt: bool
) -> None:
    attempts = attempts_of(rows, BatchPolicy(max_retries=1))
    attempts.failed(only(attempts.next_round(0)), "broke", sent=True)
    attempts.failed(only(attempts.next_round(1)), "refused the connection", sent=False)
    assert attempts.next_round(2) == []
    for result in attempts.results:
        assert isinstance(result.error, ConnectionFailed)
        assert result.error.in_doubt is in_doubt
        assert result.error.attempts == 2
        assert "a:3000 broke, b:3000 refused the connection" in str(result.error)


def test_a_row_of_a_partition_that_is_unavailable_is_tried_elsewhere() -> None:
    attempts = attempts_of(WRITES)
    answer(attempts, only(attempts.next_round(0)), code=11)
    again = only(attempts.next_round(1))
    assert len(again.rows) == 10
    answer(attempts, again)
    assert attempts.next_round(2) == []
    assert all(result.ok for result in attempts.results)


def test_the_code_that_ends_a_share_is_that_of_its_open_rows() -> None:
    attempts = attempts_of(READS)
    share = only(attempts.next_round(0))
    attempts.received(share, encode_reply(0, 1, row=0) + encode_reply(22, info3=1), 1)
    assert attempts.next_round(2) == []
    results = attempts.results
    assert results[0].ok
    assert {result.error.code for result in results[1:] if result.error} == {22}


def test_a_batch_without_time_ends() -> None:
    attempts = attempts_of(READS, BatchPolicy(total_timeout=1, max_retries=5))
    share = only(attempts.next_round(0))
    attempts.failed(share, "did not answer in time", sent=True, expired=True)
    assert attempts.next_round(1000) == []
    assert all(isinstance(result.error, TimedOut) for result in attempts.results)


def test_rows_that_nobody_holds_fail_with_their_partition() -> None:
    attempts = attempts_of(READS, BatchPolicy(replica=Replica.MASTER))
    attempts._view.nodes["A"].active = False
    for _ in range(4):
        assert attempts.next_round(0) == []
    error = attempts.results[0].error
    assert isinstance(error, NodeUnavailable)
    assert f"partition {KEYS[0].partition_id} of 'test'" in str(error)


def test_rows_with_no_answer_in_a_whole_reply_are_an_error() -> None:
    attempts = attempts_of(READS[:1])
    attempts.received(only(attempts.next_round(0)), encode_reply(0, info3=1), 1)
    assert attempts.next_round(1) == []
    assert "no answer to the row" in str(attempts.results[0].error)


@pytest.mark.parametrize("body", [encode_reply(0, row=10), encode_reply(0)[:-1], b"\0"])
def test_what_nobody_asked_for_is_refused(body: bytes) -> None:
    attempts = attempts_of(READS)
    with pytest.raises(MessageError):
        attempts.received(only(attempts.next_round(0)), body, 1)


def test_rows_of_the_same_are_sent_once() -> None:
    same = only(attempts_of(READS).next_round(0)).frame
    different = only(
        attempts_of([BatchRead(key, [f"b{n}"]) for n, key in enumerate(KEYS)]).next_round(0)
    ).frame
    assert len(same) < 450
    assert len(different) > 600


def test_codes_of_rows_are_kinds_of_errors() -> None:
    attempts = attempts_of(READS[:1])
    answer(attempts, only(attempts.next_round(0)), code=22)
    attempts.next_round(1)
    error = attempts.results[0].error
    assert isinstance(error, ServerError)
    assert error.code == 22
