"""HTTP/1.1 as far as control needs it: one JSON object in, one out. No IO here.

Who can reach the port may do everything, so it matters who can. On a socket in the file system the
system sees to that: it is its owner's. A port of the loopback interface is open to all users of the
machine, which is said in the manual, but also to every web page that one of them has open, which
must not be. Browsers name the page that asks (`Origin`, on all requests but plain reads of the same
site) and the host they believe to ask, so:

- a request with an `Origin` is refused, whatever it is;
- a request for a host that is not this machine by its own name is refused: that is how a page
  reaches a port of the loopback interface under a name of its own.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from attrs import frozen

from asd.http.messages import HttpError, Response, parse_headers, split_head, stays_open

MAX_BODY: Final = 256 << 20
"""Bytes of one request's object: records to load can be many."""


@frozen
class Request:
    """What of a request matters."""

    method: str
    path: str
    size: int
    """Bytes of the body that follows."""
    keep_alive: bool
    """The connection stays open for another request."""
    waits: bool
    """The body comes only once the client has been told to go on."""


def parse_head(head: bytes) -> Request:
    """The request whose line and headers these are, without the empty line. Raises HttpError."""
    method, path, version, header_lines = split_head(head)
    headers = parse_headers(header_lines)
    if "origin" in headers or not _is_local(headers.get("host", "localhost")):
        raise HttpError(HTTPStatus.FORBIDDEN)
    return Request(
        method,
        path,
        _body_size(headers),
        stays_open(version, headers),
        headers.get("expect", "").lower() == "100-continue",
    )


def _is_local(host: str) -> bool:
    """Is this name, with or without a port, one of this machine's own?"""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def _body_size(headers: Mapping[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise HttpError(HTTPStatus.LENGTH_REQUIRED)
    said = headers.get("content-length", "0")
    if not said.isdecimal():
        raise HttpError(HTTPStatus.BAD_REQUEST)
    if int(said) > MAX_BODY:
        raise HttpError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return int(said)


def parse_body(body: bytes) -> dict[str, Any]:
    """The arguments in a request's body; nothing at all is no arguments. Raises ValueError."""
    if not body.strip():
        return {}
    try:
        given = json.loads(body)
    except ValueError as error:
        raise ValueError(f"the body is no JSON: {error}") from None
    if not isinstance(given, dict):
        raise ValueError('the body is to be one JSON object, as {"advance": 60}')
    return given


def json_response(value: object, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """An answer that is one JSON value."""
    text = json.dumps(value, separators=(",", ":")) + "\n"
    return Response(text.encode(), "application/json", status)


def refusal(message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> Response:
    """An answer that says what is wrong."""
    return json_response({"error": message}, status)
