"""The adapter that asks a directory: beside a small one of ours, and beside a real one."""

from __future__ import annotations

import gc
import os
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.config import LdapConfig
from asd.process.node_processes import free_ports
from asd.security import ldap
from asd.security.ldap import LdapDirectory
from certificates import Authority
from directory import TestDirectory

pytestmark = [  # what ldap3 does
    pytest.mark.filterwarnings("ignore:.* is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]
pytest.importorskip("ldap3")


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Sockets that ldap3 leaves to the collector are none of the next test's."""
    yield
    gc.collect()


BASE = "dc=example,dc=org"
ENTRIES: dict[str, dict[str, list[str]]] = {
    BASE: {},
    f"ou=people,{BASE}": {"ou": ["people"]},
    f"uid=ann,ou=people,{BASE}": {"uid": ["ann"], "cn": ["Ann"], "sn": ["A"]},
    f"uid=bob,ou=people,{BASE}": {"uid": ["bob"], "cn": ["Bob"], "sn": ["twin"]},
    f"uid=rob,ou=people,{BASE}": {"uid": ["rob"], "cn": ["Rob"], "sn": ["twin"]},
    f"ou=groups,{BASE}": {"ou": ["groups"]},
    f"ou=sales,ou=groups,{BASE}": {"ou": ["sales"]},
    f"cn=read-write,ou=groups,{BASE}": {
        "cn": ["read-write"],
        "member": [f"uid=ann,ou=people,{BASE}"],
    },
    f"cn=clerk,ou=sales,ou=groups,{BASE}": {
        "cn": ["clerk"],
        "member": [f"uid=ann,ou=people,{BASE}", f"uid=bob,ou=people,{BASE}"],
    },
}
LOOKER = f"cn=looker,{BASE}"
PASSWORDS = {
    f"uid=ann,ou=people,{BASE}": "sesame",
    f"uid=bob,ou=people,{BASE}": "bob",
    LOOKER: "look",
}


@pytest.fixture
def configured(tmp_path: Path) -> Any:
    (tmp_path / "looker").write_text("look\n")

    def make(server: str, **more: Any) -> LdapDirectory:
        usual = {
            "query_base_dn": BASE,
            "query_user_dn": LOOKER,
            "query_user_password_file": str(tmp_path / "looker"),
            "user_dn_pattern": f"uid=${{un}},ou=people,{BASE}",
            "role_query_pattern": ("(member=${dn})",),
            "disable_tls": True,
        }
        return LdapDirectory(LdapConfig(server=server, **{**usual, **more}))

    return make


@pytest.fixture
def small() -> Iterator[TestDirectory]:
    with TestDirectory(ENTRIES, PASSWORDS) as directory:
        yield directory


def code_of(function: Any, *arguments: str) -> ResultCode | None:
    try:
        function(*arguments)
    except OperationError as error:
        return ResultCode(error.code)
    return None


def look_at(ask: LdapDirectory, by_filter: LdapDirectory) -> None:
    """What every directory with these entries says."""
    for directory in (ask, by_filter):
        assert directory.log_in("ann", "sesame") == {"read-write", "clerk"}
        assert directory.log_in("bob", "bob") == {"clerk"}
        assert directory.roles("bob") == {"clerk"}
        assert directory.roles("eve") is None
        for name, password in [("ann", "bob"), ("eve", "sesame"), ("ann", ""), ("ann", "a\0")]:
            code = code_of(directory.log_in, name, password)
            assert code == ResultCode.LDAP_AUTHENTICATION, (name, password)
        for odd in ("*", "a*", "ann)(uid=bob", "ann,ou=people", "\\2a", "ann\0", '"', "#a", " "):
            assert code_of(directory.log_in, odd, "sesame") == ResultCode.LDAP_AUTHENTICATION


def test_users_and_roles(small: TestDirectory, configured: Any) -> None:
    look_at(
        configured(small.url),
        configured(small.url, user_dn_pattern="", user_query_pattern="(&(uid=*)(uid=${un}))"),
    )
    assert all(password for _, password, _ in small.binds), "somebody has bound with no password"


def test_units_are_roles_where_that_is_asked_for(small: TestDirectory, configured: Any) -> None:
    directory = configured(small.url, role_query_search_ou=True)
    assert directory.roles("bob") == {"clerk", "sales", "groups"}
    below = f"ou=sales,ou=groups,{BASE}"
    assert configured(small.url, role_query_base_dn=below).roles("ann") == {"clerk"}


def test_two_users_of_one_name(small: TestDirectory, configured: Any) -> None:
    directory = configured(small.url, user_dn_pattern="", user_query_pattern="(sn=${un})")
    assert code_of(directory.log_in, "twin", "bob") == ResultCode.LDAP_QUERY


def test_nobody_looks_where_nobody_is_configured(small: TestDirectory, configured: Any) -> None:
    directory = configured(small.url, query_user_dn="", query_user_password_file="")
    assert directory.log_in("bob", "bob") == {"clerk"}
    assert [dn for dn, _, _ in small.binds] == ["", f"uid=bob,ou=people,{BASE}"]


def test_what_is_wrong_with_the_setup(
    small: TestDirectory, configured: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (port,) = free_ports(1)
    nobody = configured(f"ldap://127.0.0.1:{port}")
    (tmp_path / "wrong").write_text("wrong")
    wrong = configured(small.url, query_user_password_file=str(tmp_path / "wrong"))
    (tmp_path / "empty").write_text("\n")
    empty = configured(small.url, query_user_password_file=str(tmp_path / "empty"))
    for directory in (nobody, wrong, empty):
        assert code_of(directory.log_in, "ann", "sesame") == ResultCode.LDAP_SETUP
    unencrypted = configured(small.url, disable_tls=False)
    assert code_of(unencrypted.log_in, "ann", "sesame") == ResultCode.LDAP_TLS_SETUP
    monkeypatch.setattr(ldap, "STEP_WITHIN_S", 0.2)
    small.silent.set()
    assert code_of(configured(small.url).log_in, "ann", "sesame") == ResultCode.LDAP_SETUP


@pytest.mark.parametrize("at_once", [False, True])
def test_tls_and_whom_it_believes(configured: Any, tmp_path: Path, at_once: bool) -> None:
    authority, other = Authority(tmp_path), Authority()

    def speaking(host: str) -> TestDirectory:
        pair = authority.issue("directory", host)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pair.cert_file, pair.key_file)
        return TestDirectory(ENTRIES, PASSWORDS, context, at_once=at_once)

    def refused(directory: TestDirectory, believed: str) -> bool:
        ask = configured(directory.url, disable_tls=False, tls_ca_file=believed)
        return code_of(ask.log_in, "bob", "bob") == ResultCode.LDAP_TLS_SETUP

    with speaking("127.0.0.1") as directory:
        secure = {"disable_tls": False, "tls_ca_file": authority.ca_file}
        assert configured(directory.url, **secure).log_in("bob", "bob") == {"clerk"}
        assert all(by_tls for _, _, by_tls in directory.binds)
        directory.binds.clear()
        assert refused(directory, other.ca_file)
        assert directory.binds == []
    with speaking("directory.example.org") as directory:
        assert refused(directory, authority.ca_file)
        assert directory.binds == []


# --------------------------------------------------------------------- a real one


SLAPD = os.environ.get("SLAPD") or shutil.which("slapd", path="/usr/sbin:/usr/local/sbin")


@contextmanager
def real(folder: Path) -> Iterator[str]:
    """OpenLDAP's server with these entries."""
    assert SLAPD is not None
    root = Path(SLAPD).parents[2]
    modules, schema = root / "usr/lib/ldap", root / "etc/ldap/schema"
    (folder / "db").mkdir()
    (folder / "slapd.conf").write_text(
        f"modulepath {modules}\nmoduleload back_mdb\n"
        + "".join(
            f"include {schema}/{name}.schema\n" for name in ("core", "cosine", "inetorgperson")
        )
        + f"pidfile {folder}/pid\ndatabase mdb\nsuffix {BASE}\nrootdn {LOOKER}\nrootpw look\n"
        + f"directory {folder}/db\naccess to attrs=userPassword by anonymous auth\n"
        + "access to * by users read\n"
    )
    (folder / "entries.ldif").write_text(_ldif())
    (port,) = free_ports(1)
    url, conf = f"ldap://127.0.0.1:{port}", str(folder / "slapd.conf")
    given = [SLAPD, "-T", "add", "-f", conf, "-l", str(folder / "entries.ldif")]
    subprocess.run(given, check=True, capture_output=True)
    with subprocess.Popen(
        [SLAPD, "-f", conf, "-h", url, "-d", "0"], stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield url
        finally:
            process.terminate()


def _ldif() -> str:
    kinds = {"dc": "dcObject", "ou": "organizationalUnit", "uid": "inetOrgPerson"}
    found = ""
    for dn, attributes in ENTRIES.items():
        kind = dn.partition("=")[0]
        rows = [f"objectClass: {kinds.get(kind, 'groupOfNames')}"]
        if kind == "dc":
            rows += ["objectClass: organization", "o: example", "dc: example"]
        rows += [f"{name}: {value}" for name, values in attributes.items() for value in values]
        rows += [f"userPassword: {PASSWORDS[dn]}"] if dn in PASSWORDS else []
        found += "\n".join([f"dn: {dn}", *rows]) + "\n\n"
    return found


@pytest.mark.skipif(not SLAPD, reason="there is no slapd here")
def test_beside_openldap(configured: Any, tmp_path: Path) -> None:
    with real(tmp_path) as url:
        ends_s = time.monotonic() + 10
        while code_of(configured(url).roles, "ann") is not None:
            assert time.monotonic() < ends_s
        look_at(
            configured(url),
            configured(url, user_dn_pattern="", user_query_pattern="(uid=${un})"),
        )
        units = configured(url, role_query_search_ou=True)
        assert units.roles("bob") == {"clerk", "sales", "groups"}
