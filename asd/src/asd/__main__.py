"""`asd`: the command."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from types import ModuleType

from asd.process import compiled

COLLECT_AFTER = 50_000
"""Objects made and kept before garbage is looked for: a large list makes many, all of them used."""


def loaded(name: str) -> ModuleType:
    """Import a module of the server with all that it needs, as a process that serves needs it."""
    gc.disable()  # what is imported stays: to look for garbage among it takes a fifth of the start
    compiled.use()
    module = import_module(name)
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    gc.enable()
    return module


def main(argv: list[str] | None = None) -> int:
    """Run the server; the exit status."""
    daemon = loaded("asd.daemon")
    status: int = daemon.run(sys.argv[1:] if argv is None else argv)
    return status


if __name__ == "__main__":
    sys.exit(main())
