"""What scripts ask of a face."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar

import attrs

from aerospike_client.core.nodes import Node

T = TypeVar("T")


@attrs.frozen
class InfoAt:
    """Send info commands to a node; gives a dict of command to value."""

    node: Node
    commands: tuple[str, ...]
    timeout_ms: int


@attrs.frozen
class AdminAt:
    """Send an admin frame to a node; gives the messages of its reply, a list of AdminMessage.

    `stream`: the reply goes on over frames until a message says it is the last.
    """

    node: Node
    frame: bytes
    timeout_ms: int
    stream: bool = False


@attrs.frozen
class MessageAt:
    """Send a request to a node; gives the body of its one reply."""

    node: Node
    frame: bytes
    timeout_ms: int


@attrs.frozen
class ValuesAt:
    """Send an aggregation to a node; gives the list of values in its reply."""

    node: Node
    frame: bytes
    timeout_ms: int


@attrs.frozen
class Pause:
    """Do nothing for so many milliseconds; gives None."""

    duration_ms: int


Exchange = InfoAt | AdminAt | MessageAt | ValuesAt
"""Effects that talk to a node."""

Effect = Exchange | Pause

Script = Generator[Effect, Any, T]
"""A script that ends with a T."""
