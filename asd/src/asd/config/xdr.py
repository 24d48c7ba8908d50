"""`xdr { dc NAME { namespace NAME { } } }`: where records are shipped to, which of them, and how.

Data centers come and go while the server runs, so these sections are made at run time as well as
from a file; `asd.info.shipping` has the commands. Every data center has settings for every local
namespace, attached or not: tools set parameters before they attach it.
"""

from __future__ import annotations

from typing import Final

from attrs import define, field, setters

from asd.config.errors import InvalidParameterError
from asd.config.kinds import NodeAddresses, node_address
from asd.config.parameters import Section, choice, flag, integer, seconds, text, texts, value

MAX_DC_NAME: Final = 31
DC_NAME_CHARACTERS: Final = frozenset(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-$."
)
MAX_DCS: Final = 32
"""Data centers of a node: what each of them keeps grows with the partitions."""
MAX_LISTED: Final = 1024
"""Names in a list of sets or bins."""

_SHOWN: Final = {
    "ship-set": "shipped-sets",
    "ignore-set": "ignored-sets",
    "ship-bin": "shipped-bins",
    "ignore-bin": "ignored-bins",
}
"""Lists have other names in `get-config`."""

_OPPOSITES: Final = {
    "ship_set": "ignore_set",
    "ignore_set": "ship_set",
    "ship_bin": "ignore_bin",
    "ignore_bin": "ship_bin",
}

CHANGED_POLICIES: Final = ("only-changed", "changed-and-specified", "changed-or-specified")
"""The bin policies that need to know when each bin was written."""


@define(on_setattr=setters.frozen)
class ShipConfig(Section):
    """`xdr { dc NAME { namespace NAME { } } }`: what of a namespace goes there, and how."""

    namespace: str
    bin_policy: str = choice(
        "all",
        "no-bins",
        *CHANGED_POLICIES,
        "only-specified",
        dynamic=True,
        works=True,
        help="Which bins of a record go.",
    )
    compression_level: int = integer(
        1, 1, 9, dynamic=True, works=True, help="How hard to compress (the algorithm's own scale)."
    )
    compression_threshold: int = integer(
        128, 128, dynamic=True, works=True, help="Bytes of a request from which it is compressed."
    )
    delay_ms: int = integer(
        0, 0, 5000, dynamic=True, works=True, help="Milliseconds that a write waits at least."
    )
    enable_compression: bool = flag(
        dynamic=True, works=True, help="Compress what is sent (compression-algorithm)."
    )
    forward: bool = flag(
        dynamic=True, works=True, help="Ship what was shipped here from elsewhere, too."
    )
    hot_key_ms: int = integer(
        100,
        0,
        5000,
        dynamic=True,
        works=True,
        help="Milliseconds between two shipments of one record.",
    )
    ignore_bin: tuple[str, ...] = texts(dynamic=True, works=True, help="A bin that is left out.")
    ignore_expunges: bool = flag(
        dynamic=True, works=True, help="Do not ship deletes of clients that are not durable."
    )
    ignore_set: tuple[str, ...] = texts(
        dynamic=True, works=True, help="A set of which nothing is shipped."
    )
    max_throughput: int = integer(
        100000, dynamic=True, works=True, help="Records a second; 0 = none, shipping pauses."
    )
    remote_namespace: str = text(
        longest=31, dynamic=True, works=True, help="The namespace there, where it has another name."
    )
    sc_replication_wait_ms: int = integer(
        100,
        5,
        1000,
        dynamic=True,
        help="Milliseconds that replication has before a record is shipped.",
        why_not="what is shipped is what the master has",
    )
    ship_bin: tuple[str, ...] = texts(
        dynamic=True, works=True, help="A bin that goes with the policies that say `specified`."
    )
    ship_bin_luts: bool = flag(
        dynamic=True,
        works=True,
        help="Ship when each bin was written, for convergence.",
    )
    ship_nsup_deletes: bool = flag(
        dynamic=True, works=True, help="Ship expirations and evictions as deletes."
    )
    ship_only_specified_sets: bool = flag(
        dynamic=True, works=True, help="Ship only the sets of ship-set."
    )
    ship_set: tuple[str, ...] = texts(
        dynamic=True, works=True, help="A set that is shipped (with ship-only-specified-sets)."
    )
    ship_versions_interval: int = seconds(
        60,
        1,
        3600,
        dynamic=True,
        help="The window of ship-versions-policy interval.",
        why_not="a record is shipped as it is when its turn comes",
    )
    ship_versions_policy: str = choice(
        "latest",
        "all",
        "interval",
        dynamic=True,
        help="Whether versions may be left out.",
        refused="this server ships a record as it is when its turn comes",
    )
    transaction_queue_limit: int = integer(
        16384,
        1024,
        1048576,
        dynamic=True,
        works=True,
        help="Records that may wait in a partition; beyond, it is scanned for what changed.",
    )
    write_policy: str = choice(
        "auto",
        "update",
        "replace",
        dynamic=True,
        works=True,
        help="Whether a record there is replaced, or bins are written into it.",
    )
    compression_algorithm: str = choice(
        "zlib",
        "zstd",
        "lz4",
        dynamic=True,
        works=True,
        help="How to compress, where the destination is of this project; others get zlib.",
    )
    enabled: bool = field(default=False, kw_only=True)
    """Is the namespace attached?"""

    @property
    def keeps_bin_times(self) -> bool:
        """Does it matter when each bin was written?"""
        return self.ship_bin_luts or self.forward or self.bin_policy in CHANGED_POLICIES

    def conflict(self) -> str:
        """A replaced record has all of its bins; lists have an end."""
        if self.write_policy == "replace" and self.bin_policy in CHANGED_POLICIES:
            return f"write-policy replace does not go with bin-policy {self.bin_policy}"
        if any(len(getattr(self, name)) > MAX_LISTED for name in _OPPOSITES):
            return f"more than {MAX_LISTED} names in a list"
        return ""

    def set(self, name: str, text: str, community: bool = False) -> None:
        """Change a parameter; a name is added to a list, and taken from the list that says the
        opposite. Raises InvalidParameterError."""
        attribute = name.replace("-", "_")
        if attribute not in _OPPOSITES:
            return Section.set(self, name, text, community)
        try:
            added = texts_of(text)
        except ValueError as error:
            raise InvalidParameterError(f"'{name}': {error}") from None
        kept = tuple(each for each in getattr(self, attribute) if each != text)
        self._change(attribute, kept + added)
        opposite = _OPPOSITES[attribute]
        self._change(opposite, tuple(each for each in getattr(self, opposite) if each != text))
        return None

    def attach(self, enabled: bool) -> None:
        """Ship the namespace from now on, or no more."""
        object.__setattr__(self, "enabled", enabled)
        object.__setattr__(self, "_shown", {})

    def _rows(self, prefix: str, community: bool) -> list[tuple[str, str]]:
        rows = [("enabled", "true" if self.enabled else "false")]
        for name, parameter in self.parameters().items():
            shown = getattr(self, parameter.attribute)
            if name in _SHOWN:
                rows.append((_SHOWN[name], ",".join(shown)))
            else:
                rows.append((name, parameter.kind.show(shown)))
        return rows


