"""HTTP/1.1 as far as a page of figures needs it: GET and HEAD without a body. No IO here."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Final, NamedTuple

from attrs import frozen

MAX_HEAD: Final = 8192
"""Bytes of a request's line and headers."""

END_OF_HEAD: Final = b"\r\n\r\n"

_FIXED_HEADERS: Final = (
    "Cache-Control: no-store\r\n"
    "Content-Security-Policy: default-src 'none'; style-src 'self'; script-src 'self';"
    " connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'\r\n"
    "Cross-Origin-Opener-Policy: same-origin\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: no-referrer\r\n"
)


class HttpError(Exception):
    """A request that is not answered; `status` says why. The connection is closed after it."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


@frozen
class Request:
    """What of a request matters."""

    method: str
    """`GET` or `HEAD`."""
    path: str
    """Without the query."""
    keep_alive: bool
    """The connection stays open for another request."""
    authorization: str = ""
    """Who asks, as the header of that name says it."""


@frozen
class Response:
    """An answer before it has its headers."""

    body: bytes
    content_type: str
    status: HTTPStatus = HTTPStatus.OK


class Head(NamedTuple):
    """A request's line, taken apart, and its headers, not yet."""

    method: str
    path: str
    """Without the query."""
    version: str
    header_lines: list[str]


def split_head(head: bytes) -> Head:
    """The parts of a request's line and headers, without the empty line. Raises HttpError."""
    line, *header_lines = head.decode("latin-1").split("\r\n")
    words = line.split(" ")
    if len(words) != 3 or not words[1].startswith("/"):
        raise HttpError(HTTPStatus.BAD_REQUEST)
    method, target, version = words
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise HttpError(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
    return Head(method, target.partition("?")[0], version, header_lines)


def stays_open(version: str, headers: Mapping[str, str]) -> bool:
    """Does the connection stay open for another request?"""
    wish = headers.get("connection", "").lower()
    return wish != "close" if version == "HTTP/1.1" else wish == "keep-alive"


def parse_head(head: bytes) -> Request:
    """The request whose line and headers these are, without the empty line. Raises HttpError."""
    method, path, version, header_lines = split_head(head)
    if method not in ("GET", "HEAD"):
        raise HttpError(HTTPStatus.METHOD_NOT_ALLOWED)
    headers = parse_headers(header_lines)
    if headers.get("content-length", "0") != "0" or "transfer-encoding" in headers:
        raise HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    authorization = headers.get("authorization", "")
    return Request(method, path, stays_open(version, headers), authorization)


def basic_credentials(authorization: str) -> tuple[str, str] | None:
    """Name and password of a Basic authorization; None for any other."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return None
    return (name, password) if colon else None


def parse_headers(lines: list[str]) -> Mapping[str, str]:
    """Headers by their names in lower case; of a name that comes twice the last. Raises
    HttpError."""
    headers = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise HttpError(HTTPStatus.BAD_REQUEST)
        headers[name.lower()] = value.strip()
    return MappingProxyType(headers)


def encode(response: Response, *, keep_alive: bool, head_only: bool = False) -> bytes:
    """The bytes of an answer; for HEAD all but the body."""
    status = response.status
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        f"Content-Type: {response.content_type}\r\n"
        f"Content-Length: {len(response.body)}\r\n"
        f"Connection: {'keep-alive' if keep_alive else 'close'}\r\n"
        f"{_FIXED_HEADERS}"
    )
    if status == HTTPStatus.UNAUTHORIZED:
        head += 'WWW-Authenticate: Basic realm="asd", charset="UTF-8"\r\n'
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        head += "Allow: GET, HEAD\r\n"
    return f"{head}\r\n".encode("latin-1") + (b"" if head_only else response.body)


def error_response(status: HTTPStatus) -> Response:
    """An answer that says only what is wrong."""
    text = f"{status.value} {status.phrase}\n"
    return Response(text.encode(), "text/plain; charset=utf-8", status)
