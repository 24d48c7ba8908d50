"""One tree of errors. Whatever goes wrong between a call and its answer is a `ClientError`.

    ClientError
    ├─ InvalidParameter         the call itself is wrong; nothing was sent
    ├─ NotConnected             no node of the cluster is known
    ├─ NodeUnavailable          the partition's nodes are unknown or did not answer
    ├─ ConnectionFailed         a connection could not be made, or broke
    ├─ NoMoreConnections        the node's pool is exhausted
    ├─ BackedOff                the node has failed too often lately (`max_error_rate`)
    ├─ TimedOut                 the call's time was over
    ├─ BadReply                 a node answered what is no answer
    └─ ServerError              a node refused; `code` says why
        ├─ RecordNotFound, RecordExists, GenerationMismatch, FilteredOut, ...
        ├─ IndexFailed          IndexNotFound, IndexExists
        ├─ UdfFailed            a function of the application's failed on the server
        └─ SecurityFailed       NotAuthenticated, RoleViolation

Every error says four things beside its text. `code`: the server's result code, or a negative one
where no server spoke (the numbers are the official clients'). `node`: which one was asked last.
`attempts`: how often the command was sent or tried. `in_doubt`: whether a write may have been
applied although no answer says so. A command that wrote nothing is never in doubt; one that was
certainly refused is not either.
"""

from __future__ import annotations

from typing import Final

from aerospike_common.wire import ResultCode


class ClientError(Exception):
    """Base of the tree."""

    code: int = -1

    def __init__(
        self,
        message: str,
        *,
        code: int | None = None,
        node: str | None = None,
        in_doubt: bool = False,
        attempts: int = 0,
    ) -> None:
        super().__init__(message)
        if code is not None:
            self.code = code
        self.node = node
        self.in_doubt = in_doubt
        self.attempts = attempts

    def __str__(self) -> str:
        text = str(self.args[0])
        details = [f"code {self.code}"] if self.code > 0 else []
        if self.node:
            details.append(f"node {self.node}")
        if self.attempts > 1:
            details.append(f"{self.attempts} attempts")
        if self.in_doubt:
            details.append("in doubt: the write may have been applied")
        return f"{text} ({', '.join(details)})" if details else text


class InvalidParameter(ClientError, ValueError):
    """The call itself is wrong; nothing was sent."""

    code = -2


class NotConnected(ClientError):
    """No node of the cluster is known."""

    code = -10


class NodeUnavailable(ClientError):
    """The nodes of the record's partition are not known or none of them answered."""

    code = -8


class ConnectionFailed(ClientError):
    """A connection could not be made, or broke before the answer was complete."""

    code = -10


class NoMoreConnections(ClientError):
    """All connections that `max_conns_per_node` allows are in use."""

    code = -7


class BackedOff(ClientError):
    """The node has failed `max_error_rate` times within `error_rate_window`: it is left alone."""

    code = -14


class TimedOut(ClientError):
    """The call's time was over before an answer came, on this side or on the server's."""

    code = ResultCode.TIMEOUT


class BadReply(ClientError):
    """A node answered what the protocol does not allow."""

    code = -1


class ServerError(ClientError):
    """A node refused the command. `code` is its result code."""

    code = ResultCode.SERVER_ERROR


class RecordNotFound(ServerError):
    """There is no such record."""

    code = ResultCode.NOT_FOUND


class GenerationMismatch(ServerError):
    """The record's generation is not the one expected: somebody else has written it."""

    code = ResultCode.GENERATION


class InvalidRequest(ServerError):
    """The server cannot make sense of the request."""

    code = ResultCode.PARAMETER


class RecordExists(ServerError):
    """The record is there already and was to be created."""

    code = ResultCode.RECORD_EXISTS


class BinTypeMismatch(ServerError):
    """The operation does not go with the type of the bin's value."""

    code = ResultCode.BIN_TYPE


class RecordTooBig(ServerError):
    """The record would be larger than the namespace allows."""

    code = ResultCode.RECORD_TOO_BIG


class KeyBusy(ServerError):
    """Too many commands want the same record at once."""

    code = ResultCode.KEY_BUSY


class FilteredOut(ServerError):
    """The policy's filter expression is not true of the record."""

    code = ResultCode.FILTERED_OUT


class QueryAborted(ServerError):
    """The query was ended on the server."""

    code = ResultCode.QUERY_ABORTED


class IndexFailed(ServerError):
    """A secondary index could not be made, found or read."""

    code = ResultCode.SINDEX_GENERIC


