"""The asyncio face on a simulated loop: no time passes but the loop's, and a run from a seed is the
same each time, whatever happens on the network."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from stub import every, row_numbers

from aerospike_client import (
    AsyncClient,
    BatchPut,
    ClientError,
    ClientPolicy,
    Key,
    LoopClock,
    ReadPolicy,
    SecurityFailed,
    TimedOut,
)
from aerospike_client.loops import together
from aerospike_common.wire import (
    FrameReader,
    MessageType,
    encode_info_reply,
    encode_reply,
    parse_info_request,
    reply_frame,
)
from aerospike_common.wire.frame import frame
from citrusleaf import CfRandom, SystemClock
from cluster.simulation.loop import ProcessLoop, World
from cluster.simulation.network import Network

NODES = ("10.0.0.1", "10.0.0.2", "10.0.0.3")
CLIENT = "10.0.0.9"
PORT = 3000

Note = Callable[[str, bytes], None]


class Served(asyncio.Protocol):
    """A connection of a node that has all it is asked for."""

    def __init__(self, place: int, note: Note) -> None:
        self._place = place
        self._note = note
        self._reader = FrameReader()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        for each in self._reader:
            if each.type == MessageType.INFO:
                self._transport.write(frame(MessageType.INFO, self._info(each.body)))
            else:
                self._note(NODES[self._place], each.body)
                self._transport.write(self._answer(each.body))

    def _info(self, body: bytes) -> bytes:
        place = self._place
        others = ",".join(f"[N{i},,[{host}]]" for i, host in enumerate(NODES) if i != place)
        columns = ",".join(every(3, (place - k) % 3) for k in range(2))
        values = {
            "node": f"N{place}",
            "build": "8.1.2.0",
            "partition-generation": "1",
            "peers-generation": "1",
            "service-clear-std": f"{NODES[place]}:{PORT}",
            "peers-clear-std": f"1,{PORT},[{others}]",
            "replicas": f"test:0,2,{columns}",
        }
        texts = [command.text for command in parse_info_request(body)]
        return encode_info_reply([(text, values.get(text, "ok")) for text in texts])

    def _answer(self, body: bytes) -> bytes:
        if body[1] & 0x08:  # a batch
            rows = b"".join(encode_reply(0, 1, row=n) for n in row_numbers(bytes(8) + body))
            return frame(MessageType.AS_MSG, rows + encode_reply(0, info3=1))
        if body[3] & 0x04:  # a query
            return frame(MessageType.AS_MSG, encode_reply(0, info3=1))
        return reply_frame(0, 1)


class Simulation:
    """Three nodes and one client's process."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed)
        self.network = Network(self.world)
        self.seed = seed
        #: What came when to which node, byte by byte.
        self.trace: list[tuple[float, str, bytes]] = []
        for place, host in enumerate(NODES):
            loop = self._process(host)
            self.network.listen(loop, lambda place=place: Served(place, self._note), host, PORT)
        self.loop = self._process(CLIENT)

    def _process(self, host: str) -> ProcessLoop:
        self.network.add_host(host)
        return ProcessLoop(self.world, self.network, host)  # type: ignore[abstract]  # as in cluster.simulation

    def _note(self, node: str, body: bytes) -> None:
        self.trace.append((self.world.now_s, node, body))

    def run(self, program: Callable[[AsyncClient], Awaitable[list[str]]]) -> list[str]:
        """Run a program with a client of its own; what it says."""

        async def main() -> list[str]:
            client = AsyncClient(
                NODES[1], ClientPolicy(), clock=LoopClock(), random=CfRandom(self.seed)
            )
            async with client:
                return await program(client)

        said: list[str] = self.loop.run_until_complete(main())
        return said


def told(outcome: object) -> str:
    return f"{type(outcome).__name__} {outcome}"


async def everything(simulation: Simulation, client: AsyncClient) -> list[str]:
    """Commands of all kinds, while ways are cut and mended."""
    keys = [Key("test", "s", number) for number in range(30)]
    said = []
    for step in range(12):
        host = NODES[step % 3]
        if step % 4 == 1:
            simulation.network.cut(CLIENT, host)
        if step % 4 == 2:
            simulation.network.reset(CLIENT, host)
            simulation.network.heal()
        works = [client.put(key, {"n": step}) for key in keys]
        said += map(told, await asyncio.gather(*works, return_exceptions=True))
        said += [told(r.error) for r in await client.batch([BatchPut(k, {"n": 1}) for k in keys])]
        try:
            said += [told(record) async for record in client.query("test", "s")]
        except ClientError as error:
            said.append(told(error))
        await asyncio.sleep(0.7)
    return said


@pytest.mark.parametrize("seed", [1, 2])
def test_two_runs_from_one_seed_are_the_same(seed: int) -> None:
    runs = []
    for _ in range(3):
        simulation = Simulation(seed)
        said = simulation.run(lambda client, s=simulation: everything(s, client))
        runs.append((said, simulation.trace))
    assert runs[0] == runs[1] == runs[2]
    assert any("TimedOut" in each for each in runs[0][0])


def test_runs_from_other_seeds_differ() -> None:
    traces = []
    for seed in (1, 2):
        simulation = Simulation(seed)
        simulation.run(lambda client, s=simulation: everything(s, client))
        traces.append(simulation.trace)
    assert traces[0] != traces[1]


def test_time_is_the_loops_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> int:
        raise AssertionError("somebody looked at a clock of the machine")

    simulation = Simulation(3)

    async def wait(client: AsyncClient) -> list[str]:
        await client.exists(Key("test", "s", 1))
        simulation.network.cut(CLIENT, NODES[0])
        key = next(k for n in range(99) if (k := Key("test", "s", n)).partition_id % 3 == 0)
        patient = ReadPolicy(total_timeout=3_600_000, socket_timeout=0)
        began_s = asyncio.get_running_loop().time()
        with pytest.raises(TimedOut):
            await client.get(key, patient)
        return [f"{asyncio.get_running_loop().time() - began_s:.3f}"]

    for name in ("time", "time_ns", "monotonic", "monotonic_ns"):
        monkeypatch.setattr(time, name, never)
    for name in ("monotonic_ns", "wall_ns"):
        monkeypatch.setattr(SystemClock, name, never)
    assert simulation.run(wait) == ["3600.000"]


def test_what_fails_is_raised_as_it_is_and_the_others_are_cancelled_in_their_order() -> None:
    ended: list[int] = []

    async def wait(number: int) -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append(number)

    async def fail() -> None:
        await asyncio.sleep(0)
        raise SecurityFailed("not let in")

    with pytest.raises(SecurityFailed):
        asyncio.run(together([*map(wait, range(5)), fail(), *map(wait, range(5, 9))]))
    assert ended == list(range(9))
