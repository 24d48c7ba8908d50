"""Reading the replies of queries: many records, in one pass over a frame's body.

A scan spends most of the client's time here. What nodes send of a record besides its bins is a
header, and as fields the namespace, the digest and the set. All but generation, void-time and
digest is the same for all records of a set, so these are read by one unpacking, and what must be
the same is compared with what the record before had. Records that differ, or come with more (a
stored key, a place in an index), are read field by field.

Records are made some at a time. Each for itself would cost a turn through several generators, and a
whole frame's would be looked through by the garbage collector again and again while they are
waiting to be taken: fewer objects than it takes to wake it (700) are alive at once.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from itertools import repeat
from typing import Any, Final, NamedTuple

from aerospike_client.commands.bins import AS_TEXT, AT_ONCE, SIZE, UNMET, Bins, BinsReader
from aerospike_client.commands.replies import HEADER_SIZE
from aerospike_client.key import Key, UserKey, user_key_of
from aerospike_client.record import Record
from aerospike_common.wire import FieldType, Info3, MessageError
from citrusleaf.cf_digest import DIGEST_SIZE

AT_A_TIME: Final = 64
"""Records that are made before any is taken: three objects each."""

_COUNTS_AT: Final = 18
#: info3, result code, generation, void-time, number of fields and ops.
_HEADER: Final = struct.Struct(">xxxBxBII4xHH").unpack_from
_FIELD: Final = struct.Struct(">IB").unpack_from
_LAST: Final = int(Info3.LAST)
_PARTITION_DONE: Final = int(Info3.PARTITION_DONE)
_SET: Final = int(FieldType.SET)
_KEY: Final = int(FieldType.KEY)
_DIGEST: Final = int(FieldType.DIGEST)
_BVALS: Final = int(FieldType.BVALS)
_CUT: Final = "a record that is cut off"

_new: Final = tuple.__new__
"""A named tuple's own constructor is Python code; the tuple's costs half."""


class Page:
    """What one frame of a query's reply holds besides records; complete when those are read."""

    __slots__ = ("bvals", "end", "unavailable")

    def __init__(self) -> None:
        #: Of the records handed out latest, by their number among them: the place in the index.
        self.bvals: dict[int, int] = {}
        #: Partitions that the node has not.
        self.unavailable: list[int] = []
        #: Result code of the last message, if it was among these.
        self.end: int | None = None


class _Fields(NamedTuple):
    """A record's fields."""

    set_name: str
    digest: bytes
    #: None unless the node has stored it, and sent it.
    user_key: UserKey | None
    bval: int | None
    #: Where the digest's value stands.
    digest_at: int
    #: Where the fields end.
    end: int


_Unpack = Callable[[bytes, int], tuple[Any, ...]]
_Like = tuple[_Unpack, int, dict[bytes, int], bytes, str]
"""What the next record is expected to be like: unpacks all up to the ops; the size of that; what
may stand before the digest (the numbers of fields and ops, fields), and how many ops that says; the
bytes behind it; the set."""


