"""TLS to the nodes: what a policy's files come to, and files that change meanwhile. An adapter.

- Nodes show certificates, always verified: by the authorities of the policy (the system's when it
  names none), and for a name: the one that the seed or another node says (`tls-name` of the
  server's configuration), else the policy's, else the host's.
- Certificates are renewed while programs run. Files are looked at in every round of tending;
  when one has changed, connections made from then on use the new ones. Those that are open stay.
  A pair that does not fit, as between two writes, is told of in the log, and the old one goes on.
- TLS 1.2 and 1.3, nothing older.
- Sessions are resumed: a further connection to the same address shows the ticket that the last one
  was given, which saves both sides most of a handshake. The blocking face hands the session to the
  socket. asyncio and uvloop have no argument for it, but they let the context make their TLS
  objects, and these take a session before the handshake: `_resuming`. A context variable tells them
  the connection goes, since the loop makes it in a copy of the caller's context.
"""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from aerospike_client.core.addresses import Address
from aerospike_client.errors import InvalidParameter
from aerospike_client.policies import TlsPolicy

log = logging.getLogger("aerospike_client")

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"
"""Of TLS 1.2, where the policy names none: those with forward secrecy."""
MOST_SESSIONS: Final = 1024
"""Addresses whose sessions are remembered; a table that is full starts afresh."""
_VERSIONS: Final = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}


class TlsSessions:
    """The last session with each address, of connections of one context. Safe between threads."""

    def __init__(self) -> None:
        self._sessions: dict[tuple[Address, str], ssl.SSLSession] = {}

    def find(self, address: Address, name: str) -> ssl.SSLSession | None:
        """The session to resume, if there is one. `name` is what the certificate is to be for."""
        return self._sessions.get((address, name))

    def keep(self, address: Address, name: str, session: ssl.SSLSession | None) -> None:
        """This is the last session now. (With TLS 1.3 there is none to resume before the other
        side has sent something.)"""
        if session is None or not session.has_ticket:
            return
        if len(self._sessions) >= MOST_SESSIONS:
            self._sessions.clear()
        self._sessions[address, name] = session


def _resuming(sessions: TlsSessions, dialled: ContextVar[Address | None]) -> type[ssl.SSLObject]:
    """What an event loop speaks TLS with, so that it resumes the last session with an address:
    that which `dialled` says where the handshake begins."""

    class Resuming(ssl.SSLObject):
        """TLS of one connection."""

        _address: Address | None = None

        def do_handshake(self) -> None:
            """As the library's own, with a session where there is one."""
            if self._address is None and (address := dialled.get()) is not None:
                self._address = address
                known = sessions.find(address, self.server_hostname or "")
                if known is not None:
                    self.session = known
            super().do_handshake()

        def read(self, *arguments: Any) -> Any:
            """As the library's own; what comes first brings the session to resume next time."""
            data = super().read(*arguments)
            if self._address is not None:
                sessions.keep(self._address, self.server_hostname or "", self.session)
                self._address = None
                self.read = super().read  # type: ignore[method-assign]  # further ones cost nothing
            return data

    return Resuming


class Tls:
    """What all connections of one client speak TLS with."""

    def __init__(self, policy: TlsPolicy) -> None:
        """Raises InvalidParameter for files that cannot be used."""
        self._policy = policy
        self._dialled: ContextVar[Address | None] = ContextVar("dialled", default=None)
        self._read = self._times()
        try:
            #: Replaced, never changed: connections that are being made keep theirs. A session
            #: belongs to the context that it was begun with.
            self.made = self._make()
        except (OSError, ValueError) as error:
            raise InvalidParameter(f"TLS: {_complaint(error, policy)}") from None

    def server_name(self, tls_name: str, host: str) -> str:
        """What a node's certificate is to be for. `tls_name` is what is said of the node."""
        return tls_name or self._policy.name or host

    @contextmanager
    def resuming(self, address: Address) -> Iterator[ssl.SSLContext]:
        """The context by which an event loop makes a connection to an address, within."""
        token = self._dialled.set(address)
        try:
            yield self.made[0]
        finally:
            self._dialled.reset(token)

    def refresh(self) -> None:
        """Read the files again if one has changed. What cannot be used is told of in the log."""
        times = self._times()
        if times == self._read:
            return
        self._read = times
        try:
            self.made = self._make()
        except (OSError, ValueError) as error:
            log.warning("TLS goes on as it was: %s", _complaint(error, self._policy))
        else:
            log.info("TLS: certificates read again")

    def _make(self) -> tuple[ssl.SSLContext, TlsSessions]:
        context, sessions = _context(self._policy), TlsSessions()
        context.sslobject_class = _resuming(sessions, self._dialled)
        return context, sessions

    def _times(self) -> dict[str, int]:
        policy = self._policy
        files = [file for file in (policy.ca_file, policy.cert_file, policy.key_file) if file]
        return {file: os.stat(file).st_mtime_ns for file in files if os.path.exists(file)}


def _context(policy: TlsPolicy) -> ssl.SSLContext:
    """A context as the policy says. Raises OSError (`ssl.SSLError` is one), ValueError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies certificates and names
    spoken = [version for name, version in _VERSIONS.items() if name in policy.protocols]
    context.minimum_version, context.maximum_version = spoken[0], spoken[-1]
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(policy.cipher_suite or CIPHERS)
    if policy.ca_file or policy.ca_path:
        context.load_verify_locations(policy.ca_file, policy.ca_path)
    else:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if policy.cert_file:
        # Without a password OpenSSL would ask whoever sits at the terminal.
        context.load_cert_chain(
            policy.cert_file, policy.key_file, lambda: policy.key_password or ""
        )
    return context


def _complaint(error: Exception, policy: TlsPolicy) -> str:
    """What is wrong, and which files it is about: the library names none."""
    files = {"ca_file": policy.ca_file, "ca_path": policy.ca_path}
    files |= {"cert_file": policy.cert_file, "key_file": policy.key_file}
    missing = [f"{name} {file}" for name, file in files.items() if file and not _is_there(file)]
    if missing:
        return f"{' and '.join(missing)}: not there, or not to be read"
    what = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
    what = what.lower().replace("_", " ")
    if "pem lib" in what:
        what = "the certificate or its key cannot be read, or the key_password does not open it"
    named = ", ".join(f"{name} {file}" for name, file in files.items() if file)
    return f"{what} ({named or 'no files'})"


def _is_there(file: str) -> bool:
    return os.access(file, os.R_OK)
