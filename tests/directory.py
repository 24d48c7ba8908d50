"""A directory for tests: speaks enough LDAP to bind, to search, and to begin TLS.

It has entries, and passwords for some of them; it remembers who has bound with what.
"""

from __future__ import annotations

import io
import re
import ssl
import threading
from collections.abc import Mapping
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Final

SUCCESS, NO_SUCH_OBJECT, INVALID_CREDENTIALS, UNWILLING = 0, 32, 49, 53
START_TLS: Final = b"1.3.6.1.4.1.1466.20037"
BIND, UNBIND, SEARCH, EXTENDED = 0x60, 0x42, 0x63, 0x77
AND, OR, EQUAL, PRESENT = 0xA0, 0xA1, 0xA3, 0x87

Part = tuple[int, bytes]

Attributes = Mapping[str, list[str]]


class TestDirectory(ThreadingTCPServer):
    """A directory on 127.0.0.1. A context manager."""

    __test__ = False
    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self,
        entries: dict[str, Attributes],
        passwords: dict[str, str],
        tls: ssl.SSLContext | None = None,
        *,
        at_once: bool = False,
    ) -> None:
        """With `tls` it speaks TLS when it is asked to, or `at_once`."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.entries = entries
        self.passwords = passwords
        self.tls = tls
        self.at_once = at_once
        self.binds: list[tuple[str, str, bool]] = []
        """Who has bound with what, and whether by TLS."""
        self.silent = threading.Event()
        """Set: it answers no more."""
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        scheme = "ldaps" if self.at_once else "ldap"
        return f"{scheme}://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> TestDirectory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(StreamRequestHandler):
    """One connection."""

    server: TestDirectory

    def handle(self) -> None:
        self._secure = False
        if self.server.at_once:
            self._begin_tls()
        while (data := self._frame()) is not None:
            if self.server.silent.is_set():
                continue
            number, operation = _parts(_parts(data)[0][1])[:2]
            if operation[0] == UNBIND:
                return
            answer = {BIND: self._bind, SEARCH: self._search, EXTENDED: self._extended}
            answer[operation[0]](int.from_bytes(number[1], "big"), _parts(operation[1]))

    def _frame(self) -> bytes | None:
        head = self.rfile.read(2)
        if len(head) < 2:
            return None
        if head[1] < 0x80:
            return head + self.rfile.read(head[1])
        size = self.rfile.read(head[1] & 0x7F)
        return head + size + self.rfile.read(int.from_bytes(size, "big"))

    def _send(self, number: int, tag: int, *parts: bytes) -> None:
        body = _tlv(tag, b"".join(parts))
        told = number.to_bytes(number.bit_length() // 8 + 1, "big")
        self.wfile.write(_tlv(0x30, _tlv(2, told) + body))

    def _result(self, number: int, tag: int, code: int) -> None:
        self._send(number, tag, _tlv(10, bytes((code,))), _tlv(4, b""), _tlv(4, b""))

    def _bind(self, number: int, request: list[Part]) -> None:
        _, (_, name), (_, secret) = request
        dn, password = name.decode(), secret.decode()
        self.server.binds.append((dn, password, self._secure))
        right = not password or self.server.passwords.get(dn) == password
        self._result(number, BIND + 1, SUCCESS if right else INVALID_CREDENTIALS)

    def _search(self, number: int, request: list[Part]) -> None:
        base, scope, wanted = request[0][1].decode(), request[1][1][0], request[6]
        below = {
            dn: attributes
            for dn, attributes in self.server.entries.items()
            if dn == base or (scope and dn.endswith("," + base))
        }
        for dn, attributes in below.items():
            if _matches(wanted, {**attributes, "objectClass": ["top"]}):
                names = [_tlv(4, name.encode()) for name in attributes.get("cn", ())]
                row = _tlv(0x30, _tlv(4, b"cn") + _tlv(0x31, b"".join(names)))
                self._send(number, 0x64, _tlv(4, dn.encode()), _tlv(0x30, row if names else b""))
        self._result(number, 0x65, SUCCESS if below else NO_SUCH_OBJECT)

    def _extended(self, number: int, request: list[Part]) -> None:
        starts = request[0][1] == START_TLS and self.server.tls is not None
        self._result(number, EXTENDED + 1, SUCCESS if starts else UNWILLING)
        if starts:
            self._begin_tls()

    def _begin_tls(self) -> None:
        assert self.server.tls is not None
        self.rfile.close()
        self.wfile.close()
        try:
            secured = self.server.tls.wrap_socket(self.connection, server_side=True)
        except OSError:  # whoever does not believe it goes away
            self.rfile = io.BytesIO()
            return
        self.connection = secured
        self.rfile = secured.makefile("rb")
        self.wfile = secured.makefile("wb", buffering=0)  # type: ignore[assignment] # of a socket
        self._secure = True

    def finish(self) -> None:
        super().finish()
        self.connection.close()


def _tlv(tag: int, data: bytes) -> bytes:
    return bytes((tag, 0x84)) + len(data).to_bytes(4, "big") + data


def _parts(data: bytes) -> list[Part]:
    """Tags and contents of what stands one behind the other."""
    found = []
    while data:
        tag, size, at = data[0], data[1], 2
        if size & 0x80:
            at += size & 0x7F
            size = int.from_bytes(data[2:at], "big")
        found.append((tag, data[at : at + size]))
        data = data[at + size :]
    return found


def _matches(wanted: Part, attributes: Attributes) -> bool:
    """Does a filter of and, or, equality, presence and parts of texts match?"""
    kind, value = wanted
    if kind == PRESENT:
        return value.decode() in attributes
    parts = _parts(value)
    if kind in (AND, OR):
        quantifier = all if kind == AND else any
        return quantifier(_matches(each, attributes) for each in parts)
    found = attributes.get(parts[0][1].decode(), [])
    if kind == EQUAL:
        return parts[1][1].decode() in found
    pieces = ".*".join(re.escape(text.decode()) for _, text in _parts(parts[1][1]))
    return any(re.search(pieces, text) for text in found)
