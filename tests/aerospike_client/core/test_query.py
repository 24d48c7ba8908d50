"""Queries: divided, resumed, ended. Nodes are played by a model that holds records in order."""

from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from views import view_of

from aerospike_client import (
    ClientError,
    ConnectionFailed,
    IndexFailed,
    Key,
    Partitions,
    QueryCursor,
    QueryPolicy,
    between,
)
from aerospike_client.commands.query import Query
from aerospike_client.core.query import QueryAttempts, QueryShare
from aerospike_common.wire import FieldType, encode_field, encode_reply, parse_message
from aerospike_common.wire.frame import HEADER_SIZE

RECORDS = sorted(
    (Key("test", "s", number) for number in range(300)),
    key=lambda key: (key.partition_id, key.digest),
)


def record_message(key: Key, bval: int | None) -> bytes:
    fields = encode_field(0, b"test") + encode_field(4, key.digest) + encode_field(1, b"s")
    if bval is not None:
        fields += encode_field(15, bval.to_bytes(8, "little", signed=True))
    return encode_reply(0, 1, fields=fields, n_fields=3 + (bval is not None))


def asked(share: QueryShare) -> tuple[set[int], dict[int, bytes], int]:
    """What a request asks for: fresh partitions, digests to go on behind, maximum."""
    fields = parse_message(share.frame[HEADER_SIZE:]).fields
    raw = fields.get(FieldType.PARTITION_IDS, b"")
    fresh = {int.from_bytes(raw[at : at + 2], "little") for at in range(0, len(raw), 2)}
    digests = fields.get(FieldType.DIGESTS, b"")
    begun = {}
    for at in range(0, len(digests), 20):
        digest = digests[at : at + 20]
        begun[(digest[0] | digest[1] << 8) & 4095] = digest
    return fresh, begun, int.from_bytes(fields.get(FieldType.MAX_RECORDS, b""), "big")


def replies(share: QueryShare, indexed: bool, size: int = 3) -> list[bytes]:
    """The frames a good node answers: so many records each, then the end."""
    fresh, begun, limit = asked(share)
    assert fresh | set(begun) == set(share.partitions)
    assert not fresh & set(begun)
    found = [
        key
        for key in RECORDS
        if key.partition_id in fresh
        or (key.partition_id in begun and key.digest > begun[key.partition_id])
    ]
    messages = [
        record_message(key, int(key.user_key or 0) if indexed else None)
        for key in (found[:limit] if limit else found)
    ]
    pages = [b"".join(messages[at : at + size]) for at in range(0, len(messages), size)]
    return [*pages, encode_reply(0, info3=1)]


def attempts_of(policy: QueryPolicy, cursor: QueryCursor, indexed: bool = False) -> QueryAttempts:
    where = between("n", 0, 1000) if indexed else None
    view = view_of("A", "B", "C")
    for pid in range(4096):  # each a third
        columns = view.tables["test"].columns
        nodes = [column[pid] for column in columns]
        for place in range(3):
            columns[place][pid] = nodes[(pid + place) % 3]
    return QueryAttempts(view, Query("test", "s", where), policy, cursor, 7, 0)


def play(
    attempts: QueryAttempts,
    trouble: dict[int, str] | None = None,
    stop_after: int = 10**6,
    indexed: bool = False,
    size: int = 3,
) -> list[bytes]:
    """Run a query: the digests delivered. `trouble`: what befalls the n-th frame of all."""
    delivered: list[bytes] = []
    frame = 0
    while shares := attempts.next_round(0):
        for share in shares:
            for body in replies(share, indexed, size):
                frame += 1
                befalls = (trouble or {}).get(frame)
                if befalls == "broken":
                    attempts.failed(share, "broke")
                    break
                if befalls == "timeout":
                    body = encode_reply(9, info3=1)
                elif befalls == "unavailable" and body[3] == 0:
                    gone = share.partitions[-1]
                    message = encode_reply(11, gone, info3=4)
                    keep = not any(key.partition_id == gone for key in RECORDS)
                    body = body + message if keep else body
                for record in chain.from_iterable(attempts.records(share, body, 1)):
                    delivered.append(record.key.digest)
                    if len(delivered) == stop_after:
                        return delivered
                if share.over:
                    break
    return delivered