def texts_of(text: str) -> tuple[str]:
    """A name of a list. Raises ValueError."""
    if not text or len(text.encode("utf-8", "surrogateescape")) > 63:
        raise ValueError(f"'{text}' is no name of 1 to 63 bytes")
    if any(character in ",;:\n\t\0 " for character in text):
        raise ValueError(f"'{text}' is no name: no blanks, ',', ':' or ';'")
    return (text,)


@define(on_setattr=setters.frozen)
class DcConfig(Section):
    """`xdr { dc NAME { } }`: a data center."""

    name: str
    namespaces: dict[str, ShipConfig] = field(factory=dict)
    """By name; those of the file, and those that were set or attached since."""
    auth_mode: str = choice(
        "none",
        "internal",
        "external",
        "external-insecure",
        "pki",
        dynamic=True,
        works=True,
        help="How to log in there.",
    )
    auth_password_file: str = text(
        dynamic=True,
        works=True,
        help="Where the user's password is: a path, `file:PATH` or `env:NAME`.",
    )
    auth_user: str = text(longest=63, dynamic=True, works=True, help="The user there.")
    connector: bool = flag(
        dynamic=True, works=True, help="It is a connector, which takes records and is no cluster."
    )
    max_recoveries_interleaved: int = integer(
        0, dynamic=True, works=True, help="Partitions scanned at once; 0 = as it goes."
    )
    node_address_port: tuple[str, ...] = value(
        NodeAddresses(), (), works=True, help="A node there, or the connector itself."
    )
    period_ms: int = integer(
        100, 5, 1000, dynamic=True, works=True, help="Milliseconds between two looks at what waits."
    )
    recovery_threads: int = integer(
        1,
        1,
        32,
        dynamic=True,
        help="Threads that scan partitions.",
        why_not="the node's one loop scans, beside the requests",
    )
    tls_name: str = text(
        dynamic=True, works=True, help="The tls block to connect with; set it before the nodes."
    )
    use_alternate_access_address: bool = flag(
        dynamic=True, works=True, help="Connect to the alternate addresses of the nodes there."
    )

    def conflict(self) -> str:
        """Ways to log in that want more, and bins that only connectors do without."""
        if self.auth_mode not in ("none", "pki") and not self.auth_user:
            return f"auth-mode {self.auth_mode} needs an auth-user"
        if self.auth_mode in ("external", "pki") and not self.tls_name:
            return f"auth-mode {self.auth_mode} needs a tls-name"
        if self.auth_password_file.startswith("secrets:"):
            return "auth-password-file: this server reads no secret store"
        named = [address for address in self.node_address_port if node_address(address)[2]]
        if named and not self.tls_name:
            return f"the node {named[0]} has a TLS name: set tls-name first"
        if not self.connector:
            for space in self.namespaces.values():
                if space.bin_policy == "no-bins":
                    return f"bin-policy no-bins of namespace {space.namespace}: for connectors only"
        return ""

    def namespace(self, name: str) -> ShipConfig:
        """The settings of a namespace, made when they are asked for first."""
        if name not in self.namespaces:
            self.namespaces[name] = ShipConfig(name)
        return self.namespaces[name]

    def attached(self) -> list[str]:
        """The namespaces that are shipped."""
        return [name for name, space in self.namespaces.items() if space.enabled]

    def algorithms(self) -> frozenset[str]:
        """How what is shipped is to be compressed."""
        ways = [self.namespaces[name] for name in self.attached()]
        return frozenset(way.compression_algorithm for way in ways if way.enable_compression)

    def set_of_namespace(self, namespace: str, name: str, text: str) -> None:
        """Change a parameter of a namespace. Raises InvalidParameterError; nothing has changed."""
        if name == "bin-policy" and text == "no-bins" and not self.connector:
            raise InvalidParameterError("bin-policy no-bins is for connectors only")
        self.namespace(namespace).set(name, text)

    def add_node(self, address: str) -> None:
        """One more node. Raises InvalidParameterError."""
        try:
            added = NodeAddresses().parse(address)
        except ValueError as error:
            raise InvalidParameterError(f"'node-address-port': {error}") from None
        if node_address(address)[2] and not self.tls_name:
            raise InvalidParameterError("a node with a TLS name: set tls-name first")
        kept = tuple(each for each in self.node_address_port if each not in added)
        self._change("node_address_port", kept + added)

    def remove_node(self, address: str) -> None:
        """One node less. Raises InvalidParameterError when there is no such."""
        kept = tuple(each for each in self.node_address_port if each != address)
        if kept == self.node_address_port:
            raise InvalidParameterError(f"'{address}' is no node of dc {self.name}")
        self._change("node_address_port", kept)

    def _rows(self, prefix: str, community: bool) -> list[tuple[str, str]]:
        rows = []
        for name, parameter in self.parameters().items():
            shown = getattr(self, parameter.attribute)
            is_list = isinstance(shown, tuple)
            rows.append((name, ",".join(shown) if is_list else parameter.kind.show(shown)))
        return rows

    def shown_rows(self) -> list[tuple[str, str]]:
        """(name, text) of every parameter, the namespaces that are attached behind."""
        return [*self.rows(), ("namespaces", ",".join(self.attached()))]


