"""Writes the table of workloads in `docs/simulation.md` from the workloads' own first lines.

Run as `python docs/make_simulation.py`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from asd.simulation.workloads import WORKLOADS

PAGE = Path(__file__).resolve().parent / "simulation.md"
MARK = re.compile(r"(<!-- workloads -->\n).*?(<!-- end of workloads -->)", re.DOTALL)


def table() -> str:
    """The workloads by name, and what each of them is."""
    lines = ["", "| Workload | What clients do |", "|---|---|"]
    for name, workload in WORKLOADS.items():
        text = sys.modules[workload.__module__].__doc__ or ""
        lines.append(f"| `{name}` | {' '.join(text.split(chr(10) * 2, 1)[0].split())} |")
    return "\n".join([*lines, "", ""])


def page(text: str) -> str:
    """The page with its table as the code has it now."""
    return MARK.sub(lambda found: f"{found[1]}{table()}{found[2]}", text)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
