"""Who is refused at the ports that speak TLS: every bad certificate at every port, each told of in
one line of the log; and what is offered, as `openssl s_client` sees it."""

from __future__ import annotations

import logging
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

import pytest
from cryptography import x509

from asd import Server
from asd.config import (
    AdminConfig,
    Config,
    FabricConfig,
    HeartbeatConfig,
    HttpConfig,
    NamespaceConfig,
    NetworkConfig,
    NetworkServiceConfig,
    SecurityConfig,
    ServiceConfig,
)
from asd.process.node_processes import free_ports
from certificates import NAME, Authority, Pair

HOST = "127.0.0.1"
PORTS = ("service", "admin", "http", "heartbeat", "fabric")
YESTERDAY = datetime.now(UTC) - timedelta(days=1)

SAID = {
    "missing": "it has shown no certificate",
    "unknown authority": "unable to get local issuer certificate: whoever has signed it is not in "
    "ca-file or ca-path",
    "self-signed": "its certificate cannot be verified: self-signed certificate",
    "expired": "its certificate cannot be verified: certificate has expired",
    "blacklisted": "is blacklisted",
    "other name": "'bob' is not ",
}
"""What the log says of each, behind the port and the address."""


class Ports(NamedTuple):
    """A node all of whose ports speak TLS, who vouches for it, and a serial that it refuses."""

    authority: Authority
    numbers: dict[str, int]
    listed: Pair

    def try_port(self, port: str, pair: Pair | None) -> bool:
        """Does the port let in whoever shows this?"""
        context = self.authority.client(pair)
        try:
            with (
                socket.create_connection((HOST, self.numbers[port]), 10) as plain,
                context.wrap_socket(plain, server_hostname=NAME) as connection,
            ):
                connection.settimeout(10 if port in ("service", "admin", "http") else 0.3)
                connection.sendall(HELLO.get(port, b""))
                return bool(connection.recv(1))
        except TimeoutError:
            return True  # a node waits for what the other one says
        except OSError:
            return False