class RecordsReader:
    """Reads the frames of a query's replies: one for each query, for one thread."""

    __slots__ = ("_bins", "_like", "_namespace", "_unpacks")

    def __init__(self, namespace: str, *, particles: bool = False) -> None:
        """`particles`: as `BinsReader` has it."""
        self._namespace = namespace
        self._bins = BinsReader(particles=particles)
        #: Sizes before and behind a digest -> what unpacks a record up to its ops.
        self._unpacks: dict[tuple[int, int], _Unpack] = {}
        self._like: _Like = (_unpacking(0, 0), HEADER_SIZE + DIGEST_SIZE, {}, b"", "")

    def records(self, body: bytes, page: Page) -> Iterator[list[Record]]:
        """The records in a frame, some at a time. MessageError if one is cut off."""
        at = 0
        while at < len(body) and page.end is None:
            page.bvals = {}
            try:
                records, at = self._some(body, at, page)
            except struct.error:
                raise MessageError(_CUT) from None
            if at > len(body):
                raise MessageError(_CUT)
            if records:
                yield records
            del records

    def _some(self, body: bytes, at: int, page: Page) -> tuple[list[Record], int]:
        """Some records from `at` on, and where they end."""
        records: list[Record] = []
        while at < len(body) and page.end is None:
            at = self._alike(body, at, records)
            if at == len(body) or len(records) == AT_A_TIME:
                break
            at = self._other(body, at, page, records)
        return records, at

    def _alike(self, body: bytes, begin: int, records: list[Record]) -> int:
        """The records from `begin` on that are as expected; where the first that is not begins.

        Bins are read as by `BinsReader.read`, but here: a call for each record would be a twelfth
        of a scan.
        """
        namespace, new = self._namespace, _new
        expected, read_anew = self._bins.expected.get, self._bins.read_anew
        unpack, size, leads, behind, set_name = self._like
        last, ops = len(body) - size, UNMET
        lead: bytes | None = None
        try:
            for _ in repeat(None, AT_A_TIME - len(records)):
                if begin > last:
                    break
                odd, generation, void_time, found_lead, digest, found_behind = unpack(body, begin)
                if odd or found_behind != behind:
                    break
                if found_lead != lead:
                    n_ops = leads.get(found_lead, -1)
                    if n_ops < 0:
                        break
                    lead, ops = found_lead, expected(n_ops, UNMET)
                bins: Bins = {}
                at = begin + size
                for unpack_op, head, name, how, length, value_of in ops:
                    if how == AT_ONCE:
                        found, bins[name] = unpack_op(body, at)
                        if found != head:
                            lead, (bins, at) = None, read_anew(body, begin + size, n_ops)
                            break
                        at += length
                        continue
                    op_size, found = unpack_op(body, at)
                    if found != head:
                        lead, (bins, at) = None, read_anew(body, begin + size, n_ops)
                        break
                    end = at + SIZE + op_size
                    value = body[at + length : end]
                    bins[name] = value.decode() if how == AS_TEXT else value_of(value)
                    at = end
                key = new(Key, (namespace, set_name, None, digest))
                records.append(new(Record, (key, bins, generation, void_time, ())))
                begin = at
        except (struct.error, UnicodeDecodeError):
            pass  # the frame's last bins are shorter than expected, or a text is none
        return begin

    def _other(self, body: bytes, at: int, page: Page, records: list[Record]) -> int:
        """A record that is not as expected, or what is none; where it ends."""
        info3, code, generation, void_time, n_fields, n_ops = _HEADER(body, at)
        if info3 or code:
            return self._note(body, at, page)
        fields = _fields_at(body, at + HEADER_SIZE, n_fields)
        bins, end = self._bins.read(body, fields.end, n_ops)
        if fields.bval is not None:
            page.bvals[len(records)] = fields.bval
        elif fields.user_key is None:
            self._expect(body, at, n_ops, fields)
        key = _new(Key, (self._namespace, fields.set_name, fields.user_key, fields.digest))
        records.append(_new(Record, (key, bins, generation, void_time, ())))
        return end

    def _expect(self, body: bytes, at: int, n_ops: int, fields: _Fields) -> None:
        """That the next record is like this one."""
        lead = body[at + _COUNTS_AT : fields.digest_at]
        behind = body[fields.digest_at + DIGEST_SIZE : fields.end]
        sizes = len(lead), len(behind)
        unpack = self._unpacks.get(sizes)
        if unpack is None:
            unpack = self._unpacks[sizes] = _unpacking(*sizes)
        _, size, leads, before_behind, _ = self._like
        if size != fields.end - at or before_behind != behind or not _differ_in_ops(leads, lead):
            leads = {}
        leads[lead] = n_ops
        self._like = unpack, fields.end - at, leads, behind, fields.set_name

    def _note(self, body: bytes, at: int, page: Page) -> int:
        """A message that is no record, noted; where it ends."""
        info3, code, partition, _, n_fields, n_ops = _HEADER(body, at)
        at += HEADER_SIZE
        if info3 & _LAST or not info3 & _PARTITION_DONE:
            page.end = code
            return at
        if code:
            page.unavailable.append(partition)
        for _ in range(n_fields + n_ops):
            at += 4 + _FIELD(body, at)[0]
        return at


def _unpacking(lead: int, behind: int) -> _Unpack:
    """Unpacks a record up to its ops: so many bytes from the number of fields to the digest, and so
    many behind that.

    What comes first is info2, info3 and the result code in one: 0 for records.
    """
    return struct.Struct(f">xxIII4x{lead}s{DIGEST_SIZE}s{behind}s").unpack_from


def _differ_in_ops(leads: dict[bytes, int], lead: bytes) -> bool:
    """Whether it is like one that was met, but for the number of ops."""
    return any(each[:2] == lead[:2] and each[4:] == lead[4:] for each in leads)


def _fields_at(body: bytes, at: int, n_fields: int) -> _Fields:
    """A record's fields, from `at` on."""
    set_name, digest, user_key, bval = "", b"", None, None
    digest_at = at
    for _ in range(n_fields):
        size, kind = _FIELD(body, at)
        start = at + 5
        at += 4 + size
        if kind == _DIGEST:
            digest, digest_at = body[start:at], start
        elif kind == _SET:
            set_name = body[start:at].decode("utf-8", "surrogateescape")
        elif kind == _KEY:
            user_key = user_key_of(body[start:at])
        elif kind == _BVALS:
            bval = int.from_bytes(body[start:at], "little", signed=True)
    if len(digest) != DIGEST_SIZE:
        raise MessageError("a record without a digest")
    return _Fields(set_name, digest, user_key, bval, digest_at, at)
