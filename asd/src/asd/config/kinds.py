"""The kinds of value a parameter can have: how each is written, checked and shown.

A kind turns the text of a configuration file or of `set-config` into a value, and a value into the
text of `get-config`. What it refuses it refuses with a `ValueError` that says what is allowed.
"""

from __future__ import annotations

import ipaddress
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Final, TypeAlias

from attrs import frozen


@frozen
class Endpoint:
    """Where a node listens: a host (name or address) and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return host_port(self.host, self.port)


def host_port(host: str, port: int) -> str:
    """`host:port`, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


Value: TypeAlias = bool | int | str | tuple[str, ...] | tuple[Endpoint, ...]

PORT_MAX: Final = 0xFFFF
U32_MAX: Final = 0xFFFFFFFF
I32_MAX: Final = 0x7FFFFFFF
U64_MAX: Final = 0xFFFFFFFFFFFFFFFF

_NODE_ID: Final = re.compile(r"([1-9A-F][0-9A-F]{0,15})?")
_NUMBER: Final = re.compile(r"(-?[0-9]+)([A-Za-z]*)")
_SIZE_UNITS: Final[Mapping[str, int]] = {
    "": 1,
    **{unit: 1 << 10 * power for power, unit in enumerate("kmgt", 1)},
    **{unit + "i": 1 << 10 * power for power, unit in enumerate("kmgt", 1)},
}
_TIME_UNITS: Final[Mapping[str, int]] = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class Kind(ABC):
    """How one kind of value is written, checked and shown."""

    words: ClassVar[int] = 1
    """Words of a value in a file; `parse` takes them with one blank between."""

    wanted: ClassVar[str] = "one value"
    """What those words are."""

    more_words: ClassVar[str] = ""
    """What to say besides to more words than these, where people have something in mind."""

    repeatable: ClassVar[bool] = False
    """May the parameter be given more than once, each time with one more value?"""

    @abstractmethod
    def parse(self, text: str) -> Value:
        """The value that `text` stands for. Raises ValueError naming what is allowed."""

    @abstractmethod
    def check(self, value: object) -> None:
        """Raise ValueError when `value` is not of this kind or out of its range."""

    @abstractmethod
    def allowed(self) -> str:
        """What may be written, as the end of the sentence "expected ..."."""

    def show(self, value: Value) -> str:
        """The text `get-config` gives for `value`; `null` for an empty one."""
        return str(value) or "null"

    def rows(self, value: Value) -> list[str]:
        """The texts of the rows that `get-config` gives for `value`, nearly always one."""
        return [self.show(value)]

    def refusal(self, text: object) -> ValueError:
        """The error for a value that is not allowed."""
        return ValueError(f"'{text}' is not allowed here, expected {self.allowed()}")


@frozen
class Boolean(Kind):
    """`true` or `false`; `yes` and `no` are read too."""

    def parse(self, text: str) -> bool:
        match text.lower():
            case "true" | "yes":
                return True
            case "false" | "no":
                return False
        raise self.refusal(text)

    def check(self, value: object) -> None:
        if not isinstance(value, bool):
            raise self.refusal(value)

    def allowed(self) -> str:
        return "true or false"

    def show(self, value: Value) -> str:
        return "true" if value else "false"


@frozen
class Integer(Kind):
    """A whole number from `low` to `high`; K, M, G and T multiply by powers of 1024 (Ki, Mi, Gi,
    Ti likewise), for counts as for sizes."""

    low: int
    high: int

    def parse(self, text: str) -> int:
        match = _NUMBER.fullmatch(text)
        factor = match and self.units().get(match[2].lower())
        if not match or not factor:
            raise self.refusal(text)
        value = int(match[1]) * factor
        if not self.low <= value <= self.high:
            raise self.refusal(text)
        return value

    def check(self, value: object) -> None:
        if not isinstance(value, int) or isinstance(value, bool):
            raise self.refusal(value)
        if not self.low <= value <= self.high:
            raise self.refusal(value)

    def units(self) -> Mapping[str, int]:
        """Suffix in lower case -> factor."""
        return _SIZE_UNITS

    def allowed(self) -> str:
        suffixes = " (suffix K, M, G or T)" if self.high >= 1 << 20 else ""
        return f"a whole number from {self.low} to {self.high}{suffixes}"


@frozen
class Size(Integer):
    """A number of bytes."""

    def allowed(self) -> str:
        return f"a size from {_short(self.low)} to {_short(self.high)} (suffix K, M, G or T)"


@frozen
class Seconds(Integer):
    """A number of seconds; s, m, h and d multiply by 1, 60, 3600 and 86400."""

    def units(self) -> Mapping[str, int]:
        return _TIME_UNITS

    def allowed(self) -> str:
        return f"seconds from {self.low} to {self.high} (suffix s, m, h or d)"


@frozen
class Choice(Kind):
    """One word out of a few."""

    options: tuple[str, ...]

    def parse(self, text: str) -> str:
        if text not in self.options:
            raise self.refusal(text)
        return text

    def check(self, value: object) -> None:
        if value not in self.options:
            raise self.refusal(value)

    def allowed(self) -> str:
        if len(self.options) == 1:
            return self.options[0]
        return f"{', '.join(self.options[:-1])} or {self.options[-1]}"


