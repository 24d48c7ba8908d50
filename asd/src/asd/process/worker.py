"""One worker process: it is handed jobs, one after the other, and answers each.

Started by `asd.process.workers`, and told what to do by it: a pickled callable that makes what does
the jobs. It ends when the socket does. A process that is in the middle of a job when its node dies
ends with that job, whose time is limited.

An adapter: it is a process of its own, with a socket and a clock.
"""

from __future__ import annotations

import pickle
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from typing import Any, Final

from citrusleaf.cf_clock import Clock, SystemClock

HEADER: Final = 8
"""Bytes that say how long what follows is."""

READY: Final = bytes(HEADER)
"""Said once everything is loaded: an answer of no bytes."""


def framed(value: Any) -> bytes:
    """A value on its way, in either direction."""
    data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return len(data).to_bytes(HEADER, "big") + data


def serve(connection: socket.socket) -> None:
    """Answer until the other side has closed."""
    with connection, connection.makefile("rb") as asked:
        make: Callable[[Clock], Callable[[Any], Any]] = pickle.load(asked)
        do = make(SystemClock())
        connection.sendall(READY)
        while len(head := asked.read(HEADER)) == HEADER:
            job = pickle.loads(asked.read(int.from_bytes(head, "big")))
            connection.sendall(framed(_answer(do, job)))


def _answer(do: Callable[[Any], Any], job: Any) -> tuple[Any, str]:
    """What came of the job, and what went wrong."""
    try:
        return do(job), ""
    except Exception:  # our own bug, or no memory: it costs one request
        return None, traceback.format_exc()


def main() -> None:
    """Serve on the socket whose number is the first argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all that runs in it
    try:
        serve(socket.socket(fileno=int(sys.argv[1])))
    except (BrokenPipeError, ConnectionResetError, EOFError):
        sys.exit(1)  # nobody waits for the answer


if __name__ == "__main__":
    main()
