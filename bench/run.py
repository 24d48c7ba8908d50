"""Run the benchmarks one after the other; the figures go to `bench/results/`.

    python bench/run.py [--quick] [NAME...]

Without names: all. `--quick` only sees whether the server's benchmarks work; its figures say
nothing and are not written down. Leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from harness import BENCH, publish

SERVER = ("startup", "server", "memory", "security", "costs")
"""Benchmarks of a whole server."""

OWN_PAGE = (*SERVER, "storage", "cluster_load", "cluster_takeover")
"""Those that write their own page and know `--quick`."""

HELPERS = ("harness", "run", "cost_rows", "hold_cases")


def component_names() -> list[str]:
    """Benchmarks of single components: scripts that print their figures."""
    names = sorted(path.stem for path in BENCH.glob("*.py"))
    return [name for name in names if name not in (*OWN_PAGE, *HELPERS)]


def run_one(name: str, quick: bool) -> int:
    """Run a benchmark; its exit status."""
    script = "storage/engines.py" if name == "storage" else f"{name}.py"
    command = [sys.executable, str(BENCH / script)]
    print(f"== {name}", flush=True)
    if name in OWN_PAGE:
        return subprocess.run([*command, *(["--quick"] if quick else [])], check=False).returncode
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode == 0:
        publish(name, f"Figures of bench/{name}.py", f"```\n{done.stdout.rstrip()}\n```")
    return done.returncode


def main() -> int:
    """Run what was asked for; 1 when any of it failed."""
    everything = [*OWN_PAGE, *component_names()]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="only see whether they work")
    parser.add_argument("names", nargs="*", choices=[*everything, []], metavar="NAME")
    given = parser.parse_args()
    names = given.names or (SERVER if given.quick else everything)
    failed = [name for name in names if run_one(name, given.quick)]
    if failed:
        print(f"failed: {', '.join(failed)}", file=sys.stderr)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
