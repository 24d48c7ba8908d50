"""From the text of an `aerospike.conf` to a `Config`, or to a list of everything wrong in it."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, TypeVar

from asd.config.config import LOG_LEVELS, Config, Edition, LoggingConfig, LogSink, ModLuaConfig
from asd.config.errors import ConfigFileError, Problem
from asd.config.grammar import Directive, Parser
from asd.config.kinds import Texts
from asd.config.namespace import (
    MAX_SET_NAME,
    GeoConfig,
    NamespaceConfig,
    SetConfig,
    check_name,
)
from asd.config.network import (
    NO_TLS,
    AdminConfig,
    FabricConfig,
    HeartbeatConfig,
    HttpConfig,
    NetworkConfig,
    NetworkServiceConfig,
)
from asd.config.obsolete import OBSOLETE
from asd.config.parameters import Parameter, Section, Status
from asd.config.service import ServiceConfig
from asd.config.storage import ENGINES, StorageConfig, no_such_engine

S = TypeVar("S", bound=Section)
Block = Callable[[Directive], None]

REFUSED_CONTEXTS = MappingProxyType(
    {
        "security": "this server has no access control",
        "xdr": "this server ships no records to other data centres",
    }
)
"""Top-level contexts that are refused, and why."""


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
            **{name: self._refuse(why) for name, why in REFUSED_CONTEXTS.items()},
        }
        self._blocks("", directives, blocks, repeatable={"namespace"})
        if not namespaces and not self.problems:
            last = max(1, text.count("\n"))
            self.problems.append(Problem(self.file, last, "there is no namespace { } in the file"))
        if self.problems:
            raise ConfigFileError(self.problems)
        return Config(
            namespaces=MappingProxyType(namespaces),
            edition=self.edition,
            notices=tuple(sorted(self.notices, key=lambda notice: notice.line)),
            **parts,
        )

    # -------------------------------------------------------------- contexts

    def _network(self, directive: Directive) -> NetworkConfig:
        parts: dict[str, Any] = {}
        kinds: dict[str, type[Section]] = {
            "service": NetworkServiceConfig,
            "admin": AdminConfig,
            "heartbeat": HeartbeatConfig,
            "fabric": FabricConfig,
            "http": HttpConfig,
        }
        blocks: dict[str, Block] = {
            name: lambda d, name=name, kind=kind: self._into(  # type: ignore[misc] # bound per name
                parts, name, d, kind, "network.service" if name == "service" else name
            )
            for name, kind in kinds.items()
        }
        blocks["tls"] = self._refuse(NO_TLS)
        self._blocks("network", directive.block or [], blocks, repeatable={"tls"})
        return NetworkConfig(**parts)

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
        }
        return self._section(
            directive, NamespaceConfig, "namespace", parts, blocks, repeatable={"set"}
        )

    def _storage(self, parts: dict[str, Any], directive: Directive) -> None:
        engine = directive.values[0] if directive.values else ""
        if len(directive.values) != 1 or engine not in ENGINES:
            self._say(directive, no_such_engine(" ".join(directive.values)))
            return
        storage = self._section(directive, StorageConfig, "storage-engine", {"engine": engine})
        if storage is not None:
            parts["storage_engine"] = storage

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
            "syslog": self._refuse("log to the console and let the init system pass it on"),
        }
        self._blocks("logging", directive.block or [], blocks, repeatable={"file"})
        return LoggingConfig(tuple(sinks) or LoggingConfig().sinks)

    def _levels(self, directive: Directive) -> Mapping[str, str]:
        levels: dict[str, str] = {}
        for line in directive.block or []:
            if line.name != "context" or len(line.values) != 2:
                self._say(line, "a log sink holds lines 'context NAME LEVEL'")
            elif line.values[1].lower() not in LOG_LEVELS:
                self._say(
                    line, f"'{line.values[1]}' is no log level, expected {', '.join(LOG_LEVELS)}"
                )
            else:
                levels[line.values[0]] = line.values[1].lower()
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
                self._unknown(directive, context, blocks)
            elif directive.name in seen and directive.name not in repeatable:
                self._twice(directive, seen[directive.name])
            else:
                seen[directive.name] = directive.line
                block(directive)

    def _into(
        self, parts: dict[str, Any], key: str, directive: Directive, kind: type[S], context: str
    ) -> None:
        """Read a section whose block has no name of its own into `parts[key]`."""
        if directive.values:
            self._say(directive, f"'{directive.name}' takes no name: {directive.name} {{")
        section = self._section(directive, kind, context, {})
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
        lists = {name for name, p in parameters.items() if isinstance(p.kind, Texts)}
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
            if parameter is None or getattr(section, parameter.attribute) == parameter.default:
                continue
            if why := section.without_effect(parameter):
                text = f"'{parameter.name}' is accepted for compatibility, without effect: {why}"
                self.notices.append(Problem(self.file, directive.line, text))

    def _value(self, directive: Directive, parameter: Parameter, given: dict[str, Any]) -> None:
        name, declaration = parameter.name, parameter.declaration
        if directive.block is not None:
            return self._say(directive, f"'{name}' has a value, not a block")
        if not directive.values:
            return self._say(
                directive, f"'{name}' has no value, expected {parameter.kind.allowed()}"
            )
        text = " ".join(directive.values)
        if len(directive.values) > 1 and not isinstance(parameter.kind, Texts):
            return self._say(directive, f"'{name}' takes one value, not '{text}'")
        try:
            value = parameter.kind.parse(text)
        except ValueError as error:
            return self._say(directive, f"'{name}': {error}")
        if isinstance(value, tuple):
            value = given.get(parameter.attribute, ()) + value
        given[parameter.attribute] = value
        if value == parameter.default:
            return None
        if declaration.enterprise and self.edition is Edition.COMMUNITY:
            return self._say(directive, f"'{name}' belongs to the enterprise edition")
        if parameter.status is Status.REFUSED:
            return self._say(directive, f"'{name} {text}': {declaration.refused}")
        return None

    # -------------------------------------------------------------- problems

    def _refuse(self, why: str) -> Block:
        return lambda directive: self._say(directive, f"'{directive.name}': {why}; remove it")

    def _unknown(self, directive: Directive, context: str, known: Iterable[str]) -> None:
        name = directive.name
        where = f"in the context '{context}'" if context else "at the top level"
        advice = OBSOLETE.get(context, {}).get(name)
        if advice is not None:
            return self._say(directive, f"'{name}' is obsolete {where}; instead: {advice}")
        close = difflib.get_close_matches(name, list(known), 1, 0.7)
        hint = f"; did you mean '{close[0]}'?" if close else ""
        if not close and not context:
            hint = f"; expected {', '.join(known)}"
        return self._say(directive, f"unknown name '{name}' {where}{hint}")

    def _twice(self, directive: Directive, line: int) -> None:
        self._say(directive, f"'{directive.name}' is given twice, first on line {line}")

    def _say(self, directive: Directive, message: str) -> None:
        self.problems.append(Problem(self.file, directive.line, message))
