"""The ground of a run: a folder, node processes that keep logs in it, and what happened when.

Nodes are numbered from 0. Every event (a node was killed, the cluster is at rest, ...) is noted
with its time; what clusters there were is read from the nodes' logs afterwards (`clusters`).
"""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from asd import Cluster
from asd.fixtures.authority import Authority
from chaos.hands import Address, TlsFiles, context_of

MEMORY: Final = "mem"
DISK: Final = "ssd"
NAMESPACES: Final = (MEMORY, DISK)
MOST_NODES: Final = 4
INTERVAL_MS: Final = 150
TIMEOUT: Final = 10
"""The defaults of a node: a pause of one second is nothing to them."""
REST_S: Final = 300.0

_CONFIG: Final = """\
service {{
    cluster-name citrusleaf
    tls-refresh-period 1
    work-directory {folder}/work-{node}
}}
logging {{ file {folder}/node-{node}.log {{ context any info }} }}
network {{
    service {{ address 127.0.0.1
        port 3000 }}
}}
namespace mem {{
    nsup-period 1
    storage-engine memory {{ data-size 1G }}
}}
namespace ssd {{
    nsup-period 1
    storage-engine device {{
        file {folder}/node-{node}.dat
        filesize 256M
        commit-to-device {commit}
    }}
}}
"""


class Event(NamedTuple):
    """Something that happened. `node` is -1 where it is none's own."""

    time: float
    what: str
    node: int = -1
    detail: str = ""


class Line(NamedTuple):
    """A line of a node's log."""

    time: float
    node: int
    level: str
    message: str
    exception: str


class Listed(NamedTuple):
    """A node has committed a cluster: its key, and the numbers of its nodes."""

    time: float
    node: int
    key: str
    members: frozenset[int]


