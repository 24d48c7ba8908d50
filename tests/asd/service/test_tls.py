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
import trustme
from attrs import evolve

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
)
from asd.process.node_processes import free_ports
from asd.service.tls import Certificates
from citrusleaf.cf_clock import VirtualClock

HOST = "127.0.0.1"


class Pki:
    """An authority, and files of what it has issued."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = trustme.CA()
        self.authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        self.write_server_certificate()

    def write_server_certificate(self) -> None:
        issued = self.authority.issue_cert("blue", HOST)
        issued.private_key_pem.write_to_path(str(self.folder / "key.pem"))
        Path(self.folder / "cert.pem").write_bytes(
            b"".join(pem.bytes() for pem in issued.cert_chain_pems)
        )

    def config(self, **more: Any) -> TlsConfig:
        return TlsConfig(
            "blue",
            cert_file=str(self.folder / "cert.pem"),
            key_file=str(self.folder / "key.pem"),
            ca_file=str(self.folder / "ca.pem"),
            **more,
        )

    def client(self, name: str = "", authority: trustme.CA | None = None, **more: Any) -> Any:
        """A client's context, with a certificate for a name if there is one."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        if name:
            issuer = authority or self.authority
            issued = issuer.issue_cert(f"{name}.example.org", common_name=name, **more)
            issued.configure_cert(context)
        return context


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path)


@contextmanager
def serving(tls: TlsConfig, *whose: str, secure: bool = True) -> Iterator[tuple[Server, int]]:
    """A server that speaks TLS, and its port."""
    (port,) = free_ports(1)
    service = NetworkServiceConfig(
        address=(HOST,), port=0, tls_port=port, tls_name="blue", tls_authenticate_client=whose
    )
    config = Config(
        network=NetworkConfig(service=service, tls={"blue": tls}),
        namespaces={"test": NamespaceConfig("test")},
        security=SecurityConfig() if secure else None,
    )
    with Server(in_thread=True, config=config) as server:
        yield server, port


def ask(port: int, context: ssl.SSLContext, kind: int, body: bytes) -> bytes:
    """The body of the reply to one frame. Raises OSError when the server does not want to."""
    with (
        socket.create_connection((HOST, port), 10) as plain,
        context.wrap_socket(plain, server_hostname="blue") as connection,
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


def test_without_client_certificates(pki: Pki) -> None:
    with serving(pki.config(), "false", secure=False) as (_, port):
        assert ask(port, pki.client(), 1, b"status\n") == b"status\tok\n"
        address = ask(port, pki.client(), 1, b"service-tls-std\n")
        assert address == f"service-tls-std\t{HOST}:{port}\n".encode()


def test_a_user_logs_in_by_certificate(pki: Pki) -> None:
    with serving(pki.config()) as (server, port):
        assert login(port, pki.client("ann")) == ResultCode.USER_INVALID
        server.create_user("ann", "nopassword", "read")
        assert login(port, pki.client("ann")) == 0
        assert login(port, pki.client("bob")) == ResultCode.USER_INVALID


def test_a_certificate_names_no_user_where_none_is_asked_for(pki: Pki) -> None:
    with serving(pki.config(), "false") as (server, port):
        server.create_user("ann", "nopassword", "read")
        assert login(port, pki.client("ann")) == ResultCode.CREDENTIAL_INVALID


YESTERDAY = datetime.now(UTC) - timedelta(days=1)


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("without", "peer did not return a certificate"),
        ("self-signed", "unable to get local issuer certificate"),
        ("expired", "certificate has expired"),
        ("blacklisted", "'ann' is on the cert-blacklist"),
        ("other name", "'bob' is not among the names of tls-authenticate-client"),
    ],
)
def test_whom_it_does_not_let_in_and_why(
    pki: Pki, caplog: pytest.LogCaptureFixture, tmp_path: Path, who: str, said: str
) -> None:
    listed = pki.authority.issue_cert("ann.example.org", common_name="ann")
    client = pki.client()
    if who == "blacklisted":
        listed.configure_cert(client)
    elif who == "self-signed":
        client = pki.client("ann", trustme.CA())
    elif who == "expired":
        client = pki.client("ann", not_after=YESTERDAY)
    elif who == "other name":
        client = pki.client("bob")
    from cryptography import x509

    serial = x509.load_pem_x509_certificate(listed.cert_chain_pems[0].bytes()).serial_number
    (tmp_path / "blacklist").write_text(f"# gone\n{serial:x} CN=ann\n")
    config = pki.config(cert_blacklist=str(tmp_path / "blacklist"))
    with serving(config, "ann") as (_, port), caplog.at_level(logging.WARNING):
        with pytest.raises(OSError):  # noqa: PT011  # what it is depends on the version of TLS
            ask(port, client, 1, b"status\n")
        assert login(port, pki.client("ann")) == ResultCode.USER_INVALID
    assert said in caplog.text


def test_old_versions_are_not_spoken(pki: Pki) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    pki.authority.configure_trust(context)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSVersion"):
        context.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSVersion"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        serving(pki.config(), "false") as (_, port),
        pytest.raises(OSError),  # noqa: PT011  # an alert, or an end: as the library likes
    ):
        ask(port, context, 1, b"status\n")


def test_a_new_certificate_is_taken_up(pki: Pki, caplog: pytest.LogCaptureFixture) -> None:
    certificates = Certificates(pki.config(), ("false",), VirtualClock.running())
    assert not certificates.refresh()
    pki.write_server_certificate()
    assert certificates.refresh()
    assert not certificates.refresh()


def test_a_certificate_that_is_none_leaves_the_old_one(
    pki: Pki, caplog: pytest.LogCaptureFixture
) -> None:
    certificates = Certificates(pki.config(), ("false",), VirtualClock.running())
    (pki.folder / "cert.pem").write_text("no certificate")
    assert not certificates.refresh()
    assert "goes on as it was" in caplog.text


def test_the_end_of_a_certificate_is_warned_of(pki: Pki, caplog: pytest.LogCaptureFixture) -> None:
    soon = datetime.now(UTC) + timedelta(days=7)
    issued = pki.authority.issue_cert("blue", not_after=soon)
    issued.private_key_and_cert_chain_pem.write_to_path(str(pki.folder / "both.pem"))
    both = str(pki.folder / "both.pem")
    Certificates(
        evolve(pki.config(), cert_file=both, key_file=both), ("false",), VirtualClock.running()
    )
    assert "the certificate of tls blue ends on" in caplog.text


def test_a_key_with_a_password(pki: Pki, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization as form

    plain = form.load_pem_private_key((pki.folder / "key.pem").read_bytes(), None)
    sealed = plain.private_bytes(
        form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"sesame")
    )
    (pki.folder / "key.pem").write_bytes(sealed)
    (tmp_path / "password").write_text("sesame\n")
    config = pki.config(key_file_password=f"file:{tmp_path / 'password'}")
    Certificates(config, ("false",), VirtualClock.running())
    (tmp_path / "password").write_text("wrong\n")
    with pytest.raises(ssl.SSLError):
        Certificates(config, ("false",), VirtualClock.running())
