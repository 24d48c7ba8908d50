"""How long one request holds up everybody else: a second client's longest wait meanwhile.

    python bench/holds.py [--rounds N] [WORD...]

Each row of `hold_cases.py` is sent to a server of its own; another client reads one small record
again and again. Shown are the request's own time, and the longest wait of the other client: the
least of the rounds, since a machine with other work adds to both and takes nothing away. `idle` is
the same wait with nobody else there.
"""

from __future__ import annotations

import argparse
import socket
import threading
import time
from typing import BinaryIO

from harness import Server, asd_command, running, table
from hold_cases import BIG, Case, cases, get, integers, look, operate, put

from aerospike_common.wire.codes import Info3
from aerospike_common.wire.message import split_messages

SMALL = 999_999


class Client:
    """Blocking exchanges on one connection."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._socket = socket.create_connection(("127.0.0.1", port), 100)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers: BinaryIO = self._socket.makefile("rb")

    def ask(self, data: bytes, answers: int = 1) -> bytes:
        """The last of so many frames of the answer, without its header; 0: up to the last message
        of a stream."""
        self._socket.sendall(data)
        read = 0
        while True:
            head = self._answers.read(8)
            body = self._answers.read(int.from_bytes(head[2:], "big"))
            read += 1
            if read == answers or (not answers and _is_last(body)):
                return body

    def close(self) -> None:
        """End it."""
        self._answers.close()
        self._socket.close()


def _is_last(body: bytes) -> bool:
    return any(message[3] & Info3.LAST for message in split_messages(body))


class Watch(threading.Thread):
    """Another client: how long it has waited for the slowest of its reads."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._client = Client(port)
        self._ends = threading.Event()
        self.longest_s = 0.0

    def run(self) -> None:
        """Read, until told to end."""
        asked = get(SMALL)
        while not self._ends.is_set():
            began = time.perf_counter()
            self._client.ask(asked)
            self.longest_s = max(self.longest_s, time.perf_counter() - began)
            time.sleep(0.0002)

    def stop(self) -> float:
        """The longest wait, in seconds."""
        self._ends.set()
        self.join()
        self._client.close()
        return self.longest_s


def one(server: Server, case: Case) -> tuple[float, float, int]:
    """Seconds of the request, of the other's longest wait, and the result code."""
    client = Client(server.port)
    client.ask(put(SMALL, {"n": 1}))
    for number, bins in case.records.items():
        if len(bins) > 10_000:
            names = list(bins)
            for at in range(0, len(names), 4_000):
                client.ask(put(number, {name: bins[name] for name in names[at : at + 4_000]}))
        else:
            client.ask(put(number, bins))
    for each in case.before:
        client.ask(each)
    client.ask(put(SMALL + 1, {"a": integers(BIG)}))
    client.ask(operate(SMALL + 1, look("a", 16)))  # from here on there is a worker, if any
    watch = Watch(server.port)
    watch.start()
    time.sleep(0.05)
    began = time.perf_counter()
    body = client.ask(case.request, case.answers)
    took = time.perf_counter() - began
    time.sleep(1.0 if case.kind in ("Background", "Secondary indexes", "Info") else 0.05)
    longest = watch.stop()
    client.close()
    return took, longest, 0 if case.kind == "Info" else body[5]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("words", nargs="*", help="only rows that have one of these in them")
    given = parser.parse_args()
    rows = []
    idle = Case("", "idle", {1: {"n": 1}}, get(1))
    for case in [idle, *cases()]:
        if given.words and not any(word in f"{case.kind} {case.name}" for word in given.words):
            continue
        took, longest, code = 1e9, 1e9, 0
        for _ in range(given.rounds):
            with running(asd_command()) as server:
                this, waited, code = one(server, case)
            took, longest = min(took, this), min(longest, waited)
        rows.append([case.kind, case.name, f"{took * 1e3:.1f}", f"{longest * 1e3:.1f}", str(code)])
        print(" | ".join(rows[-1]), flush=True)
    print()
    print(table(["kind", "request", "took ms", "others waited ms", "result"], rows))


if __name__ == "__main__":
    main()
