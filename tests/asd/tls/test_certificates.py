"""TLS on the service port: whom it lets in, what it says of those it does not, and new files."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives import serialization as form

from aerospike_common.wire.admin import AdminCommand, encode_admin, parse_admin
from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.frame import frame
from asd import Server
from asd.config import (
    Config,
    NamespaceConfig,
    NetworkConfig,
    NetworkServiceConfig,
    SecurityConfig,
    TlsConfig,
    read_config,
)
from asd.process.node_processes import free_ports
from asd.tls.certificates import Certificates
from certificates import NAME, Authority
from citrusleaf.cf_clock import VirtualClock

HOST = "127.0.0.1"


def user(authority: Authority, name: str, **more: Any) -> ssl.SSLContext:
    """The context of a client with a certificate for a name."""
    return authority.client(authority.issue(name, **more))


@contextmanager
def serving(tls: TlsConfig, *whose: str, secure: bool = True) -> Iterator[tuple[Server, int]]:
    """A server that speaks TLS, and its port."""
    (port,) = free_ports(1)
    service = NetworkServiceConfig(
        address=(HOST,), port=0, tls_port=port, tls_name=NAME, tls_authenticate_client=whose
    )
    config = Config(
        network=NetworkConfig(service=service, tls={NAME: tls}),
        namespaces={"test": NamespaceConfig("test")},
        security=SecurityConfig() if secure else None,
    )
    with Server(in_thread=True, config=config) as server:
        yield server, port


def ask(port: int, context: ssl.SSLContext, kind: int, body: bytes) -> bytes:
    """The body of the reply to one frame. Raises OSError when the server does not want to."""
    with (
        socket.create_connection((HOST, port), 10) as plain,
        context.wrap_socket(plain, server_hostname=NAME) as connection,
    ):
        connection.sendall(frame(kind, body))
        reply = b""
        while len(reply) < 8 or len(reply) < 8 + int.from_bytes(reply[2:8], "big"):
            data = connection.recv(65536)
            if not data:
                raise ConnectionResetError
            reply += data
        return reply[8:]


def login(port: int, context: ssl.SSLContext) -> int:
    """The result of a login by certificate."""
    return parse_admin(ask(port, context, 2, encode_admin(AdminCommand.LOGIN)))[0].result_code


def test_without_client_certificates(authority: Authority, block: TlsConfig) -> None:
    with serving(block, "false", secure=False) as (_, port):
        assert ask(port, authority.client(), 1, b"status\n") == b"status\tok\n"
        address = ask(port, authority.client(), 1, b"service-tls-std\n")
        assert address == f"service-tls-std\t{HOST}:{port}\n".encode()


def test_a_user_logs_in_by_certificate(authority: Authority, block: TlsConfig) -> None:
    with serving(block) as (server, port):
        ann = user(authority, "ann")
        assert login(port, ann) == ResultCode.USER_INVALID
        server.create_user("ann", "nopassword", "read")
        assert login(port, ann) == 0
        assert login(port, user(authority, "bob")) == ResultCode.USER_INVALID


def test_the_unit_behind_the_name(authority: Authority, block: TlsConfig) -> None:
    with serving(evolve(block, pki_user_append_ou=True)) as (server, port):
        server.create_user("ann:sales", "nopassword", "read")
        assert login(port, user(authority, "ann", unit="sales")) == 0
        assert login(port, user(authority, "ann", unit="stores")) == ResultCode.USER_INVALID
        assert login(port, user(authority, "ann")) == ResultCode.USER_INVALID


def test_a_certificate_names_no_user_where_none_is_asked_for(
    authority: Authority, block: TlsConfig
) -> None:
    with serving(block, "false") as (server, port):
        server.create_user("ann", "nopassword", "read")
        assert login(port, user(authority, "ann")) == ResultCode.CREDENTIAL_INVALID


def test_a_tls_port_alone(authority: Authority, block: TlsConfig) -> None:
    """As a file has it that gives a tls-port and no port: nothing is served in the clear."""
    (port,) = free_ports(1)
    text = f"""
        network {{
            service {{ address {HOST}
                tls-port {port}
                tls-name {NAME}
                tls-authenticate-client false
            }}
            tls {NAME} {{
                cert-file {block.cert_file}
                key-file {block.key_file}
            }}
        }}
        namespace test {{ }}
    """
    config = read_config(text)
    assert (config.network.service.port, config.network.service.clear) == (0, False)
    with Server(in_thread=True, config=config) as server:
        assert server.address == (HOST, port)
        asked = b"service-clear-std\nservice-tls-std\nservice\n"
        said = ask(port, authority.client(), 1, asked).decode().splitlines()
        assert said == ["service-clear-std\t", f"service-tls-std\t{HOST}:{port}", "service\t"]
        with socket.create_connection((HOST, port), 10) as plain:
            plain.sendall(frame(1, b"status\n"))
            assert b"ok" not in plain.recv(64)


YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("without", "it has shown no certificate"),
        ("of another authority", "whoever has signed it is not in ca-file or ca-path"),
        ("expired", "certificate has expired"),
        ("blacklisted", "is blacklisted"),
        ("other name", "'bob' is not among the names of tls-authenticate-client"),
    ],
)
def test_whom_it_does_not_let_in_and_why(
    authority: Authority,
    block: TlsConfig,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    who: str,
    said: str,
) -> None:
    listed = authority.issue("ann", file="listed")
    client = authority.client()
    if who == "blacklisted":
        client = authority.client(listed)
    elif who == "of another authority":
        (tmp_path / "other").mkdir()
        other = Authority(tmp_path / "other")
        client = authority.client(other.issue("ann"))
    elif who == "expired":
        client = user(authority, "ann", not_after=YESTERDAY)
    elif who == "other name":
        client = user(authority, "bob")
    serial = x509.load_pem_x509_certificate(Path(listed.cert_file).read_bytes()).serial_number
    (tmp_path / "blacklist").write_text(f"# gone\n{serial:x} CN=ann\n")
    config = evolve(block, cert_blacklist=str(tmp_path / "blacklist"))
    with serving(config, "ann") as (_, port), caplog.at_level(logging.WARNING):
        with pytest.raises(OSError):  # noqa: PT011  # what it is depends on the version of TLS
            ask(port, client, 1, b"status\n")
        assert login(port, user(authority, "ann")) == ResultCode.USER_INVALID
    assert said in caplog.text


def test_old_versions_are_not_spoken(authority: Authority, block: TlsConfig) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority.ca_file)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSVersion"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSVersion"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        serving(block, "false") as (_, port),
        pytest.raises(OSError),  # noqa: PT011  # an alert, or an end: as the library likes
    ):
        ask(port, context, 1, b"status\n")


def test_a_new_certificate_is_taken_up(authority: Authority, block: TlsConfig) -> None:
    certificates = Certificates(block, ("false",), VirtualClock.running())
    assert not certificates.refresh()
    authority.issue_node(HOST)
    assert certificates.refresh()
    assert not certificates.refresh()


def test_a_certificate_that_is_none_leaves_the_old_one(
    block: TlsConfig, caplog: pytest.LogCaptureFixture
) -> None:
    certificates = Certificates(block, ("false",), VirtualClock.running())
    Path(block.cert_file).write_text("no certificate")
    assert not certificates.refresh()
    assert "goes on as it was" in caplog.text


def test_the_end_of_a_certificate_is_warned_of(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    soon = datetime.now(UTC) + timedelta(days=7)
    ending = authority.block(authority.issue_node(HOST, not_after=soon))
    Certificates(ending, ("false",), VirtualClock.running())
    assert "the certificate of tls citrusleaf ends on" in caplog.text


def test_a_key_with_a_password(block: TlsConfig, tmp_path: Path) -> None:
    plain = form.load_pem_private_key(Path(block.key_file).read_bytes(), None)
    sealed = plain.private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"sesame")
    )
    Path(block.key_file).write_bytes(sealed)
    (tmp_path / "password").write_text("sesame\n")
    config = evolve(block, key_file_password=f"file:{tmp_path / 'password'}")
    Certificates(config, ("false",), VirtualClock.running())
    (tmp_path / "password").write_text("wrong\n")
    with pytest.raises(ssl.SSLError):
        Certificates(config, ("false",), VirtualClock.running())


def test_a_name_in_a_certificate_writes_no_line_of_the_log(
    authority: Authority, block: TlsConfig, caplog: pytest.LogCaptureFixture
) -> None:
    forged = user(authority, "bob\nWARNING: all is well", file="forged")
    with serving(block, "ann") as (_, port), caplog.at_level(logging.WARNING):
        with pytest.raises(OSError):  # noqa: PT011  # what it is depends on the version of TLS
            ask(port, forged, 1, b"status\n")
        login(port, user(authority, "ann"))
    (line,) = [one.getMessage() for one in caplog.records if "refused" in one.getMessage()]
    assert "'bob?WARNING: all is well' is not among" in line
