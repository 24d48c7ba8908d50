"""`asd --version`."""

from __future__ import annotations

import argparse


def asd_version() -> str:
    """The version of the installed distribution."""
    # imported here: it costs a start ten milliseconds that only --version needs
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("citrusleaf-asd")
    except PackageNotFoundError:
        return "unknown (not installed)"


class ShowVersion(argparse.Action):
    """Like the library's own, but looks the version up only when it is asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print the version and leave with status 0."""
        print(f"asd {asd_version()}")
        parser.exit()
