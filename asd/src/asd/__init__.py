"""An Aerospike-compatible database server. `asd.Server` runs one inside your process."""

from asd.server import Server

__all__ = ["Server"]