@define(on_setattr=setters.frozen)
class XdrConfig(Section):
    """`xdr { }`: the data centers that this one ships to."""

    dcs: dict[str, DcConfig] = field(factory=dict)
    src_id: int = integer(
        0,
        0,
        255,
        dynamic=True,
        works=True,
        help="This cluster's number, for convergence.",
    )

    def ways_of(self, namespace: str) -> list[ShipConfig]:
        """How a namespace is shipped, by each data center that it is shipped to."""
        ways = [dc.namespaces[namespace] for dc in self.dcs.values() if namespace in dc.namespaces]
        return [way for way in ways if way.enabled]

    def create(self, name: str) -> DcConfig:
        """A new data center. Raises InvalidParameterError for a bad or known name."""
        if problem := dc_name_problem(name):
            raise InvalidParameterError(problem)
        if name in self.dcs:
            raise InvalidParameterError(f"dc '{name}' exists")
        if len(self.dcs) >= MAX_DCS:
            raise InvalidParameterError(f"more than {MAX_DCS} dcs")
        self.dcs[name] = DcConfig(name)
        return self.dcs[name]

    def shown_rows(self) -> list[tuple[str, str]]:
        """(name, text): the data centers, then the parameters."""
        return [("dcs", ",".join(self.dcs)), *self.rows()]


def dc_name_problem(name: str) -> str:
    """Why this cannot name a data center; empty when it can."""
    if not 0 < len(name) <= MAX_DC_NAME or not DC_NAME_CHARACTERS.issuperset(name):
        return f"'{name}' is no name of a dc: 1 to {MAX_DC_NAME} letters, digits, '_', '-', '$'"
    return ""