class IndexExists(IndexFailed):
    """An index of that name with another definition is there already."""

    code = ResultCode.SINDEX_EXISTS


class IndexNotFound(IndexFailed):
    """There is no such index."""

    code = ResultCode.SINDEX_NOT_FOUND


class UdfFailed(ServerError):
    """A function of the application's failed on the server; the message is the function's."""

    code = ResultCode.UDF_EXECUTION


class SecurityFailed(ServerError):
    """The server does not allow it, or the users and roles given are wrong."""

    code = ResultCode.SECURITY_STATE


class NotAuthenticated(SecurityFailed):
    """The server does not know who is asking."""

    code = ResultCode.NOT_AUTHENTICATED


class RoleViolation(SecurityFailed):
    """The user has no role that allows it."""

    code = ResultCode.ROLE_VIOLATION


_CLASSES: Final[dict[int, type[ClientError]]] = {
    int(kind.code): kind
    for kind in (
        *(TimedOut, RecordNotFound, GenerationMismatch, InvalidRequest, RecordExists),
        *(BinTypeMismatch, RecordTooBig, KeyBusy, FilteredOut, QueryAborted, UdfFailed),
        *(IndexExists, IndexNotFound, NotAuthenticated, RoleViolation),
    )
}

_MEANINGS: Final = {
    ResultCode.SERVER_ERROR: "the server failed",
    ResultCode.NOT_FOUND: "record not found",
    ResultCode.GENERATION: "the record's generation is another",
    ResultCode.PARAMETER: "the server cannot make sense of the request",
    ResultCode.RECORD_EXISTS: "the record exists already",
    ResultCode.BIN_EXISTS: "the bin exists already",
    ResultCode.CLUSTER_KEY_MISMATCH: "the cluster has changed meanwhile",
    ResultCode.OUT_OF_SPACE: "the namespace takes no more writes: out of space",
    ResultCode.TIMEOUT: "the server ran out of time",
    ResultCode.PARTITION_UNAVAILABLE: "the partition is unavailable",
    ResultCode.BIN_TYPE: "the operation does not go with the bin's type",
    ResultCode.RECORD_TOO_BIG: "the record would be too big",
    ResultCode.KEY_BUSY: "too many commands for this record at once",
    ResultCode.QUERY_ABORTED: "the query was aborted on the server",
    ResultCode.UNSUPPORTED_FEATURE: "the server does not support this",
    ResultCode.BIN_NOT_FOUND: "bin not found",
    ResultCode.DEVICE_OVERLOAD: "the server's devices do not keep up",
    ResultCode.KEY_MISMATCH: "the record's stored key is another",
    ResultCode.NAMESPACE_NOT_FOUND: "the server has no such namespace",
    ResultCode.BIN_NAME: "a bin's name is too long, or there are too many bins",
    ResultCode.FORBIDDEN: "the operation is not allowed at this time",
    ResultCode.ELEMENT_NOT_FOUND: "element not found",
    ResultCode.ELEMENT_EXISTS: "the element exists already",
    ResultCode.ENTERPRISE_ONLY: "only the enterprise edition does this",
    ResultCode.OP_NOT_APPLICABLE: "the operation cannot be applied to the bin's value",
    ResultCode.FILTERED_OUT: "the record is filtered out",
    ResultCode.SESSION_EXPIRED: "the session has ended",
    ResultCode.NOT_AUTHENTICATED: "not authenticated: the server wants to know who asks"
    " (`ClientPolicy(user=..., password=...)`)",
    ResultCode.ROLE_VIOLATION: "the user has no role that allows this",
    ResultCode.QUOTA_EXCEEDED: "the user's quota is used up for now",
}


def is_security_code(code: int) -> bool:
    """Whether a result code is about users, roles and sessions."""
    return ResultCode.SECURITY_NOT_SUPPORTED <= code <= ResultCode.QUOTA_EXCEEDED


def server_error(code: int, message: str = "", *, node: str | None = None) -> ClientError:
    """The error that a result code stands for.

    >>> server_error(2, node="BB9")
    RecordNotFound('record not found')
    """
    if not message:
        known = next((name for name in ResultCode if name == code), None)
        named = known.name.lower().replace("_", " ") if known else "unknown result"
        message = _MEANINGS.get(known, named) if known else named
    kind = _CLASSES.get(code, ServerError)
    if kind is ServerError and is_security_code(code):
        kind = SecurityFailed
    elif kind is ServerError and ResultCode.SINDEX_EXISTS <= code <= ResultCode.SINDEX_MAX_COUNT:
        kind = IndexFailed
    return kind(message, code=code, node=node)
