"""What was going on when: found out from events and from the clusters that nodes have committed.

    apart      a node served without another one that served, too: its list left that out. From
               then until all that run have the same list, writes of both sides are acknowledged,
               and the conflict rule keeps one. (A node that goes on after a pause and has only the
               list from before is not meant: it may not serve by that.)
    thin       a node died, ended or hung while the cluster was not at rest from what was before:
               who is left may have no copy of a partition, or an old one, serves it all the same,
               and is overruled when the others come back. Until the cluster is at rest again this
               counts as apart.
    unsettled  the same, and until the cluster was at rest: a copy may lack what another has, and a
               read of one copy may be older than a write.
    starved    a list left out a node that ran, and to which nothing was done: it, or who missed it,
               was not given the processor for as long as the heartbeat's timeout.
    forgotten  a node died, or ended, while the cluster was not at rest: what a namespace in memory
               had acknowledged until then may have had no other copy.

Rejected: taking the plan's word for it. A split begins some time after it is asked for, a node that
starts is alone for a moment, and a machine that is busy with other work splits clusters by itself.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from chaos.ground import Event, Listed

FOREVER: Final = float("inf")
BEFORE_S: Final = 0.05
"""A list is logged a moment after it holds."""
RECENTLY_S: Final = 4.0
"""So long after something was done to a node it is no wonder that it is missed."""


class Window(NamedTuple):
    """From when until when."""

    start: float
    end: float

    def meets(self, start: float, end: float) -> bool:
        """Has it a moment in common with these?"""
        return self.start <= end and start <= self.end


class FaultWindow(NamedTuple):
    """A fault, until the cluster was at rest again."""

    kinds: str
    start: float
    end: float


class Windows:
    """The windows of a run so far."""

    def __init__(self, events: Sequence[Event], lists: Sequence[Listed]) -> None:
        self.rests = [event.time for event in events if event.what == "at rest"]
        self.faults = _faults(events)
        looks = [event.time for event in events if event.what == "apart to be looked at"]
        self.looked = max(looks, default=0.0)
        """When the nodes were last looked at."""
        self.starved: list[float] = []
        self.alone_after_pause: list[float] = []
        """A node that had hung took itself for the whole cluster when it went on."""
        self.apart: list[Window] = []
        self._lists = lists
        _Apart(self).follow(events, lists)
        self.apart += [
            Window(event.time, self._rest_after(event.time))
            for event in events
            if event.what in ("killed", "asked to end", "paused")
            and not self._was_at_rest(event.time, events)
        ]
        self.unsettled = [Window(each.start, self._rest_after(each.end)) for each in self.apart]
        self.forgotten = [
            died for asked, died in _deaths(events) if not self._was_at_rest(asked, events)
        ]

    def _rest_after(self, time: float) -> float:
        at = bisect_right(self.rests, time)
        return self.rests[at] if at < len(self.rests) else FOREVER

    def _was_at_rest(self, time: float, events: Sequence[Event]) -> bool:
        """Had nothing happened at this time since the cluster was at rest?"""
        at = bisect_right(self.rests, time)
        since = self.rests[at - 1] if at else 0.0
        done = any(since < each.time < time and each.what in _DISTURBS for each in events)
        return not done and not any(since < each.time < time for each in self._lists)

    def is_apart(self, start: float, end: float) -> bool:
        """Did nodes serve without one another?"""
        return any(window.meets(start, end) for window in self.apart)

    def is_unsettled(self, start: float, end: float) -> bool:
        """Might one copy lack what another has?"""
        return any(window.meets(start, end) for window in self.unsettled)

    def is_undisturbed(self, start: float, end: float) -> bool:
        """Has the cluster been one and the same, at rest?"""
        return not any(start - RECENTLY_S < each.time < end for each in self._lists) and not any(
            Window(f.start, f.end).meets(start, end) for f in self.faults
        )

    def forgotten_by(self, time: float) -> float:
        """The last time before this at which a namespace in memory may have lost something."""
        return max((each for each in self.forgotten if each <= time), default=0.0)


_DISTURBS: Final = frozenset({"killed", "asked to end", "ended", "paused", "split", "starts"})


def _deaths(events: Iterable[Event]) -> list[tuple[float, float]]:
    """When each death began (a node was asked to end), and when it was over."""
    asked: dict[int, float] = {}
    found = []
    for event in events:
        if event.what == "asked to end":
            asked[event.node] = event.time
        elif event.what in ("killed", "ended"):
            found.append((asked.pop(event.node, event.time), event.time))
    return found


def _faults(events: Iterable[Event]) -> list[FaultWindow]:
    found = []
    begun: Event | None = None
    for event in events:
        if event.what == "fault":
            begun = event
        elif event.what == "over" and begun is not None:
            found.append(FaultWindow(event.detail, begun.time, event.time))
            begun = None
    if begun is not None:
        found.append(FaultWindow(begun.detail, begun.time, FOREVER))
    return found


class _Apart:
    """Goes through events and lists in time, and writes down who served without whom."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._alive: set[int] = set()
        self._paused: set[int] = set()
        self._lists: dict[int, Listed] = {}
        self._touched: dict[int, float] = {}
        self._resumed: dict[int, float] = {}
        self._split = False
        self._since = 0.0

    def follow(self, events: Sequence[Event], lists: Sequence[Listed]) -> None:
        both: list[tuple[float, Event | Listed]] = [(e.time, e) for e in events]
        both += [(each.time, each) for each in lists]
        for time, each in sorted(both, key=lambda pair: pair[0]):
            if isinstance(each, Listed):
                self._commit(each)
            else:
                self._happen(each)
            self._look(time)
        if self._since:
            self._windows.apart.append(Window(self._since - BEFORE_S, FOREVER))

    def _happen(self, event: Event) -> None:
        node = event.node
        if event.what in ("starts", "started"):
            self._alive.add(node)
        elif event.what in ("killed", "ended"):
            self._alive.discard(node)
            self._lists.pop(node, None)
        elif event.what == "paused":
            self._paused.add(node)
        elif event.what == "resumed":
            self._paused.discard(node)
            self._resumed[node] = event.time
        elif event.what in ("split", "healed", "apart to be looked at"):
            self._split = True
        elif event.what == "at rest":
            self._split = False
        if node >= 0:
            self._touched[node] = event.time

    def _commit(self, listed: Listed) -> None:
        is_first = listed.node not in self._lists
        self._lists[listed.node] = listed
        since_s = listed.time - self._resumed.get(listed.node, 0.0)
        if since_s < RECENTLY_S and len(listed.members) == 1 and not self._split:
            self._windows.alone_after_pause.append(listed.time)
        missed = self._alive - self._paused - listed.members
        recent = {node for node, time in self._touched.items() if listed.time - time < RECENTLY_S}
        if missed - recent and listed.node not in recent and not is_first and not self._split:
            self._windows.starved.append(listed.time)

    def _look(self, time: float) -> None:
        known = [each for node, each in self._lists.items() if node in self._alive - self._paused]
        if not self._since:
            serving = [each for each in known if each.time > self._resumed.get(each.node, 0.0)]
            if any(other.node not in one.members for one in serving for other in serving):
                self._since = time
        elif len({each.key for each in known}) <= 1:
            self._windows.apart.append(Window(self._since - BEFORE_S, time))
            self._since = 0.0
