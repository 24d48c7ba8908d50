"""HTTP as control takes it, and from whom."""

from __future__ import annotations

import pytest

from asd.control.requests import MAX_BODY, parse_body, parse_head
from asd.http.messages import HttpError


def head(*headers: str, line: str = "POST /reset HTTP/1.1") -> bytes:
    return "\r\n".join([line, *headers]).encode()


def test_a_request() -> None:
    request = parse_head(head("Host: localhost:3100", "Content-Length: 12", "Connection: close"))
    assert (request.method, request.path, request.size) == ("POST", "/reset", 12)
    assert not request.keep_alive
    assert not request.waits


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:1", "127.0.0.1:1", "127.9.9.9", "[::1]:1"]
)
def test_this_machine_s_own_names(host: str) -> None:
    assert parse_head(head(f"Host: {host}")).keep_alive


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        (head("Host: evil.example:3100"), 403),
        (head("Host: 192.168.0.1"), 403),
        (head("Host: localhost", "Origin: http://localhost"), 403),
        (head("Host: localhost", "origin: null"), 403),
        (head("Transfer-Encoding: chunked"), 411),
        (head(f"Content-Length: {MAX_BODY + 1}"), 413),
        (head("Content-Length: -1"), 400),
        (head("Content-Length : 1"), 400),
        (head("no header"), 400),
        (head(line="POST reset HTTP/1.1"), 400),
        (head(line="POST /reset"), 400),
        (head(line="POST /reset HTTP/2"), 505),
        (b"\xff\xfe", 400),
    ],
)
def test_what_is_refused(request_head: bytes, status: int) -> None:
    with pytest.raises(HttpError) as error:
        parse_head(request_head)
    assert error.value.status == status


def test_nothing_is_no_arguments() -> None:
    assert parse_body(b"") == parse_body(b" \n") == parse_body(b"{}") == {}


@pytest.mark.parametrize("body", [b"[]", b"1", b"{", b"\xff", b"null"])
def test_a_body_that_is_no_object(body: bytes) -> None:
    with pytest.raises(ValueError, match="JSON"):
        parse_body(body)
