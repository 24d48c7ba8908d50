"""TLS and users at a real server, through both faces."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import attrs
import pytest
from faces import Face

from aerospike_client import (
    AuthMode,
    BatchPut,
    ClientPolicy,
    InvalidParameter,
    Key,
    NotConnected,
    SecurityFailed,
    TlsPolicy,
)
from aerospike_client.aio.connection import Connection as LoopConnection
from aerospike_client.aio.connection import connect
from aerospike_client.blocking.tls_connection import TlsConnection
from aerospike_client.core.addresses import Address
from aerospike_client.shell.cli import main
from aerospike_client.tls import Tls
from asd import Server
from asd.config import (
    Config,
    NamespaceConfig,
    NetworkConfig,
    NetworkServiceConfig,
    SecurityConfig,
)
from asd.process.loops import new_event_loop
from asd.process.node_processes import free_ports
from certificates import NAME, Authority, Pair
from citrusleaf.cf_clock import SystemClock

HOST = "127.0.0.1"
KEY = Key("test", "s", 1)


class Secured(NamedTuple):
    """A server with users that speaks TLS, and who vouches for it."""

    server: Server
    authority: Authority
    #: What to connect to.
    address: tuple[str, int, str]

    def policy(self, pair: Pair | None = None, **more: Any) -> ClientPolicy:
        """Of a client that believes the authority, and may show a certificate."""
        shown = {} if pair is None else attrs.asdict(pair)
        return ClientPolicy(tls=TlsPolicy(ca_file=self.authority.ca_file, **shown), **more)


def serve(folder: Path, *whose: str, secure: bool) -> Iterator[Secured]:
    authority = Authority(folder)
    (port,) = free_ports(1)
    service = NetworkServiceConfig(
        address=(HOST,), port=0, tls_port=port, tls_name=NAME, tls_authenticate_client=whose
    )
    config = Config(
        network=NetworkConfig(
            service=service, tls={NAME: authority.block(authority.issue(NAME, NAME))}
        ),
        namespaces={"test": NamespaceConfig("test")},
        security=SecurityConfig() if secure else None,
    )
    with Server(config=config) as server:
        yield Secured(server, authority, (HOST, port, NAME))


@pytest.fixture(scope="module")
def one_sided(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """It asks clients for no certificate, and knows no users."""
    yield from serve(tmp_path_factory.mktemp("one"), "false", secure=False)


@pytest.fixture(scope="module")
def mutual(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """It asks clients for a certificate, and for who they are."""
    yield from serve(tmp_path_factory.mktemp("two"), "any", secure=True)


def test_everything_travels_by_tls(face: Face, one_sided: Secured) -> None:
    client = face([one_sided.address], one_sided.policy())
    keys = [Key("test", "large", number) for number in range(40)]
    value = "x" * 50_000  # several records of TLS each
    client.put(KEY, {"a": 1})
    assert client.get(KEY).bins == {"a": 1}
    assert not any(each.error for each in client.batch([BatchPut(k, {"v": value}) for k in keys]))
    assert [record.bins["v"] for record in client.query("test", "large")] == [value] * 40
    assert [each.bins["v"] for each in client.get_many(keys)] == [value] * 40
    assert client.nodes[0].tls_name == NAME
    client.truncate("test", "large")


def test_the_name_to_ask_for_may_be_the_policy_s(face: Face, one_sided: Secured) -> None:
    policy = one_sided.policy()
    assert policy.tls is not None
    named = attrs.evolve(policy, tls=attrs.evolve(policy.tls, name=NAME))
    face([one_sided.address[:2]], named).put(KEY, {"a": 1})


def test_who_is_not_believed_is_told_why(face: Face, one_sided: Secured, tmp_path: Path) -> None:
    host, port, _ = one_sided.address
    with pytest.raises(NotConnected, match=r"not valid for 'red'.*; the name to ask for is"):
        face([(host, port, "red")], one_sided.policy())
    stranger = TlsPolicy(ca_file=Authority(tmp_path).ca_file)
    with pytest.raises(NotConnected, match=r"self-signed.*; TlsPolicy\(ca_file=...\) is to vouch"):
        face([one_sided.address], ClientPolicy(tls=stranger))
    with pytest.raises(NotConnected, match="is that its port for TLS"):
        face([(*one_sided.server.address, NAME)], one_sided.policy())


def test_a_port_for_tls_is_none_for_others(face: Face, one_sided: Secured) -> None:
    with pytest.raises(NotConnected, match="is that a port for TLS"):
        face([one_sided.address[:2]])


def test_a_certificate_that_is_wanted(face: Face, mutual: Secured) -> None:
    with pytest.raises(
        NotConnected, match=r"ask.* for a certificate \(TlsPolicy\(cert_file=...\)\)"
    ):
        face([mutual.address], mutual.policy(user="admin", password="admin"))


def test_a_user_by_certificate(face: Face, mutual: Secured) -> None:
    pair = mutual.authority.issue(f"ann-{face.name}")
    policy = mutual.policy(pair, auth_mode=AuthMode.PKI)
    with pytest.raises(SecurityFailed, match="no user of the certificate's common name"):
        face([mutual.address], policy)
    admin = face([mutual.address], mutual.policy(pair, user="admin", password="admin"))
    admin.create_pki_user(f"ann-{face.name}", ["read-write"])
    client = face([mutual.address], policy)
    client.put(KEY, {"a": 1})
    assert client.get(KEY).bins == {"a": 1}
    with pytest.raises(SecurityFailed, match="requires permission 'truncate'"):
        client.truncate("test")


def test_sessions_that_end_on_the_server(face: Face, mutual: Secured) -> None:
    pair = mutual.authority.issue("bob")
    user = f"bob-{face.name}"
    mutual.server.create_user(user, "secret", "read-write")
    client = face([mutual.address], mutual.policy(pair, user=user, password="secret"))
    client.put(KEY, {"a": 1})
    mutual.server.clock.advance(100_000)
    assert client.get_many([KEY])[0].bins == {"a": 1}  # over a connection of its own
    mutual.server.create_user(f"{user}2", "secret", "user-admin")
    with pytest.raises(SecurityFailed, match="the password is wrong"):
        face([mutual.address], mutual.policy(pair, user=user, password="guessed"))


def test_one_s_own_password_is_changed_while_connections_are_open(
    face: Face, mutual: Secured
) -> None:
    pair = mutual.authority.issue("eve")
    user = f"eve-{face.name}"
    mutual.server.create_user(user, "secret", "read-write")
    client = face([mutual.address], mutual.policy(pair, user=user, password="secret"))
    client.put(KEY, {"a": 1})
    client.get_many([KEY])
    client.change_password(user, "secret", "better")
    client.put(KEY, {"a": 2})
    assert client.get_many([KEY])[0].bins == {"a": 2}


def test_the_shell_speaks_tls(mutual: Secured, capsys: pytest.CaptureFixture[str]) -> None:
    pair = mutual.authority.issue("shell")
    host, port, name = mutual.address
    words = ["--user", "admin", "--password", "admin", "--tls-cafile", mutual.authority.ca_file]
    words += ["--tls-certfile", pair.cert_file, "--tls-keyfile", pair.key_file]
    node = f"{host}:{name}:{port}"
    status = main([*words, node, "info", "status"])
    said = capsys.readouterr()
    assert (status, said.err) == (0, "")
    assert "ok" in said.out
    assert main([*words[:-1], pair.cert_file, node, "info", "status"]) == 1
    assert f"(ca_file {mutual.authority.ca_file}, cert_file" in capsys.readouterr().err


# ------------------------------------------------------------------------- sessions

STATUS = b"\x02\x01\0\0\0\0\0\x07status\n"


def test_tls_sessions_are_resumed_by_sockets(mutual: Secured) -> None:
    tls, address = _of(mutual)
    reused = []
    for _ in range(2):
        connection = TlsConnection(address, 0, SystemClock(), tls, NAME)
        connection.send(STATUS, 0)
        connection.receive(0)
        reused.append(connection._socket.session_reused)
        connection.close()
    assert reused == [False, True]


@pytest.mark.parametrize("loop", [asyncio.SelectorEventLoop, new_event_loop])
def test_tls_sessions_are_resumed_by_loops(
    mutual: Secured, loop: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    tls, address = _of(mutual)

    async def visit() -> bool:
        made = partial(LoopConnection, asyncio.get_running_loop(), SystemClock())
        connection = await connect(address, 0, made, tls, NAME)
        connection.send(STATUS, 0)
        await connection.receive()
        assert connection._transport is not None
        reused = connection._transport.get_extra_info("ssl_object").session_reused
        connection.close()
        return bool(reused)

    async def both() -> list[bool]:
        return [await visit(), await visit()]

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(both()) == [False, True]


def _of(secured: Secured) -> tuple[Tls, Address]:
    pair = secured.authority.issue("ann")
    policy = TlsPolicy(ca_file=secured.authority.ca_file, **attrs.asdict(pair))
    return Tls(policy), Address(*secured.address[:2])


# ------------------------------------------------------------------------- files


def test_certificates_that_change_are_taken_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("ann")
    tls = Tls(TlsPolicy(ca_file=authority.ca_file, **attrs.asdict(pair)))
    first = tls.made[0]
    tls.refresh()
    assert tls.made[0] is first
    authority.issue("ann", not_after=datetime.now(UTC) + timedelta(days=1))
    tls.refresh()
    second = tls.made[0]
    assert second is not first
    Path(pair.cert_file).write_text("none")
    with caplog.at_level(logging.WARNING, logger="aerospike_client"):
        tls.refresh()
        tls.refresh()
    assert tls.made[0] is second
    assert [record.message for record in caplog.records if "goes on" in record.message][1:] == []
    assert "TLS goes on as it was" in caplog.text


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"ca_file": "/nowhere"}, "ca_file /nowhere: not there"),
        ({"protocols": ("TLSv1.1",)}, "TLSv1.2 and TLSv1.3 are spoken"),
        ({"key_file": "k"}, "the cert_file that it belongs to"),
    ],
)
def test_what_is_no_policy(policy: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidParameter, match=said):
        Tls(TlsPolicy(**policy))


def test_a_key_that_is_sealed(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization as form

    pair = Authority(tmp_path).issue("ann")
    key = form.load_pem_private_key(Path(pair.key_file).read_bytes(), None)
    sealed = form.BestAvailableEncryption(b"sesame")
    Path(pair.key_file).write_bytes(
        key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, sealed)
    )
    Tls(TlsPolicy(**attrs.asdict(pair), key_password="sesame"))
    for password in (None, "wrong"):
        with pytest.raises(InvalidParameter, match="the key_password does not open it"):
            Tls(TlsPolicy(**attrs.asdict(pair), key_password=password))
