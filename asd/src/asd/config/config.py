"""The configuration of a node as a whole, and its two run-time faces: get-config and set-config."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final

from attrs import define, field, frozen, setters

from asd.config.errors import (
    EnterpriseOnlyError,
    InvalidParameterError,
    MissingNamespaceError,
    Problem,
    UnknownContextError,
    UnknownNamespaceError,
)
from asd.config.namespace import NamespaceConfig
from asd.config.network import NetworkConfig
from asd.config.parameters import Section, flag, text
from asd.config.security import SecurityConfig
from asd.config.service import ServiceConfig
from asd.config.xdr import XdrConfig

LOG_LEVELS: Final = ("critical", "warning", "info", "debug", "detail")

_LOG_CONTEXTS: Final = """
    misc alloc arenax hardware msg os secrets socket tls vault vmapx xmem aggr appeal as audit batch
    batch-sub bin config clustering deprecation drv-mem drv-pmem drv-ssd exchange exp fabric flat
    geo hb health hlc http index info info-command key-busy masking migrate mrt-audit mrt-monitor
    namespace nsup particle partition proto proxy proxy-divert query record roster rw rw-client
    security service service-list sindex skew smd storage truncate tsvc udf xdr xdr-client
"""
LOG_CONTEXTS: Final = tuple(_LOG_CONTEXTS.split())
"""The parts of the server that log, in the order in which `log/<id>` lists them."""


class Edition(Enum):
    """Which edition of the server to be."""

    COMMUNITY = "community"
    ENTERPRISE = "enterprise"


@frozen
class LogSink:
    """Where log lines go: `path` is empty for the console."""

    path: str = ""
    levels: Mapping[str, str] = field(factory=lambda: MappingProxyType({"any": "info"}))
    """Log context -> level; `any` stands for all that are not named."""


@frozen
class LoggingConfig:
    """The `logging` context."""

    sinks: tuple[LogSink, ...] = (LogSink(),)


@define(on_setattr=setters.frozen)
class ModLuaConfig(Section):
    """The `mod-lua` context."""

    allow_unsafe_lua: bool = flag(
        True,
        help="Give functions what reaches beyond their record: files, processes, other modules.",
        why_not="files, processes and the like are out of their reach, whatever is said here",
    )
    cache_enabled: bool = flag(
        True, help="Keep Lua states between calls.", why_not="states are always kept"
    )
    user_path: str = text(
        "/opt/aerospike/usr/udf/lua",
        help="Directory of the uploaded modules.",
        why_not="modules are kept with the other metadata, in the work-directory of service",
    )


@define(on_setattr=setters.frozen)
class Config:
    """Everything a node is told at start. Namespaces keep the order of the file."""

    service: ServiceConfig = field(factory=ServiceConfig)
    network: NetworkConfig = field(factory=NetworkConfig)
    namespaces: Mapping[str, NamespaceConfig] = field(default=MappingProxyType({}))
    logging: LoggingConfig = field(factory=LoggingConfig)
    mod_lua: ModLuaConfig = field(factory=ModLuaConfig)
    security: SecurityConfig | None = None
    """None: everybody may do everything."""
    xdr: XdrConfig = field(factory=XdrConfig)
    """What is shipped to other data centers; its commands are in `asd.info.shipping`."""
    edition: Edition = Edition.ENTERPRISE
    notices: tuple[Problem, ...] = ()
    """What the file sets that has no effect in this server; to be told to the operator."""

    @property
    def community(self) -> bool:
        """True for the community edition."""
        return self.edition is Edition.COMMUNITY


def get_config(
    config: Config, context: str = "", namespace: str | None = None
) -> list[tuple[str, str]]:
    """The (name, text) rows of a context, in `get-config` order; no context: service, network.

    Raises UnknownContextError, MissingNamespaceError, UnknownNamespaceError. Security has no rows
    where it is off, and xdr none in the community edition.
    """
    match context:
        case "":
            return config.service.rows(community=config.community) + config.network.rows()
        case "service":
            return config.service.rows(community=config.community)
        case "network":
            return config.network.rows()
        case "namespace":
            return _namespace(config, namespace).rows(community=config.community)
        case "security":
            return [] if config.security is None else config.security.rows()
        case "xdr":
            return [] if config.community else config.xdr.shown_rows()
    raise UnknownContextError(context)


def set_config(
    config: Config,
    context: str,
    namespace: str | None,
    set_name: bytes | None,
    name: str,
    value: str,
) -> None:
    """Change one dynamic parameter. Raises a SetConfigError; then nothing has changed."""
    match context:
        case "service":
            config.service.set(name, value, config.community)
        case "network":
            config.network.set(name, value, config.community)
        case "namespace" if set_name is not None:
            _namespace(config, namespace).set_of_set(set_name, name, value, config.community)
        case "namespace":
            _namespace(config, namespace).set(name, value, config.community)
        case "security" | "xdr" if config.community:
            raise EnterpriseOnlyError(context)
        case "security" if config.security is not None:
            config.security.set(name, value)
        case "xdr":
            config.xdr.set(name, value)
        case "security":
            raise InvalidParameterError(f"no parameter '{name}' in the context '{context}'")
        case _:
            raise UnknownContextError(context)


def _namespace(config: Config, name: str | None) -> NamespaceConfig:
    if name is None:
        raise MissingNamespaceError("namespace")
    try:
        return config.namespaces[name]
    except KeyError:
        raise UnknownNamespaceError(name) from None