class Ground:
    """A cluster to do things to. A context manager: on leaving, all nodes end."""

    def __init__(
        self, folder: Path, *, nodes: int, commits: bool, timeout: int = TIMEOUT, tls: bool = False
    ) -> None:
        """`commits`: are writes to the device namespace acknowledged only when it has them?
        `timeout`: heartbeats that a node may miss. `tls`: on all planes, with certificates on both
        sides everywhere."""
        self.folder = folder
        self.events: list[Event] = []
        self.running: set[int] = set()
        self.paused: set[int] = set()
        for node in range(MOST_NODES):
            (folder / f"work-{node}").mkdir(parents=True)
            text = _CONFIG.format(folder=folder, node=node, commit=str(commits).lower())
            (folder / f"node-{node}.conf").write_text(text, "utf-8")
        self._errors = (folder / "stderr.log").open("a", encoding="utf-8")
        self._nodes = nodes
        self.cluster = Cluster(
            nodes,
            namespaces=(),
            arguments=(
                *("--config-file", f"{folder}/node-{{node}}.conf", "--log-format", "json"),
                *("--heartbeat-interval", str(INTERVAL_MS), "--heartbeat-timeout", str(timeout)),
            ),
            errors=self._errors,
            controlled=False,
            tls=Authority(_made(folder / "certificates")) if tls else False,
            client_certificates=tls,
        )
        self.tls = self._issue() if tls else None

    def __enter__(self) -> Ground:
        self.cluster.__enter__()
        self.running = set(range(self._nodes))
        for node in self.running:
            self.note("started", node)
        self.rest()
        return self

    def __exit__(self, *_: object) -> None:
        self.cluster.stop()
        self._errors.close()
        with (self.folder / "events.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(event) + "\n" for event in self.events)

    @property
    def addresses(self) -> list[Address]:
        """Of all nodes that ever were, by TLS if they speak it."""
        return [*(self.cluster.addresses if self.tls is None else self.cluster.tls_addresses)]

    def _issue(self) -> TlsFiles:
        """A certificate for clients, in the place of the one before."""
        authority = self.cluster.authority
        pair = authority.issue("chaos")
        return TlsFiles(authority.ca_file, pair.cert_file, pair.key_file)

    def renew_certificates(self) -> None:
        """New certificates for nodes and clients, which take them up by themselves."""
        if self.tls is not None:
            self.note("certificates renewed")
            self.cluster.renew_certificates()
            self._issue()

    def old_certificates(self) -> list[int]:
        """Nodes that go on showing an old certificate to clients. Raises OSError."""
        if self.tls is None:
            return []
        issued = Path(self.cluster.authority.node_pair.cert_file).read_text("ascii")
        wanted = ssl.PEM_cert_to_DER_cert(issued[: issued.index("-----END") + 25])
        return [node for node in sorted(self.running) if self._shown(node) != wanted]

    def _shown(self, node: int) -> bytes | None:
        host, port, name = self.cluster.tls_addresses[node]
        assert self.tls is not None
        context = context_of(self.tls)
        with (
            socket.create_connection((host, port), 10) as plain,
            context.wrap_socket(plain, server_hostname=name) as connection,
        ):
            return connection.getpeercert(binary_form=True)

    def note(self, what: str, node: int = -1, detail: str = "") -> None:
        """Something happens now."""
        self.events.append(Event(time.time(), what, node, detail))

    @property
    def usable(self) -> list[int]:
        """Nodes that run and do not hang."""
        return sorted(self.running - self.paused)

    # ------------------------------------------------------------------ what is done to nodes

    def kill(self, node: int) -> None:
        """A node dies."""
        self.note("killed", node)
        self.running.discard(node)
        self.cluster.kill(node)

    def terminate(self, node: int) -> None:
        """A node is asked to end, and ends."""
        self.note("asked to end", node)
        self.cluster.terminate(node)
        self.running.discard(node)
        self.note("ended", node)

    def start(self, node: int) -> None:
        """A node that has ended, or a new one, is there again."""
        self.note("starts", node)
        if node < len(self.addresses):
            self.cluster.start(node)
        else:
            assert self.cluster.add() == node
        self.running.add(node)
        self.note("started", node)

    def pause(self, node: int) -> None:
        """A node hangs."""
        self.note("paused", node)
        self.paused.add(node)
        self.cluster.pause(node)

    def resume(self, node: int) -> None:
        """It goes on."""
        self.note("resumed", node)
        self.cluster.resume(node)
        self.paused.discard(node)

    def split(self, *groups: Iterable[int]) -> None:
        """Nodes of different groups do not hear each other any more."""
        self.note("split", detail=str(groups))
        self.cluster.split(*groups)

    def heal(self) -> None:
        """They do again."""
        self.note("healed")
        self.cluster.heal()

    def set_config(self, words: str) -> str:
        """Change a setting on all nodes that answer; what the last one said."""
        self.note("set-config", detail=words)
        said = ""
        for node in self.usable:
            said = self.cluster.info(node, f"set-config:{words}")
        return said

    def recluster(self) -> None:
        """Balance anew: settings of how records are spread take effect."""
        for node in self.usable:
            self.cluster.info(node, "recluster:")

    def rest(self, timeout_s: float = REST_S) -> None:
        """Wait until all that run are one cluster in which nothing is left to migrate. Raises
        TimeoutError."""
        self.cluster.wait_stable(timeout_s)
        self.note("at rest")

    def died_by_themselves(self) -> list[int]:
        """Nodes that ought to run and do not."""
        return [node for node in sorted(self.running) if not self.cluster.is_running(node)]

    # ------------------------------------------------------------------ what they say

    def lines(self) -> Iterator[Line]:
        """The lines of all nodes' logs."""
        for node in range(MOST_NODES):
            path = self.folder / f"node-{node}.log"
            if path.exists():
                for text in path.read_text("utf-8").splitlines():
                    yield line_of(node, text)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def line_of(node: int, text: str) -> Line:
    """A line of a log in JSON; what is none is a line of level `cut`."""
    try:
        said = json.loads(text)
    except ValueError:
        return Line(0.0, node, "cut", text, "")
    moment = datetime.fromisoformat(said["time"]).timestamp()
    return Line(moment, node, said["level"], said["message"], said.get("exception", ""))


def clusters(lines: Iterable[Line], first_id: int = 0xA1) -> list[Listed]:
    """The clusters that nodes have committed, by their time. Ids count from `first_id`."""
    found = []
    for said in lines:
        words = said.message.split()
        if len(words) > 2 and words[0] == "cluster" and words[1].endswith(":"):
            members = frozenset(int(word, 16) - first_id for word in words[2:])
            found.append(Listed(said.time, said.node, words[1][:-1], members))
    return sorted(found)
