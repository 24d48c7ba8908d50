"""Real processes on loopback addresses: they agree, lose one by every means, and agree again."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from asd.process.node_processes import free_ports

INTERVAL_MS = 50
LIMIT_S = 20
IDS = ("a1", "a2", "a3", "a4", "a5")


class Processes:
    """Node processes and the last list that each has committed."""

    def __init__(self, prefix: tuple[str, ...] = ()) -> None:
        self.lists: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._events: queue.Queue[tuple[str, dict[str, object]]] = queue.Queue()
        self._commands: dict[str, list[str]] = {}
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._threads: list[threading.Thread] = []

    def define(self, node: str, command: list[str]) -> None:
        self._commands[node] = command

    def start(self, node: str) -> None:
        process = subprocess.Popen(self._commands[node], stdout=subprocess.PIPE, text=True)
        self._running[node] = process
        reader = threading.Thread(target=self._read, args=(node, process))
        reader.start()
        self._threads.append(reader)

    def _read(self, node: str, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self._events.put((node, json.loads(line)))

    def signal(self, node: str, number: int) -> None:
        self._running[node].send_signal(number)
        if number == signal.SIGKILL:
            self._running[node].wait(LIMIT_S)

    def agree(self, nodes: tuple[str, ...]) -> float:
        """Wait until these show one list of just them; the seconds it took."""
        began_s = time.monotonic()
        wanted = tuple(sorted(nodes, reverse=True))
        while True:
            shown = {self.lists.get(node) for node in nodes}
            if len(shown) == 1 and (only := shown.pop()) and only[1] == wanted:
                return time.monotonic() - began_s
            left_s = LIMIT_S - (time.monotonic() - began_s)
            assert left_s > 0, f"no agreement of {wanted}: {self.lists}"
            try:
                node, event = self._events.get(timeout=left_s)
            except queue.Empty:
                continue
            if event["event"] == "cluster":
                self.lists[node] = (str(event["key"]), tuple(event["nodes"]))  # type: ignore[arg-type] # a list of text

    def stop(self) -> None:
        for process in self._running.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self._running.values():
            process.wait(LIMIT_S)
        for thread in self._threads:
            thread.join(LIMIT_S)


@contextmanager
def processes() -> Iterator[Processes]:
    group = Processes()
    try:
        yield group
    finally:
        group.stop()


def command(node: str, listen: str, fabric: str, *rest: str) -> list[str]:
    return [
        *(sys.executable, "-m", "cluster", "--node", node, "--listen", listen, "--fabric", fabric),
        *("--interval", str(INTERVAL_MS), *rest),
    ]


def test_five_processes_agree_and_survive_kill_and_stop():
    ports = free_ports(2)
    hosts = {node: f"127.0.0.{10 + index}" for index, node in enumerate(IDS)}
    seeds = [part for node in IDS[:2] for part in ("--seed", f"{hosts[node]}:{ports[0]}")]
    with processes() as group:
        for node, host in hosts.items():
            listen, fabric = f"{host}:{ports[0]}", f"{host}:{ports[1]}"
            group.define(node, command(node, listen, fabric, *seeds))
            group.start(node)
        print(f"five agree after {group.agree(IDS):.2f} s")
        for victim in ("a5", "a2"):  # the principal, and one that is not
            rest = tuple(node for node in IDS if node != victim)
            group.signal(victim, signal.SIGKILL)
            print(f"without {victim}, killed: {group.agree(rest):.2f} s")
            group.lists.pop(victim)
            group.start(victim)
            print(f"with {victim} again: {group.agree(IDS):.2f} s")
            group.signal(victim, signal.SIGSTOP)
            print(f"without {victim}, stopped: {group.agree(rest):.2f} s")
            group.signal(victim, signal.SIGCONT)
            print(f"with {victim} going on: {group.agree(IDS):.2f} s")


def multicast_works() -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.setsockopt(
                socket.IPPROTO_IP,
                socket.IP_ADD_MEMBERSHIP,
                socket.inet_aton("239.1.99.222") + socket.inet_aton("127.0.0.1"),
            )
            sock.setsockopt(
                socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1")
            )
            sock.sendto(b"", ("239.1.99.222", 9))
        except OSError:
            return False
    return True


@pytest.mark.skipif(not multicast_works(), reason="no multicast on the loopback interface")
def test_three_processes_find_each_other_by_multicast():
    ports = free_ports(7)
    with processes() as group:
        for index, node in enumerate(IDS[:3]):
            listen = f"127.0.0.1:{ports[2 * index]}"
            fabric = f"127.0.0.1:{ports[2 * index + 1]}"
            where = ("--multicast", f"239.1.99.222:{ports[6]}", "--interface", "127.0.0.1")
            group.define(node, command(node, listen, fabric, *where))
            group.start(node)
        group.agree(IDS[:3])


NAMESPACES_WORK = (
    shutil.which("ip") is not None
    and os.geteuid() == 0
    and subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False).returncode == 0
)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@contextmanager
def three_hosts() -> Iterator[tuple[str, list[str]]]:
    """A bridge and three network namespaces on it, each a host of its own; all taken down after."""
    mark = f"cl{os.getpid() % 10000}"
    bridge, names = f"{mark}br", [f"{mark}n{index}" for index in range(3)]
    ip("link", "add", bridge, "type", "bridge")
    try:
        ip("link", "set", bridge, "up")
        for index, name in enumerate(names):
            ip("netns", "add", name)
            ip("link", "add", f"{name}a", "type", "veth", "peer", "name", f"{name}b")
            ip("link", "set", f"{name}a", "master", bridge)
            ip("link", "set", f"{name}a", "up")
            ip("link", "set", f"{name}b", "netns", name)
            inside = ("-n", name)
            ip(*inside, "addr", "add", f"10.99.7.{index + 1}/24", "dev", f"{name}b")
            ip(*inside, "link", "set", f"{name}b", "up")
            ip(*inside, "link", "set", "lo", "up")
        yield bridge, names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", bridge], check=False, capture_output=True)


@pytest.mark.skipif(not NAMESPACES_WORK, reason="needs root, iproute2 and network namespaces")
def test_three_hosts_survive_a_pulled_cable():
    try:
        with three_hosts() as (_, names), processes() as group:
            seeds = ("--seed", "10.99.7.1:3002", "--seed", "10.99.7.2:3002")
            for index, (node, name) in enumerate(zip(IDS, names, strict=False)):
                host = f"10.99.7.{index + 1}"
                words = command(node, f"{host}:3002", f"{host}:3001", *seeds)
                group.define(node, ["ip", "netns", "exec", name, *words])
                group.start(node)
            group.agree(IDS[:3])
            ip("link", "set", f"{names[2]}a", "down")
            print(f"cable pulled: {group.agree(IDS[:2]):.2f} s")
            group.agree(IDS[2:3])
            ip("link", "set", f"{names[2]}a", "up")
            print(f"cable back: {group.agree(IDS[:3]):.2f} s")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"network namespaces cannot be linked here: {error.stderr!r}")
