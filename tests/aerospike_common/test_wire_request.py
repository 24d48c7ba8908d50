"""Requests as clients build them, byte for byte."""

from __future__ import annotations

import struct

from hypothesis import given, settings
from hypothesis import strategies as st

from aerospike_common.wire import FieldType, Info1, parse_message
from aerospike_common.wire.frame import HEADER_SIZE
from aerospike_common.wire.request import (
    BatchFlag,
    BatchRow,
    bvals,
    digest_field,
    encode_batch,
    index_range,
    partition_ids,
    request_frame,
    target_fields,
)
from citrusleaf.cf_digest import key_digest

GET = """
02 03 00 00 00 00 00 41
16 03 00 00 00 00 00 00 00 00 00 00 00 00 00 00 03 e8 00 03 00 00
00 00 00 05 00 74 65 73 74
00 00 00 05 01 64 65 6d 6f
00 00 00 15 04 ec 91 19 2d 4b 7f 8c e3 5d 5d 78 d3 4b ca 65 cb aa aa c9 60
"""

BATCH = """
02 03 00 00 00 00 00 6f
16 08 00 00 00 00 00 00 00 00 00 00 00 00 00 00 03 e8 00 01 00 00
00 00 00 55 29
00 00 00 02 0d
00 00 00 00 ec 91 19 2d 4b 7f 8c e3 5d 5d 78 d3 4b ca 65 cb aa aa c9 60
0a 03 00 00
00 00 00 00 00 02 00 00
00 00 00 05 00 74 65 73 74
00 00 00 05 01 64 65 6d 6f
00 00 00 01 cf 5a 13 65 ef fa 4d c5 33 33 f2 16 6d 10 33 58 f8 71 10 96 01
"""

READ_ALL = int(Info1.READ | Info1.GET_ALL)


def test_a_get() -> None:
    content = target_fields("test", "demo") + digest_field(key_digest("demo", "key1"))
    frame = request_frame(READ_ALL, 0, 0, 0, 0, 0, 1000, 3, 0, content)
    assert frame == bytes.fromhex(GET)


def test_a_batch_whose_second_row_is_as_the_first() -> None:
    row = BatchRow(READ_ALL, 0, 0, None, 0, 2, 0, target_fields("test", "demo"))
    digests = [key_digest("demo", "key1"), key_digest("demo", 42)]
    flags = BatchFlag.ALLOW_INLINE | BatchFlag.RESPOND_ALL_KEYS | BatchFlag.REPORT_FAILING_ROW
    rows = [(number, digest, row) for number, digest in enumerate(digests)]
    assert encode_batch(flags, rows, None, 1000, Info1.BATCH) == bytes.fromhex(BATCH)


def test_rows_with_a_key_of_their_own_are_sent_whole() -> None:
    row = BatchRow(0, 1, 0, 7, -1, 2, 0, target_fields("test", ""), repeatable=False)
    digest = bytes(20)
    frame = encode_batch(0, [(0, digest, row), (1, digest, row)], b"expression", 0, Info1.BATCH)
    fields = parse_message(frame[HEADER_SIZE:]).fields
    assert fields[FieldType.FILTER] == b"expression"
    half = (len(fields[FieldType.BATCH]) - 5) // 2
    first, second = fields[FieldType.BATCH][5 : 5 + half], fields[FieldType.BATCH][5 + half :]
    assert first[4:] == second[4:]
    assert first[24:] == bytes.fromhex("0e 00 01 00 00 07 ff ff ff ff 00 02 00 00") + row.content


@settings(deadline=None)
@given(
    st.integers(0, 255),
    st.integers(0, 2**32 - 1),
    st.integers(-2, 2**31),
    st.binary(min_size=20, max_size=20),
)
def test_a_frame_is_parsed_as_it_was_meant(
    info: int, generation: int, ttl: int, digest: bytes
) -> None:
    frame = request_frame(info, 1, 2, 3, generation, ttl, 9, 1, 0, digest_field(digest))
    message = parse_message(frame[HEADER_SIZE:])
    assert (message.info1, message.info2, message.info3, message.info4) == (info, 1, 2, 3)
    assert message.generation == generation
    assert message.record_ttl == ttl & 0xFFFFFFFF
    assert message.fields == {FieldType.DIGEST: digest}


def test_what_queries_say_of_indexes_and_partitions() -> None:
    assert index_range("age", 1, b"from", b"to") == b"\x01\x03age\x01\0\0\0\x04from\0\0\0\x02to"
    assert partition_ids([1, 4095]) == b"\x01\x00\xff\x0f"
    assert bvals([-1, 5]) == struct.pack("<2q", -1, 5)
