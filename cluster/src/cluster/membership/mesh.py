"""Mesh: the connections over which a node sends its pulses.

Each node dials every endpoint it knows, its seeds and what peers tell it, and sends only on the
connections it dialed: a connection carries pulses one way, so two nodes that dial each other at
once need no arbitration, and a link that is cut in one direction shows as exactly that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import auto

from attrs import frozen

from cluster.link_events import Empty, Full, Lost, Up
from cluster.outputs import Dial, Hangup, Output
from cluster.state_machine import Observer, State, StateMachine, table
from cluster.wire import Endpoint

PLANE = "heartbeat"
DIAL_INTERVALS = 10
"""Intervals after which an unanswered dial is given up."""
WAIT_INTERVALS = 4
"""Intervals from a failure to the next dial."""
RECYCLE_INTERVALS = 30
"""Intervals after which a connection is made anew whose node does not hear us, or we not it."""


class TargetState(State):
    """Where the connection to an endpoint stands."""

    WAITING = auto()
    DIALING = auto()
    OPEN = auto()
    CLOGGED = auto()


@frozen
class Due:
    """The interval has come round."""


DUE = Due()


class Target(StateMachine):
    """An endpoint to send pulses to."""

    TABLE = table(
        "mesh target",
        (TargetState.WAITING, Due, "_waited_enough", TargetState.DIALING, "_dial"),
        (TargetState.DIALING, Up, "", TargetState.OPEN, "_note_time"),
        (TargetState.DIALING, Lost, "", TargetState.WAITING, "_forget_link"),
        (TargetState.DIALING, Due, "_dialed_too_long", TargetState.WAITING, "_hang_up"),
        (TargetState.OPEN, Full, "", TargetState.CLOGGED, ""),
        (TargetState.OPEN, Lost, "", TargetState.WAITING, "_forget_link"),
        (TargetState.OPEN, Due, "_is_stale", TargetState.WAITING, "_hang_up"),
        (TargetState.CLOGGED, Empty, "", TargetState.OPEN, ""),
        (TargetState.CLOGGED, Lost, "", TargetState.WAITING, "_forget_link"),
        (TargetState.CLOGGED, Due, "_is_stale", TargetState.WAITING, "_hang_up"),
    )

    def __init__(self, endpoint: Endpoint, interval_ms: int, observer: Observer | None) -> None:
        super().__init__(TargetState.WAITING, observer)
        self.endpoint = endpoint
        self.link: int | None = None
        self.next_link = 0
        self.outputs: list[Output] = []
        self.interval_ms = interval_ms
        self._since: int | None = None
        self._doubted_since: int | None = None

    def _waited_enough(self, _: Due, now: int) -> bool:
        return self._since is None or now - self._since >= WAIT_INTERVALS * self.interval_ms

    def _dialed_too_long(self, _: Due, now: int) -> bool:
        return now - (self._since or 0) >= DIAL_INTERVALS * self.interval_ms

    def _is_stale(self, _: Due, now: int) -> bool:
        since = self._doubted_since
        return since is not None and now - since >= RECYCLE_INTERVALS * self.interval_ms

    @property
    def is_well(self) -> bool:
        """Is it open, and in no doubt so far? Then nothing is ever due."""
        return self.state is TargetState.OPEN and self._doubted_since is None

    def is_new(self, since: int) -> bool:
        """Was it dialed, or reached, `since` then?"""
        return self.link is not None and self._since is not None and self._since > since

    def doubt(self, doubtful: bool, now: int) -> None:
        """Does the node there get what we send, and is it heard?"""
        if not doubtful or self.state not in (TargetState.OPEN, TargetState.CLOGGED):
            self._doubted_since = None
        elif self._doubted_since is None:
            self._doubted_since = now

    def _dial(self, _: object, now: int) -> None:
        self.link = self.next_link
        self._since = now
        self.outputs.append(Dial(PLANE, self.link, self.endpoint))

    def _note_time(self, _: object, now: int) -> None:
        self._since = now

    def _hang_up(self, _: object, now: int) -> None:
        assert self.link is not None
        self.outputs.append(Hangup(PLANE, self.link))
        self._forget_link(_, now)

    def _forget_link(self, _: object, now: int) -> None:
        self.link = None
        self._since = now


class Mesh:
    """All targets of a node. Links it dials have odd numbers; those accepted have even ones."""

    def __init__(
        self,
        own: Endpoint,
        seeds: Iterable[Endpoint],
        interval_ms: int,
        observer: Observer | None = None,
    ) -> None:
        self._interval_ms = interval_ms
        self._observer = observer
        self._mine = {own}
        self._targets: dict[Endpoint, Target] = {}
        self._by_link: dict[int, Target] = {}
        self._next_link = 1
        for seed in seeds:
            self.learn(seed)

    @property
    def hosts(self) -> tuple[Endpoint, ...]:
        """The mesh host list: every endpoint dialed or to be dialed."""
        return tuple(self._targets)

    def go_by(self, interval_ms: int) -> None:
        """Count in other intervals from now on."""
        self._interval_ms = interval_ms
        for target in self._targets.values():
            target.interval_ms = interval_ms

    def learn(self, endpoint: Endpoint) -> None:
        """Dial this endpoint too, from the next tick on."""
        if endpoint not in self._targets and endpoint not in self._mine:
            self._targets[endpoint] = Target(endpoint, self._interval_ms, self._observer)

    def forget(self, endpoint: Endpoint) -> list[Output]:
        """The endpoint leads back to ourselves: never dial it again."""
        self._mine.add(endpoint)
        return self.clear(endpoint)

    def clear(self, endpoint: Endpoint) -> list[Output]:
        """Stop dialing an endpoint until it is learnt again."""
        target = self._targets.pop(endpoint, None)
        if target is None or target.link is None:
            return []
        del self._by_link[target.link]
        return [Hangup(PLANE, target.link)]

    def up(self, link: int, now: int) -> Endpoint | None:
        """A dialed link is there; the endpoint it leads to, None when it is no longer wanted."""
        target = self._by_link.get(link)
        if target is None:
            return None
        target.fire(Up(), now)
        return target.endpoint

    def lost(self, link: int, now: int) -> None:
        """A link is gone."""
        target = self._by_link.pop(link, None)
        if target is not None:
            target.fire(Lost(), now)

    def writable(self, link: int, yes: bool) -> None:
        """A link's buffers are full or empty."""
        target = self._by_link.get(link)
        if target is not None:
            target.fire(Empty() if yes else Full(), 0)

    def tick(self, now: int, doubtful: Collection[Endpoint]) -> list[Output]:
        """Dial what is due; make doubtful connections anew."""
        outputs: list[Output] = []
        for target in self._targets.values():
            if target.is_well and target.endpoint not in doubtful:
                continue
            before = target.link
            target.next_link = self._next_link
            target.doubt(target.endpoint in doubtful, now)
            target.fire(DUE, now)
            if target.link is not before:
                if before is not None:
                    del self._by_link[before]
                if target.link is not None:
                    self._by_link[target.link] = target
                    self._next_link += 2
                outputs += target.outputs
                target.outputs = []
        return outputs

    def awaits(self, heard: Collection[Endpoint], since: int) -> bool:
        """Was an endpoint dialed, or reached, `since` then, from which nobody is heard?"""
        return any(
            target.is_new(since) and target.endpoint not in heard
            for target in self._targets.values()
        )

    def open_links(self) -> list[int]:
        """Links that take a pulse now."""
        return [
            target.link
            for target in self._targets.values()
            if target.state is TargetState.OPEN and target.link is not None
        ]

    def link_to(self, endpoint: Endpoint) -> int | None:
        """The link to an endpoint, when it is open."""
        target = self._targets.get(endpoint)
        return target.link if target is not None and target.state is TargetState.OPEN else None

    def _check(self) -> None:
        for link, target in self._by_link.items():
            assert target.link == link
        for endpoint, target in self._targets.items():
            assert endpoint not in self._mine
            assert (target.link is None) == (target.state is TargetState.WAITING)
