"""Which index a query goes by."""

from __future__ import annotations

from collections.abc import Mapping

from aerospike_common.wire.message import Message
from asd.namespace import Namespace
from asd.query.request import QueryRequest, Resume
from asd.query.walk import PrimaryWalk, Walk


def choose_walk(
    namespace: Namespace,
    message: Message,
    request: QueryRequest,
    partitions: Mapping[int, Resume | None],
) -> tuple[Walk, str]:
    """The way to the records, and the name of the secondary index it takes ("" for none).

    Raises OperationError when there is no such index, or none that can be read yet.
    """
    if request.set_name and namespace.find_set(request.set_name) is None:
        partitions = {}
    return PrimaryWalk(namespace.engine.index, partitions), ""
