"""Scenarios in `scenarios/*.txt`: commands, and under each block of them what must come of it.

    nodes 3                 a cluster of n1, n2, n3 (n3 has the highest id); also: multicast
    start n1 n2             start processes
    kill n1, power-off n1, restart n1, pause n1, continue n1
    cut n1 -> n2            nothing gets from n1 to n2
    split n1 | n2 n3        nothing gets across, either way
    mend                    undo all cuts
    run 2.5                 let seconds pass
    until n3 ACCEPTING      step by step until n3's paxos is in that state
    agree                   wait until nothing changes any more, and print who agrees on what
    heard                   print whom each node is adjacent to
    clusters n1             print the succession lists that n1 has committed, in order

`agree` prints a line for each cluster key: the nodes that show it, and their succession list.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.simulation import Shape, SimulatedCluster

SCENARIOS = sorted((Path(__file__).parent / "scenarios").glob("*.txt"))
QUIET_INTERVALS = 40
LIMIT_INTERVALS = 400


class Scenario:
    """Carries the commands of one file out."""

    def __init__(self) -> None:
        self.cluster = SimulatedCluster(1, Shape(nodes=1, in_order=True))

    def do(self, line: str) -> str:
        """Carry a command out; what it prints."""
        command, *words = line.split()
        return str(getattr(self, "_" + command.replace("-", "_"))(*words) or "")

    def _nodes(self, count: str, *options: str) -> None:
        shape = Shape(nodes=int(count), in_order=True, multicast="multicast" in options)
        self.cluster = SimulatedCluster(1, shape)

    def _start(self, *names: str) -> None:
        for name in names:
            self.cluster.start(name)

    def _kill(self, *names: str) -> None:
        for name in names:
            self.cluster.crash(name)

    def _power_off(self, *names: str) -> None:
        for name in names:
            self.cluster.crash(name, power=False)

    def _restart(self, *names: str) -> None:
        for name in names:
            self.cluster.restart(name)

    def _pause(self, name: str) -> None:
        self.cluster.pause(name)

    def _continue(self, name: str) -> None:
        self.cluster.resume(name)

    def _address(self, name: str) -> str:
        return self.cluster.machines[name].address

    def _cut(self, source: str, arrow: str, target: str) -> None:
        assert arrow == "->"
        self.cluster.network.cut(self._address(source), self._address(target))

    def _split(self, *words: str) -> None:
        bar = words.index("|")
        for one in words[:bar]:
            for other in words[bar + 1 :]:
                self._cut(one, "->", other)
                self._cut(other, "->", one)

    def _mend(self) -> None:
        self.cluster.network.heal()

    def _run(self, seconds: str) -> None:
        self.cluster.run(float(seconds))

    def _until(self, name: str, state: str) -> None:
        node = self.cluster.node(name)
        self.cluster.world.run_while(lambda: node.paxos.state.name != state)

    def _running(self) -> list[str]:
        return [n for n in self.cluster.names if self.cluster.is_running(n)]

    def _agree(self) -> str:
        cluster = self.cluster
        interval_s = cluster.shape.interval_ms / 1000
        for _ in range(LIMIT_INTERVALS):
            commits = cluster.commits.commits
            cluster.run(QUIET_INTERVALS * interval_s)
            if commits == cluster.commits.commits:
                break
        else:
            pytest.fail("no agreement")
        groups: dict[int, list[str]] = {}
        lists = {}
        for name in self._running():
            view = cluster.node(name).view
            assert view is not None
            groups.setdefault(view.cluster_key, []).append(name)
            lists[view.cluster_key] = " ".join(cluster.name_of(row) for row in view.members)
        return "\n".join(f"{' '.join(names)}: {lists[key]}" for key, names in groups.items())

    def _heard(self) -> str:
        def adjacent(name: str) -> str:
            ids = self.cluster.node(name).heartbeat.adjacent
            return " ".join(f"n{node}" for node in sorted(ids))

        return "\n".join(f"{name}: {adjacent(name)}".rstrip() for name in self._running())

    def _clusters(self, name: str) -> str:
        commits = [line for line in self.cluster.history.lines if f" {name}   commits " in line]
        lists = [line.rpartition(": ")[2] for line in commits]
        return f"{name}: {', '.join(lists)}"


def blocks(text: str) -> list[tuple[list[str], str]]:
    """(commands, expected output) of each block of a file; comments are left out."""
    found = []
    for block in text.split("\n\n"):
        lines = [line for line in block.splitlines() if not line.startswith("#")]
        if "----" in lines:
            at = lines.index("----")
            found.append((lines[:at], "\n".join(lines[at + 1 :])))
        elif lines:
            found.append((lines, ""))
    return found


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario(path: Path) -> None:
    scenario = Scenario()
    for commands, expected in blocks(path.read_text("utf-8")):
        printed = [output for line in commands if (output := scenario.do(line))]
        assert "\n".join(printed) == expected, f"{path.name}, after {commands}"


def test_every_kind_of_event_has_its_scenario() -> None:
    names = {path.stem for path in SCENARIOS}
    assert names >= {"join", "leave", "split", "merge", "flap", "one-way-link"}
    assert names >= {"principal-dies-mid-round", "simultaneous-restart"}
