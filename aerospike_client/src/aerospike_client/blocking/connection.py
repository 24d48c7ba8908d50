"""`Connection`: a blocking socket that speaks in frames. An adapter.

Timeouts are the kernel's (`SO_RCVTIMEO`): Python's own make a `poll` before every `recv`, and
another system call each time they change. A reply of usual size is one `send` and one `recv`.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import sys
from collections.abc import Sequence
from typing import Final

from aerospike_client.core.addresses import Address
from aerospike_client.transport import Broken, Expired, reason_of
from aerospike_common.wire import MAX_BODY, MessageError, MessageType, inflate
from aerospike_common.wire.frame import HEADER_SIZE
from citrusleaf.cf_clock import Clock

_RECEIVE_SIZE: Final = 64 << 10
_AS_MSG_HEAD: Final = bytes((2, MessageType.AS_MSG))


class Connection:
    """One connection, for one thread at a time. Errors leave it unusable: close it."""

    __slots__ = ("_buffer", "_clock", "_socket", "_timeout_us")

    def __init__(self, address: Address, timeout_us: int, clock: Clock) -> None:
        """Connect. Raises Broken."""
        self._clock = clock
        self._buffer = b""
        self._timeout_us = -1
        try:
            self._socket = socket.create_connection(
                (address.host, address.port), timeout_us / 1e6 if timeout_us else None
            )
            self._socket.settimeout(None)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except (OSError, UnicodeError) as error:  # UnicodeError: a host that no name can have
            raise Broken(reason_of(error)) from None

    def close(self) -> None:
        """Close it; more than once does no harm."""
        self._socket.close()

    def fileno(self) -> int:
        """The socket's, to wait for several connections at once."""
        return self._socket.fileno()

    @property
    def begun(self) -> bool:
        """Whether bytes of the next frame are here already."""
        return bool(self._buffer)

    def is_dead(self) -> bool:
        """Whether the peer has closed it, or sent what nobody asked for. One system call."""
        try:
            self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def exchange(self, frame: bytes, deadline_us: int, timeout_us: int) -> bytes:
        """Send a request and wait for the one frame of its reply: its body, decompressed.

        Raises Broken, Expired.
        """
        self.send(frame, timeout_us)
        try:
            data = self._socket.recv(_RECEIVE_SIZE)
        except OSError as error:
            raise self._failed(error) from None
        size = len(data)
        if size >= HEADER_SIZE and data[:2] == _AS_MSG_HEAD:
            if int.from_bytes(data[2:8], "big") == size - HEADER_SIZE:
                return data[HEADER_SIZE:]
        elif not size:
            raise Broken("closed the connection", True)
        self._buffer = data
        return self.receive(deadline_us)[1]

    def send(self, frame: bytes, timeout_us: int) -> None:
        """Send a request; `timeout_us` holds for each later wait, too (0 = for ever)."""
        if timeout_us != self._timeout_us:
            self._set_timeout(timeout_us)
        try:
            self._socket.sendall(frame)
        except OSError as error:
            if isinstance(error, BlockingIOError | TimeoutError):
                raise Expired from None
            # The kernel did not take all of it, so the peer cannot have a whole request.
            raise Broken(reason_of(error)) from None

    def receive(self, deadline_us: int) -> tuple[int, bytes]:
        """The next frame: its type, and its body, decompressed. Raises Broken, Expired."""
        buffer = self._buffer
        while len(buffer) < HEADER_SIZE:
            buffer += self._more(deadline_us)
        kind, size = buffer[1], int.from_bytes(buffer[2:8], "big")
        if buffer[0] not in (0, 2) or size > MAX_BODY:
            raise Broken("answered with what is no frame", True)
        end = HEADER_SIZE + size
        if len(buffer) < end:
            body = self._rest(buffer[HEADER_SIZE:], size, deadline_us)
            self._buffer = b""
        else:
            body = buffer[HEADER_SIZE:end]
            self._buffer = buffer[end:]
        if kind != MessageType.AS_MSG_COMPRESSED:
            return kind, body
        try:
            return MessageType.AS_MSG, inflate(body)
        except MessageError as error:
            raise Broken(f"answered with a bad frame: {error}", True) from None

    def _rest(self, begun: bytes, size: int, deadline_us: int) -> bytes:
        """A body whose first bytes are here. What arrives is what is allocated."""
        parts = [begun]
        missing = size - len(begun)
        while missing:
            part = self._more(deadline_us, min(missing, _RECEIVE_SIZE * 16))
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _more(self, deadline_us: int, size: int = _RECEIVE_SIZE) -> bytes:
        if deadline_us and self._clock.monotonic_us() >= deadline_us:
            raise Expired
        try:
            data = self._socket.recv(size)
        except OSError as error:
            raise self._failed(error) from None
        if not data:
            raise Broken("closed the connection", True)
        return data

    def _failed(self, error: OSError) -> Exception:
        if isinstance(error, BlockingIOError | TimeoutError):
            return Expired()
        return Broken(reason_of(error), True)

    def _set_timeout(self, timeout_us: int) -> None:
        self._timeout_us = timeout_us
        with contextlib.suppress(OSError):  # a socket that is closed says so when it is used
            for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
                self._socket.setsockopt(socket.SOL_SOCKET, option, _timeval(timeout_us))


def readable(connections: Sequence[Connection], timeout_s: float | None) -> list[Connection]:
    """Those that have something to read; none when nobody has in time (None = for ever)."""
    with selectors.DefaultSelector() as selector:
        for connection in connections:
            selector.register(connection, selectors.EVENT_READ, connection)
        return [key.data for key, _ in selector.select(timeout_s)]


def _timeval(timeout_us: int) -> bytes:
    if sys.platform == "win32":
        return struct.pack("I", max(1, timeout_us // 1000) if timeout_us else 0)
    return struct.pack("ll", *divmod(timeout_us, 1_000_000))
