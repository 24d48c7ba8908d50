"""Log lines on their way from the loop to the sinks: a bounded queue, emptied by a thread.

A sink may stand still: standard error may be a pipe that nobody reads, a file system may be full or
far away. The loop must not wait for it, and what cannot be written must not pile up. So a line is
made where it is logged, as far as it has values that may change, and put into a queue; a thread
writes it. When the queue is full the line is dropped and counted, and the count is the first thing
said when there is room again.

A client can have a line logged with each frame it sends. Lines that come from the same place of the
code are written as they are up to a number in each `WINDOW_S`; what is more is counted, and summed
up when the window ends: how many, from which hosts, and the last of them.

An adapter: it has the thread.
"""

from __future__ import annotations

import logging
import queue
import re
import threading
from collections.abc import Callable, Sequence
from typing import Final

MOST_LINES: Final = 8192
"""Lines that wait for their sinks."""

WINDOW_S: Final = 10.0

FREELY: Final = 1000
"""Lines from one place that are written in a window."""

FREELY_FROM_PEERS: Final = 10
"""The same for lines that begin with a peer's address, which a peer may cause at will."""

MOST_PLACES: Final = 1024
"""Places in the code that are told apart; there are not so many."""

MOST_HOSTS: Final = 64

STOP_S: Final = 1.0
"""How long a stop waits for the last lines to be written."""

_PEER: Final = re.compile(r"(.+):\d{1,5}")


class Repeated:
    """The lines from one place in this window."""

    __slots__ = ("count", "hosts", "last", "written")

    def __init__(self) -> None:
        self.written = 0
        self.count = 0
        self.hosts: set[str] = set()
        self.last: logging.LogRecord | None = None

    def summary(self) -> logging.LogRecord | None:
        """One line for all that were not written."""
        record = self.last
        if record is None:
            return None
        many = len(self.hosts) > 1
        hosts = f" from {len(self.hosts)} hosts" if many else f" from {''.join(self.hosts)}"
        where = hosts if self.hosts else ""
        record.msg = f"{record.getMessage()} (and {self.count:,} such lines more{where})"
        record.args = None
        return record


class Repeats:
    """Counts lines by the place in the code that logs them."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._ends_s = 0.0
        self._places: dict[tuple[str, int], Repeated] = {}

    def passes(self, record: logging.LogRecord) -> bool:
        """Is the line written as it is? Otherwise it is counted."""
        place = self._places.get((record.pathname, record.lineno))
        if place is None:
            if len(self._places) >= MOST_PLACES:
                return True
            place = self._places[record.pathname, record.lineno] = Repeated()
        host = peer_host(record)
        if place.written < (FREELY if host is None else FREELY_FROM_PEERS):
            place.written += 1
            return True
        place.count += 1
        place.last = record
        if host is not None and len(place.hosts) < MOST_HOSTS:
            place.hosts.add(host)
        return False

    def ended(self) -> Sequence[logging.LogRecord]:
        """What is to be said now of the window, if it is over; another one then begins."""
        now_s = self._now_s()
        if now_s < self._ends_s:
            return ()
        self._ends_s = now_s + WINDOW_S
        places, self._places = self._places, {}
        return [line for place in places.values() if (line := place.summary()) is not None]


def peer_host(record: logging.LogRecord) -> str | None:
    """The host of the peer that a line begins with; None for lines of another kind."""
    args = record.args
    if not isinstance(args, tuple) or not args or not record.msg.startswith("%s"):
        return None
    found = _PEER.fullmatch(args[0]) if isinstance(args[0], str) else None
    return found[1] if found else None


class LogQueue(logging.Handler):
    """Takes lines on any thread, and gives them to `handlers` on its own."""

    def __init__(self, handlers: Sequence[logging.Handler], now_s: Callable[[], float]) -> None:
        super().__init__()
        self._handlers = handlers
        self._repeats = Repeats(now_s)
        self._lines: queue.Queue[logging.LogRecord | None] = queue.Queue(MOST_LINES)
        self.dropped = 0
        """Lines that found no room, since the start."""
        self._told = 0
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Put a line in the queue, or count it. Never waits for a sink."""
        for line in self._repeats.ended():
            self._put(line)
        if not self._repeats.passes(record):
            return
        record.msg, record.args = record.getMessage(), None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        self._put(record)

    def _put(self, record: logging.LogRecord) -> None:
        try:
            self._lines.put_nowait(record)
        except queue.Full:
            self.dropped += 1

    def sum_up(self) -> None:
        """Say what there is to say of a window that is over, even if no line comes."""
        with self.lock or threading.Lock():
            for line in self._repeats.ended():
                self._put(line)

    def close(self) -> None:
        """Write what waits, if the sinks take it in time."""
        try:
            self._lines.put(None, timeout=STOP_S)
            self._thread.join(STOP_S)
        except queue.Full:
            pass  # nobody reads: what waits is lost
        super().close()

    def _run(self) -> None:
        while True:
            try:
                record = self._lines.get(timeout=WINDOW_S)
            except queue.Empty:
                self.sum_up()
                continue
            if record is None:
                return
            if self.dropped > self._told:
                self._write(self._of_dropped())
            self._write(record)

    def _of_dropped(self) -> logging.LogRecord:
        count, self._told = self.dropped - self._told, self.dropped
        text = f"{count:,} log lines were dropped: the sinks did not take them in time"
        return logging.LogRecord("asd.logging", logging.WARNING, __file__, 0, text, None, None)

    def _write(self, record: logging.LogRecord) -> None:
        for handler in self._handlers:
            if handler.filter(record):
                handler.handle(record)
