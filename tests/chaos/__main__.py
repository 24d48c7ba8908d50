"""`python -m chaos`: run, and print the account. Status 1 when something is wrong."""

from __future__ import annotations

import argparse
import logging
import random
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from chaos.ground import TIMEOUT
from chaos.plan import Laps
from chaos.run import Run

_DESCRIPTION: Final = """\
Real nodes under load, faults by a seeded plan, and a check of all that was promised: nothing that
was acknowledged is lost, nothing is there that nobody wrote, all copies are alike. The first half
of the time has one fault at a time, the second several at once."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run as the command line says; the exit status."""
    parser = argparse.ArgumentParser(prog="chaos", description=_DESCRIPTION)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (default 30)")
    parser.add_argument("--seed", type=int, help="of the plan and the load (default: a new one)")
    parser.add_argument(
        "--logs", type=Path, metavar="DIR", help="keep all logs and histories in this new folder"
    )
    parser.add_argument(
        "--laps",
        choices=[laps.value for laps in Laps],
        default=Laps.BOTH.value,
        help="with one fault at a time, with several at once, both (the default), or with each kind"
        " of fault as short as can be",
    )
    parser.add_argument(
        "--heartbeat-timeout",
        type=int,
        default=TIMEOUT,
        metavar="N",
        help=f"heartbeats that end a node when they are missed (default {TIMEOUT}); more on a busy"
        " machine, where nodes that wait for a processor are missed",
    )
    parser.add_argument(
        "--tls",
        action="store_true",
        help="TLS on all planes, with certificates on both sides everywhere; before each fault all"
        " certificates are replaced",
    )
    given = parser.parse_args(argv)
    seed = given.seed if given.seed is not None else random.randrange(1_000_000)
    folder = given.logs or Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.mkdir(parents=True, exist_ok=True)
    print(f"seed {seed}; logs and histories in {folder}", flush=True)
    run = Run(
        folder,
        seed,
        lambda text: print(text, flush=True),
        laps=Laps(given.laps),
        timeout=given.heartbeat_timeout,
        tls=given.tls,
    )
    try:
        account = run.go(given.minutes)
    except BaseException:
        print(f"seed {seed}; logs are kept in {folder}", flush=True)
        raise
    print("\n" + "\n".join(account.lines()))
    if account.complaints:
        print(f"\nseed {seed}; logs and histories are kept in {folder}")
        return 1
    if given.logs is None:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    logging.getLogger("aerospike_client").addHandler(logging.NullHandler())
    raise SystemExit(main())
