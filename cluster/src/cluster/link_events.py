"""What happens to a connection that a node dials, whichever plane it is for."""

from __future__ import annotations

from attrs import frozen


@frozen
class Up:
    """The connection is there."""


@frozen
class Lost:
    """The connection is gone, or could not be made."""


@frozen
class Full:
    """The transport's buffers are full."""


@frozen
class Empty:
    """They have room again."""
