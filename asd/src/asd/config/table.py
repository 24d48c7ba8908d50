"""The table of everything that a file may hold: name, context, kind, and what it does here.

It is read off the sections' declarations and the refused contexts, never written down twice. The
reference page prints it, and a test walks it with the names of the protocol's release.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from attrs import frozen

from asd.config.config import LOG_CONTEXTS, LOG_LEVELS, ModLuaConfig
from asd.config.ldap import LdapConfig
from asd.config.namespace import NamespaceConfig
from asd.config.network import (
    AdminConfig,
    FabricConfig,
    HeartbeatConfig,
    HttpConfig,
    NetworkServiceConfig,
)
from asd.config.parameters import Parameter, Section, Status
from asd.config.refused import REFUSED, RefusedContext
from asd.config.security import SecurityConfig, SecurityLogConfig
from asd.config.service import ServiceConfig
from asd.config.sets import GeoConfig, SetConfig
from asd.config.storage import StorageConfig
from asd.config.tls import TlsConfig
from asd.config.xdr import DcConfig, ShipConfig, XdrConfig

SECTIONS: Final[Mapping[str, type[Section]]] = MappingProxyType(
    {
        "service": ServiceConfig,
        "network service": NetworkServiceConfig,
        "network admin": AdminConfig,
        "network heartbeat": HeartbeatConfig,
        "network fabric": FabricConfig,
        "network http": HttpConfig,
        "network tls": TlsConfig,
        "namespace": NamespaceConfig,
        "namespace set": SetConfig,
        "namespace storage-engine": StorageConfig,
        "namespace geo2dsphere-within": GeoConfig,
        "mod-lua": ModLuaConfig,
        "security": SecurityConfig,
        "security log": SecurityLogConfig,
        "security ldap": LdapConfig,
        "xdr": XdrConfig,
        "xdr dc": DcConfig,
        "xdr dc namespace": ShipConfig,
    }
)
"""Sections by the blocks that lead to them, in the order of the page."""


@frozen
class Row:
    """A parameter as the table shows it."""

    context: str
    name: str
    kind: str
    here: str


def table() -> Iterator[Row]:
    """All rows: the sections', the log's, then those of the refused contexts."""
    for context, section in SECTIONS.items():
        for parameter in section.parameters().values():
            yield Row(context, parameter.name, parameter.kind.allowed(), what_it_does(parameter))
    for name in LOG_CONTEXTS:
        yield Row("logging console", name, " ".join(LOG_LEVELS), Status.IN_EFFECT.value)
    for context, refused in REFUSED.items():
        yield from _refused(context, refused)


def _refused(context: str, refused: RefusedContext) -> Iterator[Row]:
    for name in sorted(refused.names):
        yield Row(context, name, "any", f"refused: {refused.why}")
    for inner, within in refused.contexts.items():
        yield from _refused(f"{context} {inner}", within)


def what_it_does(parameter: Parameter) -> str:
    """What setting a parameter does in this server, and if nothing, why."""
    declaration, status = parameter.declaration, parameter.status.value
    if reason := declaration.refused or declaration.why_not:
        return f"{status}: {reason}"
    if declaration.engines:
        return f"{status} with {', '.join(declaration.engines)}"
    return status
