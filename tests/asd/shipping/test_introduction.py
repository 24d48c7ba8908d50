"""How a server introduces itself to those that it ships to: TLS, passwords, certificates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aerospike_client import AuthMode, Client, ClientPolicy, Key, RecordNotFound, TlsPolicy
from asd import Server
from asd.config import read_config
from asd.config.xdr import DcConfig
from asd.shipping.introduction import nodes_of, policy_of, seeds_of
from asd.shipping.passwords import read_password
from shipping_sites import Site, until


def bins(client: Client) -> dict[str, Any] | None:
    try:
        return dict(client.get(Key("test", "s", 1)).bins)
    except RecordNotFound:
        return None


def source(there: Server, certificate: str, more: str) -> Server:
    """A server that ships to another one, by TLS."""
    pair, (host, port, name) = there.authority.issue(certificate), there.tls_address
    return Server(
        in_thread=True,
        config=read_config(
            f"""
            service {{ cluster-name x }}
            network {{ service {{ address 127.0.0.1
                port 0 }}
                tls west {{ ca-file {there.authority.ca_file}
                    cert-file {pair.cert_file}
                    key-file {pair.key_file} }} }}
            namespace test {{ storage-engine memory {{ data-size 64M
                stop-writes-avail-pct 0 }} }}
            xdr {{ dc there {{ tls-name west
                node-address-port {host} {port} {name}
                {more}
                namespace test {{ }} }} }}
            """
        ),
    )


@pytest.mark.parametrize("by_certificate", [False, True])
def test_it_logs_in_by_tls(
    by_certificate: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHIPPERS_PASSWORD", "secret")
    login = "auth-mode pki"
    if not by_certificate:
        login = "auth-mode internal\nauth-user shipper\nauth-password-file env:SHIPPERS_PASSWORD"
    with Server(in_thread=True, security=True, tls=True, client_certificates=True) as there:
        there.create_user("shipper", "secret", "write")
        there.create_user("reader", "secret", "read")
        host, port, name = there.tls_address
        reader = there.authority.issue("reader")
        tls = TlsPolicy(
            ca_file=there.authority.ca_file, cert_file=reader.cert_file, key_file=reader.key_file
        )
        policy = ClientPolicy(auth_mode=AuthMode.PKI, tls=tls)
        with (
            source(there, "shipper", login) as here,
            Client([here.address]) as one,
            Client([(host, port, name)], policy) as other,
        ):
            one.put(Key("test", "s", 1), {"x": 1})
            until(lambda: bins(other) == {"x": 1})


def test_nothing_goes_to_a_server_that_is_not_known(caplog: pytest.LogCaptureFixture) -> None:
    with (
        Server(in_thread=True, tls=True) as there,
        Server(in_thread=True, tls=True) as stranger,
        source(there, "here", "") as here,
        Client([here.address]) as one,
    ):
        site = Site(here)
        host, port, name = stranger.tls_address
        site.set(
            f"dc=there;node-address-port={there.tls_address[0]}:{there.tls_address[1]}:"
            f"{name};action=remove"
        )
        site.set(f"dc=there;node-address-port={host}:{port}:{name};action=add")
        one.put(Key("test", "s", 1), {"x": 1})
        until(lambda: "certificate" in caplog.text)
        assert site.figures("there")["success"] == "0"
        with Client([stranger.address]) as other:
            assert bins(other) is None


def test_a_name_wants_a_block(tmp_path: Path) -> None:
    with Server(in_thread=True) as server:
        site = Site(server)
        site.set("dc=x;action=create")
        refused = "set-config:context=xdr;dc=x;tls-name=no"
        assert "there is no such tls block" in site.ask(refused)
        assert "set tls-name first" in site.ask(
            "set-config:context=xdr;dc=x;node-address-port=a:3000:name;action=add"
        )


def test_what_the_configuration_says_is_what_the_client_is_asked_for() -> None:
    config = DcConfig("x", node_address_port=("[::1]:3000:name", "a:3001"), tls_name="t")
    assert [(str(node.address), node.tls_name) for node in nodes_of(config)] == [
        ("[::1]:3000", "name"),
        ("a:3001", ""),
    ]
    assert seeds_of(config) == [("::1", 3000, "name"), ("a", 3001, "")]
    config = DcConfig("x", auth_mode="external-insecure", auth_user="u")
    policy = policy_of(config, {}, {})
    assert (policy.auth_mode, policy.user, policy.password) == (AuthMode.EXTERNAL_INSECURE, "u", "")
    assert policy.tls is None


def test_where_a_password_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "password"
    file.write_text("secret\n")
    monkeypatch.setenv("A_PASSWORD", "other")
    assert read_password(str(file)) == read_password(f"file:{file}") == "secret"
    assert read_password("env:A_PASSWORD") == "other"
    assert read_password("env:NONE_SUCH") == read_password(f"{file}.not") == read_password("") == ""
