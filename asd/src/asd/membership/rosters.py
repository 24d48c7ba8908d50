"""Rosters in the system metadata: which nodes are to have a namespace with strong consistency.

    NAMESPACE           the roster in effect: generation | 1 if it is founded | nodes
    NAMESPACE|pending   the nodes of the next: what `roster-set:` asks for

Nodes are written as operators write them, `ID` or `ID@RACK`, with commas between. What is pending
comes into effect when an operator asks for a balance (`recluster:`). What a roster is good for, and
when it is *founded*, is told in `cluster.consistency`.
"""

from __future__ import annotations

from typing import Final

from attrs import evolve

from asd.membership.metadata import SystemMetadata
from cluster import Roster

MODULE: Final = "roster"
NONE: Final = "null"
"""What info shows in place of a roster that is not set."""
MOST_NODES: Final = 256
_RACKS: Final = 1_000_001


def parse_nodes(text: str) -> tuple[tuple[int, int], ...]:
    """Node and rack of each of `ID[@RACK],...`, in the order of ids. ValueError says what is wrong
    with a text."""
    nodes: dict[int, int] = {}
    for each in text.split(","):
        name, at, rack = each.partition("@")
        try:
            node, number = int(name, 16), int(rack) if at else 0
        except ValueError:
            raise ValueError(f"'{each}' is no node: ID or ID@RACK") from None
        if not 0 < node < 1 << 64 or not 0 <= number < _RACKS:
            raise ValueError(f"'{each}' is out of range")
        if node in nodes:
            raise ValueError(f"'{name}' is named twice")
        nodes[node] = number
    if len(nodes) > MOST_NODES:
        raise ValueError(f"more than {MOST_NODES} nodes")
    return tuple(sorted(nodes.items()))


def show_nodes(nodes: tuple[tuple[int, int], ...]) -> str:
    """The text of nodes and racks, the highest node first."""
    each = [f"{node:X}@{rack}" if rack else f"{node:X}" for node, rack in sorted(nodes)[::-1]]
    return ",".join(each) or NONE


def current(metadata: SystemMetadata, namespace: str) -> Roster | None:
    """The roster in effect."""
    item = metadata.get(MODULE, namespace)
    if item is None or item.value is None:
        return None
    generation, founded, nodes = item.value.split("|")
    return Roster(int(generation), parse_nodes(nodes), founded == "1")


def pending(metadata: SystemMetadata, namespace: str) -> tuple[tuple[int, int], ...]:
    """The nodes of the next roster; none: it was never set."""
    item = metadata.get(MODULE, f"{namespace}|pending")
    return parse_nodes(item.value) if item is not None and item.value is not None else ()


def set_pending(
    metadata: SystemMetadata, namespace: str, nodes: tuple[tuple[int, int], ...], now_ms: int
) -> None:
    """Set the nodes of the next roster."""
    metadata.set(MODULE, f"{namespace}|pending", show_nodes(nodes), now_ms)


def adopt(metadata: SystemMetadata, namespace: str, now_ms: int) -> None:
    """What is pending is to be in effect from the next balance on."""
    nodes, roster = pending(metadata, namespace), current(metadata, namespace)
    if not nodes or (roster is not None and roster.nodes == nodes):
        return
    generation = roster.generation + 1 if roster is not None else 1
    founded = roster is not None and roster.founded
    _set_current(metadata, namespace, Roster(generation, nodes, founded), now_ms)


def found(metadata: SystemMetadata, namespace: str, now_ms: int) -> None:
    """A first cluster of the roster is noted everywhere: the next one serves."""
    roster = current(metadata, namespace)
    if roster is not None and not roster.founded:
        _set_current(metadata, namespace, evolve(roster, founded=True), now_ms)


def _set_current(metadata: SystemMetadata, namespace: str, roster: Roster, now_ms: int) -> None:
    text = f"{roster.generation}|{int(roster.founded)}|{show_nodes(roster.nodes)}"
    metadata.set(MODULE, namespace, text, now_ms)
