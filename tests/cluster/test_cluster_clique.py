"""Which nodes can be one cluster."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cluster.membership.clique import cluster_of, hear_each_other

IDS = range(1, 7)
GRAPHS = st.fixed_dictionaries({node: st.sets(st.sampled_from(IDS)) for node in IDS})


@given(GRAPHS, st.sampled_from(IDS))
def test_a_cluster_is_a_clique_with_me_in_it(graph, me):
    found = cluster_of(me, graph)
    assert me in found
    assert list(found) == sorted(found, reverse=True)
    assert all(hear_each_other(a, b, graph) for a in found for b in found if a != b)


@given(GRAPHS)
def test_nodes_that_see_the_same_agree(graph):
    for me in IDS:
        for other in cluster_of(me, graph):
            assert cluster_of(other, graph) == cluster_of(me, graph)


@given(st.sets(st.integers(1, 50), min_size=1))
def test_where_all_hear_all_the_cluster_is_all(nodes):
    graph = {node: frozenset(nodes - {node}) for node in nodes}
    for me in nodes:
        assert cluster_of(me, graph) == tuple(sorted(nodes, reverse=True))


def test_one_way_links_make_no_neighbours():
    assert cluster_of(1, {1: {2}, 2: set()}) == (1,)
    assert cluster_of(1, {1: {2}, 2: {1}}) == (2, 1)


def test_a_node_that_told_nothing_agrees_with_who_hears_it():
    assert cluster_of(1, {1: {2}}) == (2, 1)
