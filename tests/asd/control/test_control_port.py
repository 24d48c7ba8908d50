"""The control port over real sockets: of the command `asd`, as a project in any language has it."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from asd.control.caller import call
from asd.control.place import Place


@contextmanager
def asd(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """The command, and what its lines say: `control` and `ready`."""
    command = [sys.executable, "-m", "asd", "--service-port", "0", "--until-eof", *arguments]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines: dict[str, str] = {}
        while "ready" not in lines:
            _, kind, place = process.stdout.readline().split()
            lines[kind] = place
        yield process, lines


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The control port of a running `asd`."""
    with asd("--control", "0") as (_, lines):
        host, _, number = lines["control"].rpartition(":")
        assert host == "127.0.0.1"
        yield int(number)


def ask(port: int, method: str, path: str, body: str = "", **headers: str) -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def test_it_is_off_by_default() -> None:
    with asd() as (_, lines):
        assert lines.keys() == {"ready"}


def test_a_port_of_the_loopback_interface(port: int) -> None:
    status, said = ask(port, "GET", "/status")
    assert (status, said["namespaces"]) == (200, {"test": {"objects": 0}})


def test_a_socket_of_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "asd.sock"
    with asd("--control", str(path)) as (process, lines):
        assert lines["control"] == str(path)
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
        assert call(Place(path=str(path)), "clock", {"freeze": True})["frozen"]
        call(Place(path=str(path)), "stop", {})
        assert process.wait(30) == 0
    assert not path.exists()


def test_a_socket_that_was_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "asd.sock"
    for _ in range(2):
        with asd("--control", str(path)) as (process, _):
            call(Place(path=str(path)), "status", {})
            process.kill()
    assert path.is_socket()


@pytest.mark.parametrize("taken", ["file", "server"])
def test_a_place_that_is_taken(tmp_path: Path, taken: str) -> None:
    path = tmp_path / "asd.sock"
    with socket.socket(socket.AF_UNIX) as other:
        if taken == "file":
            path.write_text("mine")
        else:
            other.bind(str(path))
            other.listen()
        done = subprocess.run(
            [sys.executable, "-m", "asd", "--service-port", "0", "--control", str(path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert f"asd: cannot be controlled at {path}: Address already in use" in done.stderr
    assert path.exists()


@pytest.mark.parametrize("place", ["", "70000", "x" * 200])
def test_a_place_that_is_none(place: str) -> None:
    with pytest.raises(ValueError, match="port"):
        Place.parse(place)


def test_with_several_nodes_it_is_one_s_own() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "asd", "--nodes", "2", "--control", "0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "--control is one node's" in done.stderr


def test_records_to_begin_with(tmp_path: Path) -> None:
    first, second = tmp_path / "first.json", tmp_path / "second.yaml"
    first.write_text('[{"key": 1, "bins": {"n": 1}}, {"key": 2, "bins": {"n": 1}}]')
    second.write_text("- {key: 2, bins: {n: 2}}\n")
    with asd("--control", "0", "--load", str(first), "--load", str(second)) as (_, lines):
        _, said = ask(int(lines["control"].rpartition(":")[2]), "GET", "/dump")
        assert [row["bins"] for row in said["records"]] == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize(
    ("text", "complaint"), [(None, "No such file"), ('[{"key": 1}]', "record 1: 'bins' is to be")]
)
def test_records_that_cannot_be_loaded(tmp_path: Path, text: str | None, complaint: str) -> None:
    path = tmp_path / "records.json"
    if text is not None:
        path.write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "asd", "--service-port", "0", "--load", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert f"asd: cannot load {path}: " in done.stderr
    assert complaint in done.stderr


# ---------------------------------------------------------------------- requests


def test_what_is_wrong_is_said(port: int) -> None:
    assert ask(port, "POST", "/nowhere")[0] == 404
    assert ask(port, "GET", "/reset") == (400, {"error": "/reset takes POST"})
    assert ask(port, "DELETE", "/status") == (400, {"error": "/status takes POST"})
    status, said = ask(port, "POST", "/clock", '{"advance": -1}')
    assert status == 400
    assert "'set' sets another date" in said["error"]
    assert ask(port, "POST", "/clock", "[]")[0] == 400


def test_web_pages_are_refused(port: int) -> None:
    for headers in ({"Origin": "http://localhost"}, {"Host": "evil.example"}):
        status, said = ask(port, "POST", "/reset", **headers)
        assert (status, said) == (
            403,
            {"error": "ask for the host localhost, and from no web page"},
        )


def test_several_requests_on_one_connection(port: int) -> None:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    for _ in range(3):
        connection.request("POST", "/clock", '{"advance": 1}')
        assert connection.getresponse().read()
    connection.close()


def test_a_request_byte_by_byte_and_two_in_one_piece(port: int) -> None:
    text = b'POST /clock HTTP/1.1\r\nHost: localhost\r\nContent-Length: 13\r\n\r\n{"advance":1}'
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        for byte in text:
            connection.sendall(bytes((byte,)))
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")
        connection.sendall(
            text + text.replace(b"localhost\r\n", b"localhost\r\nConnection: close\r\n")
        )
        answers = b""
        while data := connection.recv(4096):
            answers += data
        assert answers.count(b"HTTP/1.1 200") == 2


def test_a_client_that_waits_is_told_to_go_on(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(
            b"POST /clock HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert connection.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"{}")
        assert connection.recv(4096).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("data", [b"\0" * 10_000, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 2_000])
def test_a_head_without_an_end_is_cut_off(port: int, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(data)
        assert connection.recv(4096).startswith(b"HTTP/1.1 431")
