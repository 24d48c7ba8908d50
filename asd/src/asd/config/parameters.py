"""The one table: a section's class body declares its parameters, in the order `get-config` shows.

Each attribute made with `flag`, `integer`, `size`, `seconds`, `choice`, `text`, `texts` or `value`
is a parameter. Its name in the file is the attribute with `-` for `_`. The reader of files, its
errors, `get-config`, `set-config` and the reference page all work from these declarations.

Every parameter of the protocol's release is declared, in one of three ways, so that no file of a
real installation meets "unknown": it works (`works=True`: some code reads it); or it is accepted
and does nothing (`why_not` says what does not happen, and setting it is told to the operator); or
it is refused unless it has its default (`refused` says why), where going on without it would break
a promise: of safety, of secrecy, of not losing data. Whole contexts of that last kind are in
`refused.py`, names of older releases in `obsolete.py`.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

from attrs import Attribute, field, fields, frozen

from asd.config.errors import EnterpriseOnlyError, InvalidParameterError
from asd.config.kinds import (
    U32_MAX,
    Boolean,
    Choice,
    Integer,
    Kind,
    Seconds,
    Size,
    Text,
    Texts,
    Value,
)

_KEY: Final = "parameter"


class Status(Enum):
    """What setting a parameter does in this server."""

    IN_EFFECT = "in effect"
    ACCEPTED = "accepted, no effect"
    REFUSED = "refused unless it is the default"


@frozen
class Declaration:
    """What a parameter's declaration says beyond its name and default."""

    kind: Kind
    help: str
    dynamic: bool = False
    enterprise: bool = False
    works: bool = False
    refused: str = ""
    shown: bool = True
    engines: tuple[str, ...] = ()
    """The storage engines that do what it says; () = all of them."""
    why_not: str = ""
    """What a parameter that is accepted does not do here, and why."""
    here: Value | None = None
    """The value that says what happens anyway, where nothing depends on the parameter and that is
    not the default: to set another one, the default too, is worth a notice."""
    community: Value | None = None
    """The value in the community edition, where that is not the default and cannot be changed."""


@frozen
class Parameter:
    """A parameter of a section."""

    name: str
    attribute: str
    default: Value
    declaration: Declaration

    @property
    def kind(self) -> Kind:
        """How its value is written, checked and shown."""
        return self.declaration.kind

    @property
    def status(self) -> Status:
        """What setting it does in this server."""
        if self.declaration.refused:
            return Status.REFUSED
        return Status.IN_EFFECT if self.declaration.works else Status.ACCEPTED

    @property
    def usual(self) -> Value:
        """The value that changes nothing when it is given."""
        here = self.declaration.here
        return self.default if here is None else here

    def default_in(self, community: bool) -> Value:
        """The value in an edition of what is not given."""
        special = self.declaration.community
        return special if community and special is not None else self.default


