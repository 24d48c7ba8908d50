"""Jobs that the nodes do by themselves: writes and functions on all records of a query."""

from __future__ import annotations

from aerospike_client.core.view import ClusterView
from aerospike_client.errors import BadReply, server_error
from aerospike_client.scripts.effects import MessageAt, Script
from aerospike_client.scripts.info import ask, info_failure, nodes_of, pairs
from aerospike_common.wire import ResultCode

_BY_ID = (8, 1)


def start(view: ClusterView, frame: bytes, timeout_ms: int) -> Script[None]:
    """Give every node its part. Raises the first refusal; nodes asked before go on."""
    for node in nodes_of(view):
        body = yield MessageAt(node, frame, timeout_ms)
        if len(body) < 22:
            raise BadReply("the reply is cut off", node=str(node))
        if body[5]:
            raise server_error(body[5], node=str(node))


def is_done(view: ClusterView, task_id: int, timeout_ms: int) -> Script[bool]:
    """Whether no node is at it any more."""
    for node in nodes_of(view):
        key = "id" if node.build >= _BY_ID else "trid"
        answer = yield from ask(node, f"query-show:{key}={task_id}", timeout_ms)
        error = info_failure(answer, node)
        if error is not None:
            if error.code == ResultCode.NOT_FOUND:  # so long done that it is forgotten
                continue
            raise error
        if not pairs(answer, ":").get("status", "").startswith("done"):
            return False
    return True
