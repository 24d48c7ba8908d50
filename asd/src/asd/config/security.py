"""The `security` context: its presence alone means that nobody gets in without a password."""

from __future__ import annotations

from attrs import define, field, setters

from asd.config.kinds import Places
from asd.config.ldap import LdapConfig
from asd.config.parameters import Section, flag, integer, seconds, text, texts, value

LOG_PREFIX = "log."
LDAP_PREFIX = "ldap."


@define(on_setattr=setters.frozen)
class SecurityLogConfig(Section):
    """`security { log { } }`: what the audit log tells of."""

    report_authentication: bool = flag(
        dynamic=True, works=True, help="Logins, and sessions taken up on further connections."
    )
    report_user_admin: bool = flag(
        dynamic=True, works=True, help="Commands on users and roles, queries of them too."
    )
    report_sys_admin: bool = flag(
        dynamic=True,
        works=True,
        help="Index, function, configuration and cluster commands, and requests for information.",
    )
    report_violation: bool = flag(
        dynamic=True, works=True, help="Logins that fail, and whatever a user may not do."
    )
    report_data_op: tuple[str, ...] = value(
        Places(),
        (),
        dynamic=True,
        works=True,
        help="Commands on records of a namespace or set; they lose their fast paths.",
    )
    report_data_op_role: tuple[str, ...] = texts(
        dynamic=True, works=True, help="Commands on records by users with the role; likewise."
    )
    report_data_op_user: tuple[str, ...] = texts(
        dynamic=True, works=True, help="Commands on records by the user; likewise."
    )


@define(on_setattr=setters.frozen)
class SecurityConfig(Section):
    """`security { }`: users, sessions, quotas."""

    default_password_file: str = text(
        works=True,
        help="File with the password that the user `admin` begins with; none: `admin`.",
    )
    enable_quotas: bool = flag(
        works=True, help="Hold users to the quotas of their roles; commands lose their fast paths."
    )
    privilege_refresh_period: int = seconds(
        300,
        10,
        86400,
        dynamic=True,
        help="When changed privileges take effect at the latest.",
        why_not="changes take effect at once, on all connections",
    )
    session_ttl: int = seconds(
        86400, 120, 864000, dynamic=True, works=True, help="How long a login is good for."
    )
    tps_weight: int = integer(
        2, 2, 20, dynamic=True, works=True, help="How slowly the average behind quotas follows."
    )
    log: SecurityLogConfig = field(factory=SecurityLogConfig, kw_only=True)
    ldap: LdapConfig | None = field(default=None, kw_only=True)
    """None: no directory is asked."""

    def rows(self, prefix: str = "", community: bool = False) -> list[tuple[str, str]]:
        """(name, text) of every parameter, those of the log and the directory behind."""
        rows = Section.rows(self, prefix, community)
        rows += self.log.rows(prefix + LOG_PREFIX, community)
        return rows if self.ldap is None else rows + self.ldap.rows(prefix + LDAP_PREFIX, community)

    def set(self, name: str, text: str, community: bool = False) -> None:
        """Change a dynamic parameter; those of the log with or without `log.` before them."""
        if self.ldap is not None and name.startswith(LDAP_PREFIX):
            self.ldap.set(name.removeprefix(LDAP_PREFIX), text, community)
            return
        in_log = name.removeprefix(LOG_PREFIX)
        if in_log in self.log.parameters():
            self.log.set(in_log, text, community)
        else:
            Section.set(self, name, text, community)
