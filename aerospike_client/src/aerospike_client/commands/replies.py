"""Reading replies: records and streams of rows, in one pass over a frame's body.

Written for speed. Struct reads raise at the end of the body by themselves; slices do not, so each
part's end is compared with the body's once.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any, Final

from aerospike_client.core.session import ENDED
from aerospike_client.errors import UdfFailed
from aerospike_client.key import Key
from aerospike_client.record import Record
from aerospike_client.values import from_particle
from aerospike_common.wire import Info3, MessageError

HEADER_SIZE: Final = 22
#: info3, result code, generation, void-time, row, number of fields and ops.
_HEADER: Final = struct.Struct(">xxxBxBIIIHH").unpack_from
_SIZE: Final = struct.Struct(">I").unpack_from
#: Size, particle type and length of the name of an op.
_OP: Final = struct.Struct(">IxBxB").unpack_from
_INTEGER: Final = struct.Struct(">q").unpack_from

_record: Final = tuple.__new__
"""A named tuple's own constructor is Python code; the tuple's costs half."""


def record_parser(key: Key) -> Callable[[bytes], Record]:
    """Reads the reply to a read of one record."""

    def parse(body: bytes) -> Record:
        _, _, generation, void_time, _, n_fields, n_ops = _HEADER(body)
        at = _skip_fields(body, HEADER_SIZE, n_fields) if n_fields else HEADER_SIZE
        bins, _ = bins_at(body, at, n_ops)
        return _record(Record, (key, bins, generation, void_time, ()))

    return parse


def operate_parser(key: Key) -> Callable[[bytes], Record]:
    """Reads the reply to several operations on one record."""

    def parse(body: bytes) -> Record:
        _, _, generation, void_time, _, n_fields, n_ops = _HEADER(body)
        at = _skip_fields(body, HEADER_SIZE, n_fields) if n_fields else HEADER_SIZE
        results, _ = results_at(body, at, n_ops)
        return _record(Record, (key, dict(results), generation, void_time, results))

    return parse


def first_value(body: bytes) -> tuple[str, Any]:
    """Name and value of a reply's only op: how functions answer. ("", None) when there is none."""
    _, _, _, _, _, n_fields, n_ops = _HEADER(body)
    if not n_ops:
        return "", None
    results, _ = results_at(body, _skip_fields(body, HEADER_SIZE, n_fields), n_ops)
    return results[0]


def bins_at(body: bytes, at: int, n_ops: int) -> tuple[dict[str, Any], int]:
    """The bins that `n_ops` ops from `at` on hold, and where they end. MessageError if cut."""
    bins: dict[str, Any] = {}
    try:
        for _ in range(n_ops):
            size, kind, name_length = _OP(body, at)
            name = at + 8
            value = name + name_length
            at += 4 + size
            if kind == 1:
                bins[body[name:value].decode()] = _INTEGER(body, value)[0]
            elif kind == 3:
                bins[body[name:value].decode()] = body[value:at].decode("utf-8", "surrogateescape")
            else:
                bins[body[name:value].decode()] = from_particle(kind, body[value:at])
    except (struct.error, UnicodeDecodeError):
        raise MessageError("a bin that is cut off") from None
    if at > len(body):
        raise MessageError("a bin that is cut off")
    return bins, at


def results_at(body: bytes, at: int, n_ops: int) -> tuple[tuple[tuple[str, Any], ...], int]:
    """As `bins_at`, but every op for itself and in order."""
    results: list[tuple[str, Any]] = []
    for _ in range(n_ops):
        bins, at = bins_at(body, at, 1)
        results.extend(bins.items())
    return tuple(results), at


def _skip_fields(body: bytes, at: int, n_fields: int) -> int:
    try:
        for _ in range(n_fields):
            at += 4 + _SIZE(body, at)[0]
    except struct.error:
        raise MessageError("a field that is cut off") from None
    return at


ReadBins = Callable[[bytes, int, int], tuple[dict[str, Any], int]]
"""`BinsReader.read`."""


Row = tuple[int, int, int, int, dict[str, Any], tuple[tuple[str, Any], ...]]
"""A row of a batch's reply: its number, result code, generation, void-time and bins, and what its
operations answered in their order, where that is asked for. (A plain tuple: it lives shortly, and
one with names costs three times as much.)"""


def batch_page(
    body: bytes, detailed: Sequence[bool], read: ReadBins
) -> tuple[list[Row], int | None]:
    """The rows in one frame of a batch's reply, and the batch's result code when this is the end.

    A batch of somebody who is not logged in (any more) ends with its first message. `detailed` says
    for each row's number whether its `results` are wanted; bins are read by `read`. MessageError if
    a message is cut or a row has a number that was not asked for.
    """
    rows: list[Row] = []
    at, end = 0, len(body)
    try:
        while at < end:
            info3, code, generation, void_time, number, n_fields, n_ops = _HEADER(body, at)
            if info3 & Info3.LAST or code in ENDED:  # who is not logged in gets no rows
                return rows, code
            at += HEADER_SIZE
            if n_fields:
                at = _skip_fields(body, at, n_fields)
            results: tuple[tuple[str, Any], ...] = ()
            if detailed[number]:
                results, at = results_at(body, at, n_ops)
                bins = dict(results)
            else:
                bins, at = read(body, at, n_ops)
            rows.append((number, code, generation, void_time, bins, results))
    except struct.error:
        raise MessageError("a message that is cut off") from None
    except IndexError:
        raise MessageError("a row that nobody asked for") from None
    return rows, None


def aggregate_page(body: bytes) -> tuple[list[Any], int | None]:
    """The values in one frame of an aggregation's reply, and its result code when this is the end.

    Raises UdfFailed when the function says that it failed, MessageError if a message is cut.
    """
    values: list[Any] = []
    at = 0
    while at < len(body):
        try:
            info3, code, _, _, _, n_fields, n_ops = _HEADER(body, at)
        except struct.error:
            raise MessageError("a message that is cut off") from None
        at = _skip_fields(body, at + HEADER_SIZE, n_fields)
        results, at = results_at(body, at, n_ops)
        for name, value in results:
            if name == "FAILURE":
                raise UdfFailed(str(value))
            values.append(value)
        if info3 & Info3.LAST or code:
            return values, code
    return values, None
