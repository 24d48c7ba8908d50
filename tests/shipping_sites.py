"""Servers that ship to each other."""

from __future__ import annotations

import time
from collections.abc import Callable

from asd import Server
from asd.process.node_processes import ask

PATIENCE_S = 60.0


class Site:
    """A server, and what tests do about its shipping."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.host, self.port = server.address
        self.address = f"{self.host}:{self.port}"

    def ask(self, command: str) -> str:
        return ask(self.port, command)

    def set(self, change: str) -> None:
        answer = self.ask(f"set-config:context=xdr;{change}")
        assert answer == "ok", f"{change}: {answer}"

    def ship_to(self, name: str, address: str, *changes: str, attach: str = "") -> None:
        """A data center, settings of its namespace, and then the namespace."""
        self.set(f"dc={name};action=create")
        self.set(f"dc={name};node-address-port={address};action=add")
        for change in changes:
            self.set(f"dc={name};namespace=test;{change}")
        self.set(f"dc={name};namespace=test;action=add{attach}")

    def figures(self, name: str) -> dict[str, str]:
        text = self.ask(f"get-stats:context=xdr;dc={name};namespace=test")
        return dict(row.split("=") for row in text.split(";"))


def until(true: Callable[[], object], what: str = "") -> None:
    """Return when it is true; long before the time is over, or not at all."""
    end_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end_s, f"not in {PATIENCE_S} s: {what}"
        time.sleep(0.02)
