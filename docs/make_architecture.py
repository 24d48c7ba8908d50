"""Writes the tables of modules in `docs/architecture.md` from the modules' own first lines.

Run as `python docs/make_architecture.py`. A table stands between comments that name its room;
everything else on the page is written by hand.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
ASD = ROOT / "asd" / "src" / "asd"
MARK = re.compile(r"<!-- room (\S+) -->\n.*?<!-- end -->", re.DOTALL)


def summary(path: Path) -> str:
    """The first sentence of a module's docstring, on one line."""
    text = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
    first = " ".join(text.split("\n\n", 1)[0].split())
    return first.replace("|", "\\|")


def modules(room: str) -> list[Path]:
    """The modules of a room; `.` are those at the top."""
    if room == ".":
        return sorted(path for path in ASD.glob("*.py") if path.name != "__init__.py")
    folder = ASD / room
    return sorted(path for path in folder.rglob("*.py") if path.name != "__init__.py")


def rooms() -> list[str]:
    """Every room of asd that has modules."""
    return [".", *sorted(path.parent.name for path in ASD.glob("*/__init__.py"))]


def table(room: str) -> str:
    """The modules of a room and what they are."""
    home = ASD if room == "." else ASD / room
    lines = ["| Module | What it is |", "|---|---|"]
    for path in modules(room):
        name = path.relative_to(home).with_suffix("").as_posix()
        lines.append(f"| `{name}` | {summary(path)} |")
    return "\n".join(lines)


def page(text: str) -> str:
    """The page with its tables as the code has them now."""
    return MARK.sub(
        lambda found: f"<!-- room {found[1]} -->\n{table(found[1])}\n<!-- end -->", text
    )


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
