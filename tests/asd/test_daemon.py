"""The command `asd` as a process: ready, answering, stopping, and what outlives a restart."""

from __future__ import annotations

import base64
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from aerospike_common.as_password import hash_password
from aerospike_common.wire.admin import AdminCommand, AdminField, encode_admin
from aerospike_common.wire.codes import FieldType, Info1, Info2, OpType, ParticleType, ResultCode
from aerospike_common.wire.frame import frame
from aerospike_common.wire.message import Message, Op, encode_message, parse_message
from citrusleaf.cf_digest import key_digest


def stop(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> int:
    process.send_signal(number)
    return process.wait(5)


def info(port: int, command: str) -> str:
    """The value an info command is answered with."""
    body = f"{command}\n".encode()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"\x02\x01" + len(body).to_bytes(6, "big") + body)
        answer = connection.makefile("rb")
        size = int.from_bytes(answer.read(8)[2:], "big")
        return answer.read(size).decode().partition("\t")[2].rstrip("\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_when_it_is_ready_and_stops_when_told(number: int, running: Any) -> None:
    with running() as (process, port):
        assert info(port, "namespaces") == "test"
        started = time.monotonic()
        assert stop(process, number) == 0
        assert time.monotonic() - started < 3


def test_it_stops_although_clients_are_connected(running: Any) -> None:
    with running() as (process, port), socket.create_connection(("127.0.0.1", port)):
        info(port, "build")
        assert stop(process) == 0


def test_a_port_that_is_taken_is_said(running: Any) -> None:
    with running() as (_, port):
        second = subprocess.run(
            [sys.executable, "-m", "asd", "--service-port", str(port)],
            capture_output=True,
            text=True,
            check=False,
        )
    assert second.returncode == 1
    assert "cannot serve" in second.stderr
    assert "asd ready" not in second.stdout


def test_indexes_and_functions_outlive_a_restart(tmp_path: Path, running: Any) -> None:
    content = base64.b64encode(b"function one(rec) return 1 end").decode()
    put = f"udf-put:filename=one.lua;content={content};content-len={len(content)};udf-type=LUA"
    create = "sindex-create:namespace=test;set=demo;indexname=by_age;bin=age;type=numeric"
    where = ("--work-directory", str(tmp_path))
    with running(*where) as (process, port):
        assert info(port, put) == "ok"
        assert info(port, create) == "ok"
        assert stop(process) == 0
    with running(*where) as (_, port):
        assert "filename=one.lua" in info(port, "udf-list")
        assert "indexname=by_age" in info(port, "sindex-list:namespace=test")


def test_without_a_work_directory_nothing_is_kept_or_written(tmp_path: Path, running: Any) -> None:
    create = "sindex-create:namespace=test;indexname=by_age;bin=age;type=numeric"
    with running() as (process, port):
        assert info(port, create) == "ok"
        assert stop(process) == 0
    with running() as (_, port):
        assert info(port, "sindex-list:namespace=test") == ""


def test_metadata_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "smd").write_text("a file where a directory should be")
    result = subprocess.run(
        [sys.executable, "-m", "asd", "--service-port", "0", "--work-directory", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "cannot read the system metadata" in result.stderr


def ask(port: int, info1: int = 0, info2: int = 0, key: int = 1, **more: Any) -> Message:
    """The reply to one command on a record of the set `people`."""
    fields = {
        FieldType.NAMESPACE: b"test",
        FieldType.SET: b"people",
        FieldType.DIGEST: key_digest("people", key),
    }
    body = encode_message(info1, info2, fields=fields, **more)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"\x02\x03" + len(body).to_bytes(6, "big") + body)
        answer = connection.makefile("rb")
        return parse_message(answer.read(int.from_bytes(answer.read(8)[2:], "big")))


def put(port: int, key: int) -> None:
    ops = [Op(OpType.WRITE, ParticleType.STRING, b"name", b"ada")]
    assert ask(port, info2=Info2.WRITE, key=key, ops=ops).result_code == 0


def get(port: int, key: int) -> Message:
    return ask(port, info1=Info1.READ | Info1.GET_ALL, key=key)


@pytest.mark.parametrize("engine", ["ssd", "kv", "ssd_cold", "memory"])
def test_records_in_a_file_outlive_a_restart(engine: str, tmp_path: Path, running: Any) -> None:
    space = ("--namespace", f"test:{engine}:{tmp_path / 'records'}")
    with running(*space) as (process, port):
        for key in (1, 2, 3):
            put(port, key)
        deleted = ask(port, info2=Info2.WRITE | Info2.DELETE | Info2.DURABLE_DELETE, key=2)
        assert deleted.result_code == 0
        assert stop(process) == 0
    with running(*space) as (_, port):
        assert get(port, 1).ops == [Op(OpType.READ, ParticleType.STRING, b"name", b"ada")]
        assert get(port, 2).result_code == 2
        assert "objects=2:" in info(port, "sets/test/people")


@pytest.mark.parametrize("engine", ["ssd", "kv", "ssd_cold"])
def test_what_was_flushed_outlives_a_kill(engine: str, tmp_path: Path, running: Any) -> None:
    space = ("--namespace", f"test:{engine}:{tmp_path / 'records'}")
    with running(*space) as (process, port):
        for key in (1, 2):
            put(port, key)
        ask(port, info2=Info2.WRITE | Info2.DELETE | Info2.DURABLE_DELETE, key=2)
        time.sleep(2.5)  # flush-max-ms is a second
        process.kill()
        process.wait(5)
    with running(*space) as (_, port):
        assert get(port, 1).result_code == 0
        assert get(port, 2).result_code == 2


def login(port: int, password: str) -> int:
    """The result of a login as admin."""
    fields = {AdminField.USER: b"admin", AdminField.CREDENTIAL: hash_password(password).encode()}
    body = encode_admin(AdminCommand.LOGIN, fields)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(frame(2, body))
        return connection.makefile("rb").read(24)[9]


def test_access_control_on_the_command_line(running: Any) -> None:
    with running("--security") as (_, port):
        assert login(port, "admin") == 0
        assert login(port, "guess") == ResultCode.CREDENTIAL_INVALID


def secure_file(tmp_path: Path) -> Path:
    """A configuration whose `admin` begins with the password in a file."""
    path = tmp_path / "asd.conf"
    path.write_text(
        f"security {{\ndefault-password-file {tmp_path / 'password'}\n}}\n"
        "network { service { address 127.0.0.1\nport 0 } }\nnamespace test { }\n"
    )
    return path


def test_admin_begins_with_the_password_of_a_file(tmp_path: Path, running: Any) -> None:
    (tmp_path / "password").write_text("sesame\n")
    with running("--config-file", str(secure_file(tmp_path))) as (_, port):
        assert login(port, "sesame") == 0
        assert login(port, "admin") == ResultCode.CREDENTIAL_INVALID


def test_a_password_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "asd", "--config-file", str(secure_file(tmp_path))]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 1
    assert "cannot take the password of default-password-file" in ended.stderr


@pytest.mark.parametrize("module", ["aerospike_client", "zstandard", "lz4.frame"])
def test_a_server_that_does_not_ship_loads_nothing_for_it(module: str) -> None:
    """The client is a seventh of the start, and one look at a filter's expression had brought it
    along; the other two are some hundredths, and the names of the algorithms had."""
    program = f"import asd.daemon, asd.hosted, sys; print({module!r} in sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True
    )
    assert ended.stdout == "False\n"
