"""Session tokens: what a client shows on each new connection instead of its password.

    0   u64   when it ends, ns on the clock's monotonic scale
    8   16    the user's epoch: random, drawn anew when the password changes
    24  16    random, so that no two are alike
    40  ...   the user's name
    -32 32    HMAC-SHA-256 of all before it

The key is drawn at start and leaves the process in no way: tokens end with it, and a node's tokens
are good at that node alone (clients log in to each). What a token says is not secret; that nobody
else can make one is what counts. The name is in it because clients that log in by certificate do
not send theirs.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from citrusleaf.cf_crypto import hmac_sha256, is_equal

EPOCH_SIZE: Final = 16
KEY_SIZE: Final = 32
MAC_SIZE: Final = 32
MAX_TOKEN: Final = 255

_HEAD: Final = struct.Struct(">Q16s16s")


class Token(NamedTuple):
    """What a token says."""

    user: str
    epoch: bytes
    ends_ns: int


class Tokens:
    """Makes and reads the tokens of one node."""

    def __init__(self, key: bytes) -> None:
        assert len(key) == KEY_SIZE
        self._key = key

    def make(self, token: Token, nonce: bytes) -> bytes:
        """The token's bytes; `nonce` has 16 that are random."""
        said = _HEAD.pack(token.ends_ns, token.epoch, nonce) + token.user.encode()
        return said + hmac_sha256(self._key, said)

    def read(self, data: bytes) -> Token | None:
        """What the token says; None when this node has not made it, whatever else is wrong."""
        if not _HEAD.size + MAC_SIZE < len(data) <= MAX_TOKEN:
            return None
        said, mac = data[:-MAC_SIZE], data[-MAC_SIZE:]
        if not is_equal(hmac_sha256(self._key, said), mac):
            return None
        ends_ns, epoch, _ = _HEAD.unpack_from(said)
        return Token(said[_HEAD.size :].decode(), epoch, ends_ns)
