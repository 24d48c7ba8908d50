"""Users of a directory as applications meet them: the official client, ours, the page."""

from __future__ import annotations

import urllib.error
import urllib.request
from base64 import b64encode
from typing import Any

import aerospike
import pytest
from aerospike import exception as ex

from aerospike_client import AuthMode, Client, ClientPolicy, Key, SecurityFailed
from asd import Server
from asd.config import read_config
from asd.process.node_processes import free_ports
from directory import TestDirectory

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]
pytest.importorskip("ldap3")

BASE = "dc=example,dc=org"
ANN = f"uid=ann,{BASE}"


def directory() -> TestDirectory:
    groups = {f"cn={name},{BASE}": {"cn": [name], "member": [ANN]} for name in ("read", "other")}
    return TestDirectory({BASE: {}, ANN: {"uid": ["ann"]}, **groups}, {ANN: "sesame"})


def config(url: str, http: int) -> Any:
    return read_config(f"""
        network {{
            service {{
                address 127.0.0.1
                port 0
            }}
            http {{ port {http} }}
        }}
        security {{
            ldap {{
                server {url}
                disable-tls true
                query-base-dn {BASE}
                user-dn-pattern uid=${{un}},{BASE}
                role-query-pattern (member=${{dn}})
            }}
        }}
        namespace test {{ }}
    """)


def page(http: int, user: str, password: str) -> int:
    """The status of the answer to a visitor."""
    said = "Basic " + b64encode(f"{user}:{password}".encode()).decode()
    url = f"http://127.0.0.1:{http}/metrics"
    request = urllib.request.Request(url, headers={"Authorization": said})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_clients_and_visitors() -> None:
    (http,) = free_ports(1)
    with directory() as known, Server(config=config(known.url, http)) as server:
        assert page(http, "ann", "wrong") == 401
        assert page(http, "ann", "sesame") == 200
        assert page(http, "ann", "") == 401
        given = {"hosts": [server.address], "user": "ann", "password": "sesame"}
        insecure = {"auth_mode": aerospike.AUTH_EXTERNAL_INSECURE}
        official = aerospike.client({**given, "policies": insecure})
        assert official.exists(("test", "people", "ada"))[1] is None
        with pytest.raises(ex.RoleViolation):
            official.put(("test", "people", "ada"), {"a": 1})
        official.close()
        mode = AuthMode.EXTERNAL_INSECURE
        policy = ClientPolicy(user="ann", password="sesame", auth_mode=mode)
        with Client([server.address], policy) as client:
            assert client.get_many([Key("test", "people", "ada")]) == [None]
            with pytest.raises(SecurityFailed, match="code 81"):
                client.put(Key("test", "people", "ada"), {"a": 1})
        assert all(password for dn, password, _ in known.binds if dn)