@frozen
class Text(Kind):
    """Any text of at most `longest` bytes without what separates rows: `;`, tab, line end."""

    longest: int = 1023

    def parse(self, text: str) -> str:
        self.check(text)
        return text

    def check(self, value: object) -> None:
        if (
            not isinstance(value, str)
            or len(value.encode("utf-8", "surrogateescape")) > self.longest
        ):
            raise self.refusal(value)
        if any(character in ";\n\t\0" for character in value):
            raise self.refusal(value)

    def allowed(self) -> str:
        return f"a text of at most {self.longest} bytes without ';', tab or line end"


@frozen
class NodeId(Kind):
    """Up to 16 hexadecimal digits, not all of them 0; empty for none. Kept as nodes say it: upper
    case, without leading zeros."""

    def parse(self, text: str) -> str:
        value = text.upper().lstrip("0")
        if not value:
            raise self.refusal(text)
        self.check(value)
        return value

    def check(self, value: object) -> None:
        if not isinstance(value, str) or not _NODE_ID.fullmatch(value):
            raise self.refusal(value)

    def allowed(self) -> str:
        return "1 to 16 hexadecimal digits, not only 0"


@frozen
class Texts(Kind):
    """Several texts: the parameter may be given more than once, each time with one more."""

    repeatable = True

    def parse(self, text: str) -> tuple[str, ...]:
        value = (text,)
        self.check(value)
        return value

    def check(self, value: object) -> None:
        if not isinstance(value, tuple):
            raise self.refusal(value)
        for text in value:
            Text().check(text)

    def allowed(self) -> str:
        return "a text; the parameter may be repeated"

    def show(self, value: Value) -> str:
        return ",".join(map(str, value)) if isinstance(value, tuple) and value else "null"


@frozen
class Places(Texts):
    """Namespaces, or sets of one: `NAMESPACE` or `NAMESPACE SET`, each time one more."""

    words = 2
    wanted = "a namespace and a set"

    def allowed(self) -> str:
        return "NAMESPACE or NAMESPACE SET; the parameter may be repeated"


@frozen
class Paths(Texts):
    """Paths of files or devices."""

    more_words = "; there are no shadow devices in this server"


@frozen
class MulticastGroups(Texts):
    """Addresses of multicast groups, of IPv4 or of IPv6."""

    def check(self, value: object) -> None:
        super().check(value)
        assert isinstance(value, tuple)
        for text in value:
            try:
                is_group = ipaddress.ip_address(text).is_multicast
            except ValueError:
                is_group = False
            if not is_group:
                raise self.refusal(text)

    def allowed(self) -> str:
        return "a multicast address, 239.1.99.222 say; the parameter may be repeated"


@frozen
class Endpoints(Kind):
    """Hosts with their ports, `HOST PORT`: the parameter may be given more than once."""

    words = 2
    wanted = "a host and a port"
    repeatable = True

    def parse(self, text: str) -> tuple[Endpoint, ...]:
        host, _, port = text.rpartition(" ")
        if not port.isascii() or not port.isdecimal():
            raise self.refusal(text)
        value = (Endpoint(host, int(port)),)
        self.check(value)
        return value

    def check(self, value: object) -> None:
        if not isinstance(value, tuple):
            raise self.refusal(value)
        for endpoint in value:
            if not isinstance(endpoint, Endpoint) or not 0 < endpoint.port <= PORT_MAX:
                raise self.refusal(endpoint)
            if not endpoint.host or any(character in " ,;\n\t\0" for character in endpoint.host):
                raise self.refusal(endpoint)

    def allowed(self) -> str:
        return f"HOST PORT with a port from 1 to {PORT_MAX}; the parameter may be repeated"

    def show(self, value: Value) -> str:
        return ",".join(self.rows(value))

    def rows(self, value: Value) -> list[str]:
        assert isinstance(value, tuple)
        return [str(endpoint) for endpoint in value] or ["null"]


@frozen
class NodeAddresses(Texts):
    """Nodes elsewhere: `HOST PORT [TLS-NAME]` in a file, `HOST:PORT[:TLS-NAME]` in a command."""

    words = 3
    wanted = "a host and a port"

    def parse(self, text: str) -> tuple[str, ...]:
        value = (":".join(text.split(" ")),)
        self.check(value)
        return value

    def check(self, value: object) -> None:
        super().check(value)
        assert isinstance(value, tuple)
        for text in value:
            host, port, name = node_address(text)
            bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
            of_ipv6 = bare != host
            if not bare or (":" in bare and not of_ipv6) or any(c in " ,;\t\0" for c in bare):
                raise self.refusal(text)
            if not port.isascii() or not port.isdecimal() or not 0 < int(port) <= PORT_MAX:
                raise self.refusal(text)
            if any(c in " ,;:\t\0" for c in name) or text.endswith(":"):
                raise self.refusal(text)

    def allowed(self) -> str:
        return f"HOST PORT [TLS-NAME], a port from 1 to {PORT_MAX}; the parameter may be repeated"


def node_address(text: str) -> tuple[str, str, str]:
    """Host (that of IPv6 in brackets), port and TLS name of `HOST:PORT[:TLS-NAME]`."""
    bracketed, bracket, rest = text.rpartition("]") if text.startswith("[") else ("", "", text)
    words = rest.split(":", 2)
    host, port, name = (*words, "", "")[:3]
    return bracketed + bracket + host, port, name


def _short(size: int) -> str:
    for shift, unit in ((40, "T"), (30, "G"), (20, "M"), (10, "K")):
        if size and size % (1 << shift) == 0:
            return f"{size >> shift}{unit}"
    return str(size)
