"""`TlsConnection`: a blocking socket that speaks TLS. An adapter.

Timeouts are Python's here: the kernel's end a wait of the TLS library, which then begins another.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Callable
from functools import partial

from aerospike_client.blocking.connection import Connection
from aerospike_client.core.addresses import Address
from aerospike_client.tls import Tls
from aerospike_client.transport import Broken, reason_of
from citrusleaf.cf_clock import Clock


class TlsConnection(Connection):
    """As `Connection`."""

    __slots__ = ("_keep_session",)

    _socket: ssl.SSLSocket

    def __init__(
        self, address: Address, timeout_us: int, clock: Clock, tls: Tls, tls_name: str
    ) -> None:
        """Connect, to a node of which `tls_name` is known. Raises Broken."""
        begun_us = clock.monotonic_us()
        super().__init__(address, timeout_us, clock)
        plain = self._socket
        left_us = timeout_us - (clock.monotonic_us() - begun_us)
        plain.settimeout(max(1, left_us) / 1e6 if timeout_us else None)
        context, sessions = tls.made
        name = tls.server_name(tls_name, address.host)
        self._keep_session: Callable[[ssl.SSLSession | None], None] | None = partial(
            sessions.keep, address, name
        )
        try:
            self._socket = context.wrap_socket(
                plain, server_hostname=name, session=sessions.find(address, name)
            )
        except (OSError, ValueError) as error:  # ValueError: a name that nothing can have
            plain.close()
            reason = reason_of(error, tls=True) if isinstance(error, OSError) else str(error)
            raise Broken(reason) from None

    def receive(self, deadline_us: int) -> tuple[int, bytes]:
        """As `Connection`'s; what comes first brings the session to be resumed next time."""
        answer = super().receive(deadline_us)
        if self._keep_session is not None:
            self._keep_session(self._socket.session)
            self._keep_session = None
        return answer

    @property
    def begun(self) -> bool:
        """Whether bytes of the next frame are here already, in the clear."""
        return bool(self._buffer) or self._socket.pending() > 0

    def is_dead(self) -> bool:
        """Whether the peer has closed it, or sent what nobody asked for. (TLS has messages of its
        own: that the kernel has bytes says nothing.)"""
        self._timeout_us = -1
        try:
            self._socket.settimeout(0)
            self._socket.recv(1)
        except ssl.SSLWantReadError:
            return False
        except OSError:
            return True
        return True

    def _set_timeout(self, timeout_us: int) -> None:
        self._timeout_us = timeout_us
        with contextlib.suppress(OSError):  # a socket that is closed says so when it is used
            self._socket.settimeout(timeout_us / 1e6 if timeout_us else None)
