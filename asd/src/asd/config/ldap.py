"""`security { ldap { } }`: a directory that is asked who users are, and what their roles are."""

from __future__ import annotations

import re
from typing import Final

from attrs import define, setters

from asd.config.parameters import Section, choice, flag, integer, seconds, text, texts

NAME: Final = "${un}"
"""Stands for the user's name in a pattern."""
DN: Final = "${dn}"
"""Stands for the name of the user's entry."""
SERVER: Final = re.compile(r"ldaps?://[^/\s,]+")


@define(on_setattr=setters.frozen)
class LdapConfig(Section):
    """What to ask, where and how often."""

    disable_tls: bool = flag(works=True, help="Ask in the clear: passwords, too.")
    login_threads: int = integer(
        8, 1, 64, works=True, help="Logins that the directory is asked about at a time."
    )
    polling_period: int = seconds(
        300,
        0,
        86400,
        dynamic=True,
        works=True,
        help="How often the roles of known users are asked for; 0 = never.",
    )
    query_base_dn: str = text(works=True, help="The entry below which users, and roles, are.")
    query_user_dn: str = text(
        works=True, help="As whom to look for users and roles; empty = as nobody."
    )
    query_user_password_file: str = text(works=True, help="File with that one's password.")
    role_query_base_dn: str = text(
        works=True, help="The entry below which roles are; empty = `query-base-dn`."
    )
    role_query_pattern: tuple[str, ...] = texts(
        works=True,
        help="Filter for the entries that are a user's roles, by their `cn`; `${un}` and `${dn}` "
        "stand for the user's name and entry; may be repeated.",
    )
    role_query_search_ou: bool = flag(
        works=True, help="The `ou` in the names of these entries are roles, too."
    )
    server: str = text(
        works=True,
        help="Where it is: `ldap://HOST[:PORT]` (StartTLS, unless TLS is disabled) or `ldaps://...`.",
    )
    tls_ca_file: str = text(
        works=True, help="Certificates of those who vouch for it; empty = the system's."
    )
    token_hash_method: str = choice(
        "sha-256",
        "sha-512",
        help="How session tokens are authenticated.",
        why_not="all tokens are, by HMAC-SHA-256",
    )
    user_dn_pattern: str = text(
        works=True, help="The name of a user's entry, with `${un}` for the user's name."
    )
    user_query_pattern: str = text(
        works=True,
        help="Filter for a user's entry where there is no `user-dn-pattern`; just one may match.",
    )

    def conflict(self) -> str:
        """Who is asked, and how a user is found."""
        if not self.server or not self.query_base_dn:
            return "ldap needs a server and a query-base-dn"
        if not SERVER.fullmatch(self.server):
            return f"server: '{self.server}' is not allowed here, expected ldap://HOST[:PORT]"
        if self.server.startswith("ldaps:") and self.disable_tls:
            return "disable-tls does not go with a server ldaps://"
        if NAME not in (self.user_dn_pattern or self.user_query_pattern):
            return f"ldap needs a user-dn-pattern or a user-query-pattern with {NAME} in it"
        if bool(self.query_user_dn) != bool(self.query_user_password_file):
            return "query-user-dn and query-user-password-file go together"
        return ""
