"""Background queries: an operation on every record of a set, by the nodes alone."""

from __future__ import annotations

from aerospike_client import AsyncClient, ClientError, operations
from asd.simulation.history import Operation, Status
from asd.simulation.workloads.workload import Phase, Stage, Workload

BIN = "n"
RECORDS = 20
LONGEST_MS = 10_000


class BackgroundQueries(Workload):
    """Each job adds one to every record; one job at a time."""

    name = "background"

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._running = False
        self._before: dict[int, int] = {}

    async def prepare(self, client: AsyncClient) -> None:
        """Make the records."""
        for number in range(RECORDS):
            await client.put(self.key(number), {BIN: 0})
            self._before[number] = 0

    async def act(self, client: AsyncClient, who: str) -> None:
        """Run a job to its end, unless one runs."""
        if self._running:
            return
        self._running = True
        try:
            await self.ask(who, "all", "job", 1, self._job(client))
        finally:
            self._running = False

    async def _job(self, client: AsyncClient) -> None:
        ops = [operations.add(BIN, 1)]
        try:
            task = await client.write_all(self.stage.namespace, self.name, ops)
            await task.wait(LONGEST_MS)
        except ClientError as error:
            error.in_doubt = True  # some nodes may have begun
            raise

    async def read(self, client: AsyncClient) -> None:
        """Query all."""
        await self.ask("rest", "all", "query", None, self._found(client), lambda f: (f, 0))

    async def _found(self, client: AsyncClient) -> dict[int, int]:
        keys = [self.key(number) for number in range(RECORDS)]
        records = await client.get_many(keys)
        return {n: record.bins[BIN] for n, record in enumerate(records) if record is not None}

    def check(self, phase: Phase) -> None:
        """While nodes are together, a job that has ended has had its effect once on each record."""
        *jobs, query = self.clients.operations
        if not query.done or len(query.result) < RECORDS:
            self.fail(f"everything is at rest, and {query}")
        done = 0 if phase.refused else sum(job.done for job in jobs)
        most = sum(job.status is not Status.REFUSED for job in jobs)
        if phase.firm:
            for number, value in query.result.items():
                added = value - self._before[number]
                if not done <= added <= most:
                    self.fail(f"{number} had {added} added by {_told(jobs)}")
        self._before = query.result
        self.clients.forget()


def _told(jobs: list[Operation]) -> str:
    return f"{len(jobs)} jobs:\n" + "\n".join(map(str, jobs))
