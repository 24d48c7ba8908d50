"""Which frames a connection goes on with, by their headers."""

from __future__ import annotations

import logging

from aerospike_common.wire.codes import MessageType

log = logging.getLogger("asd.service")


def acceptable(peer: str, header: bytes, longest: int) -> bool:
    """Is this frame header, of 8 bytes, one to go on with? Logs why when it is not. `longest` is
    how many bytes a body may have."""
    version, kind, length = header[0], header[1], int.from_bytes(header[2:], "big")
    if version != 2 and not (version == 0 and kind == MessageType.ADMIN):
        log.info("%s speaks protocol version %d: closed", peer, version)
    elif not MessageType.INFO <= kind <= MessageType.INTERNAL_XDR:
        log.info("%s sent a frame of unknown type %d: closed", peer, kind)
    elif length > longest:
        log.info("%s announced a frame of %d bytes: closed", peer, length)
    else:
        return True
    return False
