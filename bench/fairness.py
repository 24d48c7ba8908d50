"""What a heavy client leaves to another's single gets.

    python bench/fairness.py [--seconds S] [WORD...]

The C load generator reads single records over one connection, one at a time, while another client
does its worst: batches of 5,000 rows, scans, an index built again and again, big lists sorted in
the background, a function that never ends, 5,000 connections at once. Shown are the gets a second
and their 99.9th percentile, beside those of the same server at rest. What should hold: at least
half of the gets, and 20 ms.
"""

from __future__ import annotations

import argparse
import resource
import selectors
import socket
import threading
import time
from collections.abc import Callable

from harness import Server, asd_command, load, running, table
from hold_cases import (
    BIG,
    INTERVAL,
    batch,
    get,
    info,
    integers,
    modify,
    put,
    query,
    request,
    runaway,
)
from holds import Client

from aerospike_common.wire.codes import Info2, OpType
from aerospike_common.wire.message import Op

RECORDS = 100_000
BIG_LISTS = 20
MANY = 5_000
PLAIN = [Op(OpType.READ, 0, b"n", b"")]


def prepare(server: Server) -> None:
    """Records of the generator's, small ones and big lists of ours."""
    load(server.port, 4, 16, 3.0, "fill", RECORDS)
    client = Client(server.port)
    for number in range(5_000):
        client.ask(put(number, {"n": number}))
    for number in range(BIG_LISTS):
        client.ask(put(10_000 + number, {"a": integers(BIG)}))
    client.ask(runaway())
    client.close()


def batches(client: Client) -> None:
    """5,000 rows."""
    client.ask(batch(range(5_000), PLAIN), 0)


def scan(client: Client) -> None:
    """All records of the set, the big lists among them."""
    client.ask(query([]), 0)


def heavy_scan(client: Client) -> None:
    """An operation on each big list."""
    client.ask(query([INTERVAL]), 0)


def index(client: Client) -> None:
    """A secondary index of the namespace, built and dropped."""
    client.ask(info(["sindex-create:ns=test;indexname=f;indextype=default;indexdata=n,numeric"]))
    time.sleep(0.5)
    client.ask(info(["sindex-delete:ns=test;indexname=f"]))


def sort(client: Client) -> None:
    """All big lists, in the background."""
    client.ask(query([modify("a", 13, 0)], info2=Info2.WRITE))
    time.sleep(0.5)


def spin(client: Client) -> None:
    """A function that never ends."""
    call = {30: b"holds", 31: b"spin", 32: b"\x90", 33: b"\x02"}
    client.ask(request(1, info2=Info2.WRITE, fields=call))


def lists(client: Client) -> None:
    """Heavy commands, one behind the other."""
    client.ask(request(10_000, INTERVAL, info1=1))


def connections(client: Client) -> None:
    """MANY connections at once, a request on each as soon as there is one."""
    asked, ready = get(1), selectors.DefaultSelector()
    clients = [socket.socket() for _ in range(MANY)]
    for each in clients:
        each.setblocking(False)
        each.connect_ex(("127.0.0.1", client.port))
        ready.register(each, selectors.EVENT_WRITE, each)
    while ready.get_map():
        for key, _ in ready.select():
            key.data.send(asked)
            ready.unregister(key.data)
    for each in clients:
        each.setblocking(True)
        each.recv(1 << 10)
        each.close()


KINDS: dict[str, Callable[[Client], None]] = {
    "batches of 5,000": batches,
    "scan": scan,
    "scan with a heavy op": heavy_scan,
    "index built": index,
    "background sort": sort,
    "runaway function": spin,
    "heavy reads": lists,
    "5,000 connections": connections,
}


class Hostile(threading.Thread):
    """Another client, which does one thing again and again."""

    def __init__(self, port: int, do: Callable[[Client], None]) -> None:
        super().__init__(daemon=True)
        self._client = Client(port)
        self._do = do
        self.ends = threading.Event()
        self.rounds = 0

    def run(self) -> None:
        """Until it is told to end."""
        while not self.ends.is_set():
            self._do(self._client)
            self.rounds += 1


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("words", nargs="*", help="only kinds that have one of these in them")
    given = parser.parse_args()
    rows = []
    with running(asd_command()) as server:
        prepare(server)
        for name, do in KINDS.items():
            if given.words and not any(word in name for word in given.words):
                continue
            idle = load(server.port, 1, 1, given.seconds, "get", RECORDS)
            hostile = Hostile(server.port, do)
            hostile.start()
            time.sleep(0.3)
            busy = load(server.port, 1, 1, given.seconds, "get", RECORDS)
            hostile.ends.set()
            hostile.join(5)
            share = busy.per_second / idle.per_second
            figures = [f"{idle.per_second:,.0f}", f"{busy.per_second:,.0f}", f"{share:.2f}"]
            waits = [f"{idle.p999_us / 1e3:.1f}", f"{busy.p999_us / 1e3:.1f}"]
            rows.append([name, *figures, *waits, str(hostile.rounds)])
            print(" | ".join(rows[-1]), flush=True)
    heads = ["another client", "gets/s idle", "meanwhile", "share", "p99.9 idle, ms", "meanwhile"]
    print()
    print(table([*heads, "its rounds"], rows))


if __name__ == "__main__":
    socket.setdefaulttimeout(100)
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    main()