def everything() -> QueryCursor:
    return QueryCursor.at_start(Partitions())


@pytest.mark.parametrize("indexed", [False, True])
def test_every_record_comes_once(indexed: bool) -> None:
    attempts = attempts_of(QueryPolicy(), everything(), indexed)
    assert sorted(play(attempts, indexed=indexed)) == sorted(key.digest for key in RECORDS)
    assert attempts.cursor.done


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(
        st.integers(1, 120), st.sampled_from(["broken", "timeout", "unavailable"]), max_size=4
    ),
    st.booleans(),
    st.sampled_from([0, 1, 50, 299, 1000]),
    st.integers(1, 400),
    st.sampled_from([3, 90]),
)
def test_trouble_costs_no_record_and_doubles_none(
    trouble: dict[int, str], indexed: bool, max_records: int, stop_after: int, size: int
) -> None:
    """Through failures, a stop in the middle, a cursor kept as bytes, and pages of max_records."""
    policy = QueryPolicy(max_retries=10, max_records=max_records)
    first = attempts_of(policy, everything(), indexed)
    delivered = play(first, trouble, stop_after, indexed, size)
    if max_records:
        assert len(delivered) <= max_records
    cursor = QueryCursor.from_bytes(bytes(first.cursor.copy()))
    delivered += play(attempts_of(QueryPolicy(), cursor, indexed), indexed=indexed)
    assert sorted(delivered) == sorted(key.digest for key in RECORDS)


def test_max_records_is_divided_and_what_is_missing_fetched() -> None:
    attempts = attempts_of(QueryPolicy(max_records=200), everything())
    shares = attempts.next_round(0)
    assert sorted(asked(share)[2] for share in shares) == [66, 67, 67]
    assert len(play(attempts_of(QueryPolicy(max_records=200), everything()))) == 200


def test_every_round_has_an_id_of_its_own() -> None:
    """A node refused the second round of a query: it had seen the id."""
    attempts = attempts_of(QueryPolicy(max_retries=3), everything())
    ids = set()
    for number in range(3):
        shares = attempts.next_round(0)
        ids |= {parse_message(s.frame[HEADER_SIZE:]).fields[FieldType.TRID] for s in shares}
        assert len(ids) == number + 1
        for share in shares:
            attempts.failed(share, "broke off")


def test_retries_end() -> None:
    attempts = attempts_of(QueryPolicy(max_retries=1), everything())
    for _ in range(2):
        for share in attempts.next_round(0):
            attempts.failed(share, "broke")
    with pytest.raises(ConnectionFailed, match="broke 2 times"):
        attempts.next_round(0)


@pytest.mark.parametrize(("code", "retried"), [(201, True), (203, True), (4, False), (20, False)])
def test_which_refusals_are_tried_again(code: int, retried: bool) -> None:
    attempts = attempts_of(QueryPolicy(max_retries=0), everything())
    share = attempts.next_round(0)[0]
    body = encode_reply(code)
    if retried:
        assert list(attempts.records(share, body, 1)) == []
        with pytest.raises(IndexFailed):
            attempts.next_round(1)
    else:
        with pytest.raises(ClientError) as caught:
            list(attempts.records(share, body, 1))
        assert caught.value.code == code


@settings(deadline=None)
@given(
    st.sets(st.integers(0, 4095), max_size=20),
    st.dictionaries(st.integers(0, 4095), st.binary(min_size=20, max_size=20), max_size=9),
    st.dictionaries(st.integers(0, 4095), st.integers(-(2**63), 2**63 - 1), max_size=9),
)
def test_cursors_travel_as_bytes(
    todo: set[int], digests: dict[int, bytes], bvals: dict[int, int]
) -> None:
    digests = {pid: digest for pid, digest in digests.items() if pid in todo}
    bvals = {pid: bval for pid, bval in bvals.items() if pid in digests}
    cursor = QueryCursor(todo, digests, bvals)
    assert QueryCursor.from_bytes(bytes(cursor)) == cursor


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_cursors_are_read_or_refused(data: bytes) -> None:
    try:
        QueryCursor.from_bytes(b"CLQ1" + data)
    except ClientError as error:
        refused = str(error)
    else:
        return
    assert "cursor" in refused
