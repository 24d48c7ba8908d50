"""Which index a query goes by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import compress
from typing import Final

from aerospike_common.wire.codes import FieldType
from aerospike_common.wire.message import Message
from asd.query.index_range import find_index, parse_range
from asd.query.index_walk import IndexWalk
from asd.query.request import QueryRequest, Resume
from asd.query.walk import PrimaryWalk, Walk
from asd.space.namespace import Namespace
from asd.space.ownership import CLOSED, ELSEWHERE, LOCKED

_SERVED: Final = bytes(state < CLOSED for state in range(256))
_OTHERS: Final = bytes([1, 0]) + bytes(254)


def is_locked(namespace: Namespace, partitions: Iterable[int]) -> bool:
    """Is one of these partitions between two clusters, or about to be handed over?"""
    ownership = namespace.ownership
    return ownership.has(LOCKED) and LOCKED in ownership.of(partitions)


def split(
    namespace: Namespace, partitions: Mapping[int, Resume | None]
) -> tuple[dict[int, Resume | None], tuple[int, ...]]:
    """The partitions that this node is master of, and the others: no query reads these."""
    ownership = namespace.ownership
    if not ownership.has(CLOSED, ELSEWHERE):
        return dict(partitions), ()
    served = ownership.snapshot().translate(_SERVED)
    mine = bytes(map(served.__getitem__, partitions))
    here = dict(compress(partitions.items(), mine))
    if len(here) == len(partitions):  # as a client asks that knows who has what
        return here, ()
    return here, tuple(compress(partitions, mine.translate(_OTHERS)))


def choose_walk(
    namespace: Namespace,
    message: Message,
    request: QueryRequest,
    partitions: Mapping[int, Resume | None],
) -> tuple[Walk, str]:
    """The way to the records, and the name of the secondary index it takes ("" for none).

    Raises OperationError when there is no such index, or none that can be read yet.
    """
    data = message.fields.get(FieldType.INDEX_RANGE)
    if data is not None or FieldType.INDEX_NAME in message.fields:
        wanted = parse_range(data or b"")
        index = find_index(namespace.indexes, message.fields, wanted)
        return IndexWalk(namespace, index, wanted, partitions), index.definition.name
    if not request.set_name:
        return PrimaryWalk(namespace.engine.index, partitions), ""
    if namespace.find_set(request.set_name) is None:
        partitions = {}
    members = namespace.indexes.set_index(request.set_name)
    entries = None if members is None else members.entries
    return PrimaryWalk(namespace.engine.index, partitions, entries), ""
