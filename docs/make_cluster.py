"""Writes what `docs/cluster.md` takes from the code: state tables, messages, movement, an example.

Run as `python docs/make_cluster.py`. The generated parts of the page stand between comments that
name them; everything else is written by hand. The pictures go to `docs/pictures/`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType

import attrs

from cluster.fabric.link import FabricLink
from cluster.membership.mesh import Target
from cluster.membership.paxos import Paxos
from cluster.membership.peer import Peer
from cluster.messages import CLASSES
from cluster.metadata.sync import SmdSync
from cluster.partitions.balance import BalanceTable, Member, balance, least_moves, moves
from cluster.partitions.emigration import Emigration
from cluster.partitions.exchange import Exchange
from cluster.partitions.settlement import Settlement
from cluster.replication.proxy import Proxy
from cluster.replication.write import RecordWrite
from cluster.simulation import Shape, SimulatedCluster
from cluster.state_machine import markdown

DOCS = Path(__file__).resolve().parent
MACHINES = (
    *(Peer, Target, FabricLink, Paxos, SmdSync),
    *(Exchange, Emigration, Settlement, RecordWrite, Proxy),
)
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")
IDS = tuple(0xBB9000000000000 + 7919 * index for index in range(11))
CELL = 5
SIDE = 64


def tables() -> str:
    """The transition table of every machine."""
    parts = []
    for machine in MACHINES:
        doc = (machine.__doc__ or "").split("\n\n", 1)[0].replace("\n", " ")
        name = machine.TABLE[0].machine.capitalize()
        parts.append(f"### {name}\n\n{' '.join(doc.split())}\n\n{markdown(machine.TABLE)}")
    return "\n\n".join(parts)


def messages() -> str:
    """Every message with the numbers and kinds of its fields."""
    lines = ["| Type | Message | Fields | Meaning |", "|---|---|---|---|"]
    for cls in sorted(CLASSES, key=lambda each: each.TYPE):
        fields = ", ".join(
            f"{number} {field.name}: {field.type}"
            for number, field in enumerate(attrs.fields(cls), 1)
        ).replace("|", "or")
        meaning = " ".join((cls.__doc__ or "").split())
        lines.append(f"| {cls.TYPE} | {cls.__name__} | {fields} | {meaning} |")
    return "\n".join(lines)


def _table(nodes: int, uniform: bool = False) -> BalanceTable:
    return balance([Member(node) for node in IDS[:nodes]], 2, uniform=uniform)


def movement() -> str:
    """Copies that move when a node is added, beside the fewest that any even table could move."""
    lines = [
        "| Nodes | Uniform | Copies moved | Theoretical minimum | Most, fewest copies |",
        "|---|---|---|---|---|",
    ]
    for few, many in ((3, 4), (4, 3), (10, 11), (11, 10)):
        for uniform in (False, True):
            before, after = _table(few, uniform), _table(many, uniform)
            loads = after.loads().values()
            lines.append(
                f"| {few} → {many} | {'yes' if uniform else 'no'} | {moves(before, after)}"
                f" | {least_moves(before, after)} | {max(loads)}, {min(loads)} |"
            )
    return "\n".join(lines)


def example() -> str:
    """A split and a merge, as the simulation's history has it."""
    cluster = SimulatedCluster(7, Shape(nodes=5, in_order=True))
    cluster.start_all()
    cluster.run_until(cluster.is_converged, 30, "of one list")
    cluster.run(5)
    ways = [(a, b) for a in ("n1", "n2") for b in ("n3", "n4", "n5")]
    cluster.note("", "the network splits: n1 n2 | n3 n4 n5")
    cluster.cut_for(60, ways + [(b, a) for a, b in ways])
    cluster.run(5)
    cluster.heal()
    cluster.run_until(cluster.is_converged, 30, "of one list")
    kept = [line for line in cluster.history.lines if "starts" not in line]
    return "```\n" + "\n".join(kept) + "\n```"