class Section:
    """A context of the configuration. Its attributes are fixed; only `set` changes dynamic ones."""

    __slots__ = ("_shown",)

    @classmethod
    def parameters(cls) -> dict[str, Parameter]:
        """The section's parameters by their file name, in the order of `get-config`. O(n)."""
        found = (_parameter(attribute) for attribute in fields(cls))  # type: ignore[arg-type] # each subclass is an attrs class
        return {parameter.name: parameter for parameter in found if parameter is not None}

    def rows(self, prefix: str = "", community: bool = False) -> list[tuple[str, str]]:
        """(name, text) of each parameter that `get-config` shows in an edition. O(n); they are kept
        until one changes, since tools ask every few seconds."""
        shown: dict[tuple[str, bool], list[tuple[str, str]]] = getattr(self, "_shown", {})
        rows = shown.get((prefix, community))
        if rows is None:
            rows = self._rows(prefix, community)
            object.__setattr__(self, "_shown", {**shown, (prefix, community): rows})
        return list(rows)

    def _rows(self, prefix: str, community: bool) -> list[tuple[str, str]]:
        rows = []
        for parameter in self.parameters().values():
            value: Value = getattr(self, parameter.attribute)
            if value == parameter.default:
                value = parameter.default_in(community)
            if self.shows(parameter) or value != parameter.default:
                rows += [(prefix + parameter.name, text) for text in parameter.kind.rows(value)]
        return rows

    def shows(self, parameter: Parameter) -> bool:
        """Is the parameter listed even where it has its default?"""
        return parameter.declaration.shown

    def without_effect(self, parameter: Parameter) -> str:
        """Why setting the parameter does nothing here; empty when it does something."""
        return parameter.declaration.why_not if parameter.status is Status.ACCEPTED else ""

    def set(self, name: str, text: str, community: bool = False) -> None:
        """Change a dynamic parameter.

        Raises InvalidParameterError for an unknown or static name, a value out of range, or
        one that does not go with the others; EnterpriseOnlyError where the edition lacks it.
        """
        parameter = self.parameters().get(name)
        if parameter is None or not parameter.declaration.dynamic:
            raise InvalidParameterError(f"'{name}' is not a dynamic parameter")
        if parameter.declaration.enterprise and community:
            raise EnterpriseOnlyError(name)
        try:
            value = parameter.kind.parse(text)
        except ValueError as error:
            raise InvalidParameterError(f"'{name}': {error}") from None
        if parameter.declaration.refused and value != parameter.default:
            raise InvalidParameterError(f"'{name}': {parameter.declaration.refused}")
        self._change(parameter.attribute, value)

    def conflict(self) -> str:
        """What in the section's values does not go together; empty when all is well."""
        return ""

    def _change(self, attribute: str, value: Value) -> None:
        old = getattr(self, attribute)
        object.__setattr__(self, "_shown", {})
        object.__setattr__(self, attribute, value)
        if conflict := self.conflict():
            object.__setattr__(self, attribute, old)
            raise InvalidParameterError(conflict)

    def __attrs_post_init__(self) -> None:
        if conflict := self.conflict():
            raise ValueError(conflict)


def flag(default: bool = False, *, help: str, **traits: Any) -> Any:
    """A parameter that is true or false."""
    return _declare(default, Declaration(Boolean(), help, **traits))


def integer(default: int, low: int = 0, high: int = U32_MAX, *, help: str, **traits: Any) -> Any:
    """A parameter that is a whole number."""
    return _declare(default, Declaration(Integer(low, high), help, **traits))


def size(default: int, low: int, high: int, *, help: str, **traits: Any) -> Any:
    """A parameter that is a number of bytes."""
    return _declare(default, Declaration(Size(low, high), help, **traits))


def seconds(default: int, low: int = 0, high: int = U32_MAX, *, help: str, **traits: Any) -> Any:
    """A parameter that is a number of seconds."""
    return _declare(default, Declaration(Seconds(low, high), help, **traits))


def choice(default: str, *options: str, help: str, **traits: Any) -> Any:
    """A parameter that is one word out of `default` and `options`."""
    return _declare(default, Declaration(Choice((default, *options)), help, **traits))


def text(default: str = "", longest: int = 1023, *, help: str, **traits: Any) -> Any:
    """A parameter that is a text."""
    return _declare(default, Declaration(Text(longest), help, **traits))


def texts(*default: str, help: str, **traits: Any) -> Any:
    """A parameter that may be repeated."""
    return _declare(default, Declaration(Texts(), help, **traits))


def value(kind: Kind, default: Value, *, help: str, **traits: Any) -> Any:
    """A parameter of a kind of its own."""
    return _declare(default, Declaration(kind, help, **traits))


def _declare(default: Value, declaration: Declaration) -> Any:
    return field(
        default=default,
        kw_only=True,
        validator=_check,
        metadata={_KEY: declaration},
    )


def _check(_: Section, attribute: Attribute[Any], value: object) -> None:
    declaration: Declaration = attribute.metadata[_KEY]
    try:
        declaration.kind.check(value)
    except ValueError as error:
        raise ValueError(f"{attribute.name}: {error}") from None


def _parameter(attribute: Attribute[Any]) -> Parameter | None:
    declaration = attribute.metadata.get(_KEY)
    if declaration is None:
        return None
    name = attribute.name.replace("_", "-")
    default: Value = attribute.default  # type: ignore[assignment]  # `_declare` always gives one
    return Parameter(name, attribute.name, default, declaration)
