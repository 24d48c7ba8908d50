"""Masking rules as system metadata: the same on every node, and there after a restart.

A rule is put as the info command `masking` puts it, by names and texts, and is kept so; `parse`
makes of that what is applied (`asd.records.mask`).
"""

from __future__ import annotations

import json
import logging
import struct
from collections import defaultdict
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from attrs import define, field

from aerospike_common.wire.codes import ParticleType, ResultCode
from aerospike_common.wire.errors import OperationError
from asd.records.mask import Constant, Function, Mask, Redact, Rule
from asd.space.namespace_metadata import NamespaceMetadata
from cluster.smd import SmdItem

log = logging.getLogger("asd.masking")

MODULE: Final = "masking"
"""The module of the metadata; `namespace|set|bin|type` to the rule."""

MAX_RULES: Final = 4096
"""Rules of all namespaces together."""
MAX_VALUE: Final = 255
"""Bytes of a text that stands for a value."""

KINDS: Final[Mapping[str, ParticleType]] = MappingProxyType(
    {"string": ParticleType.STRING, "integer": ParticleType.INTEGER}
)
"""Types of values that can be masked, by the names that rules have for them."""

_INTEGER: Final = struct.Struct(">q")
_WIDEST: Final = 1 << 31


class RuleText(NamedTuple):
    """A rule as it is put: `parameters` are those of the function."""

    set_name: str
    bin_name: str
    kind: str
    function: str
    parameters: dict[str, str]

    def parse(self) -> Rule:
        """What is applied. Raises OperationError(PARAMETER)."""
        kind = KINDS.get(self.kind)
        if kind is None:
            raise _bad(f"bad 'type' - must be one of {_quoted(KINDS)}")
        make = _FUNCTIONS.get(self.function)
        if make is None:
            raise _bad(f"bad 'function' - must be one of {_quoted(_FUNCTIONS)}, 'remove'")
        left = dict(self.parameters)
        made = make(kind, left)
        if left:
            raise _bad(f"'{self.function}' has no parameter '{next(iter(left))}'")
        return Rule(self.bin_name.encode("utf-8", "surrogateescape"), kind, made)

    def shown(self, namespace: str) -> str:
        """As `masking-show` lists it."""
        place = {"namespace": namespace, "set": self.set_name, "bin": self.bin_name}
        named = {**place, "type": self.kind, "function": self.function, **self.parameters}
        return ";".join(f"{name}={value}" for name, value in named.items())


def _redact(kind: ParticleType, parameters: dict[str, str]) -> Redact:
    if kind != ParticleType.STRING:
        raise _bad("'redact' is for strings")
    position = _number(parameters.pop("position", "0"), "position", -_WIDEST)
    length = parameters.pop("length", None)
    value = parameters.pop("value", "*")
    if len(value) != 1:
        raise _bad("bad 'value' - must be one character")
    return Redact(position, None if length is None else _number(length, "length", 0), value)


def _constant(kind: ParticleType, parameters: dict[str, str]) -> Constant:
    text = parameters.pop("value", None)
    if text is None:
        raise _bad("missing 'value'")
    if kind == ParticleType.INTEGER:
        return Constant(_INTEGER.pack(_number(text, "value", -(1 << 63), (1 << 63) - 1)))
    data = text.encode("utf-8", "surrogateescape")
    if len(data) > MAX_VALUE:
        raise _bad("'value' value too long")
    return Constant(data)


def _number(text: str, name: str, least: int, most: int = _WIDEST) -> int:
    digits = text.removeprefix("-")
    if len(digits) > 20 or not (digits.isascii() and digits.isdecimal()):
        raise _bad(f"bad '{name}'")
    number = int(text)
    if not least <= number <= most:
        raise _bad(f"bad '{name}'")
    return number


def _bad(text: str) -> OperationError:
    return OperationError(ResultCode.PARAMETER, text)


def _quoted(names: Mapping[str, object]) -> str:
    return ", ".join(f"'{name}'" for name in names)


_FUNCTIONS: Final[Mapping[str, Callable[[ParticleType, dict[str, str]], Function]]] = (
    MappingProxyType({"redact": _redact, "constant": _constant})
)


@define(eq=False)
class MaskingMetadata(NamespaceMetadata):
    """Puts and removes rules by way of the metadata."""

    MODULE = MODULE

    _rules: dict[str, dict[str, RuleText]] = field(factory=lambda: defaultdict(dict), init=False)

    def put(self, namespace: str, rule: RuleText) -> None:
        """Put a rule in the place of the one of the same bin and type, if there is one. Raises
        OperationError."""
        rule.parse()
        key = _key(namespace, rule)
        rules = self._rules[namespace]
        if rules.get(key) == rule:
            return
        if key not in rules and sum(map(len, self._rules.values())) >= MAX_RULES:
            raise OperationError(ResultCode.FORBIDDEN, f"over {MAX_RULES} masking rules")
        self._keep(key, json.dumps(rule))

    def remove(self, namespace: str, rule: RuleText) -> None:
        """Remove the rule of a bin and type, if there is one."""
        key = _key(namespace, rule)
        if key in self._rules[namespace]:
            self._keep(key, None)

    def rules(self, namespace: str) -> list[RuleText]:
        """The rules of a namespace, by set and bin."""
        return sorted(self._rules[namespace].values(), key=lambda rule: rule[:3])

    def _apply(self, key: str, item: SmdItem) -> None:
        name = key.partition("|")[0]
        rules = self._rules[name]
        rules.pop(key, None)
        if item.value is not None:
            try:
                rule = RuleText(*json.loads(item.value))
                rule.parse()
                rules[key] = rule
            except (OperationError, ValueError, TypeError) as error:
                log.warning("masking rule '%s' cannot be had: %s", key, error)
        namespace = self._namespace(name)
        if namespace is not None:
            namespace.masks = self._masks(name)
            self._changed()

    def _masks(self, namespace: str) -> Mapping[bytes, Mask]:
        by_set: dict[bytes, list[Rule]] = defaultdict(list)
        for text in self._rules[namespace].values():
            by_set[text.set_name.encode("utf-8", "surrogateescape")].append(text.parse())
        return {set_name: Mask(rules) for set_name, rules in by_set.items()}


def _key(namespace: str, rule: RuleText) -> str:
    return "|".join((namespace, *rule[:3]))
