"""How soon the others serve what a dead node served, and that nobody is left out on the way."""

from __future__ import annotations

import pytest

from cluster.messages import ExchangeVersions
from cluster.outputs import ClusterChanged, Send
from cluster.partitions.config import NamespaceConfig
from cluster.partitions.exchange import Exchange
from cluster.partitions.service import Partitions
from cluster.partitions.view import Ownership
from cluster.simulation import DataShape, DataWorld, Shape, SimulatedCluster
from cluster.simulation.store import PARTITIONS
from cluster.simulation.takeover import takeover_s

PROMISED_S = 2.1
"""With the default heartbeat, 150 ms x 10, of which the timeout takes 1.5 s."""


@pytest.mark.parametrize(("nodes", "deaths"), [(3, 1), (5, 2), (9, 1), (9, 4)])
@pytest.mark.parametrize("power", [True, False])
def test_the_others_soon_serve_everything(nodes, deaths, power):
    shape = Shape(nodes=nodes)
    took_s = [takeover_s(seed, shape, deaths, power=power) for seed in range(10)]
    assert max(took_s) < PROMISED_S


def test_multicast_takes_no_longer():
    assert max(takeover_s(seed, Shape(multicast=True)) for seed in range(10)) < PROMISED_S


@pytest.mark.parametrize("busy", ["n1", "n2", "n3"])
@pytest.mark.parametrize("busy_s", [0.1, 0.4, 0.9])
def test_a_neighbour_that_notices_a_death_late_is_not_left_out(busy, busy_s):
    cluster = SimulatedCluster(1, Shape(nodes=4, in_order=True))
    cluster.start_all()
    cluster.run_until(cluster.is_converged, 10, "of one list")
    cluster.run(5)
    cluster.crash("n4")
    cluster.run(1.35)
    cluster.pause(busy)
    cluster.run(busy_s)
    cluster.resume(busy)
    before = cluster.commits.commits
    cluster.run_until(cluster.is_converged, 3, "of one list")
    assert cluster.commits.commits == before + 3


@pytest.mark.parametrize("stopped", ["n1", "n2", "n3"])
@pytest.mark.parametrize("for_s", [2.5, 30])
def test_a_node_that_was_stopped_serves_nothing_of_the_cluster_that_went_on_without_it(
    stopped, for_s
):
    data = DataWorld(DataShape((NamespaceConfig("ns0", partitions=PARTITIONS),)))
    shape = Shape(nodes=3, in_order=True)
    cluster = SimulatedCluster(2, shape, services=data.services, watch=data.watch)
    data.cluster = cluster
    cluster.start_all()
    cluster.run(5)
    node = cluster.node(stopped)
    space = next(s for s in node.services if isinstance(s, Partitions)).spaces["ns0"]
    cluster.pause(stopped)
    cluster.run(for_s)
    old = node.view.cluster_key
    cluster.resume(stopped)
    cluster.run(0.01)  # what has come meanwhile is read
    while node.view.cluster_key == old:
        assert {space.server(partition) for partition in range(PARTITIONS)} == {None}
        assert set(space.ownership) == {Ownership.LOCKED}
        cluster.run(0.01)
    cluster.run_until(cluster.is_converged, 1.0, "of one list")
    cluster.run_until(data.is_settled, 5.0, "at rest")


def test_versions_that_come_before_we_commit_need_not_come_again():
    exchange = Exchange(1)
    exchange.sender = 2
    exchange.fire(ExchangeVersions(7, ()), 0)
    assert not exchange.is_known
    exchange.begin(ClusterChanged(7, 1, 2, ((2, 1, 0, False), (1, 1, 0, False))), (), 0)
    assert exchange.is_known
    assert {output.to for output in exchange.outputs if isinstance(output, Send)} == {2}


def test_versions_of_a_cluster_that_never_came_are_forgotten():
    exchange = Exchange(1)
    exchange.sender = 2
    exchange.fire(ExchangeVersions(7, ()), 0)
    members = ((2, 1, 0, False), (1, 1, 0, False))
    exchange.begin(ClusterChanged(8, 1, 2, members), (), 0)
    exchange.begin(ClusterChanged(7, 2, 2, members), (), 0)
    assert not exchange.is_known
