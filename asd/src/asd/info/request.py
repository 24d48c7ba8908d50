"""One info command on its way to its handler, and the checks that handlers share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from attrs import define, field

from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.errors import OperationError
from aerospike_common.wire.info import InfoCommand, info_error, info_parameters
from asd.info.source import InfoConnection, InfoNode
from asd.security.rights import InfoAsked
from asd.space.namespace import Namespace

MAX_NAMESPACE: Final = 31
MAX_SET: Final = 63


@define
class Request:
    """A command with what its handler may look at."""

    node: InfoNode
    connection: InfoConnection
    command: InfoCommand
    #: The command's `key=value` pairs.
    parameters: dict[str, str] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.parameters = info_parameters(self.command.arguments)

    def asked(self) -> InfoAsked:
        """The command as access control sees it."""
        namespace = to_bytes(self.parameters.get("namespace", ""))
        set_name = to_bytes(self.parameters.get("set", ""))
        name, arguments = self.command.name, self.command.arguments
        return InfoAsked(self.connection.peer, name, arguments, namespace, set_name)

    def optional(
        self,
        name: str,
        *aliases: str,
        max_bytes: int = 1023,
        code: ResultCode = ResultCode.PARAMETER,
    ) -> str | None:
        """The parameter's value under its name or an alias; None when it is not given.

        Raises OperationError(code) when the value is empty or longer than `max_bytes`; the text
        speaks of `name` whichever alias was used.
        """
        for key in (name, *aliases):
            value = self.parameters.get(key)
            if value is None:
                continue
            if not value:
                raise OperationError(code, f"missing '{name}' value")
            if len(value.encode("utf-8", "surrogateescape")) > max_bytes:
                raise OperationError(code, f"'{name}' value too long")
            return value
        return None

    def required(
        self,
        name: str,
        *aliases: str,
        max_bytes: int = 1023,
        code: ResultCode = ResultCode.PARAMETER,
    ) -> str:
        """Like `optional`; an OperationError(code) also when it is not given."""
        value = self.optional(name, *aliases, max_bytes=max_bytes, code=code)
        if value is None:
            raise OperationError(code, f"missing '{name}'")
        return value

    def namespace_name(self, *aliases: str) -> str:
        """The `namespace` parameter, which need not name one of this node's."""
        code = ResultCode.NAMESPACE_NOT_FOUND
        return self.required("namespace", *aliases, max_bytes=MAX_NAMESPACE, code=code)

    def namespace(self, *aliases: str) -> Namespace:
        """The namespace that the `namespace` parameter names. Raises NAMESPACE_NOT_FOUND."""
        return self.find_namespace(self.namespace_name(*aliases))

    def find_namespace(self, name: str) -> Namespace:
        """The namespace of that name. Raises NAMESPACE_NOT_FOUND."""
        namespace = self.node.namespaces.get(to_bytes(name))
        if namespace is None:
            raise OperationError(ResultCode.NAMESPACE_NOT_FOUND, "namespace not found on node")
        return namespace

    def glued(self, *checks: Callable[[], object]) -> str:
        """The texts of the checks that fail, one after the other.

        Some commands go on after a parameter error and add the next text to it.
        """
        texts: list[str] = []
        for check in checks:
            try:
                check()
            except OperationError as error:
                texts.append(error_value(error))
        return "".join(texts)


Handler: TypeAlias = Callable[[Request], str]
"""Answers one command with its value; an OperationError becomes the error value."""


def error_value(error: OperationError) -> str:
    """The value that reports a refusal."""
    return info_error(error.code, str(error))


def decimal(text: str) -> int | None:
    """The number that up to 20 digits stand for, None for any other text."""
    return int(text) if len(text) <= 20 and text.isascii() and text.isdecimal() else None


def to_bytes(name: str) -> bytes:
    """A name from info text as it is on the data side of the wire."""
    return name.encode("utf-8", "surrogateescape")


def to_text(name: bytes) -> str:
    """A name from the data side of the wire as info text."""
    return name.decode("utf-8", "surrogateescape")


_AS_THEY_ARE: Final = frozenset({int, str})
"""Types of nearly all values: to ask about each is most of the cost of a long answer."""


def pairs(rows: Iterable[tuple[str, Any]]) -> str:
    """`name=value;name=value`, with booleans as `true` and `false`."""
    return ";".join(
        [
            f"{name}={value}" if type(value) in _AS_THEY_ARE else f"{name}={shown(value)}"
            for name, value in rows
        ]
    )


def shown(value: Any) -> str:
    """A value as info shows it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def constant(value: str) -> Handler:
    """A handler that always answers the same."""
    return lambda request: value


def enterprise_only(handler: Handler) -> Handler:
    """The handler in the enterprise edition, a refusal in the other."""

    def answer(request: Request) -> str:
        if request.node.community:
            raise OperationError(ResultCode.ENTERPRISE_ONLY, "enterprise only")
        return handler(request)

    return answer
