"""One tree of errors; every member carries the result code that the peer is to see.

`FrameError`        the byte stream itself is broken: the connection cannot go on.
`MessageError`      one message is broken: it is answered, the connection goes on.
`OperationError`    a well-formed request that cannot be granted (wrong type, missing...).
"""

from __future__ import annotations

from aerospike_common.wire.codes import ResultCode


class AerospikeError(Exception):
    """Base of the tree. `code` is the result code on the wire."""

    code: ResultCode = ResultCode.SERVER_ERROR

    def __init__(self, message: str = "", code: ResultCode | None = None) -> None:
        super().__init__(message or (code or self.code).name.lower().replace("_", " "))
        if code is not None:
            self.code = code


class ProtocolError(AerospikeError):
    """The peer broke the protocol."""

    code = ResultCode.PARAMETER


class FrameError(ProtocolError):
    """The 8-byte frame header is invalid; nothing after it can be trusted."""


class MessageError(ProtocolError):
    """The frame is whole but its body is malformed."""


class OperationError(AerospikeError):
    """The request is understood and refused; `code` says why."""

    code = ResultCode.PARAMETER

    def __init__(self, code: ResultCode, message: str = "") -> None:
        super().__init__(message, code)
