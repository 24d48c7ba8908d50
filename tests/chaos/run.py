"""A run: laps of load and faults, each with its check."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import attrs

from aerospike_client import Client, ClientPolicy, IndexKind, Key, WritePolicy
from chaos.account import Account
from chaos.check import Case, Complaint, End, check_queries, check_record
from chaos.faults import Faults
from chaos.ground import DISK, MEMORY, NAMESPACES, TIMEOUT, Ground, Line, clusters
from chaos.hands import NUMBER, tls_policy
from chaos.history import Operation, Place, by_place, read_histories, tell
from chaos.holdings import Holdings, check_copies, check_indexes, look
from chaos.plan import NODES, Kind, Laps, Round, in_short, one_at_a_time, several
from chaos.windows import FaultWindow, Windows
from chaos.workloads import INDEXED, LIVES_S, SETS, STILL, STILL_RECORDS
from chaos.writers import Specification, Writers

CALM_S: Final = 2.0
EXPIRY_S: Final = max(LIVES_S) + 3.0
ALIVE: Final = 50
"""How much of a history is shown."""
PROCESSES: Final = {"official": ("official",), "own": ("own", "asyncio", "raw")}

Say = Callable[[str], None]


class Run:
    """One run in a folder. `say` shows progress."""

    def __init__(
        self,
        folder: Path,
        seed: int,
        say: Say,
        *,
        laps: Laps = Laps.BOTH,
        timeout: int = TIMEOUT,
        tls: bool = False,
    ) -> None:
        """`timeout`: heartbeats that a node may miss. `tls`: everywhere, and before each fault all
        certificates are replaced."""
        self.folder = folder
        self.seed = seed
        self.account = Account()
        self._say = say
        self._laps = laps
        self._began = time.monotonic()
        self._commits = bool(seed % 2)
        self._ground = Ground(folder, nodes=NODES, commits=self._commits, timeout=timeout, tls=tls)
        self._faults = Faults(self._ground)
        self._seen_faults = 0

    def go(self, minutes: float) -> Account:
        """Run so long, at least one lap; stop at the first lap with a complaint."""
        with self._ground:
            self._make_indexes()
            lap = 0
            while True:
                part = (time.monotonic() - self._began) / (60 * minutes)
                if lap and (part >= 1 or self.account.complaints):
                    break
                self._lap(lap, self._plan(lap, part))
                lap += 1
        return self.account

    def _plan(self, lap: int, part: float) -> list[Round]:
        rng = random.Random(f"{self.seed} {lap}")
        if self._laps is Laps.SHORT:
            return in_short(rng)
        early = self._laps is Laps.BOTH and part < 0.5
        return one_at_a_time(rng) if early or self._laps is Laps.ONE else several(rng)

    def _tell(self, text: str) -> None:
        passed = int(time.monotonic() - self._began)
        self._say(f"{passed // 60:3}:{passed % 60:02}  {text}")

    # ------------------------------------------------------------------ a lap

    def _lap(self, lap: int, plan: Sequence[Round]) -> None:
        self._tell(f"lap {lap}: {', '.join(' + '.join(f.kind.value for f in r) for r in plan)}")
        began = time.time()
        self._prepare(lap)
        writers = [self._writers(lap, name, kinds) for name, kinds in PROCESSES.items()]
        try:
            for each in writers:
                each.wait_ready()
            time.sleep(CALM_S)
            for faults in plan:
                self._do(faults)
                if not all(each.is_running for each in writers):
                    raise RuntimeError("the writers have failed")
            time.sleep(CALM_S)
        except TimeoutError as error:
            self._complain([Complaint("does not come to rest", ("", "", ""), str(error))])
        finally:
            for each in writers:
                each.stop()
        operations = read_histories(each.path for each in writers)
        self._check(lap, began, operations)

    def _writers(self, lap: int, name: str, kinds: tuple[str, ...]) -> Writers:
        path = self.folder / f"lap-{lap}-{name}.jsonl"
        addresses = tuple(self._ground.addresses[:NODES])
        return Writers(
            Specification(kinds, addresses, NAMESPACES, lap, self.seed, str(path), self._ground.tls)
        )

    def _do(self, faults: Round) -> None:
        kinds = " + ".join(fault.kind.value for fault in faults)
        nodes = ", ".join(str(fault.node) for fault in faults if fault.node >= 0)
        began = time.monotonic()
        self._ground.renew_certificates()
        before = self._ground.cluster.wait_stable()
        self._ground.note("at rest")
        self._faults.do(faults)
        took = time.monotonic() - began
        self._tell(f"  {kinds}{f' (node {nodes})' if nodes else ''}: at rest after {took:.1f} s")
        if [fault.kind for fault in faults] == [Kind.STUTTER]:
            self._after_stutter(before)
        died = self._ground.died_by_themselves()
        if died:
            self._complain([Complaint("died by itself", ("", "", ""), f"nodes {died}")])

    def _after_stutter(self, before: str) -> None:
        if self._ground.cluster.wait_stable() != before:
            self._ground.note("a pause of 1 s was missed")

    # ------------------------------------------------------------------ before a lap

    def _client(self) -> Client:
        write = WritePolicy(total_timeout=10_000, max_retries=10)
        return Client(self._ground.addresses[:NODES], attrs.evolve(self._policy, write=write))

    @property
    def _policy(self) -> ClientPolicy:
        return ClientPolicy(tls=tls_policy(self._ground.tls))

    def _make_indexes(self) -> None:
        with self._client() as client:
            for namespace in NAMESPACES:
                for name in INDEXED:
                    index = f"{namespace}_{name}"
                    client.create_index(index, namespace, name, NUMBER, IndexKind.NUMERIC).wait()

    def _prepare(self, lap: int) -> None:
        """Empty the sets that laps write to; write those that stand still."""
        with self._client() as client:
            for namespace in NAMESPACES:
                for name in SETS if lap else ():
                    client.truncate(namespace, name)
                for number in range(STILL_RECORDS):
                    client.put(Key(namespace, STILL, number), {NUMBER: number})

    # ------------------------------------------------------------------ after a lap

    def _check(self, lap: int, began: float, operations: Sequence[Operation]) -> None:
        time.sleep(EXPIRY_S)
        ground = self._ground
        if self.account.complaints:
            return
        try:
            ground.rest()
            ground.note("apart to be looked at")
            nodes = sorted(ground.running)
            holdings = look(ground.cluster, nodes, NAMESPACES, INDEXED, self._policy)
            ground.rest()
            old = ground.old_certificates()
        except TimeoutError as error:
            self._complain([Complaint("does not come to rest", ("", "", ""), str(error))])
            return
        lines = list(ground.lines())
        windows = Windows(ground.events, clusters(lines))
        faults = windows.faults[self._seen_faults :]
        self._seen_faults = len(windows.faults)
        self.account.add_lap(operations, faults)
        self.account.set_windows(windows)
        self.account.copies += sum(len(s) for h in holdings.held.values() for s in h.values())
        found = [
            *check_copies(holdings),
            *check_indexes(holdings),
            *check_queries(operations, windows, self._forgets),
            *self._records(operations, holdings, windows),
            *self._rolling(operations, faults, windows),
            *self._failures_inside(lines),
            *[Complaint("shows an old certificate", ("", "", ""), f"node {node}") for node in old],
        ]
        self._complain(found, operations)
        failed = sum(operation.failed for operation in operations)
        self._tell(f"  {len(operations)} operations, {failed} failed; {len(found)} complaints")

    def _records(
        self, operations: Iterable[Operation], holdings: Holdings, windows: Windows
    ) -> list[Complaint]:
        found = []
        histories = by_place(each for each in operations if each.set_name != STILL)
        ends = {
            (namespace, digest): End(held.value, held.generation)
            for holding in holdings.held.values()
            for namespace, records in holding.items()
            for digest, held in records.items()
        }
        for place, history in histories.items():
            end = ends.pop((place[0], Key(*place).digest), None)
            forgets = self._forgets(place[0])
            found += check_record(Case(place, history, end, windows, forgets=forgets))
        still = {(n, Key(n, STILL, i).digest) for n in NAMESPACES for i in range(STILL_RECORDS)}
        for namespace, digest in ends.keys() - still:
            text = f"{ends[namespace, digest]}: of an earlier lap"
            found.append(Complaint("truncated, and there", (namespace, "", digest.hex()), text))
        return found

    def _forgets(self, namespace: str) -> bool:
        """Does a namespace lose what it had acknowledged when a node dies?"""
        return namespace == MEMORY or (namespace == DISK and not self._commits)

    def _rolling(
        self, operations: Iterable[Operation], faults: Iterable[FaultWindow], windows: Windows
    ) -> list[Complaint]:
        """Whoever knows the cluster loses no operation by a departure that is planned."""
        planned = [f for f in faults if f.kinds in (Kind.ROLLING.value, Kind.RESTART.value)]
        return [
            Complaint("failed in a planned departure", each.place, tell(each))
            for fault in planned
            if not any(fault.start - 2 < time < fault.end for time in windows.starved)
            for each in operations
            if each.failed and fault.start < each.start < fault.end
            if each.set_name != STILL and not each.lane.startswith("raw")
        ]

    def _failures_inside(self, lines: Sequence[Line]) -> list[Complaint]:
        """Exceptions of our own code that a log tells of."""
        return [
            Complaint("failed inside a node", ("", "", ""), f"node {said.node}: {said.exception}")
            for said in lines
            if said.exception
        ]

    def _complain(
        self, complaints: Sequence[Complaint], operations: Iterable[Operation] = ()
    ) -> None:
        self.account.complaints += complaints
        histories = by_place(operations)
        for complaint in complaints[:10]:
            self._say(f"WRONG: {complaint.what}: {'/'.join(complaint.place)}: {complaint.text}")
            self._show(complaint.place, histories.get(complaint.place, []))

    def _show(self, place: Place, history: Sequence[Operation]) -> None:
        """The end of a record's history, among what was done to the cluster."""
        if not history:
            return
        shown = [(each.start, tell(each)) for each in history[-ALIVE:]]
        shown += [
            (event.time, f"{event.time:.3f}  == {event.what} {event.node} {event.detail}")
            for event in self._ground.events
            if event.time >= shown[0][0]
        ]
        for _, text in sorted(shown):
            self._say(f"    {text}")