class Lines(logging.Handler):
    """What the server, on its thread, says of note."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.said: SimpleQueue[str] = SimpleQueue()

    def emit(self, record: logging.LogRecord) -> None:
        self.said.put(record.getMessage())


HELLO = {
    "service": b"\x02\x01\0\0\0\0\0\x07status\n",
    "admin": b"\x02\x01\0\0\0\0\0\x07status\n",
    "http": b"GET / HTTP/1.1\r\n\r\n",
}


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    folder = tmp_path_factory.mktemp("ports")
    authority = Authority(folder)
    listed = authority.issue(NAME, NAME, file="listed")
    serial = x509.load_pem_x509_certificate(Path(listed.cert_file).read_bytes()).serial_number
    (folder / "gone").write_text(f"{serial:X}\n")
    block = authority.block(authority.issue_node(HOST))
    block = type(block)(
        NAME,
        ca_file=block.ca_file,
        cert_file=block.cert_file,
        key_file=block.key_file,
        cert_blacklist=str(folder / "gone"),
    )
    numbers = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    at = {"address": (HOST,), "tls_name": NAME}
    whose = {"tls_authenticate_client": (NAME,), **at}
    network = NetworkConfig(
        service=NetworkServiceConfig(port=0, tls_port=numbers["service"], **whose),
        admin=AdminConfig(tls_port=numbers["admin"], **whose),
        http=HttpConfig(tls_port=numbers["http"], **whose),
        heartbeat=HeartbeatConfig(tls_port=numbers["heartbeat"], **at),
        fabric=FabricConfig(tls_port=numbers["fabric"], **at),
        tls={NAME: block},
    )
    config = Config(
        service=ServiceConfig(cluster_name="blue"),
        network=network,
        namespaces={"test": NamespaceConfig("test")},
        security=SecurityConfig(),
    )
    with Server(in_thread=True, config=config):
        yield Ports(authority, numbers, listed)


@pytest.fixture(scope="module")
def shown(ports: Ports, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair | None]:
    """What is shown in each case."""
    authority, other = ports.authority, Authority(tmp_path_factory.mktemp("other"))
    return {
        "missing": None,
        "unknown authority": other.issue(NAME, NAME),
        "self-signed": _self_signed(tmp_path_factory.mktemp("self")),
        "expired": authority.issue(NAME, NAME, file="expired", not_after=YESTERDAY),
        "blacklisted": ports.listed,
        "other name": authority.issue("bob", "bob.invalid"),
        "good": authority.issue(NAME, NAME, file="good"),
    }


def _self_signed(folder: Path) -> Pair:
    pair = Pair(str(folder / "cert.pem"), str(folder / "key.pem"))
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 77, now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    Path(pair.cert_file).write_bytes(certificate.public_bytes(pem))
    Path(pair.key_file).write_bytes(key.private_bytes(pem, *plain))
    return pair


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize("case", SAID)
def test_who_is_refused_is_told_of_in_one_line(
    ports: Ports, shown: dict[str, Pair | None], port: str, case: str
) -> None:
    lines = Lines()
    logging.getLogger("asd").addHandler(lines)
    try:
        assert not ports.try_port(port, shown[case])
        line = lines.said.get(timeout=10)
        assert ports.try_port("service", shown["good"])  # by now all is said
    finally:
        logging.getLogger("asd").removeHandler(lines)
    assert line.startswith(f"{port}: {HOST}:")
    assert " refused, by TLS: " in line
    assert SAID[case] in line
    assert lines.said.empty()


@pytest.mark.parametrize("port", PORTS)
def test_who_is_let_in(ports: Ports, shown: dict[str, Pair | None], port: str) -> None:
    assert ports.try_port(port, shown["good"])


def test_sessions_are_resumed_and_looked_at_all_the_same(
    ports: Ports, shown: dict[str, Pair | None]
) -> None:
    context = ports.authority.client(shown["good"])
    context.maximum_version = ssl.TLSVersion.TLSv1_3

    def visit(session: ssl.SSLSession | None) -> tuple[ssl.SSLSession, bool]:
        with (
            socket.create_connection((HOST, ports.numbers["service"]), 10) as plain,
            context.wrap_socket(plain, server_hostname=NAME, session=session) as connection,
        ):
            connection.sendall(HELLO["service"])
            assert connection.recv(1)
            assert connection.session is not None
            return connection.session, bool(connection.session_reused)

    session, reused = visit(None)
    assert not reused
    assert visit(session)[1]


def _offered(ports: Ports, port: str, good: Pair, *arguments: str) -> str:
    """What `openssl s_client` says of a handshake; empty where there is none."""
    openssl = shutil.which("openssl")
    assert openssl
    at = ("-connect", f"{HOST}:{ports.numbers[port]}", "-servername", NAME)
    ours = ("-cert", good.cert_file, "-key", good.key_file, "-CAfile", ports.authority.ca_file)
    done = subprocess.run(
        [openssl, "s_client", *at, *ours, "-brief", *arguments],
        check=False,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=30,
    )
    said = done.stdout + done.stderr
    return said if "CONNECTION ESTABLISHED" in said else ""


@pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl here")
@pytest.mark.parametrize("port", ["service", "fabric"])
def test_what_is_offered(ports: Ports, shown: dict[str, Pair | None], port: str) -> None:
    good = shown["good"]
    assert good is not None
    weak = "ALL:!ECDHE:!DHE:@SECLEVEL=0"  # without forward secrecy
    old = "ALL:COMPLEMENTOFALL:!aNULL:!AESGCM:!CHACHA20:@SECLEVEL=0"  # no authenticated ciphers
    for version in ("-tls1", "-tls1_1"):
        assert not _offered(ports, port, good, version, "-cipher", "ALL:@SECLEVEL=0"), version
    for ciphers in (weak, old, "aNULL:eNULL:@SECLEVEL=0"):
        assert not _offered(ports, port, good, "-tls1_2", "-cipher", ciphers), ciphers
    said = _offered(ports, port, good, "-tls1_2")
    assert "Protocol version: TLSv1.2" in said
    assert "Ciphersuite: ECDHE-" in said
    assert "Verification: OK" in said
    assert "Protocol version: TLSv1.3" in _offered(ports, port, good)
