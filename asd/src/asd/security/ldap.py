"""A directory that speaks LDAP: who a user is, and what the user's roles are. An adapter.

It blocks, and is called on threads of its own (`external`). Each question has its own connections:
one of the user who looks things up (`query-user-dn`), and for a login one on which the user binds.
Every step has a time limit, so that a directory that does not answer costs a thread some seconds.

What must hold:

- A bind without a password succeeds at many directories, as nobody: it is never tried.
- By default nothing is said in the clear, and the directory's certificate is verified, for its
  host, before the first password is sent.
- Names of users are values in patterns, whatever is in them (`patterns`).
- No text of an error has a password in it: only what the directory answers is passed on.

`ldap3` is an optional extra, and is imported where a directory is configured.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from asd.config import LdapConfig
from asd.security.audit import shown
from asd.security.patterns import dn_of, filter_of

STEP_WITHIN_S: Final = 5
"""How long a connection, or an answer, is waited for."""
MOST_ROLES: Final = 1000
SUCCESS, NO_SUCH_OBJECT, INVALID_CREDENTIALS = 0, 32, 49
_EVERYTHING: Final = "(objectClass=*)"


class LdapDirectory:
    """The directory of a configuration."""

    def __init__(self, config: LdapConfig) -> None:
        """Raises OSError where ldap3 is not installed."""
        try:
            import ldap3
            from ldap3.utils.dn import parse_dn
        except ImportError:
            raise OSError(
                "security { ldap } needs ldap3: pip install 'citrusleaf-asd[ldap]'"
            ) from None
        self._ldap3: Any = ldap3
        self._parse_dn: Any = parse_dn
        self._config = config

    def log_in(self, user: str, password: str) -> frozenset[str]:
        """The names of the roles of a user who has this password.

        Raises OperationError: LDAP_AUTHENTICATION where that is not so, LDAP_SETUP, LDAP_TLS_SETUP
        and LDAP_QUERY where it cannot be found out.
        """
        if not password or "\0" in password:
            raise OperationError(ResultCode.LDAP_AUTHENTICATION, "no password")
        with self._connected(*self._looker()) as looker:
            dn = self._find(looker, user)
            if dn is None:
                raise OperationError(ResultCode.LDAP_AUTHENTICATION, "no such user")
            with self._connected(dn, password, ResultCode.LDAP_AUTHENTICATION):
                pass  # it is the bind that counts
            return self._roles(looker, user, dn)

    def roles(self, user: str) -> frozenset[str] | None:
        """The names of a user's roles; None where there is no such user any more. Raises
        OperationError, as `log_in`."""
        with self._connected(*self._looker()) as looker:
            dn = self._find(looker, user)
            if dn is None or not self._search(looker, dn, _EVERYTHING, base_alone=True):
                return None
            return self._roles(looker, user, dn)

    # ------------------------------------------------------------------ connections

    def _looker(self) -> tuple[str, str]:
        """Who looks for users and roles; nobody, where none is configured. Raises LDAP_SETUP."""
        config = self._config
        if not config.query_user_dn:
            return "", ""
        try:
            password = Path(config.query_user_password_file).read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            raise OperationError(
                ResultCode.LDAP_SETUP, f"query-user-password-file: {error}"
            ) from None
        if not password:
            raise OperationError(ResultCode.LDAP_SETUP, "query-user-password-file is empty")
        return config.query_user_dn, password

    @contextmanager
    def _connected(
        self, dn: str, password: str, refused: ResultCode = ResultCode.LDAP_SETUP
    ) -> Iterator[Any]:
        """A connection on which somebody has bound. Raises OperationError, `refused` where the
        directory does not want to."""
        ldap3 = self._ldap3
        connection = ldap3.Connection(
            self._server(),
            user=dn or None,
            password=password or None,
            authentication=ldap3.SIMPLE if dn else ldap3.ANONYMOUS,
            receive_timeout=STEP_WITHIN_S,
            auto_referrals=False,
            check_names=False,
            read_only=True,
        )
        try:
            self._open(connection)
            if not _tried(connection.bind):
                said = connection.result["description"]
                wrong = connection.result["result"] == INVALID_CREDENTIALS
                code = refused if wrong else ResultCode.LDAP_SETUP
                raise OperationError(code, "password" if wrong and password else f"bind: {said}")
            yield connection
        finally:
            _tried_quietly(connection.unbind)

    def _server(self) -> Any:
        ldap3, config = self._ldap3, self._config
        tls = None
        if not config.disable_tls:
            tls = _verifying(ldap3, config.tls_ca_file)
        return ldap3.Server(
            config.server, tls=tls, get_info=ldap3.NONE, connect_timeout=STEP_WITHIN_S
        )

    def _open(self, connection: Any) -> None:
        """Raises LDAP_SETUP, LDAP_TLS_SETUP."""
        by_tls = self._config.server.startswith("ldaps:")
        _tried(connection.open, ResultCode.LDAP_TLS_SETUP if by_tls else ResultCode.LDAP_SETUP)
        if by_tls or self._config.disable_tls:
            return
        if not _tried(connection.start_tls, ResultCode.LDAP_TLS_SETUP):
            raise OperationError(ResultCode.LDAP_TLS_SETUP, "the directory speaks no TLS")

    # ------------------------------------------------------------------ questions

    def _find(self, looker: Any, user: str) -> str | None:
        """The name of a user's entry; None where there is none. Raises LDAP_QUERY."""
        config = self._config
        if config.user_dn_pattern:
            return dn_of(config.user_dn_pattern, user)
        pattern = filter_of(config.user_query_pattern, user)
        found = self._search(looker, config.query_base_dn, pattern)
        if len(found) > 1:
            raise OperationError(ResultCode.LDAP_QUERY, f"{len(found)} entries match one user")
        return found[0]["dn"] if found else None

    def _roles(self, looker: Any, user: str, dn: str) -> frozenset[str]:
        config = self._config
        base = config.role_query_base_dn or config.query_base_dn
        names: set[str] = set()
        for pattern in config.role_query_pattern:
            for entry in self._search(looker, base, filter_of(pattern, user, dn)):
                names.update(map(str, entry["attributes"].get("cn", ())))
                if config.role_query_search_ou:
                    names.update(self._units(entry["dn"]))
        return frozenset(names)

    def _units(self, dn: str) -> list[str]:
        """The organizational units in the name of an entry."""
        return [value for kind, value, _ in self._parse_dn(dn) if kind.lower() == "ou"]

    def _search(
        self, looker: Any, base: str, wanted: str, *, base_alone: bool = False
    ) -> list[dict[str, Any]]:
        """The entries below a base that a filter matches. Raises LDAP_QUERY."""
        ldap3 = self._ldap3
        scope = ldap3.BASE if base_alone else ldap3.SUBTREE
        limits = {"size_limit": MOST_ROLES, "time_limit": STEP_WITHIN_S}
        _tried(
            lambda: looker.search(base, wanted, scope, attributes=["cn"], **limits),
            ResultCode.LDAP_QUERY,
        )
        result = looker.result["result"]
        if result == NO_SUCH_OBJECT:
            return []
        if result != SUCCESS:
            said = looker.result["description"]
            raise OperationError(ResultCode.LDAP_QUERY, f"a search ended with {said}")
        return [row for row in looker.response or () if row["type"] == "searchResEntry"]


def _verifying(ldap3: Any, ca_file: str) -> Any:
    """TLS of which Python's own `ssl` verifies the certificate, and that it is the host's: what
    ldap3 does for that knows no addresses from Python 3.12 on, and believes common names."""

    class Verifying(ldap3.Tls):  # type: ignore[misc] # a class of a library without types
        """TLS of one connection."""

        def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:
            """Begin TLS. Raises OSError."""
            context = ssl.create_default_context(cafile=ca_file or None)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            connection.socket = context.wrap_socket(
                connection.socket,
                do_handshake_on_connect=do_handshake,
                server_hostname=connection.server.host,
            )

    return Verifying(validate=ssl.CERT_REQUIRED)


def _tried(step: Any, code: ResultCode = ResultCode.LDAP_SETUP) -> Any:
    """What a step comes to. Raises OperationError(code) when the library raises anything: its
    errors are many, and all mean that the directory cannot be asked."""
    try:
        return step()
    except OperationError:
        raise
    except Exception as error:
        raise OperationError(code, shown(f"{type(error).__name__}: {error}")) from None


def _tried_quietly(step: Any) -> None:
    try:
        step()
    except Exception:  # a connection that is broken need not be ended in form
        return
