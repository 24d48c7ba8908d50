"""A transaction on one record: from its request to its reply, its counters, its histogram."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from aerospike_common.wire.codes import FieldType, Info1, Info2, Info3, Info4, ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Message
from asd.measures.statistics import OriginStatistics
from asd.space.ownership import REPLICATED
from asd.transactions.away import check, check_strong
from asd.transactions.delete import delete
from asd.transactions.heavy import Occupied
from asd.transactions.masked import OPEN, access_of
from asd.transactions.outcome import (
    count_delete,
    count_read,
    count_udf,
    count_write,
    perform,
)
from asd.transactions.read import read
from asd.transactions.transaction import Reply, Transaction
from asd.transactions.udf import udf
from asd.transactions.write import write
from citrusleaf.cf_digest import DIGEST_SIZE, partition_id

if TYPE_CHECKING:
    from asd.measures.histogram import Histogram
    from asd.space.namespace import Namespace
    from asd.state import Client, NodeState

_IN_TRANSACTION = int(Info4.MRT_VERIFY_READ | Info4.MRT_ROLL_FORWARD | Info4.MRT_ROLL_BACK)

# Members of enumerations cost a look-up of a tenth of a microsecond; these are asked for in every
# transaction.
_READ = int(Info1.READ)
_WRITE = int(Info2.WRITE)
_DELETE = int(Info2.DELETE)
_MRT_ID = int(FieldType.MRT_ID)
_FUNCTION = int(FieldType.UDF_PACKAGE)


def run(
    node: NodeState,
    namespace: Namespace,
    message: Message,
    digest: bytes,
    origin: OriginStatistics,
    client: Client,
) -> Reply:
    """One single-record transaction, from its checks to its reply and its counters.

    Whether the client may do this is the first of the checks: whatever is refused after it, a
    partition that is elsewhere too, tells something. How long it takes is counted by the caller.
    """
    rights = client.rights
    rights.check_message(client.peer, message, digest)
    if len(digest) != DIGEST_SIZE:
        raise OperationError(ResultCode.PARAMETER, f"a digest of {len(digest)} bytes")
    if not (message.info1 & _READ or message.info2 & _WRITE):
        raise OperationError(ResultCode.PARAMETER, "neither a read nor a write")
    state = namespace.ownership[partition_id(digest)]
    if state > REPLICATED:
        if namespace.consistency is not None:
            check_strong(state, message)
        elif node.carrier is not None:
            check(state, message, namespace.config.read_consistency_level_override)
        elif not namespace.ownership.is_master(partition_id(digest)):
            raise OperationError(ResultCode.PARTITION_UNAVAILABLE)
    if not namespace.masks:
        return run_here(node, namespace, message, digest, origin)
    access = access_of(namespace, message, rights)
    reply = run_here(node, namespace, message, digest, origin, access)
    if reply.code == ResultCode.ROLE_VIOLATION:
        rights.violated(client.peer, message, digest)
    return reply


def run_here(
    node: NodeState,
    namespace: Namespace,
    message: Message,
    digest: bytes,
    origin: OriginStatistics,
    access: int = OPEN,
) -> Reply:
    """`run` for what is to be done on this node whatever the partition's state says; `access` is
    what of masked bins the client may not see or change (`access_of`)."""
    if _MRT_ID in message.fields or message.info4 & _IN_TRANSACTION:
        raise OperationError(ResultCode.ENTERPRISE_ONLY, "multi-record transaction")
    if namespace.consistency is not None:
        namespace.consistency.check(message)
    transaction = Transaction(namespace, message, digest, node.expressions, origin, access)
    if not message.info2 & _WRITE:
        return perform(transaction, read, count_read)
    if digest in namespace.held.digests:
        raise Occupied(namespace, digest)
    if message.info2 & _DELETE:
        return perform(transaction, delete, count_delete)
    if _FUNCTION in message.fields:
        return perform(transaction, partial(udf, node), count_udf)
    return perform(transaction, write, count_write)


def run_row(
    node: NodeState,
    namespace: Namespace,
    message: Message,
    digest: bytes,
    origin: OriginStatistics,
    client: Client,
) -> Reply:
    """`run` for a row of a batch."""
    reply = run(node, namespace, message, digest, origin, client)
    node.turns.count(latency_of(namespace, message, in_batch=True))
    return reply


def waits(namespace: Namespace, message: Message) -> bool:
    """Is the reply held until what this turn wrote is safe? A write that asks for the master alone
    does not wait for the copies, if there is no medium to wait for."""
    if not message.info2 & _WRITE:
        return False
    at_once = message.info3 & Info3.COMMIT_MASTER
    return not at_once or namespace.engine.acknowledges_sync


def latency_of(namespace: Namespace, message: Message, *, in_batch: bool = False) -> Histogram:
    """Where it is counted how long a transaction takes."""
    if not message.info2 & _WRITE:
        return namespace.batch_sub_read_latency if in_batch else namespace.read_latency
    if _FUNCTION in message.fields and not message.info2 & _DELETE:
        return namespace.batch_sub_udf_latency if in_batch else namespace.udf_latency
    return namespace.batch_sub_write_latency if in_batch else namespace.write_latency
