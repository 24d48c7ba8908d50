"""Which transactions a node of a cluster does not answer by itself, at once."""

from __future__ import annotations

from typing import Final

from aerospike_common.wire.codes import Info1, Info2, ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.message import Message
from asd.space.consistency import takes_unavailable
from asd.space.namespace import Namespace
from asd.space.ownership import CLOSED, DUPLICATES

READ_ALL: Final = "all"
READ_ONE: Final = "one"


class Away(Exception):
    """The transaction must be carried (`asd.state.Carries`). Nothing has happened."""


def passes_on(namespace: Namespace, message: Message) -> bool:
    """May the request be passed on as it came, and its reply passed back (`cluster.Forwards`)? What
    is shipped, part of a multi-record transaction, or strongly consistent takes the long way."""
    if namespace.consistency is not None or message.info4:
        return False
    return not message.info1 & (Info1.XDR | Info1.BATCH)


def check_strong(state: int, message: Message) -> None:
    """As `check`, in strong consistency: where copies may differ reads leave too. What says that it
    takes records of a partition that nobody may serve has what is here."""
    if state != CLOSED:
        raise Away
    if not takes_unavailable(message):
        raise OperationError(ResultCode.PARTITION_UNAVAILABLE)


def check(state: int, message: Message, override: str) -> None:
    """Raise Away for a transaction that leaves, PARTITION_UNAVAILABLE for one that nobody may do.

    `state` is that of the partition, above `REPLICATED`; `override` the namespace's
    `read-consistency-level-override`. Where other nodes may have newer versions, writes leave, and
    reads that ask for all copies to be looked at; other reads have what is here.
    """
    if state == CLOSED:
        raise OperationError(ResultCode.PARTITION_UNAVAILABLE)
    if state == DUPLICATES and not message.info2 & Info2.WRITE:
        wants_all = message.info1 & Info1.READ_MODE_AP_ALL and override != READ_ONE
        if not (wants_all or override == READ_ALL):
            return
    raise Away
