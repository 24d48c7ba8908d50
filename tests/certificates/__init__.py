"""Certificates for tests: `asd.fixtures.authority`."""

from asd.fixtures.authority import NAME, Authority, Pair

__all__ = ["NAME", "Authority", "Pair"]
