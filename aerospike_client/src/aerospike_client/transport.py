"""How connections fail, in the words of both faces."""

from __future__ import annotations


class Broken(Exception):
    """The connection could not be made, or broke: `reason` completes "the node ...".

    `sent`: the peer may have received the request.
    """

    def __init__(self, reason: str, sent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent


class Expired(Exception):
    """The time for the answer was over."""


class Exhausted(Exception):
    """The pool has no connection to give and may make none."""


def reason_of(error: OSError | UnicodeError) -> str:
    """What an error of the network means, as a predicate."""
    if isinstance(error, ConnectionRefusedError):
        return "refused the connection"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "closed the connection"
    if isinstance(error, TimeoutError):
        return "could not be reached in time"
    return f"cannot be reached: {getattr(error, 'strerror', None) or error}"
