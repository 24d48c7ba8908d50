"""What there is to be allowed, and which privilege allows it: the one table of access control.

A *permission* is what a piece of code asks for before it acts. A *privilege* is what is given to a
role, with a scope where it has one: everywhere, a namespace with all its sets, or one set. What a
privilege allows is a row of `ALLOWS`, nothing else; which permission an info command needs is a row
of `INFO`. `asd.security.rights` asks these tables, and nobody else does.

There is no privilege to deny, so a user may do what any of the roles allows.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Final


class Permission(Enum):
    """What code asks for; the value is the name that clients are told."""

    READ = "read"
    WRITE = "write"
    QUERY = "query"
    UDF_APPLY = "udf-apply"
    UDF_QUERY = "udf-query"
    OPS_QUERY = "ops-query"
    TRUNCATE = "truncate"
    READ_MASKED = "read-masked"
    WRITE_MASKED = "write-masked"
    MASKING_ADMIN = "masking-admin"
    USER_ADMIN = "user-admin"
    RECORD_INFO = "record-info"
    LOGGING_CTRL = "logging-ctrl"
    SET_CONFIG = "set-config"
    SERVICE_CTRL = "service-ctrl"
    QUERY_ADMIN = "query-admin"
    SINDEX_ADMIN = "sindex-admin"
    EVICT_ADMIN = "evict-admin"
    UDF_ADMIN = "udf-admin"
    XDR_SET_FILTER = "xdr-set-filter"


class PrivilegeCode(IntEnum):
    """The code of a privilege on the wire; codes from 10 on have a scope."""

    USER_ADMIN = 0
    SYS_ADMIN = 1
    DATA_ADMIN = 2
    UDF_ADMIN = 3
    SINDEX_ADMIN = 4
    READ = 10
    READ_WRITE = 11
    READ_WRITE_UDF = 12
    WRITE = 13
    TRUNCATE = 14
    MASKING_ADMIN = 15
    READ_MASKED = 16
    WRITE_MASKED = 17

    @property
    def text(self) -> str:
        """The name that people write."""
        return self.name.lower().replace("_", "-")

    @property
    def scoped(self) -> bool:
        """May it be given for one namespace or set?"""
        return self >= PrivilegeCode.READ


_P: Final = Permission

_READ: Final = frozenset({_P.READ, _P.QUERY})
_WRITE: Final = frozenset({_P.WRITE, _P.OPS_QUERY})
_DATA_ADMIN: Final = frozenset({_P.UDF_ADMIN, _P.SINDEX_ADMIN, _P.QUERY_ADMIN, _P.TRUNCATE})
_SYS_ADMIN: Final = _DATA_ADMIN | {
    _P.RECORD_INFO,
    _P.LOGGING_CTRL,
    _P.SET_CONFIG,
    _P.SERVICE_CTRL,
    _P.EVICT_ADMIN,
    _P.XDR_SET_FILTER,
}

ALLOWS: Final[Mapping[PrivilegeCode, frozenset[Permission]]] = MappingProxyType(
    {
        PrivilegeCode.USER_ADMIN: frozenset({_P.USER_ADMIN}),
        PrivilegeCode.SYS_ADMIN: _SYS_ADMIN,
        PrivilegeCode.DATA_ADMIN: _DATA_ADMIN,
        PrivilegeCode.UDF_ADMIN: frozenset({_P.UDF_ADMIN}),
        PrivilegeCode.SINDEX_ADMIN: frozenset({_P.SINDEX_ADMIN}),
        PrivilegeCode.READ: _READ,
        PrivilegeCode.READ_WRITE: _READ | _WRITE,
        PrivilegeCode.READ_WRITE_UDF: _READ | _WRITE | {_P.UDF_APPLY, _P.UDF_QUERY},
        PrivilegeCode.WRITE: _WRITE,
        PrivilegeCode.TRUNCATE: frozenset({_P.TRUNCATE}),
        PrivilegeCode.MASKING_ADMIN: frozenset({_P.MASKING_ADMIN}),
        PrivilegeCode.READ_MASKED: frozenset({_P.READ_MASKED}),
        PrivilegeCode.WRITE_MASKED: frozenset({_P.WRITE_MASKED}),
    }
)
"""For each privilege, what it allows within its scope."""

SUPERUSER: Final = "superuser"
PREDEFINED: Final[Mapping[str, tuple[PrivilegeCode, ...]]] = MappingProxyType(
    {
        **{code.text: (code,) for code in PrivilegeCode},
        SUPERUSER: (
            PrivilegeCode.USER_ADMIN,
            PrivilegeCode.SYS_ADMIN,
            PrivilegeCode.READ_WRITE_UDF,
        ),
    }
)
"""Roles that are always there, everywhere in scope, and cannot be changed."""


def _needing(permission: Permission, names: str) -> dict[str, Permission]:
    return dict.fromkeys(names.split(), permission)


INFO: Final[Mapping[str, Permission]] = MappingProxyType(
    {
        **_needing(_P.RECORD_INFO, "debug-record debug-record-meta"),
        **_needing(_P.LOGGING_CTRL, "jem-stats log-message log-set set-log"),
        **_needing(_P.SET_CONFIG, "set-config config-set"),
        **_needing(
            _P.SERVICE_CTRL,
            "quiesce quiesce-undo recluster revive roster-set services-alumni-reset tip tip-clear",
        ),
        **_needing(_P.QUERY_ADMIN, "query-abort query-abort-all"),
        **_needing(_P.SINDEX_ADMIN, "sindex-create sindex-delete sindex-exists"),
        **_needing(
            _P.TRUNCATE, "truncate truncate-undo truncate-namespace truncate-namespace-undo"
        ),
        **_needing(_P.EVICT_ADMIN, "eviction-reset"),
        **_needing(_P.UDF_ADMIN, "udf-put udf-remove udf-clear-cache"),
        **_needing(_P.MASKING_ADMIN, "masking"),
        **_needing(_P.XDR_SET_FILTER, "xdr-set-filter"),
    }
)
"""What an info command needs. One that is not here is for every user who has logged in."""

SCOPED_INFO: Final = frozenset({_P.TRUNCATE, _P.MASKING_ADMIN})
"""Permissions of info commands that count for the namespace and set that the command names."""

_LOGGING_PREFIX: Final = "dump-"


def info_permission(name: str) -> Permission | None:
    """What the info command of this name needs; None: nothing but to have logged in."""
    if name.startswith(_LOGGING_PREFIX):
        return Permission.LOGGING_CTRL
    return INFO.get(name)
