"""How connections fail, in the words of both faces."""

from __future__ import annotations

import ssl
from typing import Final


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


CLOSED: Final = "closed the connection"
_HINTS: Final = {
    "Hostname mismatch": "; the name to ask for is a seed's, or TlsPolicy(name=...)",
    "IP address mismatch": "; the name to ask for is a seed's, or TlsPolicy(name=...)",
    "local issuer": "; TlsPolicy(ca_file=...) is to vouch for it",
    "self-signed": "; TlsPolicy(ca_file=...) is to vouch for it",
}
"""What to do about certificates, by a part of what the library says."""


def reason_of(error: OSError | UnicodeError, *, tls: bool = False) -> str:
    """What an error of the network means, as a predicate. `tls`: it came of making a connection
    by TLS."""
    if isinstance(error, ssl.SSLCertVerificationError):
        said = error.verify_message
        hint = next((hint for part, hint in _HINTS.items() if part in said), "")
        return f"shows a certificate that cannot be verified: {said}{hint}"
    if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
        return _tls_reason(error)
    if tls and isinstance(error, ConnectionResetError | BrokenPipeError | ssl.SSLEOFError):
        return "closed the connection in the TLS handshake: is that its port for TLS?"
    if isinstance(error, ssl.SSLEOFError):
        return CLOSED
    if isinstance(error, ConnectionRefusedError):
        return "refused the connection"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return CLOSED
    if isinstance(error, TimeoutError):
        return "could not be reached in time"
    return f"cannot be reached: {getattr(error, 'strerror', None) or error}"


def _tls_reason(error: ssl.SSLError) -> str:
    """What went wrong with TLS: here, or at the node, which then sends an alert."""
    said = (error.reason or str(error)).lower().replace("_", " ")
    _, alert, about = said.partition(" alert ")
    if "certificate required" in about:
        return "asks for a certificate (TlsPolicy(cert_file=...))"
    if alert:
        return f"refuses our TLS, or our certificate: {about}"
    if "wrong version number" in said or "record layer" in said:
        return "does not speak TLS on that port"
    return f"failed in TLS: {said}"