SECTIONS: MappingProxyType[str, Callable[[], str]] = MappingProxyType(
    {"tables": tables, "messages": messages, "movement": movement, "example": example}
)


def page(text: str) -> str:
    """The page with its generated parts made anew."""
    for name, make in SECTIONS.items():
        pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        # doubled backslashes: what is made is text, not a replacement pattern
        made = make().replace("\\", "\\\\")
        text = pattern.sub(f"\\1\n{made}\n\n\\2", text)
    return text


# --- pictures ----------------------------------------------------------------------------------


def _cells(before: BalanceTable, after: BalanceTable, left: int) -> Iterator[str]:
    """One square for each partition, coloured by its master; full where the master is new."""
    squares: dict[tuple[str, float], list[str]] = {}
    for partition, row in enumerate(after.rows):
        x, y = left + partition % SIDE * CELL, 40 + partition // SIDE * CELL
        moved = before.master(partition) != row[0]
        shade = 1 if moved or before is after else 0.25
        square = f"M{x} {y}h{CELL - 1}v{CELL - 1}h{1 - CELL}z"
        squares.setdefault((COLOURS[IDS.index(row[0])], shade), []).append(square)
    for (colour, shade), paths in squares.items():
        yield f'<path fill="{colour}" fill-opacity="{shade}" d="{"".join(paths)}"/>'


def masters_picture() -> str:
    """Masters of 4096 partitions on three nodes, and those that move when a fourth comes."""
    before, after = _table(3), _table(4)
    moved = sum(before.master(p) != after.master(p) for p in range(len(after.rows)))
    width, height = 2 * SIDE * CELL + 60, SIDE * CELL + 60
    body = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
        ' font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        '<text x="20" y="26">Masters of 4096 partitions on three nodes</text>',
        *_cells(before, before, 20),
        f'<text x="{SIDE * CELL + 40}" y="26">A fourth node comes: {moved} move, all to it</text>',
        *_cells(before, after, SIDE * CELL + 40),
        "</svg>",
    ]
    return "\n".join(body) + "\n"


def movement_picture() -> str:
    """Copies moved beside the theoretical minimum when a node is added to n others."""
    counts = range(2, 11)
    pairs = [(n, _table(n), _table(n + 1)) for n in counts]
    uniform = {n: moves(_table(n, True), _table(n + 1, True)) for n in counts}
    top, base, step = 3200, 280, 62
    bars = []
    for index, (n, before, after) in enumerate(pairs):
        values = (least_moves(before, after), moves(before, after), uniform[n])
        for offset, (value, colour) in enumerate(zip(values, COLOURS, strict=False)):
            high = value * 240 // top
            x = 50 + index * step + offset * 16
            bars.append(
                f'<rect x="{x}" y="{base - high}" width="14" height="{high}" fill="{colour}"/>'
            )
        bars.append(f'<text x="{52 + index * step}" y="{base + 18}">{n} → {n + 1}</text>')
    names = ("theoretical minimum", "moved", "moved, uniform balance")
    legend = [
        f'<rect x="300" y="{20 + 18 * i}" width="12" height="12" fill="{COLOURS[i]}"/>'
        f'<text x="318" y="{31 + 18 * i}">{name}</text>'
        for i, name in enumerate(names)
    ]
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="640" height="310"'
        ' font-family="sans-serif" font-size="12">\n'
        '<rect width="640" height="310" fill="white"/>\n'
        '<text x="20" y="20">Copies that move when a node is added</text>\n'
        + "\n".join([*bars, *legend])
        + "\n</svg>\n"
    )


PICTURES: MappingProxyType[str, Callable[[], str]] = MappingProxyType(
    {"partition-masters.svg": masters_picture, "partition-movement.svg": movement_picture}
)


def main() -> None:
    """Write the page and the pictures."""
    path = DOCS / "cluster.md"
    path.write_text(page(path.read_text("utf-8")), "utf-8")
    (DOCS / "pictures").mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        (DOCS / "pictures" / name).write_text(draw(), "utf-8")


if __name__ == "__main__":
    main()
