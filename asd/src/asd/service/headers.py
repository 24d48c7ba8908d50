"""Which frames a connection goes on with, by their headers."""

from __future__ import annotations

from aerospike_common.wire.codes import MessageType


def why_refused(version: int, kind: int, length: int, longest: int) -> str:
    """Why a frame with this header ends the connection, for the log; '' for one to go on with.
    `longest` is how many bytes its body may have."""
    if version != 2 and not (version == 0 and kind == MessageType.ADMIN):
        return f"speaks protocol version {version}"
    if not MessageType.INFO <= kind <= MessageType.INTERNAL_XDR:
        return f"sent a frame of unknown type {kind}"
    return f"announced a frame of {length} bytes" if length > longest else ""
