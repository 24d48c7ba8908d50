"""What clients send, byte by byte."""

from __future__ import annotations

import socket
import threading
from collections.abc import Collection

from aerospike_common.wire import FrameReader, MessageType


class Tap:
    """Passes bytes on between clients and a server, and keeps the messages that clients send."""

    def __init__(
        self, server: tuple[str, int], kinds: Collection[MessageType] = (MessageType.AS_MSG,)
    ) -> None:
        """`kinds`: of the messages that are kept."""
        self.sent: list[bytes] = []
        self._kinds = kinds
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            for source, target, keep in ((client, server, True), (server, client, False)):
                threading.Thread(
                    target=self._pass, args=(source, target, keep), daemon=True
                ).start()

    def _pass(self, source: socket.socket, target: socket.socket, keep: bool) -> None:
        reader = FrameReader()
        try:
            while data := source.recv(1 << 16):
                if keep:
                    reader.feed(data)
                    self.sent += [f.body for f in reader if f.type in self._kinds]
                target.sendall(data)
        except OSError:
            pass
        for sock in (source, target):
            sock.close()

    def taken(self) -> list[bytes]:
        """The messages since the last time."""
        sent, self.sent = self.sent, []
        return sent

    def close(self) -> None:
        """Accept no more connections."""
        self._listener.close()
