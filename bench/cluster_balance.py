"""What partition balance takes, and how much it moves. Run as `python bench/cluster_balance.py`."""

from __future__ import annotations

import time

from cluster import Member, balance, least_moves, moves

IDS = [0xBB9000000000000 + 7919 * index for index in range(100)]
ROUNDS = 5


def members(count: int, racks: int = 1) -> list[Member]:
    """The first nodes, dealt to racks in turn."""
    return [Member(node, index % racks + 1) for index, node in enumerate(IDS[:count])]


def best_ms(count: int, racks: int, uniform: bool) -> float:
    """The shortest of some rounds, in milliseconds."""
    times = []
    for _ in range(ROUNDS):
        began_s = time.perf_counter()
        balance(members(count, racks), 2, uniform=uniform)
        times.append(time.perf_counter() - began_s)
    return min(times) * 1000


def main() -> None:
    """Print both tables."""
    print("| Nodes | Racks | Uniform | 4096 partitions take |\n|---|---|---|---|")
    for count in (3, 10, 100):
        for racks, uniform in ((1, False), (5, False), (1, True), (5, True)):
            took_ms = best_ms(count, min(racks, count), uniform)
            named = "yes" if uniform else "no"
            print(f"| {count} | {min(racks, count)} | {named} | {took_ms:.0f} ms |")
    print("\n| Nodes | Uniform | Copies moved | Minimum |\n|---|---|---|---|")
    for few, many in ((3, 4), (10, 11)):
        for uniform in (False, True):
            before = balance(members(few), 2, uniform=uniform)
            after = balance(members(many), 2, uniform=uniform)
            named = "yes" if uniform else "no"
            counted = f"{moves(before, after)} | {least_moves(before, after)}"
            print(f"| {few} → {many} | {named} | {counted} |")


if __name__ == "__main__":
    main()
