"""`asd`: the command."""

from __future__ import annotations

import gc
import sys

from asd.process import compiled

COLLECT_AFTER = 50_000
"""Objects made and kept before garbage is looked for: a large list makes many, all of them used."""


def main(argv: list[str] | None = None) -> int:
    """Run the server; the exit status."""
    gc.disable()  # what is imported stays: to look for garbage among it takes a fifth of the start
    compiled.use()
    from asd.daemon import run

    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
    gc.enable()
    return run(sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    sys.exit(main())
