"""Backup files: what is written is read, as it was; what is damaged is refused, saying where."""

from __future__ import annotations

import base64
import contextlib
import doctest
import io
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerospike_client import Key
from aerospike_client.backup import (
    BackupBin,
    BackupFileError,
    BackupReader,
    BackupRecord,
    Entry,
    IndexKind,
    IndexType,
    SecondaryIndex,
    UdfFile,
    encode_header,
    encode_index,
    encode_record,
    encode_udf,
    reader,
)
from aerospike_client.backup.codes import BLOB_LETTERS
from aerospike_client.errors import InvalidParameter
from aerospike_common.wire import ParticleType

DIGEST = Key("test", "demo", "key1").digest

EXAMPLE = (
    b"Version 3.1\n"
    b"# namespace my\\ space\n"
    b"# first-file\n"
    b"* i my\\ space demo by-age N 1 age N\n"
    b"* i my\\ space  by-tag L 1 tags S khAA\n"
    b"* e my\\ space demo by-sum N 1  N kxQBAg==\n"
    b"* u L sum.lua 14 function a()\n\n\n"
    b"+ k S 4 key1\n"
    b"+ n my\\ space\n"
    b"+ d 7JEZLUt/jONdXXjTS8ply6qqyWA=\n"
    b"+ s demo\n"
    b"+ g 3\n"
    b"+ t 428179113\n"
    b"+ b 11\n"
    b"- N nothing\n"
    b"- Z yes T\n"
    b"- I int -12345\n"
    b"- D double 2.5\n"
    b"- D far -inf\n"
    b"- S text 11 two\nlines\0\xff\n"
    b"- B bytes 4 AP8=\n"
    b"- B! raw 3 \n \\\n"
    b"- L list 4 kQE=\n"
    b"- M map 4 gQEC\n"
    b"- G place 2 {}\n"
    b"+ n my\\ space\n"
    b"+ d 7JEZLUt/jONdXXjTS8ply6qqyWA=\n"
    b"+ g 1\n"
    b"+ t 0\n"
    b"+ b 0\n"
)

RECORD = BackupRecord(
    "my space",
    "demo",
    DIGEST,
    "key1",
    3,
    428179113,
    (
        BackupBin("nothing", ParticleType.NULL, b""),
        BackupBin("yes", ParticleType.BOOL, b"\1"),
        BackupBin("int", ParticleType.INTEGER, struct.pack(">q", -12345)),
        BackupBin("double", ParticleType.DOUBLE, struct.pack(">d", 2.5)),
        BackupBin("far", ParticleType.DOUBLE, struct.pack(">d", -math.inf)),
        BackupBin("text", ParticleType.STRING, b"two\nlines\0\xff"),
        BackupBin("bytes", ParticleType.BLOB, b"\0\xff"),
        BackupBin("raw", ParticleType.BLOB, b"\n \\"),
        BackupBin("list", ParticleType.LIST, b"\x91\1"),
        BackupBin("map", ParticleType.MAP, b"\x81\1\2"),
        BackupBin("place", ParticleType.GEOJSON, b"\0\0\0{}"),
    ),
)  # fmt: skip

ENTRIES: list[Entry] = [
    SecondaryIndex("my space", "demo", "by-age", IndexKind.BIN, "age", IndexType.NUMERIC),
    SecondaryIndex("my space", "", "by-tag", IndexKind.LIST, "tags", IndexType.STRING, "khAA"),
    SecondaryIndex(
        "my space", "demo", "by-sum", IndexKind.BIN, "", IndexType.NUMERIC, "", "kxQBAg=="
    ),
    UdfFile("sum.lua", b"function a()\n\n"),
    RECORD,
    BackupRecord("my space", "", DIGEST, None, 1, 0, ()),
]


def encoded(entry: Entry, *, compact: bool = False) -> bytes:
    match entry:
        case SecondaryIndex():
            return encode_index(entry)
        case UdfFile():
            return encode_udf(entry)
        case BackupRecord():
            return encode_record(entry, compact=compact)


def read(data: bytes, chunk: int | None = None) -> list[Entry]:
    source = io.BytesIO(data)
    return list(BackupReader(lambda size: source.read(chunk or size)))


def test_doctests() -> None:
    assert doctest.testmod(reader).failed == 0


def test_an_example() -> None:
    found = BackupReader(io.BytesIO(EXAMPLE).read)

    assert found.header == ("my space", True)
    assert list(found) == ENTRIES
    assert found.position == len(EXAMPLE)


