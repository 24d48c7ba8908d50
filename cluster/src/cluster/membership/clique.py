"""Which nodes can be one cluster, seen from who hears whom."""

from __future__ import annotations

from collections.abc import Collection, Mapping

Graph = Mapping[int, Collection[int]]
"""For each node whose word we have, the nodes it hears."""


def hear_each_other(one: int, other: int, graph: Graph) -> bool:
    """Do two nodes hear each other, as far as their own words go? A node that told nothing agrees.

    False when neither has told anything. O(1) with sets.
    """
    ones, others = graph.get(one), graph.get(other)
    if ones is None and others is None:
        return False
    return (ones is None or other in ones) and (others is None or one in others)


def cluster_of(me: int, graph: Graph) -> tuple[int, ...]:
    """The succession list for `me`: nodes that all hear each other, by falling id.

    The nodes are dealt into cliques, the highest node first and each taking the highest that hear
    all it has so far; the answer is the clique `me` falls into. Where everybody hears everybody
    that is everybody, and where two views of the graph agree so do the answers. O(nodes^2).

    >>> cluster_of(1, {1: {1, 2}, 2: {1, 2, 3}, 3: {2, 3}})
    (1,)
    >>> cluster_of(2, {1: {1, 2}, 2: {1, 2, 3}, 3: {2, 3}})
    (3, 2)
    """
    known = set(graph)
    everybody = sorted(known.union(*graph.values(), {me}), reverse=True)
    if known == set(everybody) and all(known <= set(heard) | {n} for n, heard in graph.items()):
        return tuple(everybody)
    while True:
        clique: list[int] = []
        for node in everybody:
            if all(hear_each_other(node, member, graph) for member in clique):
                clique.append(node)
        if me in clique:
            return tuple(clique)
        everybody = [node for node in everybody if node not in clique]
