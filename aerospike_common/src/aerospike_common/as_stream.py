"""`AsReadable` and `AsWritable`: the two ends of a stream of values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from aerospike_common.as_val import AsVal


class AsReadable(Protocol):
    """Where values come from, one at a time."""

    def read(self) -> AsVal | None:
        """The next value; None at the end, and ever after."""


class AsWritable(Protocol):
    """Where values go, one at a time."""

    def write(self, value: AsVal) -> None:
        """Take `value`. Raises what the far side raises when it takes no more."""


class IterableStream:
    """Any iterable of values as a stream to read.

    >>> from aerospike_common.as_integer import AsInteger
    >>> stream = IterableStream([AsInteger(1)])
    >>> stream.read(), stream.read()
    (AsInteger(value=1), None)
    """

    def __init__(self, values: Iterable[AsVal]) -> None:
        self._values = iter(values)

    def read(self) -> AsVal | None:
        """The next value; None at the end."""
        return next(self._values, None)


def values_of(stream: AsReadable) -> Iterator[AsVal]:
    """The values still to come from `stream`, read as they are asked for.

    >>> from aerospike_common.as_nil import NIL
    >>> list(values_of(IterableStream([NIL, NIL])))
    [AsNil(), AsNil()]
    """
    return iter(stream.read, None)


def pump(source: AsReadable, sink: AsWritable) -> int:
    """Write everything `source` still gives to `sink`; how many values that were."""
    count = 0
    for value in values_of(source):
        sink.write(value)
        count += 1
    return count
