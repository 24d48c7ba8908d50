"""Reading the bins of many records, most of which have the same bins as the one before.

A bin travels as an op: size, operation, particle type, version, length of the name, name, value. Of
records that are alike all of that repeats but the values, and the sizes where values have none of
their own. So each op's head is expected to be, byte for byte, the one in its place in the latest
record with as many ops: a single unpacking and a comparison stand for reading operation, type and
name, and the name is one object for all records. Where an expectation fails, the record is looked
through op by op; heads that were met before are known again, whatever record they were in.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from aerospike_client.values import from_particle
from aerospike_common.wire import MessageError

Bins = dict[str, Any]
"""Bin name to value."""

#: How an expected value is read: in one step with its head, as text, or by a function.
AT_ONCE: Final = 0
AS_TEXT: Final = 1
BY_CALL: Final = 2

_Expected = tuple[
    Callable[[bytes, int], tuple[Any, Any]], bytes, str, int, int, Callable[[bytes], Any]
]
"""Unpacks a head and the integer behind it, or the size and the head behind that; the head; the
name; how the value is read; bytes of the whole op, or else up to its value; and the function."""

#: Size, particle type and length of the name of an op.
_OP: Final = struct.Struct(">IxBxB").unpack_from
_INTEGER: Final = 1
_STRING: Final = 3
SIZE: Final = 4
_TO_NAME: Final = 8
ESCAPE: Final = "surrogateescape"
_CUT: Final = "a bin that is cut off"
_MOST_KNOWN: Final = 4096
"""Heads that are remembered at a time. Few namespaces have so many bins; reading those is slower
instead of filling the memory."""


UNMET: Final[list[_Expected]] = [(struct.Struct("0s0s").unpack_from, b"?", "", AT_ONCE, 0, int)]
"""What is expected of a number of ops that was not met yet: nothing is like it."""


class BinsReader:
    """Reads bins, and remembers what they were: one for each query or batch, for one thread.

    With `particles`, values stay as they came: a pair of particle type and wire form.
    """

    __slots__ = ("_known", "_particles", "expected")

    def __init__(self, *, particles: bool = False) -> None:
        self._particles = particles
        #: Number of ops -> what the latest record with so many had.
        self.expected: dict[int, list[_Expected]] = {}
        #: Ops' heads; those of integers begin with the size, so that none is like another kind's.
        self._known: dict[bytes, _Expected] = {}

    def read(self, body: bytes, begin: int, n_ops: int) -> tuple[Bins, int]:
        """The bins that `n_ops` ops from `begin` on hold, and where they end.

        Raises MessageError if one is cut off, or its value is none.
        """
        bins: Bins = {}
        at = begin
        try:
            for unpack, head, name, how, length, value_of in self.expected.get(n_ops, UNMET):
                if how == AT_ONCE:
                    found, bins[name] = unpack(body, at)
                    if found != head:
                        break
                    at += length
                    continue
                size, found = unpack(body, at)
                if found != head:
                    break
                start = at + length
                at += SIZE + size
                if how == AS_TEXT:
                    bins[name] = body[start:at].decode("utf-8", ESCAPE)
                else:
                    bins[name] = value_of(body[start:at])
            else:
                if at <= len(body):
                    return bins, at
        except struct.error:
            pass  # shorter than what was expected
        return self.read_anew(body, begin, n_ops)

    def read_anew(self, body: bytes, begin: int, n_ops: int) -> tuple[Bins, int]:
        """As `read`, where it is known that they are not what was expected."""
        self._look_through(body, begin, n_ops)
        return self.read(body, begin, n_ops)

    def _look_through(self, body: bytes, at: int, n_ops: int) -> None:
        """Expect what is here, which is then sure to be read. MessageError if it is cut off."""
        expected = []
        known, particles, total = self._known, self._particles, len(body)
        if at > total:
            raise MessageError(_CUT)
        try:
            for _ in range(n_ops):
                size, kind, name_size = _OP(body, at)
                value = at + _TO_NAME + name_size
                end = at + SIZE + size
                if not value <= end <= total:
                    raise MessageError(_CUT)
                plain = kind == _INTEGER and end - value == 8 and not particles
                head = body[at if plain else at + SIZE : value]
                expected.append(known.get(head) or self._learn(head, name_size, plain))
                at = end
        except struct.error:
            raise MessageError(_CUT) from None
        self.expected[n_ops] = expected

    def _learn(self, head: bytes, name_size: int, plain: bool) -> _Expected:
        """What to expect of ops with this head."""
        name_at = len(head) - name_size
        kind = head[name_at - 3]
        try:
            name = head[name_at:].decode("utf-8", ESCAPE if self._particles else "strict")
        except UnicodeDecodeError:
            raise MessageError("a bin whose name is no text") from None
        known: _Expected
        if plain:
            unpack = struct.Struct(f">{len(head)}sq").unpack_from
            known = unpack, head, name, AT_ONCE, len(head) + 8, int
        else:
            unpack = struct.Struct(f">I{len(head)}s").unpack_from
            as_text = kind == _STRING and not self._particles
            value_of = partial(_particle if self._particles else from_particle, kind)
            how = AS_TEXT if as_text else BY_CALL
            known = unpack, head, name, how, SIZE + len(head), value_of
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[head] = known
        return known


def _particle(kind: int, data: bytes) -> tuple[int, bytes]:
    return kind, data
