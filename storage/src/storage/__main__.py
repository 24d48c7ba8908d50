"""`python -m storage inspect PATH`: what a file holds, and what in it is bad."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack, closing

from storage.device import SystemDisk
from storage.inspect import Unknown, inspect_file


def main(arguments: list[str]) -> int:
    """Run a command; the exit status: 0, 1 when something is bad, 2 when it cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m storage")
    commands = parser.add_subparsers(required=True)
    inspect = commands.add_parser("inspect", help="describe a device or an index")
    inspect.add_argument("path", help="a device of an ssd store, or a file .index or .cold")
    inspect.add_argument("--records", action="store_true", help="list every record")
    inspect.add_argument("--verify", action="store_true", help="check everything there is")
    given = parser.parse_args(arguments)
    disk = SystemDisk()
    with ExitStack() as opened:
        try:
            device = opened.enter_context(closing(disk.open(given.path, create=False)))
            index = None
            if given.verify and disk.exists(given.path + ".index"):
                index = opened.enter_context(closing(disk.open(given.path + ".index", False)))
            bad = inspect_file(
                device, print, _bar, records=given.records, verify=given.verify, index=index
            )
        except Unknown as error:
            print(f"{given.path}: {error}", file=sys.stderr)
            return 2
        except OSError as error:
            print(f"{given.path}: {error.strerror or error}", file=sys.stderr)
            return 2
    return 1 if bad else 0


def _bar(done: int, total: int) -> None:
    """A bar of progress on a terminal, taken away at the end."""
    if sys.stderr.isatty() and total:
        tenths = 50 * done // total
        line = f"\r[{'#' * tenths}{' ' * (50 - tenths)}] {done}/{total} blocks"
        print(line if done < total else "\r" + " " * len(line) + "\r", end="", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
