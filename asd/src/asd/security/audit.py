"""The audit log: who did what, who tried to, as `security { log { report-... } }` asks for.

A line is parts between bars, behind what every log line begins with:

    permitted | client: 10.0.0.7:51234 | authenticated user: ann | action: write |
    detail: {test|demo} [D|c1f0...]

Nothing in a line is taken as it came: names and keys are shown so that no client can write a line
of its own making, and are cut where they are long. Passwords, their hashes and tokens are never
among what is shown: commands name the fields they show one by one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from aerospike_common.wire.codes import FieldType, Info2, ParticleType
from aerospike_common.wire.message import Message
from asd.config import SecurityLogConfig
from asd.security.permissions import PrivilegeCode
from asd.security.roles import Privilege

log = logging.getLogger("asd.audit")

NONE: Final = "<none>"
PERMITTED: Final = "permitted"
VIOLATION: Final = "role violation"
NOT_AUTHENTICATED: Final = "not authenticated"
MAX_SHOWN: Final = 256
"""Characters of one detail."""

_LETTERS: Final = {
    PrivilegeCode.USER_ADMIN: "u",
    PrivilegeCode.SYS_ADMIN: "s",
    PrivilegeCode.DATA_ADMIN: "d",
    PrivilegeCode.READ: "r",
    PrivilegeCode.READ_WRITE: "rw",
    PrivilegeCode.READ_WRITE_UDF: "rwf",
    PrivilegeCode.WRITE: "w",
}


class Audit:
    """Writes the lines that the configuration asks for."""

    def __init__(self, config: SecurityLogConfig) -> None:
        self.config = config

    # ------------------------------------------------------------ what is asked for

    def reports_data(self, user: str, roles: Iterable[str], message: Message) -> bool:
        """Is a command on records to be told of, by its place, the user, or one of the roles?"""
        config = self.config
        if user in config.report_data_op_user:
            return True
        if not config.report_data_op_role and not config.report_data_op:
            return False
        if not frozenset(config.report_data_op_role).isdisjoint(roles):
            return True
        namespace = shown(message.fields.get(FieldType.NAMESPACE, b""))
        place = f"{namespace} {shown(message.fields.get(FieldType.SET, b''))}"
        return namespace in config.report_data_op or place in config.report_data_op

    # ------------------------------------------------------------------- the lines

    def authentication(self, client: str, user: str, action: str, failure: str = "") -> None:
        """A login, or a session taken up; `failure` says why not."""
        wanted = self.config.report_violation if failure else self.config.report_authentication
        if wanted:
            result = f"authentication failed ({failure})" if failure else PERMITTED
            known = "" if failure else user
            self._line(result, client, known, action, f"user={shown(user)}")

    def user_admin(self, client: str, user: str, action: str, detail: str, failure: str) -> None:
        """A command on users or roles that was permitted, and how it ended."""
        if self.config.report_user_admin:
            result = f"failed ({failure})" if failure else PERMITTED
            self._line(result, client, user, action, detail)

    def sys_admin(self, client: str, user: str, action: str, detail: str) -> None:
        """An info command that was permitted."""
        if self.config.report_sys_admin:
            self._line(PERMITTED, client, user, action, detail)

    def violation(self, client: str, user: str, action: str, detail: str) -> None:
        """Something that the user may not do, or that nobody may who has not logged in."""
        if self.config.report_violation:
            result = VIOLATION if user else NOT_AUTHENTICATED
            self._line(result, client, user, action, detail)

    def data(self, client: str, user: str, action: str, detail: str) -> None:
        """A permitted command on records, which `reports_data`."""
        self._line(PERMITTED, client, user, action, detail)

    def _line(self, result: str, client: str, user: str, action: str, detail: str) -> None:
        log.info(
            "%s | client: %s | authenticated user: %s | action: %s | detail: %s",
            result,
            client,
            shown(user) or NONE,
            shown(action),
            detail or NONE,
        )


def shown(text: str | bytes) -> str:
    """A name for a line: printable, without bars, and not long."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    clean = "".join(c if c.isprintable() and c != "|" else "?" for c in text[: MAX_SHOWN + 1])
    return clean if len(clean) <= MAX_SHOWN else clean[:MAX_SHOWN] + "..."


def roles_detail(names: Iterable[str]) -> str:
    """`read,write`."""
    return ",".join(map(shown, names))


def privileges_detail(privileges: Iterable[Privilege]) -> str:
    """`u,r{test|demo},w{}`."""
    return ",".join(map(_privilege, privileges))


def _privilege(privilege: Privilege) -> str:
    letters = _LETTERS.get(privilege.code, privilege.code.text)
    if not privilege.code.scoped:
        return letters
    scope = [shown(name) for name in (privilege.namespace, privilege.set_name) if name]
    return f"{letters}{{{'|'.join(scope)}}}"


def data_action(message: Message, digest: bytes | None) -> str:
    """What a command does, in a word."""
    of_function = FieldType.UDF_PACKAGE in message.fields
    if digest is None:
        kind = "udf query" if of_function else "query"
        return f"background {kind}" if message.info2 & Info2.WRITE else kind
    if not message.info2 & Info2.WRITE:
        return "read"
    if message.info2 & Info2.DELETE:
        return "delete"
    return "udf" if of_function else "write"


def data_detail(message: Message, digest: bytes | None) -> str:
    """`{test|demo} [S|key]`: the place, and the record by its key or its digest."""
    fields = message.fields
    namespace, set_name = fields.get(FieldType.NAMESPACE, b""), fields.get(FieldType.SET, b"")
    place = f"{{{shown(namespace)}|{shown(set_name)}}}"
    if digest is None:
        return place
    return f"{place} [{_key(fields.get(FieldType.KEY, b'')) or 'D|' + digest.hex()}]"


def _key(key: bytes) -> str:
    if key[:1] == bytes((ParticleType.STRING,)):
        return f"S|{shown(key[1:])}"
    if key[:1] == bytes((ParticleType.INTEGER,)) and len(key) == 9:
        return f"I|{int.from_bytes(key[1:], 'big', signed=True)}"
    if key[:1] == bytes((ParticleType.BLOB,)):
        return f"B|{key[1 : 1 + MAX_SHOWN // 3].hex(' ')}"
    return ""
