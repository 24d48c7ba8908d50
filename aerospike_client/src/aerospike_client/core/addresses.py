"""Addresses of nodes, and the texts in which nodes list them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from aerospike_client.errors import BadReply, InvalidParameter

DEFAULT_PORT: Final = 3000


class Address(NamedTuple):
    """Where a node listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Seed(NamedTuple):
    """Where an application begins."""

    address: Address
    #: What its certificate is for, where that is said.
    tls_name: str = ""


class Peer(NamedTuple):
    """A node as another one announces it."""

    node: str
    tls_name: str
    addresses: tuple[Address, ...]


class Peers(NamedTuple):
    """What a node says of all others: a generation that changes with the list, and the list."""

    generation: int
    peers: tuple[Peer, ...]


Seeds = str | Sequence[str | tuple[str, int] | tuple[str, int, str]]
"""Where to start: "host", "host:port" or "host:tls name:port", several joined by commas, or a list
of such, of (host, port) or of (host, port, tls name)."""


def parse_seeds(seeds: Seeds) -> tuple[Seed, ...]:
    """The seeds that an application names. InvalidParameter for none or a bad one.

    >>> [seed.address for seed in parse_seeds("10.0.0.1,[::1]:3100")]
    [Address(host='10.0.0.1', port=3000), Address(host='::1', port=3100)]
    >>> parse_seeds("10.0.0.1:blue:4333")
    (Seed(address=Address(host='10.0.0.1', port=4333), tls_name='blue'),)
    """
    pieces = seeds.split(",") if isinstance(seeds, str) else seeds
    found = []
    for piece in pieces:
        try:
            if isinstance(piece, str):
                found.append(_parse_seed(piece.strip()))
            else:
                found.append(Seed(Address(str(piece[0]), int(piece[1])), *map(str, piece[2:3])))
        except (ValueError, IndexError):
            raise InvalidParameter(
                f"not HOST, HOST:PORT or HOST:TLS_NAME:PORT: {piece!r}"
            ) from None
    if not found:
        raise InvalidParameter("no address to connect to")
    return tuple(found)


def _parse_seed(text: str) -> Seed:
    """`host:tls name:port`, or an address without the name. ValueError for anything else."""
    host, colon, rest = text.rpartition("]") if text.startswith("[") else ("", "", text)
    words = rest.split(":")
    if len(words) != 3:
        return Seed(parse_address(text, DEFAULT_PORT))
    if not words[1]:
        raise ValueError(f"no name between the colons: {text!r}")
    return Seed(parse_address(f"{host}{colon}{words[0]}:{words[2]}", DEFAULT_PORT), words[1])


def parse_address(text: str, default_port: int) -> Address:
    """`host`, `host:port`, `[ipv6]` or `[ipv6]:port`. ValueError for anything else.

    >>> parse_address("[2001:db8::3]:3100", 3000)
    Address(host='2001:db8::3', port=3100)
    """
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError(f"not an address: {text!r}")
        port = rest[1:]
    else:
        host, _, port = text.partition(":")
    number = int(port) if port else default_port
    if not host or not 0 < number < 65536:
        raise ValueError(f"not an address: {text!r}")
    return Address(host, number)


def parse_services(text: str) -> tuple[Address, ...]:
    """The addresses a node says are its own: joined by commas. BadReply when they are not."""
    try:
        return tuple(parse_address(piece, DEFAULT_PORT) for piece in text.split(",") if piece)
    except ValueError as error:
        raise BadReply(f"a node's list of services: {error}") from None


def parse_peers(text: str) -> Peers:
    """`generation,default port,[[id,tls name,[address,...]],...]`. BadReply for anything else.

    >>> parse_peers("7,3000,[[BB9,,[10.0.0.2]],[BB8,,[10.0.0.3:3100,[2001:db8::3]:3100]]]").peers[0]
    Peer(node='BB9', tls_name='', addresses=(Address(host='10.0.0.2', port=3000),))
    """
    try:
        return _PeersText(text).parse()
    except (ValueError, IndexError):
        raise BadReply(f"a node's list of peers cannot be read: {text[:200]!r}") from None


class _PeersText:
    """The peers' text, read from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def parse(self) -> Peers:
        generation = int(self._until(","))
        port = self._until(",")
        default_port = int(port) if port else DEFAULT_PORT
        self._expect("[")
        peers: list[Peer] = []
        while self._text[self._at] != "]":
            if peers:
                self._expect(",")
            peers.append(self._peer(default_port))
        self._expect("]")
        if self._at != len(self._text):
            raise ValueError("text behind the list")
        return Peers(generation, tuple(peers))

    def _peer(self, default_port: int) -> Peer:
        self._expect("[")
        node = self._until(",")
        tls_name = self._until(",")
        self._expect("[")
        addresses: list[Address] = []
        while self._text[self._at] != "]":
            if addresses:
                self._expect(",")
            addresses.append(parse_address(self._address(), default_port))
        self._expect("]")
        self._expect("]")
        return Peer(node, tls_name, tuple(addresses))

    def _address(self) -> str:
        """Up to the comma or bracket behind an address, which may have brackets of its own."""
        start = self._at
        if self._text[start] == "[":
            self._at = self._text.index("]", start) + 1
        while self._text[self._at] not in ",]":
            self._at += 1
        return self._text[start : self._at]

    def _until(self, mark: str) -> str:
        start = self._at
        end = self._text.index(mark, start)
        self._at = end + 1
        return self._text[start:end]

    def _expect(self, mark: str) -> None:
        if self._text[self._at] != mark:
            raise ValueError(f"{mark} expected")
        self._at += 1
