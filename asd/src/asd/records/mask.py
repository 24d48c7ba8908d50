"""Masks: what users see of a bin instead of its value, who may not see that (data masking).

A *rule* is of one bin of one set and of one type of value: a string or an integer in that bin is
shown changed, a value of another type as it is. The *mask* of a set is all of its rules. What is
stored is never changed; a mask makes of a record the record that a user is shown, and everything
that is worked out for the user, a filter, an expression, a function's result, is worked out of
that. So nobody learns by a condition what a read would not show.

A value keeps its type under a mask: what fails for the type of a value fails alike, seen or not.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple, TypeAlias

from aerospike_common.wire.codes import ParticleType
from aerospike_common.wire.message import op_head
from asd.bins.particle import Particle
from asd.records.record import Bins, encode_op
from asd.records.record_view import RecordView
from storage.engine import Record

_READ: Final = 1
_OPS_AT: Final = 2


class Redact(NamedTuple):
    """Characters are shown as another one: `length` of them (None: all) from `position` on, which
    counts from the end when it is negative."""

    position: int = 0
    length: int | None = None
    value: str = "*"

    def masked(self, data: bytes) -> bytes:
        """What is shown of a string."""
        text = data.decode("utf-8", "surrogateescape")
        start = self.position if self.position >= 0 else max(0, len(text) + self.position)
        end = len(text) if self.length is None else min(len(text), start + self.length)
        if start >= end:
            return data
        shown = text[:start] + self.value * (end - start) + text[end:]
        return shown.encode("utf-8", "surrogateescape")


class Constant(NamedTuple):
    """The same value for all, in wire form."""

    value: bytes

    def masked(self, data: bytes) -> bytes:
        """What is shown of any value."""
        return self.value


Function: TypeAlias = Redact | Constant


class Rule(NamedTuple):
    """What is shown of the values of one type in a bin."""

    bin_name: bytes
    kind: ParticleType
    function: Function


class Mask:
    """The rules of one set."""

    __slots__ = ("_functions", "bin_names")

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._functions = {(rule.bin_name, int(rule.kind)): rule.function for rule in rules}
        self.bin_names = frozenset(name for name, _ in self._functions)
        """The bins that have a rule."""

    def value(self, name: bytes, value: Particle) -> Particle:
        """What is shown of a bin's value. O(1) for one that is shown as it is."""
        function = self._functions.get((name, value[0]))
        return value if function is None else Particle(value[0], function.masked(value[1]))

    def bins(self, bins: Bins) -> Bins:
        """What is shown of a record's bins."""
        return {name: self.value(name, value) for name, value in bins.items()}

    def record(self, record: Record) -> Record:
        """The record as it is shown; itself where nothing is masked. O(bins)."""
        payload = record[5]
        parts: list[bytes] = []
        start = offset = _OPS_AT
        for _ in range(int.from_bytes(payload[:_OPS_AT], "big")):
            size, _, kind, _, name_size = op_head(payload, offset)
            end, value_at = offset + 4 + size, offset + 8 + name_size
            name = payload[offset + 8 : value_at]
            function = self._functions.get((name, kind))
            if function is not None:
                shown = Particle(kind, function.masked(payload[value_at:end]))
                parts += payload[start:offset], encode_op(_READ, name, shown)
                start = end
            offset = end
        if not parts:
            return record
        return (*record[:5], b"".join((payload[:_OPS_AT], *parts, payload[start:])))


class MaskedView(RecordView):
    """A record that is being written, as it is shown: its bins change under the view."""

    __slots__ = ("mask",)

    mask: Mask

    def bin(self, name: bytes) -> Particle | None:
        """One bin, or None when it is missing."""
        value = super().bin(name)
        return None if value is None else self.mask.value(name, value)

    def bin_data(self, name: bytes, kind: int) -> bytes | None:
        """The bytes of a bin of this particle type; None when it is missing or of another."""
        value = self.bin(name)
        return value.data if value is not None and value.type == kind else None

    def bins(self) -> Bins:
        """All bins."""
        return self.mask.bins(super().bins())


def view_through(
    mask: Mask | None,
    digest: bytes,
    record: Record | None,
    set_name: bytes,
    now_ms: int,
    bins: Bins | None,
    key: bytes | None,
) -> RecordView:
    """The record as expressions see it (`RecordView`), through a mask if there is one."""
    if mask is None:
        return RecordView(digest, record, set_name, now_ms, bins, key)
    shown = None if record is None else mask.record(record)
    if bins is None:
        return RecordView(digest, shown, set_name, now_ms, bins, key)
    view = MaskedView(digest, shown, set_name, now_ms, bins, key)
    view.mask = mask
    return view
