"""`Channels`: which of a node's pipelined connections a command's request goes to."""

from __future__ import annotations

import asyncio

from aerospike_client.aio.channel import Channel


class Channels:
    """The channels to one node. How they are made is the caller's affair."""

    __slots__ = ("_all", "_current", "_depth", "_opening", "_promised", "_retired")

    def __init__(self, depth: int) -> None:
        """`depth`: requests in a channel's line above which another channel is wanted."""
        self._depth = depth
        self._all: list[Channel] = []
        #: Those that take no more requests, until the ones in their lines are answered.
        self._retired: list[Channel] = []
        self._current: Channel | None = None
        #: The channel being made, and how many requests wait for it.
        self._opening: asyncio.Task[Channel] | None = None
        self._promised = 0

    def pick(self) -> Channel | None:
        """A channel with room in its line; None when there is none."""
        current = self._current
        # `current.load` would be a call, once for every command.
        if (
            current is not None
            and current.open
            and len(current.line) < self._depth
            and not current.late
        ):
            return current
        for channel in self._all:
            if channel.open and not channel.late and channel.load < self._depth:
                self._current = channel
                return channel
        return None

    def least_loaded(self) -> Channel | None:
        """The channel with the shortest line, for when no more can be made; None without any."""
        usable = [channel for channel in self._all if channel.open]
        return min(usable, key=lambda channel: (channel.late, channel.load), default=None)

    def awaited(self) -> asyncio.Task[Channel] | None:
        """The channel being made, if its line has room for one more; counts the caller in."""
        opening = self.opening
        if opening is None or self._promised >= self._depth:
            return None
        self._promised += 1
        return opening

    @property
    def opening(self) -> asyncio.Task[Channel] | None:
        """The channel being made last, however many wait for it."""
        opening = self._opening
        return None if opening is None or opening.done() else opening

    def await_new(self, opening: asyncio.Task[Channel]) -> None:
        """A channel is being made, for one request so far."""
        self._opening = opening
        self._promised = 1

    def add(self, channel: Channel) -> None:
        """A channel has been made."""
        self._all.append(channel)
        self._current = channel

    def retire(self) -> None:
        """Use none of these again."""
        self._retired += self._all
        self._all, self._current = [], None

    def sweep(self, now_us: int, idle_since_us: int) -> list[Channel]:
        """Take out channels that are closed, hopeless, unused since `idle_since_us`, or retired
        and through."""
        gone = [each for each in self._retired if not each.load or each.is_hopeless(now_us)]
        self._retired = [channel for channel in self._retired if channel not in gone]
        for channel in self._all:
            if channel.load:
                channel.used_us = now_us
            idle = not channel.load and channel.used_us <= idle_since_us
            if not channel.open or idle or channel.is_hopeless(now_us):
                gone.append(channel)
        self._all = [channel for channel in self._all if channel not in gone]
        if self._current in gone:
            self._current = None
        return gone

    def drain(self) -> list[Channel]:
        """Take out all."""
        gone = self._all + self._retired
        self._all, self._retired, self._current = [], [], None
        return gone
