"""The steps to a regime: each is taken by every node, durably, before any node takes the next.

1. *Promise.* I take part in no regime that is not higher than this one; these are the rosters.
2. *Copies.* Those that have everything say so by this regime.
3. *Witnesses.* Everybody else notes that partitions are served by this regime.

When all have taken the last, the partitions are served. What that is good for is told in
`cluster.consistency.partitions`.
"""

from __future__ import annotations

from collections.abc import Iterable

from cluster.messages import RegimeStep
from cluster.outputs import Channel, Output, Send

PROMISE, COPIES, WITNESSES = 1, 2, 3


class Agreement:
    """One namespace's way to a regime in one cluster, as one node sees it. No IO."""

    def __init__(self, me: int, namespace: str, cluster_key: int, members: Iterable[int]) -> None:
        self.step = 0
        """The last that this node has taken."""
        self._place = cluster_key, namespace
        self._heard = {node: 0 for node in members if node != me}
        self._takes = False

    @property
    def is_over(self) -> bool:
        """Have all taken the last step?"""
        return self._all_have(WITNESSES)

    def _all_have(self, step: int) -> bool:
        return self.step >= step and all(heard >= step for heard in self._heard.values())

    def begin_next(self) -> int:
        """The step that is to be taken now, which `took` ends; 0: none."""
        if self._takes or self.step == WITNESSES or not self._all_have(self.step):
            return 0
        self._takes = True
        return self.step + 1

    def took(self) -> list[Output]:
        """The step is taken, durably: tell all."""
        assert self._takes
        self._takes = False
        self.step += 1
        return self._tell(False)

    def _tell(self, asks: bool) -> list[Output]:
        told = RegimeStep(*self._place, self.step, asks)
        return [Send(node, told, Channel.META) for node in sorted(self._heard)]

    def hear(self, node: int, told: RegimeStep) -> list[Output]:
        """How far another node is."""
        if node not in self._heard:
            return []
        self._heard[node] = max(self._heard[node], min(told.step, WITNESSES))
        mine = RegimeStep(*self._place, self.step)
        return [Send(node, mine, Channel.META)] if told.asks else []

    def repeat(self) -> list[Output]:
        """Some have not answered: tell again, and ask."""
        return [] if self.is_over else self._tell(True)
