"""A peer: how another node stands to us, by what its pulses say and when they come."""

from __future__ import annotations

from collections import deque
from enum import auto

from attrs import frozen

from cluster.messages import Pulse
from cluster.outputs import NodeArrived, NodeDeparted, Output
from cluster.state_machine import Observer, State, StateMachine, table
from cluster.wire import Endpoint


@frozen
class HeartbeatConfig:
    """How a node shows itself. Mesh with `seeds` unless `multicast`."""

    interval_ms: int = 150
    timeout_intervals: int = 10
    seeds: tuple[Endpoint, ...] = ()
    multicast: bool = False
    flaps: int = 4
    """Departures within `flap_window_intervals` that put a peer on hold."""
    flap_window_intervals: int = 100
    hold_intervals: int = 20

    @property
    def timeout_ms(self) -> int:
        """Silence after which a peer has departed."""
        return self.interval_ms * self.timeout_intervals


class PeerState(State):
    """How a peer stands to us."""

    SILENT = auto()
    ONE_WAY = auto()
    HELD = auto()
    ADJACENT = auto()


LISTED = frozenset({PeerState.ONE_WAY, PeerState.ADJACENT})
"""Peers that our pulses list. One on hold is not: it shall take us for gone as we do it."""


@frozen
class Heard:
    """A pulse that does not list us."""


@frozen
class HeardBoth:
    """A pulse that lists us."""


@frozen
class Silence:
    """No pulse within the timeout."""


@frozen
class NewLife:
    """A pulse of a later incarnation."""


class Peer(StateMachine):
    """What one node knows of another."""

    TABLE = table(
        "heartbeat peer",
        (PeerState.SILENT, Heard, "", PeerState.ONE_WAY, ""),
        (PeerState.SILENT, HeardBoth, "_flaps", PeerState.HELD, "_hold"),
        (PeerState.SILENT, HeardBoth, "", PeerState.ADJACENT, "_arrive"),
        (PeerState.ONE_WAY, HeardBoth, "_flaps", PeerState.HELD, "_hold"),
        (PeerState.ONE_WAY, HeardBoth, "", PeerState.ADJACENT, "_arrive"),
        (PeerState.ONE_WAY, Silence, "", PeerState.SILENT, ""),
        (PeerState.ONE_WAY, NewLife, "", PeerState.SILENT, ""),
        (PeerState.HELD, HeardBoth, "_was_held_long_enough", PeerState.ADJACENT, "_let_in"),
        (PeerState.HELD, Heard, "_was_held_long_enough", PeerState.ONE_WAY, "_release"),
        (PeerState.HELD, Silence, "", PeerState.SILENT, ""),
        (PeerState.HELD, NewLife, "", PeerState.SILENT, ""),
        (PeerState.ADJACENT, Heard, "", PeerState.ONE_WAY, "_depart"),
        (PeerState.ADJACENT, Silence, "", PeerState.SILENT, "_depart"),
        (PeerState.ADJACENT, NewLife, "", PeerState.SILENT, "_depart"),
    )

    def __init__(self, config: HeartbeatConfig, pulse: Pulse, observer: Observer | None) -> None:
        super().__init__(PeerState.SILENT, observer)
        self.pulse = pulse
        self.last_heard = 0
        self.skew_ms = 0
        self.names_strangers = False
        self.moved_on = False
        """Is it in another cluster than ours, since it lists us no more?"""
        self.outputs: list[Output] = []
        self.config = config
        self._held_since = 0
        self._arrived = 0
        self._departures: deque[int] = deque(maxlen=config.flaps)

    def goes_on(self, pulse: Pulse) -> bool:
        """Is this neighbour still there, hearing whom it heard before? Then nothing happens."""
        known = self.pulse
        return (
            self.state is PeerState.ADJACENT
            and pulse.sequence > known.sequence
            and pulse.heard == known.heard
            and pulse.incarnation == known.incarnation
            and not (self.names_strangers or self.moved_on)
        )

    def _flaps(self, _: object, now: int) -> bool:
        window = self.config.flap_window_intervals * self.config.interval_ms
        full = len(self._departures) == self.config.flaps
        return full and now - self._departures[0] < window

    def _was_held_long_enough(self, _: object, now: int) -> bool:
        return now - self._held_since >= self.config.hold_intervals * self.config.interval_ms

    def _hold(self, _: object, now: int) -> None:
        self._held_since = now

    def _release(self, _: object, now: int) -> None:
        self._departures.clear()

    def _let_in(self, _: object, now: int) -> None:
        self._release(_, now)
        self._arrive(_, now)

    def _arrive(self, _: object, now: int) -> None:
        pulse, self._arrived = self.pulse, now
        self.outputs.append(NodeArrived(pulse.node, pulse.incarnation, pulse.fabric))

    def _depart(self, _: object, now: int) -> None:
        # Late pulses come in a burst when a link works again: that is no coming and going.
        if now - self._arrived >= self.config.interval_ms:
            self._departures.append(now)
        self.outputs.append(NodeDeparted(self.pulse.node, self.pulse.incarnation))