def test_writing_the_example() -> None:
    written = encode_header("my space") + b"".join(map(encoded, ENTRIES))

    assert written == EXAMPLE.replace(b"- B! raw 3 \n \\\n", b"- B raw 4 CiBc\n")
    assert b"- B! raw 3 \n \\\n" in encode_record(RECORD, compact=True)


def test_a_file_that_asbackup_wrote() -> None:
    """The example of the format's own documentation."""
    text = (
        b"Version 3.1\n# namespace test\n# first-file\n"
        b"* i test test-set int-index N 1 int-bin N\n"
        b"* i test test-set string-index N 1 string-bin S\n"
        b"* u L test.lua 27 -- just an empty Lua file\n\n\n"
        b"+ n test\n+ d q+LsiGs1gD9duJDbzQSXytajtCY=\n+ s test-set\n+ g 1\n+ t 0\n+ b 2\n"
        b"- I int-bin 12345\n- S string-bin 5 abcde\n"
    )
    *_, functions, record = read(text)

    assert functions == UdfFile("test.lua", b"-- just an empty Lua file\n\n")
    assert isinstance(record, BackupRecord)
    assert record.bins == (
        BackupBin("int-bin", ParticleType.INTEGER, struct.pack(">q", 12345)),
        BackupBin("string-bin", ParticleType.STRING, b"abcde"),
    )


def test_strings_in_base64_are_read() -> None:
    text = base64.b64encode(b"a\xffb")
    head = b"Version 3.1\n+ k X %d %b\n" % (len(text), text)
    rest = b"+ n n\n+ d 7JEZLUt/jONdXXjTS8ply6qqyWA=\n+ g 1\n+ t 0\n+ b 1\n- X b %d %b\n" % (
        len(text),
        text,
    )
    (record,) = read(head + rest)

    assert isinstance(record, BackupRecord)
    assert record.user_key == "a\udcffb"
    assert record.bins == (BackupBin("b", ParticleType.STRING, b"a\xffb"),)


def test_cells_of_a_region_are_left_to_the_server() -> None:
    cells = b"\0" + (2).to_bytes(2) + bytes(16)
    place = BackupBin("g", ParticleType.GEOJSON, cells + b"{}")
    (record,) = read(encode_header("n") + encode_record(RECORD._replace(bins=(place,))))

    assert isinstance(record, BackupRecord)
    assert record.bins == (BackupBin("g", ParticleType.GEOJSON, b"\0\0\0{}"),)


def test_a_particle_that_the_format_has_not() -> None:
    vector = BackupBin("v", ParticleType.VECTOR, b"")

    with pytest.raises(InvalidParameter, match="'v': backup files have no particles of type 16"):
        encode_record(RECORD._replace(bins=(vector,)))


DAMAGES = {
    b"Version 3.1": (b"Version 2.0", "line 2, byte 12: expected version 3.1, not 2.0"),
    b"# first-file": (b"# last-file", "'namespace NAME' or 'first-file', not b'last-file'"),
    b"* i my": (b"* j my", "an index \\(i, e\\) or functions \\(u\\), not b'j'"),
    b"N 1 age": (b"X 1 age", "line 4, byte \\d+: expected one of N, L, K, V, not b'X'"),
    b"N 1 age N": (b"N 2 age N", "an index on 1 bin"),
    b"age N\n": (b"age N a b\n", "a context and, for an index on an expression"),
    b"u L": (b"u P", "functions in Lua"),
    b"14 function": (b"13 function", "line 9, byte 194: expected a record"),
    b"+ n my": (b"- n my", r"line 11, byte \d+: expected b'\+ ', not b'- n my"),
    b"+ d ": (b"+ e ", "the record's line 'd', not b'e'"),
    b"+ d 7J": (b"+ d *J", "base64"),
    b"+ d 7JEZ": (b"+ d ", "a digest of 20 bytes, not 17"),
    b"+ g 3": (
        b"+ g 65536",
        "line 14, byte \\d+: expected an integer from 0 to 65535, not b'65536'",
    ),
    b"+ t 428179113": (b"+ t now", "an integer from 0 to 4294967295"),
    b"+ b 11": (b"+ b 12", r"b'- ', not b'\+ n "),
    b"k S 4 key1": (b"k Q 4 key1", "a key's type"),
    b"- Z yes T": (b"- Z yes 1", "T or F, not b'1'"),
    b"int -12345": (b"int 12x", "an integer from"),
    b"double 2.5": (b"double 2,5", "a decimal number, not b'2,5'"),
    b"- S text 11": (b"- S text 10", "line 23, byte \\d+: expected b'\\\\n'"),
    b"- S text": (b"- U text", "a bin's type, not b'U'"),
    b"- L list 4": (b"- L list  4", "an integer from 0"),
    b"- N nothing": (b"- N nothing more", "the end of the line behind b'nothing'"),
    b"+ t 0\n+ b 0\n": (b"+ t 0\n", "line 34, byte \\d+: expected b'\\+ ', not the end"),
    b"{}\n": (b"{}", "expected b'\\\\n'"),
}


