"""Reading backup files: bytes in, entries out, with no more in memory than one entry.

The format is strict (one space, one line feed, header lines in their order), and so is this reader:
what is not as it should be is refused with the line, the offset and what was expected there. Lines
are not read as such, because strings and files of functions have line feeds; a token ends at a
space or line feed that no backslash stands before, and data of a known length is taken as it is.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Final, TypeVar

from aerospike_client.backup.codes import BLOBS, GEOJSON_HEAD
from aerospike_client.backup.entries import (
    BackupBin,
    BackupRecord,
    Entry,
    Header,
    IndexKind,
    IndexType,
    SecondaryIndex,
    UdfFile,
)
from aerospike_client.errors import ClientError
from aerospike_client.key import UserKey
from aerospike_common.wire.codes import ParticleType
from citrusleaf.cf_digest import DIGEST_SIZE

CHUNK: Final = 1 << 20
"""Bytes asked for at a time."""

TOKEN_MAX: Final = 2 << 20
"""Bytes of a token: expressions may have 1 MiB before they are put into base64."""

DATA_MAX: Final = 1 << 28
"""Bytes of one value: more than any record has."""

_TOKEN: Final = re.compile(rb"([^\\ \n]*+(?:\\.[^\\ \n]*+)*+)([ \n])", re.DOTALL)
_NUMBER: Final = re.compile(rb"[-+]?\d{1,20}")
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)
_INT: Final = struct.Struct(">q")
_DOUBLE: Final = struct.Struct(">d")
_SPACE: Final = b" "
_LINE_FEED: Final = b"\n"
_NAMED: Final = {_SPACE: "a space", _LINE_FEED: "the end of the line"}

V = TypeVar("V", bound=Enum)


class BackupFileError(ClientError, ValueError):
    """A file that is no backup file, or is damaged. The text says where."""

    code = -2


class BackupReader:
    """An iterator over the entries of a file.

    >>> import io
    >>> text = b"Version 3.1\\n# namespace test\\n# first-file\\n* u L a.lua 2 --\\n"
    >>> reader = BackupReader(io.BytesIO(text).read)
    >>> reader.header
    Header(namespace='test', first_file=True)
    >>> list(reader)
    [UdfFile(name='a.lua', content=b'--')]
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        """`read(n)` gives at most n bytes of the file, none at its end.

        Raises BackupFileError when the header is not right.
        """
        self._read = read
        self._data = b""
        self._at = 0
        self._line = 1
        self._offset = 0
        #: What the file says about itself.
        self.header = self._header()

    @property
    def position(self) -> int:
        """Bytes of the file that the entries so far took."""
        return self._offset + self._at

    def __iter__(self) -> Iterator[Entry]:
        return self

    def __next__(self) -> Entry:
        if not self._more(1):
            raise StopIteration
        mark = self._take(2)
        if mark == b"* ":
            return self._global()
        if mark == b"+ ":
            return self._record()
        raise self._fault(f"a record (+), an index or functions (*), not {mark!r}", at=-2)

    # -- entries

    def _header(self) -> Header:
        self._expect(b"Version ")
        version = self._token(_LINE_FEED)
        if not re.fullmatch(rb"3\.\d+", version):
            raise self._fault(f"version 3.1, not {version.decode('latin-1')}")
        namespace, first_file = "", False
        while self._more(1) and self._data[self._at] == ord("#"):
            self._expect(b"# ")
            word, end = self._any_token()
            if word == b"namespace" and end == _SPACE:
                namespace = self._name(_LINE_FEED)
            elif word == b"first-file" and end == _LINE_FEED:
                first_file = True
            else:
                raise self._fault(f"'namespace NAME' or 'first-file', not {word!r}")
        return Header(namespace, first_file)

    def _global(self) -> SecondaryIndex | UdfFile:
        letter = self._token(_SPACE)
        if letter == b"u":
            return self._udf()
        if letter not in (b"i", b"e"):
            raise self._fault(f"an index (i, e) or functions (u), not {letter!r}")
        namespace, set_name, name = (self._name(_SPACE) for _ in range(3))
        kind = self._letter(IndexKind, self._token(_SPACE))
        if self._token(_SPACE) != b"1":
            raise self._fault("an index on 1 bin")
        bin_ = self._name(_SPACE)
        letter_of_type, end = self._any_token()
        type_ = self._letter(IndexType, letter_of_type)
        rest = []
        while end == _SPACE:
            token, end = self._any_token()
            rest.append(token.decode("latin-1"))
        expression = rest.pop() if letter == b"e" and rest else ""
        context = rest.pop(0) if rest else ""
        if rest or (letter == b"e" and not expression):
            raise self._fault("a context and, for an index on an expression, that expression")
        return SecondaryIndex(namespace, set_name, name, kind, bin_, type_, context, expression)

    def _udf(self) -> UdfFile:
        if self._token(_SPACE) != b"L":
            raise self._fault("functions in Lua (L)")
        name = self._name(_SPACE)
        return UdfFile(name, self._sized())

    def _record(self) -> BackupRecord:
        """What follows the first `+ `: key, namespace, digest, set, counts, and the bins."""
        word = self._token(_SPACE)
        key: UserKey | None = None
        if word == b"k":
            key, word = self._key(), self._next_header()
        self._check(word, b"n")
        namespace = self._name(_LINE_FEED)
        self._check(self._next_header(), b"d")
        digest = self._base64(self._token(_LINE_FEED))
        if len(digest) != DIGEST_SIZE:
            raise self._fault(f"a digest of {DIGEST_SIZE} bytes, not {len(digest)}", line=-1)
        word, set_name = self._next_header(), ""
        if word == b"s":
            set_name, word = self._name(_LINE_FEED), self._next_header()
        self._check(word, b"g")
        generation = self._number(self._token(_LINE_FEED), 0, 0xFFFF)
        self._check(self._next_header(), b"t")
        void_time = self._number(self._token(_LINE_FEED), 0, 0xFFFFFFFF)
        self._check(self._next_header(), b"b")
        count = self._number(self._token(_LINE_FEED), 0, 0xFFFF)
        bins = tuple([self._bin() for _ in range(count)])
        return BackupRecord(namespace, set_name, digest, key, generation, void_time, bins)

    def _next_header(self) -> bytes:
        self._expect(b"+ ")
        return self._token(_SPACE)

    def _check(self, word: bytes, wanted: bytes) -> None:
        if word != wanted:
            raise self._fault(f"the record's line {wanted.decode()!r}, not {word!r}")

    def _key(self) -> UserKey:
        letter = self._token(_SPACE)
        match letter:
            case b"I":
                return self._number(self._token(_LINE_FEED), -(1 << 63), (1 << 63) - 1)
            case b"D":
                return self._double(self._token(_LINE_FEED))
            case b"S":
                return _text(self._sized())
            case b"X":
                return _text(self._base64(self._sized()))
            case b"B":
                return self._base64(self._sized())
            case b"B!":
                return self._sized()
        raise self._fault(f"a key's type (I, D, S, B), not {letter!r}")

    def _bin(self) -> BackupBin:
        self._expect(b"- ")
        letter = self._token(_SPACE)
        if letter == b"N":
            return BackupBin(self._name(_LINE_FEED), ParticleType.NULL, b"")
        name = self._name(_SPACE)
        match letter:
            case b"Z":
                value = self._token(_LINE_FEED)
                if value not in (b"T", b"F"):
                    raise self._fault(f"T or F, not {value!r}", line=-1)
                return BackupBin(name, ParticleType.BOOL, b"\1" if value == b"T" else b"\0")
            case b"I":
                number = self._number(self._token(_LINE_FEED), -(1 << 63), (1 << 63) - 1)
                return BackupBin(name, ParticleType.INTEGER, _INT.pack(number))
            case b"D":
                double = self._double(self._token(_LINE_FEED))
                return BackupBin(name, ParticleType.DOUBLE, _DOUBLE.pack(double))
            case b"S":
                return BackupBin(name, ParticleType.STRING, self._sized())
            case b"X":
                return BackupBin(name, ParticleType.STRING, self._base64(self._sized()))
            case b"G":
                return BackupBin(name, ParticleType.GEOJSON, GEOJSON_HEAD + self._sized())
        particle = BLOBS.get(letter[:1])
        if particle is None or letter[1:] not in (b"", b"!"):
            raise self._fault(f"a bin's type, not {letter!r}")
        data = self._sized()
        return BackupBin(name, particle, data if letter[1:] else self._base64(data))

    # -- values

    def _name(self, end: bytes) -> str:
        token = self._token(end)
        return _text(_ESCAPED.sub(rb"\1", token) if b"\\" in token else token)

    def _sized(self) -> bytes:
        """`LENGTH DATA` and the end of the line."""
        size = self._number(self._token(_SPACE), 0, DATA_MAX)
        data = self._take(size)
        self._line += data.count(_LINE_FEED)
        self._expect(_LINE_FEED)
        return data

    def _number(self, token: bytes, least: int, most: int) -> int:
        if not _NUMBER.fullmatch(token) or not least <= int(token) <= most:
            raise self._fault(f"an integer from {least} to {most}, not {token[:40]!r}", line=-1)
        return int(token)

    def _double(self, token: bytes) -> float:
        try:
            return float(token)
        except ValueError:
            raise self._fault(f"a decimal number, not {token[:40]!r}", line=-1) from None

    def _base64(self, data: bytes) -> bytes:
        try:
            return base64.b64decode(data, validate=True)
        except binascii.Error as error:
            raise self._fault(f"base64 ({error})", line=-1) from None

    def _letter(self, letters: type[V], token: bytes) -> V:
        try:
            return letters(token.decode("latin-1"))
        except ValueError:
            all_letters = ", ".join(str(each.value) for each in letters)
            raise self._fault(f"one of {all_letters}, not {token[:40]!r}") from None

    # -- bytes

    def _more(self, size: int) -> bool:
        """Whether `size` bytes more are there, read if need be."""
        while len(self._data) - self._at < size:
            chunk = self._read(max(CHUNK, size - len(self._data) + self._at))
            if not chunk:
                return False
            self._data = self._data[self._at :] + chunk
            self._offset += self._at
            self._at = 0
        return True

    def _take(self, size: int) -> bytes:
        if not self._more(size):
            raise self._fault(f"{size} bytes, but the file ends")
        data = self._data[self._at : self._at + size]
        self._at += size
        return data

    def _expect(self, literal: bytes) -> None:
        if not self._more(len(literal)) or not self._data.startswith(literal, self._at):
            found = self._data[self._at : self._at + 20]
            raise self._fault(
                f"{literal!r}, not {found!r}" if found else f"{literal!r}, not the end"
            )
        self._at += len(literal)
        self._line += literal == _LINE_FEED

    def _token(self, end: bytes) -> bytes:
        token, found = self._any_token()
        if found != end:
            raise self._fault(f"{_NAMED[end]} behind {token[:40]!r}")
        return token

    def _any_token(self) -> tuple[bytes, bytes]:
        """The next token and the character that ends it."""
        while (match := _TOKEN.match(self._data, self._at)) is None:
            here = len(self._data) - self._at
            if here > TOKEN_MAX or not self._more(here + 1):
                raise self._fault("a space or the end of the line, but the token does not end")
        self._at = match.end()
        token, end = match.groups()
        self._line += token.count(_LINE_FEED) + (end == _LINE_FEED)
        return token, end

    def _fault(self, expected: str, *, at: int = 0, line: int = 0) -> BackupFileError:
        return BackupFileError(
            f"line {self._line + line}, byte {self.position + at}: expected {expected}"
        )


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
