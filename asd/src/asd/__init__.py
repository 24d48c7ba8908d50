"""An Aerospike-compatible database server. `asd.Server` runs one inside your process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asd.server import Server

__all__ = ["Server"]


def __getattr__(name: str) -> Any:
    # pytest loads `asd.pytest_plugin` wherever this package is installed. The server behind it
    # takes a third of a second to load: that is for projects whose tests ask for it.
    if name == "Server":
        from asd.server import Server

        return Server
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