@pytest.mark.parametrize("piece", DAMAGES)
def test_damage_is_refused_saying_where(piece: bytes) -> None:
    broken, complaint = DAMAGES[piece]

    with pytest.raises(BackupFileError, match=complaint):
        read(EXAMPLE.replace(piece, broken, 1))


@given(st.integers(0, len(EXAMPLE) - 1))
def test_a_file_cut_off_is_read_up_to_there_or_refused(end: int) -> None:
    try:
        found = read(EXAMPLE[:end])
    except BackupFileError:
        return
    assert found == ENTRIES[: len(found)]


@given(st.integers(0, len(EXAMPLE) - 1), st.binary(min_size=1, max_size=3))
def test_a_damaged_file_is_read_or_refused(at: int, noise: bytes) -> None:
    with contextlib.suppress(BackupFileError):
        assert len(read(EXAMPLE[:at] + noise + EXAMPLE[at + len(noise) :])) <= len(ENTRIES)


names = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=8)
bin_names = names.filter(bool)
keys = (
    st.none()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(blacklist_categories=["Cs"]))
    | st.binary()
)
bins = (
    st.builds(BackupBin, bin_names, st.just(int(ParticleType.NULL)), st.just(b""))
    | st.builds(
        BackupBin, bin_names, st.just(int(ParticleType.BOOL)), st.sampled_from([b"\0", b"\1"])
    )
    | st.builds(
        BackupBin,
        bin_names,
        st.sampled_from([int(ParticleType.INTEGER)]),
        st.binary(min_size=8, max_size=8),
    )
    | st.builds(
        lambda name, number: BackupBin(name, ParticleType.DOUBLE, struct.pack(">d", number)),
        bin_names,
        st.floats(allow_nan=False),
    )
    | st.builds(BackupBin, bin_names, st.just(int(ParticleType.STRING)), st.binary())
    | st.builds(
        lambda name, text: BackupBin(name, ParticleType.GEOJSON, b"\0\0\0" + text),
        bin_names,
        st.binary(),
    )
    | st.builds(BackupBin, bin_names, st.sampled_from(sorted(BLOB_LETTERS)), st.binary())
)  # fmt: skip
base64_text = st.binary(min_size=1, max_size=6).map(lambda data: base64.b64encode(data).decode())
entries = (
    st.builds(
        SecondaryIndex,
        names,
        names,
        names,
        st.sampled_from(IndexKind),
        names,
        st.sampled_from(IndexType),
        st.just("") | base64_text,
        st.just("") | base64_text,
    )
    | st.builds(UdfFile, names, st.binary())
    | st.builds(
        BackupRecord,
        names,
        bin_names | st.just(""),
        st.binary(min_size=20, max_size=20),
        keys,
        st.integers(0, 0xFFFF),
        st.integers(0, 0xFFFFFFFF),
        st.lists(bins, max_size=4).map(tuple),
    )
)


@given(names, st.booleans(), st.lists(entries, max_size=4), st.booleans(), st.integers(1, 64))
def test_what_is_written_is_read(
    namespace: str, first_file: bool, given_entries: list[Entry], compact: bool, chunk: int
) -> None:
    data = encode_header(namespace, first_file=first_file)
    data += b"".join(encoded(entry, compact=compact) for entry in given_entries)
    source = io.BytesIO(data)
    found = BackupReader(lambda size: source.read(chunk))

    assert found.header == (namespace, first_file)
    assert list(found) == given_entries


def test_nan_is_read_as_nan() -> None:
    nan = BackupBin("x", ParticleType.DOUBLE, struct.pack(">d", math.nan))
    (record,) = read(encode_header("n") + encode_record(RECORD._replace(bins=(nan,))))

    assert isinstance(record, BackupRecord)
    assert math.isnan(struct.unpack(">d", record.bins[0].data)[0])
