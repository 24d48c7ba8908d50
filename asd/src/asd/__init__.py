"""An Aerospike-compatible database server.

`asd.Server` runs one in a process of its own or on a thread of yours, `asd.Cluster` several.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asd.cluster import Cluster
    from asd.process.links import link
    from asd.server import Server

__all__ = ["Cluster", "Server", "link"]


def __getattr__(name: str) -> Any:
    # pytest loads `asd.pytest_plugin` wherever this package is installed. What is behind it takes a
    # tenth of a second to load: that is for projects whose tests ask for it.
    if name == "Server":
        from asd.server import Server

        return Server
    if name == "Cluster":
        from asd.cluster import Cluster

        return Cluster
    if name == "link":
        from asd.process.links import link

        return link
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
