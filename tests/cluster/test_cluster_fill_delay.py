"""The fill delay: which emigrations wait, and for how long."""

from __future__ import annotations

from cluster.outputs import ClusterChanged
from cluster.partitions.config import NamespaceConfig
from cluster.partitions.namespace import NamespacePartitions
from cluster.partitions.version import PartitionVersion

FULL = PartitionVersion(1, True)


def planned(config: NamespaceConfig, *, quiesced: bool = False) -> NamespacePartitions:
    """Node 1's partitions. Node 2 has a copy of partition 0 and no other; balanced at 100."""
    space = NamespacePartitions(1, config, dict.fromkeys(range(config.partitions), FULL))
    other = NamespacePartitions(2, config, {0: FULL})
    view = ClusterChanged(7, 1, 2, ((2, 1, 0, False), (1, 1, 0, quiesced)))
    for each in (space, other):
        each.begin(view)
    space.make_plans(view, {1: space.row(), 2: other.row()})
    space.take_part(100)
    return space


CONFIG = NamespaceConfig("ns", partitions=4)
AT_ONCE = NamespaceConfig("ns", partitions=4, fills_at_once=True)


def test_how_long_nodes_without_a_copy_wait() -> None:
    assert planned(CONFIG).fills_at(50) == 150
    assert planned(AT_ONCE).fills_at(50) == 100
    assert planned(CONFIG, quiesced=True).fills_at(50) == 100, "who leaves hands over at once"


def test_who_has_a_copy_is_sent_what_it_lacks_meanwhile() -> None:
    space = planned(CONFIG)
    before = list(space.waiting)
    assert {partition for partition, _ in before} - {0}
    assert space.take_waiting(0, fills=True) == []
    now = space.take_waiting(9, fills=False)
    assert {partition for partition, _ in now} <= {0}
    assert space.waiting == [each for each in before if each not in now]
    assert space.take_waiting(1, fills=True) == [each for each in before if each not in now][:1]
    space.is_ready = False
    assert space.take_waiting(9, fills=True) == []
