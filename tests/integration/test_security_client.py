"""Access control as an application meets it: the official client, passwords, certificates."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import aerospike
import pytest
import trustme
from aerospike import exception as ex

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

# The client announces what its next release will drop; that says nothing about this server.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

KEY = ("test", "people", "ada")


def connect(server: Server, user: str, password: str) -> Any:
    return aerospike.client({"hosts": [server.address], "user": user, "password": password})


def test_a_user_is_made_does_what_it_may_and_goes(aerospike_secure_server: Server) -> None:
    server = aerospike_secure_server
    admin = connect(server, "admin", "admin")
    admin.admin_create_role("clerk", [{"code": aerospike.PRIV_READ_WRITE, "ns": "test"}])
    admin.admin_create_user("ann", "sesame", ["clerk"])
    assert admin.admin_query_user_info("ann")["roles"] == ["clerk"]
    ann = connect(server, "ann", "sesame")
    ann.put(KEY, {"visits": 1})
    assert ann.get(KEY)[2] == {"visits": 1}
    assert [record[2] for record in ann.query("test", "people").results()] == [{"visits": 1}]
    for refused in (
        lambda: ann.info_all("truncate:namespace=test"),
        lambda: ann.admin_create_user("bob", "bob", []),
        lambda: admin.get(KEY),
    ):
        with pytest.raises(ex.RoleViolation):
            refused()
    admin.admin_drop_user("ann")
    with pytest.raises(ex.AerospikeError):
        ann.get(KEY)
    with pytest.raises(ex.InvalidUser):
        connect(server, "ann", "sesame")


def test_a_client_goes_on_when_its_session_has_ended(aerospike_secure_server: Server) -> None:
    server = aerospike_secure_server
    server.create_user("ann", "sesame", "read-write")
    ann = connect(server, "ann", "sesame")
    ann.put(KEY, {"visits": 1})
    server.clock.advance(2 * 86400)
    assert ann.get(KEY)[2] == {"visits": 1}


def test_a_client_that_changes_its_password_goes_on(aerospike_secure_server: Server) -> None:
    server = aerospike_secure_server
    server.create_user("ann", "sesame", "read-write")
    ann = connect(server, "ann", "sesame")
    ann.put(KEY, {"visits": 1})
    ann.admin_change_password("ann", "open")
    for _ in range(100):  # the client logs in again when its next look at the node fails
        try:
            assert ann.get(KEY)[2] == {"visits": 1}
            break
        except ex.AerospikeError:
            time.sleep(0.1)
    else:
        pytest.fail("the client has not logged in again")
    with pytest.raises(ex.InvalidCredential):
        connect(server, "ann", "sesame")


def test_tls_with_passwords_and_certificates(tmp_path: Path, unused_port: int) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    for file, issued in {
        "server": authority.issue_cert("blue", "127.0.0.1", common_name="blue"),
        "ann": authority.issue_cert("ann.example.org", common_name="ann"),
    }.items():
        issued.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / file))
    server_pem, ann_pem = str(tmp_path / "server"), str(tmp_path / "ann")
    ca_pem = str(tmp_path / "ca.pem")
    tls = TlsConfig("blue", cert_file=server_pem, key_file=server_pem, ca_file=ca_pem)
    service = NetworkServiceConfig(
        address=("127.0.0.1",), port=0, tls_port=unused_port, tls_name="blue"
    )
    config = Config(
        network=NetworkConfig(service=service, tls={"blue": tls}),
        namespaces={"test": NamespaceConfig("test")},
        security=SecurityConfig(),
    )
    client = {
        "hosts": [("127.0.0.1", unused_port, "blue")],
        "tls": {"enable": True, "cafile": ca_pem, "certfile": ann_pem, "keyfile": ann_pem},
    }
    with Server(config=config) as server:
        server.create_user("ann", "nopassword", "read-write")
        server.create_user("bob", "sesame", "read-write")
        by_password = aerospike.client({**client, "user": "bob", "password": "sesame"})
        by_password.put(KEY, {"visits": 1})
        pki = {"policies": {"auth_mode": aerospike.AUTH_PKI}}
        assert aerospike.client({**client, **pki}).get(KEY)[2] == {"visits": 1}
        with pytest.raises(ex.InvalidCredential):
            aerospike.client({**client, "user": "ann", "password": "nopassword"})


@pytest.fixture
def unused_port() -> int:
    (port,) = free_ports(1)
    return port


def test_records_are_encrypted_at_rest_and_the_key_may_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With users: what is on the disk says nothing without the key, which is rotated by a restart
    that has the old one and the new one."""
    monkeypatch.setenv("ASD_TEST_KEY", "the first secret of this test")
    (tmp_path / "key").write_text("the second secret of this test\n")
    data, second = tmp_path / "data", str(tmp_path / "key")

    def serve(key: str, old: str = "") -> Server:
        old_key = f"encryption-old-key-file {old}" if old else ""
        return Server(
            config=read_config(f"""
                service {{ work-directory {tmp_path / "work"} }}
                network {{ service {{
                    address 127.0.0.1
                    port 0
                }} }}
                security {{ }}
                namespace test {{
                    storage-engine device {{
                        file {data}
                        filesize 64M
                        encryption aes-256
                        encryption-key-file {key}
                        {old_key}
                    }}
                }}
            """)
        )

    with serve("env:ASD_TEST_KEY") as server:
        server.create_user("ann", "sesame", "read-write")
        connect(server, "ann", "sesame").put(KEY, {"plain": "what nobody may read"})
    assert b"what nobody may read" not in data.read_bytes()
    for key, old in ((second, "env:ASD_TEST_KEY"), (second, "")):
        with serve(key, old) as server:
            server.create_user("ann", "sesame", "read-write")
            assert connect(server, "ann", "sesame").get(KEY)[2]["plain"] == "what nobody may read"
    with pytest.raises(RuntimeError, match="no key file given opens it"), serve("env:ASD_TEST_KEY"):
        pass
