"""HTTP without a socket: what is a request, and what an answer looks like."""

from http import HTTPStatus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asd.http.messages import HttpError, Request, Response, encode, error_response, parse_head


@given(st.binary(max_size=400))
def test_any_bytes_are_a_request_or_refused(head: bytes) -> None:
    try:
        request = parse_head(head)
    except HttpError:
        return
    assert request.method in ("GET", "HEAD")
    assert request.path.startswith("/")


@given(
    st.sampled_from(["GET", "HEAD", "POST", "get"]),
    st.sampled_from(["/", "/metrics?x=1", "*", "http://x/"]),
    st.sampled_from(["HTTP/1.1", "HTTP/1.0", "HTTP/2"]),
    st.lists(st.sampled_from(["Host: x", "Connection: close", "a:b", " bad: 1", "nocolon", ": x"])),
)
def test_requests_of_parts(method, target, version, headers) -> None:
    head = "\r\n".join([f"{method} {target} {version}", *headers]).encode()
    good = (
        method in ("GET", "HEAD")
        and target.startswith("/")
        and version != "HTTP/2"
        and not {" bad: 1", "nocolon", ": x"} & set(headers)
    )
    if not good:
        with pytest.raises(HttpError):
            parse_head(head)
        return
    keeps = version == "HTTP/1.1" and "Connection: close" not in headers
    assert parse_head(head) == Request(method, target.partition("?")[0], keeps)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST / HTTP/1.1", HTTPStatus.METHOD_NOT_ALLOWED),
        (b"GET / HTTP/3", HTTPStatus.HTTP_VERSION_NOT_SUPPORTED),
        (b"GET /", HTTPStatus.BAD_REQUEST),
        (b"GET / HTTP/1.1\r\nContent-Length: 5", HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked", HTTPStatus.REQUEST_ENTITY_TOO_LARGE),
        (b"GET / HTTP/1.1\r\nno colon", HTTPStatus.BAD_REQUEST),
    ],
)
def test_what_is_refused_and_how(head: bytes, status: HTTPStatus) -> None:
    with pytest.raises(HttpError) as caught:
        parse_head(head)
    assert caught.value.status == status


def test_old_clients_close_unless_they_ask() -> None:
    assert not parse_head(b"GET / HTTP/1.0").keep_alive
    assert parse_head(b"GET / HTTP/1.0\r\nConnection: Keep-Alive").keep_alive


@given(st.binary(max_size=100), st.booleans(), st.booleans())
def test_answers_can_be_told_apart_by_their_length(body, keep_alive, head_only) -> None:
    answer = encode(Response(body, "text/plain"), keep_alive=keep_alive, head_only=head_only)
    head, _, rest = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 200 OK"
    assert f"Content-Length: {len(body)}" in lines
    assert rest == (b"" if head_only else body)


def test_a_wrong_method_is_told_the_right_ones() -> None:
    answer = encode(error_response(HTTPStatus.METHOD_NOT_ALLOWED), keep_alive=False)
    assert b"\r\nAllow: GET, HEAD\r\n" in answer
    assert answer.endswith(b"405 Method Not Allowed\n")


def test_a_page_says_what_it_may_do() -> None:
    """Nothing from elsewhere, in no frame, kept nowhere."""
    head = encode(Response(b"", "text/html"), keep_alive=True).decode("latin-1")
    for header in (
        "Cache-Control: no-store",
        "Content-Security-Policy: default-src 'none';",
        "frame-ancestors 'none'",
        "Cross-Origin-Opener-Policy: same-origin",
        "Cross-Origin-Resource-Policy: same-origin",
        "X-Content-Type-Options: nosniff",
        "Referrer-Policy: no-referrer",
    ):
        assert header in head
