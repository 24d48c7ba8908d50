"""From the text of an `aerospike.conf` to a `Config`, or to a list of everything wrong in it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

from asd.config.config import (
    LOG_CONTEXTS,
    LOG_LEVELS,
    Config,
    Edition,
    LoggingConfig,
    LogSink,
    ModLuaConfig,
)
from asd.config.errors import ConfigFileError, Problem
from asd.config.grammar import Directive, Parser
from asd.config.kinds import Boolean
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
from asd.config.obsolete import OBSOLETE
from asd.config.parameters import Parameter, Section, Status
from asd.config.refused import INDEX_MOUNTS, SECURITY, SYSLOG, TLS, XDR, RefusedContext
from asd.config.security import SecurityConfig, SecurityLogConfig
from asd.config.service import ServiceConfig
from asd.config.sets import MAX_SET_NAME, GeoConfig, SetConfig, check_name
from asd.config.storage import ENGINES, PERSISTENT_MEMORY, StorageConfig, no_such_engine
from asd.config.tls import TlsConfig
from asd.config.xdr import DcConfig, ShipConfig, XdrConfig, dc_name_problem

S = TypeVar("S", bound=Section)
Block = Callable[[Directive], None]

ANY_LOG_CONTEXT = "any"
ENTERPRISE_ONLY = "belongs to the enterprise edition, and this server runs as community"


def read_config(
    text: str, file: str = "aerospike.conf", edition: Edition = Edition.ENTERPRISE
) -> Config:
    """The configuration that `text` describes. Raises ConfigFileError naming all its problems."""
    return _Reader(file, edition).read(text)


class _Reader:
    """One reading of one file."""

    def __init__(self, file: str, edition: Edition) -> None:
        self.file = file
        self.edition = edition
        self.problems: list[Problem] = []
        self.notices: list[Problem] = []
        self._shipped: list[tuple[Directive, str]] = []
        self._centers: list[tuple[Directive, DcConfig]] = []
        """Namespaces that are to be shipped, to be looked for when all are known."""

    def read(self, text: str) -> Config:
        parser = Parser(self.file, self.problems)
        directives = parser.parse(text)
        parts: dict[str, Any] = {}
        namespaces: dict[str, NamespaceConfig] = {}

        def namespace(directive: Directive) -> None:
            config = self._namespace(directive)
            if config is None:
                return
            if config.name in namespaces:
                self._say(directive, f"namespace '{config.name}' is configured twice")
            namespaces[config.name] = config

        blocks: dict[str, Block] = {
            "service": lambda d: self._into(parts, "service", d, ServiceConfig, "service"),
            "network": lambda d: parts.update(network=self._network(d)),
            "namespace": namespace,
            "logging": lambda d: parts.update(logging=self._logging(d)),
            "mod-lua": lambda d: self._into(parts, "mod_lua", d, ModLuaConfig, "mod-lua"),
            "security": lambda d: self._security(parts, d),
            "xdr": lambda d: self._xdr(parts, d),
        }
        self._blocks("", directives, blocks, repeatable={"namespace"})
        if not self.problems:
            self._check_whole(directives, namespaces, parts.get("service", ServiceConfig()))
            self._check_centers(parts.get("network", NetworkConfig()))
        if self.problems:
            raise ConfigFileError(self.problems)
        return Config(
            namespaces=MappingProxyType(namespaces),
            edition=self.edition,
            notices=tuple(sorted(self.notices, key=lambda notice: notice.line)),
            **parts,
        )

    def _check_whole(
        self,
        directives: Sequence[Directive],
        namespaces: Mapping[str, NamespaceConfig],
        service: ServiceConfig,
    ) -> None:
        """What no single line can be blamed for is said where it could be mended."""
        if not namespaces:
            last = max([1, *(directive.line for directive in directives)])
            self.problems.append(Problem(self.file, last, "there is no namespace { } in the file"))
        if self.edition is Edition.COMMUNITY and not service.cluster_name:
            line = next((d.line for d in directives if d.name == "service"), 1)
            text = "'cluster-name' is missing in the context 'service': cluster-name NAME"
            self.problems.append(Problem(self.file, line, text))
        for directive, name in self._shipped:
            if name not in namespaces:
                self._say(directive, f"there is no namespace '{name}' to be shipped in this file")

    def _check_centers(self, network: NetworkConfig) -> None:
        for directive, dc in self._centers:
            if dc.tls_name and dc.tls_name not in network.tls:
                self._say(directive, f"tls-name '{dc.tls_name}': there is no such tls block")

    # -------------------------------------------------------------- contexts

    def _network(self, directive: Directive) -> NetworkConfig:
        parts: dict[str, Any] = {}
        kinds: dict[str, type[Section]] = {
            "admin": AdminConfig,
            "heartbeat": HeartbeatConfig,
            "fabric": FabricConfig,
            "http": HttpConfig,
        }
        blocks: dict[str, Block] = {
            name: lambda d, name=name, kind=kind: self._into(  # type: ignore[misc] # bound per name
                parts, name, d, kind, name
            )
            for name, kind in kinds.items()
        }
        blocks["service"] = lambda d: self._service_port(parts, d)
        tls: dict[str, TlsConfig] = {}
        blocks["tls"] = lambda d: self._tls(tls, d)
        parts["tls"] = MappingProxyType(tls)
        before = len(self.problems)
        self._blocks("network", directive.block or [], blocks, repeatable={"tls"})
        if len(self.problems) == before:
            try:
                return NetworkConfig(**parts)
            except ValueError as error:
                self._say(directive, str(error))
        return NetworkConfig()

    def _service_port(self, parts: dict[str, Any], directive: Directive) -> None:
        """Where clients connect: with a tls-port alone, nowhere in the clear."""
        names = {inner.name for inner in directive.block or []}
        given = (
            {"free_port": False, "port": 0} if "tls-port" in names and "port" not in names else {}
        )
        kind, context = NetworkServiceConfig, "network.service"
        self._into(parts, "service", directive, kind, context, given)

    def _tls(self, blocks: dict[str, TlsConfig], directive: Directive) -> None:
        if self.edition is Edition.COMMUNITY:
            return self._refuse(TLS, directive, enterprise=True)
        name = " ".join(directive.values)
        if not name:
            return self._say(directive, "a tls block has a name: tls NAME {")
        if name in blocks:
            self._say(directive, f"tls '{name}' is configured twice")
        tls = self._section(directive, TlsConfig, "tls", {"name": name})
        if tls is not None:
            blocks[name] = tls
        return None

    def _security(self, parts: dict[str, Any], directive: Directive) -> None:
        """An empty block is enough: nobody gets in without a password."""
        if self.edition is Edition.COMMUNITY:
            return self._refuse(SECURITY, directive, enterprise=True)
        inner: dict[str, Any] = {}
        blocks: dict[str, Block] = {
            "log": lambda d: self._into(inner, "log", d, SecurityLogConfig, "log"),
            "ldap": lambda d: self._into(inner, "ldap", d, LdapConfig, "ldap"),
        }
        security = self._section(directive, SecurityConfig, "security", inner, blocks)
        if security is not None:
            parts["security"] = security
        return None

    def _xdr(self, parts: dict[str, Any], directive: Directive) -> None:
        if self.edition is Edition.COMMUNITY:
            return self._refuse(XDR, directive, enterprise=True)
        dcs: dict[str, DcConfig] = {}
        blocks: dict[str, Block] = {"dc": lambda d: self._dc(dcs, d)}
        inner = {"dcs": dcs}
        xdr = self._section(directive, XdrConfig, "xdr", inner, blocks, repeatable={"dc"})
        if xdr is not None:
            parts["xdr"] = xdr
        return None

    def _dc(self, dcs: dict[str, DcConfig], directive: Directive) -> None:
        name = " ".join(directive.values)
        if problem := dc_name_problem(name):
            return self._say(directive, f"{problem}: dc NAME {{")
        if name in dcs:
            self._say(directive, f"dc '{name}' is configured twice")
        spaces: dict[str, ShipConfig] = {}
        given = {"name": name, "namespaces": spaces}
        blocks: dict[str, Block] = {"namespace": lambda d: self._shipped_namespace(spaces, d)}
        dc = self._section(directive, DcConfig, "dc", given, blocks, repeatable={"namespace"})
        if dc is not None:
            dcs[name] = dc
            self._centers.append((directive, dc))
        return None

    def _shipped_namespace(self, spaces: dict[str, ShipConfig], directive: Directive) -> None:
        name = " ".join(directive.values)
        if len(directive.values) != 1:
            return self._say(directive, "a namespace has one name: namespace NAME {")
        if name in spaces:
            self._say(directive, f"namespace '{name}' is configured twice")
        self._shipped.append((directive, name))
        given = {"namespace": name, "enabled": True}
        space = self._section(directive, ShipConfig, "namespace", given)
        if space is not None:
            spaces[name] = space
        return None

    def _namespace(self, directive: Directive) -> NamespaceConfig | None:
        if len(directive.values) != 1:
            self._say(directive, "a namespace has one name: namespace NAME {")
            return None
        sets: dict[bytes, SetConfig] = {}
        parts: dict[str, Any] = {"name": directive.values[0], "sets": sets}
        blocks: dict[str, Block] = {
            "geo2dsphere-within": lambda d: self._into(
                parts, "geo2dsphere_within", d, GeoConfig, "geo2dsphere-within"
            ),
            "storage-engine": lambda d: self._storage(parts, d),
            "set": lambda d: self._set(sets, d),
            "index-type": self._index_type,
            "sindex-type": self._index_type,
        }
        return self._section(
            directive, NamespaceConfig, "namespace", parts, blocks, repeatable={"set"}
        )

    def _index_type(self, directive: Directive) -> None:
        """Where indexes are. They are in memory, as `shmem` says; so nothing is to be kept."""
        if self.edition is Edition.COMMUNITY:
            self._say(directive, f"'{directive.name}' {ENTERPRISE_ONLY}")
        elif directive.values != ("shmem",):
            self._refuse(INDEX_MOUNTS, directive)

    def _storage(self, parts: dict[str, Any], directive: Directive) -> None:
        engine = directive.values[0] if directive.values else ""
        if engine == PERSISTENT_MEMORY and self.edition is Edition.COMMUNITY:
            return self._say(directive, f"'storage-engine {engine}' {ENTERPRISE_ONLY}")
        if len(directive.values) != 1 or engine not in ENGINES:
            return self._say(directive, no_such_engine(" ".join(directive.values)))
        storage = self._section(directive, StorageConfig, "storage-engine", {"engine": engine})
        if storage is not None:
            parts["storage_engine"] = storage
        return None

    def _set(self, sets: dict[bytes, SetConfig], directive: Directive) -> None:
        name = " ".join(directive.values)
        try:
            check_name(name, MAX_SET_NAME)
        except ValueError as error:
            self._say(directive, str(error))
            return
        key = name.encode("utf-8", "surrogateescape")
        if key in sets:
            self._say(directive, f"set '{name}' is configured twice")
        config = self._section(directive, SetConfig, "set", {"name": key})
        if config is not None:
            sets[key] = config

    def _logging(self, directive: Directive) -> LoggingConfig:
        sinks: list[LogSink] = []

        def sink(directive: Directive) -> None:
            path = " ".join(directive.values)
            if bool(path) != (directive.name == "file"):
                self._say(directive, "write 'console {' or 'file PATH {'")
            sinks.append(LogSink(path, self._levels(directive)))

        blocks: dict[str, Block] = {
            "console": sink,
            "file": sink,
            "syslog": partial(self._refuse, SYSLOG),
        }
        self._blocks("logging", directive.block or [], blocks, repeatable={"file"})
        return LoggingConfig(tuple(sinks) or LoggingConfig().sinks)

    def _levels(self, directive: Directive) -> Mapping[str, str]:
        levels: dict[str, str] = {}
        for line in directive.block or []:
            if line.name != "context" or len(line.values) != 2:
                self._say(line, "a log sink holds lines 'context NAME LEVEL'")
                continue
            name, level = line.values[0].replace("_", "-"), line.values[1].lower()
            if level not in LOG_LEVELS:
                levels_known = ", ".join(LOG_LEVELS)
                self._say(line, f"'{line.values[1]}' is no log level, expected {levels_known}")
            elif name != ANY_LOG_CONTEXT and name not in LOG_CONTEXTS:
                hint = _similar(name, LOG_CONTEXTS) or f"; '{ANY_LOG_CONTEXT}' is for all of them"
                self._say(line, f"no part of the server logs as '{name}'{hint}")
            else:
                levels[name] = level
        return MappingProxyType(levels)

    # ---------------------------------------------------------------- blocks

    def _blocks(
        self,
        context: str,
        directives: Sequence[Directive],
        blocks: Mapping[str, Block],
        repeatable: Iterable[str] = (),
    ) -> None:
        """Hand each directive to the reader of its block; complain about all others."""
        seen: dict[str, int] = {}
        for directive in directives:
            block = blocks.get(directive.name)
            if block is None:
                self._unknown(directive, context, list(blocks))
            elif directive.name in seen and directive.name not in repeatable:
                self._twice(directive, seen[directive.name])
            else:
                seen[directive.name] = directive.line
                block(directive)

    def _into(
        self,
        parts: dict[str, Any],
        key: str,
        directive: Directive,
        kind: type[S],
        context: str,
        given: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Read a section whose block has no name of its own into `parts[key]`; `given` is what is
        known of it besides."""
        if directive.values:
            self._say(directive, f"'{directive.name}' takes no name: {directive.name} {{")
        section = self._section(directive, kind, context, dict(given))
        if section is not None:
            parts[key] = section

    def _section(
        self,
        directive: Directive,
        kind: type[S],
        context: str,
        given: dict[str, Any],
        blocks: Mapping[str, Block] = MappingProxyType({}),
        repeatable: Iterable[str] = (),
    ) -> S | None:
        """The section a block describes; None when its values do not go together."""
        parameters = kind.parameters()
        before = len(self.problems)

        readers: dict[str, Block] = {
            name: lambda d, parameter=parameter: self._value(d, parameter, given)  # type: ignore[misc] # bound per name
            for name, parameter in parameters.items()
        }
        lists = {name for name, p in parameters.items() if p.kind.repeatable}
        self._blocks(context, directive.block or [], {**readers, **blocks}, {*repeatable, *lists})
        if len(self.problems) > before:
            return None
        try:
            section = kind(**given)
        except ValueError as error:
            self._say(directive, str(error))
            return None
        self._notice(section, directive.block or [])
        return section

    def _notice(self, section: Section, directives: Sequence[Directive]) -> None:
        """Tell of what is set and does nothing."""
        parameters = section.parameters()
        for directive in directives:
            parameter = parameters.get(directive.name)
            if parameter is None or getattr(section, parameter.attribute) == parameter.usual:
                continue
            if why := section.without_effect(parameter):
                text = f"'{parameter.name}' is accepted for compatibility, without effect: {why}"
                self.notices.append(Problem(self.file, directive.line, text))

    def _value(self, directive: Directive, parameter: Parameter, given: dict[str, Any]) -> None:
        name, declaration = parameter.name, parameter.declaration
        if declaration.enterprise and self.edition is Edition.COMMUNITY:
            return self._say(directive, f"'{name}' {ENTERPRISE_ONLY}")
        try:
            value = _parsed(directive, parameter)
        except ValueError as error:
            if parameter.status is not Status.REFUSED:
                return self._say(directive, str(error))
            value = None  # other values than the default are refused, whatever they are
        if parameter.status is Status.REFUSED and value != parameter.default:
            said = " ".join((name, *directive.values))
            return self._say(directive, f"'{said}': {declaration.refused}")
        if isinstance(value, tuple):
            value = given.get(parameter.attribute, ()) + value
        given[parameter.attribute] = value
        return None

    # -------------------------------------------------------------- problems

    def _refuse(
        self, context: RefusedContext, directive: Directive, enterprise: bool = False
    ) -> None:
        """Say why a block is refused, and what in it is misspelt besides."""
        head = " ".join((directive.name, *directive.values))
        if enterprise and self.edition is Edition.COMMUNITY:
            self._say(directive, f"'{head}' {ENTERPRISE_ONLY}")
        else:
            self._say(directive, f"'{head}': {context.why}")
        self._look_for_unknown(context, directive)

    def _look_for_unknown(self, context: RefusedContext, directive: Directive) -> None:
        for inner in directive.block or []:
            if inner.name in context.contexts:
                self._look_for_unknown(context.contexts[inner.name], inner)
            elif inner.name not in context.names:
                self._unknown(inner, directive.name, [*context.names, *context.contexts])

    def _unknown(self, directive: Directive, context: str, known: Sequence[str]) -> None:
        name = directive.name
        where = f"in the context '{context}'" if context else "at the top level"
        advice = OBSOLETE.get(context, {}).get(name)
        if advice is not None:
            return self._say(directive, f"'{name}' is obsolete {where}; instead: {advice}")
        hint = _similar(name, known)
        if not hint and not context:
            hint = f"; expected {', '.join(known)}"
        return self._say(directive, f"unknown name '{name}' {where}{hint}")

    def _twice(self, directive: Directive, line: int) -> None:
        self._say(directive, f"'{directive.name}' is given twice, first on line {line}")

    def _say(self, directive: Directive, message: str) -> None:
        self.problems.append(Problem(self.file, directive.line, message))


def _parsed(directive: Directive, parameter: Parameter) -> Any:
    """The value a directive gives. Raises ValueError saying what is wrong and what would be right.

    The name of a boolean alone means true.
    """
    name, kind, words = parameter.name, parameter.kind, directive.values
    if directive.block is not None:
        raise ValueError(f"'{name}' has a value, not a block, expected {kind.allowed()}")
    if not words and isinstance(kind, Boolean):
        return True
    if not words:
        raise ValueError(f"'{name}' has no value, expected {kind.allowed()}")
    text = " ".join(words)
    if len(words) > kind.words:
        raise ValueError(f"'{name}' takes {kind.wanted}, not '{text}'{kind.more_words}")
    try:
        return kind.parse(text)
    except ValueError as error:
        raise ValueError(f"'{name}': {error}") from None


def _similar(name: str, known: Iterable[str]) -> str:
    """The end of a complaint about an unknown name: what may be meant; empty when nothing is."""
    close = difflib.get_close_matches(name, list(known), 1, 0.7)
    return f"; did you mean '{close[0]}'?" if close else ""
