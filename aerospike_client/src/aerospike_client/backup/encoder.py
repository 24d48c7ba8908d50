"""Writing backup files: each function gives the bytes of one entry.

The format is asbackup's, version 3.1: lines of tokens parted by single spaces. Names are escaped
(a backslash before spaces, line feeds and backslashes); strings stand behind their length as they
are, whatever bytes they have; bytes stand in base64 or, in a compact file, as they are.
"""

from __future__ import annotations

import base64
import math
import re
import struct
from typing import Final

from aerospike_client.backup.codes import BLOB_LETTERS, VERSION
from aerospike_client.backup.entries import BackupBin, BackupRecord, SecondaryIndex, UdfFile
from aerospike_client.errors import InvalidParameter
from aerospike_client.key import UserKey
from aerospike_common.wire.codes import ParticleType

_SPECIAL: Final = re.compile(rb"[\\ \n]")
_DOUBLE: Final = struct.Struct(">d")


def encode_header(namespace: str, *, first_file: bool = True) -> bytes:
    """The lines that every file begins with. Indexes and functions are in the first file of a set;
    a file alone is a first file."""
    first = b"# first-file\n" if first_file else b""
    return b"Version %b\n# namespace %b\n%b" % (VERSION, _escaped(namespace), first)


def encode_index(index: SecondaryIndex) -> bytes:
    """A secondary index."""
    tokens = [
        b"* e" if index.expression else b"* i",
        _escaped(index.namespace),
        _escaped(index.set_name),
        _escaped(index.name),
        index.kind.value.encode(),
        b"1",
        _escaped(index.bin),
        index.type.value.encode(),
    ]
    tokens += [text.encode() for text in (index.context, index.expression) if text]
    return b" ".join(tokens) + b"\n"


def encode_udf(udf: UdfFile) -> bytes:
    """A file of functions."""
    return b"* u L %b %d %b\n" % (_escaped(udf.name), len(udf.content), udf.content)


def encode_record(record: BackupRecord, *, compact: bool = False) -> bytes:
    """A record. Raises InvalidParameter for a value of a type that the format does not have."""
    lines = [] if record.user_key is None else [_key(record.user_key, compact)]
    lines += [
        b"+ n %b\n" % _escaped(record.namespace),
        b"+ d %b\n" % base64.b64encode(record.digest),
    ]
    if record.set_name:
        lines.append(b"+ s %b\n" % _escaped(record.set_name))
    counts = record.generation, record.void_time, len(record.bins)
    lines.append(b"+ g %d\n+ t %d\n+ b %d\n" % counts)
    lines += [_bin(each, compact) for each in record.bins]
    return b"".join(lines)


def _key(key: UserKey, compact: bool) -> bytes:
    match key:
        case int():
            return b"+ k I %d\n" % key
        case float():
            return b"+ k D %b\n" % _double(key)
        case str():
            return b"+ k S %b\n" % _sized(key.encode("utf-8", "surrogateescape"))
        case bytes():
            return b"+ k B%b\n" % _blob(b"", key, compact)


def _bin(bin_: BackupBin, compact: bool) -> bytes:
    name, data = _escaped(bin_.name), bin_.data
    match bin_.particle_type:
        case ParticleType.NULL:
            return b"- N %b\n" % name
        case ParticleType.BOOL:
            return b"- Z %b %b\n" % (name, b"T" if data != b"\0" else b"F")
        case ParticleType.INTEGER:
            return b"- I %b %d\n" % (name, int.from_bytes(data, signed=True))
        case ParticleType.DOUBLE:
            return b"- D %b %b\n" % (name, _double(_DOUBLE.unpack(data)[0]))
        case ParticleType.STRING:
            return b"- S %b %b\n" % (name, _sized(data))
        case ParticleType.GEOJSON:
            start = 3 + 8 * int.from_bytes(data[1:3])
            return b"- G %b %b\n" % (name, _sized(data[start:]))
    letter = BLOB_LETTERS.get(bin_.particle_type)
    if letter is None:
        raise InvalidParameter(
            f"bin {bin_.name!r}: backup files have no particles of type {bin_.particle_type}"
        )
    return b"- %b%b\n" % (letter, _blob(b" " + name, data, compact))


def _blob(name: bytes, data: bytes, compact: bool) -> bytes:
    if compact:
        return b"!%b %b" % (name, _sized(data))
    return b"%b %b" % (name, _sized(base64.b64encode(data)))


def _sized(data: bytes) -> bytes:
    return b"%d %b" % (len(data), data)


def _double(number: float) -> bytes:
    """The shortest text that reads as the same double. NaNs lose their payload."""
    if math.isinf(number):
        return b"+inf" if number > 0 else b"-inf"
    return repr(number).encode()


def _escaped(name: str) -> bytes:
    return _SPECIAL.sub(rb"\\\g<0>", name.encode("utf-8", "surrogateescape"))
