"""The configuration: its parameters, the `aerospike.conf` reader, get-config and set-config."""

from asd.config.config import (
    LOG_CONTEXTS,
    LOG_LEVELS,
    Config,
    Edition,
    LoggingConfig,
    LogSink,
    ModLuaConfig,
    get_config,
    set_config,
)
from asd.config.errors import (
    ConfigFileError,
    EnterpriseOnlyError,
    InvalidParameterError,
    MissingNamespaceError,
    Problem,
    SetConfigError,
    UnknownContextError,
    UnknownNamespaceError,
)
from asd.config.kinds import Endpoint
from asd.config.ldap import LdapConfig
from asd.config.namespace import NamespaceConfig
from asd.config.network import (
    AdminConfig,
    FabricConfig,
    HeartbeatConfig,
    HttpConfig,
    NetworkConfig,
    NetworkServiceConfig,
)
from asd.config.parameters import Parameter, Section, Status
from asd.config.reader import read_config
from asd.config.security import SecurityConfig, SecurityLogConfig
from asd.config.service import ServiceConfig
from asd.config.sets import GeoConfig, SetConfig
from asd.config.storage import ENGINES, StorageConfig
from asd.config.tls import TlsConfig

__all__ = [
    "Config",
    "Edition",
    "ServiceConfig",
    "NetworkConfig",
    "NetworkServiceConfig",
    "AdminConfig",
    "HeartbeatConfig",
    "FabricConfig",
    "HttpConfig",
    "NamespaceConfig",
    "LdapConfig",
    "SecurityConfig",
    "SecurityLogConfig",
    "SetConfig",
    "StorageConfig",
    "TlsConfig",
    "Endpoint",
    "GeoConfig",
    "LoggingConfig",
    "LogSink",
    "ModLuaConfig",
    "ENGINES",
    "LOG_CONTEXTS",
    "LOG_LEVELS",
    "Parameter",
    "Section",
    "Status",
    "read_config",
    "get_config",
    "set_config",
    "ConfigFileError",
    "Problem",
    "SetConfigError",
    "UnknownContextError",
    "MissingNamespaceError",
    "UnknownNamespaceError",
    "InvalidParameterError",
    "EnterpriseOnlyError",
]
