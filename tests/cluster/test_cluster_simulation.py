"""Many seeds through the whole simulation, the canaries, and every row of every table."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.simulation import (
    CANARIES,
    KINDS,
    Network,
    ProcessLoop,
    Shape,
    SimulatedCluster,
    World,
    draw_plan,
    simulate,
)
from cluster.simulation.__main__ import main
from cluster.simulation.account import Result, account, result_of
from cluster.simulation.strong_canaries import STRONG_CANARIES

BLOCKS = 8
SEEDS_A_BLOCK = 20
MINUTES = 0.05


def nodes_of(seed: int) -> int:
    return 3 + seed % 3


@pytest.mark.parametrize("block", range(BLOCKS))
def test_seeds(block):
    writes = 0
    for seed in range(block * SEEDS_A_BLOCK, (block + 1) * SEEDS_A_BLOCK):
        outcome = simulate(seed, nodes_of(seed), MINUTES)
        assert not outcome.violation, (
            f"{outcome.violation}; replay with python -m cluster.simulation --seed {seed}"
            f" --nodes {nodes_of(seed)} --minutes {MINUTES}"
        )
        writes += outcome.writes
    assert writes > SEEDS_A_BLOCK


@pytest.mark.parametrize("seed", [3, 4])
def test_a_seed_replays_exactly(seed):
    one, other = simulate(seed, 4, MINUTES), simulate(seed, 4, MINUTES)
    assert one.digest == other.digest
    assert one.lines == other.lines
    assert one.digest != simulate(seed + 1, 4, MINUTES).digest


@pytest.mark.parametrize("name", CANARIES)
def test_canaries_are_caught(name):
    outcome = CANARIES[name].caught()
    assert outcome is not None, f"no seed notices: {CANARIES[name].what}"
    print(f"{name}: seed {outcome.plan.seed}: {outcome.violation}")


@pytest.mark.parametrize("name", STRONG_CANARIES)
def test_canaries_of_strong_consistency_are_caught(name):
    outcome = STRONG_CANARIES[name].caught()
    assert outcome is not None, f"no seed notices: {STRONG_CANARIES[name].what}"
    print(f"{name}: seed {outcome.plan.seed}: {outcome.violation}")


@pytest.mark.parametrize("seed", range(3))
def test_strong_consistency_holds(seed):
    outcome = simulate(seed, 4, 4 * MINUTES, consistent=True)
    assert not outcome.violation
    assert outcome.writes > 50


def test_swarms_differ_and_every_kind_is_drawn():
    plans = [draw_plan(seed) for seed in range(100)]
    assert {kind for plan in plans for kind in plan.kinds} == set(KINDS)
    assert len({plan.kinds for plan in plans}) > 50
    assert {plan.shape.nodes for plan in plans} == set(range(3, 10))


def test_five_nodes_run_twenty_times_faster_than_real_time():
    import time

    cluster = SimulatedCluster(1, Shape(nodes=5))
    began_s = time.perf_counter()
    cluster.start_all()
    cluster.run(30)
    assert 30 / (time.perf_counter() - began_s) > 20
    assert cluster.is_converged()


def test_the_command_line_gives_an_account(capsys):
    assert main(["--seed", "5", "--nodes", "3", "--minutes", "0.05"]) == 0
    said = capsys.readouterr().out
    assert "seed 5: 3 nodes" in said
    assert "no violation" in said
    assert main(["--sweep", "--first", "5", "--seeds", "2", "--minutes", "0.05"]) == 0
    assert "2 seeds" in capsys.readouterr().out


def test_a_sweep_in_pieces_is_one_sweep(capsys, tmp_path):
    pieces, whole = tmp_path / "pieces.jsonl", tmp_path / "whole.jsonl"

    def run(first: int, seeds: int, record: Path) -> str:
        wanted = ["--first", str(first), "--seeds", str(seeds), "--record", str(record)]
        assert main(["--sweep", "--minutes", "0.05", *wanted]) == 0
        return capsys.readouterr().out.rsplit("\n", 2)[0].partition("seeds, ")[2]

    run(1, 2, pieces)
    with pieces.open("a") as file:
        file.write('{"seed": 3, "minu')  # a process that was killed while it wrote
    run(1, 3, pieces)
    assert run(1, 3, pieces) == run(1, 3, whole)
    assert Result.all_in(pieces.read_text()) == Result.all_in(whole.read_text())
    assert [result.seed for result in Result.all_in(pieces.read_text())] == [1, 2, 3]


def test_a_file_of_something_else_is_no_record():
    with pytest.raises(ValueError, match="not a result"):
        Result.all_in('{"seed": 1, "colour": "red"}\n')


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_sweep_that_is_asked_to_end_leaves_a_good_file(tmp_path, jobs):
    record = tmp_path / "sweep.jsonl"
    command = [sys.executable, "-m", "cluster.simulation", "--sweep", "--seeds", "100000"]
    command += ["--minutes", "0.05", "--jobs", jobs, "--record", str(record)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while not (record.exists() and record.read_text().count("\n") >= 3):
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)[0]
    results = Result.all_in(record.read_text())
    assert process.returncode == 2
    assert f"{len(results)} seeds, " in said
    assert len({result.seed for result in results}) == len(results) >= 3


def test_a_violation_ends_with_status_one(capsys, monkeypatch):
    from cluster.simulation import __main__ as command

    broken = CANARIES["one-key"].caught()
    monkeypatch.setattr(command, "simulate", lambda *_, **__: broken)
    assert main(["--seed", "1"]) == 1
    assert "has two lists" in capsys.readouterr().out
    assert "1 violations" in account([result_of(broken)])


# --- the loop and the network themselves -----------------------------------------------------


def two_hosts() -> tuple[World, Network, ProcessLoop, ProcessLoop]:
    world = World(1)
    network = Network(world)
    loops = []
    for address in ("a", "b"):
        network.add_host(address)
        loops.append(ProcessLoop(world, network, address))
    return world, network, loops[0], loops[1]


class Collector(asyncio.Protocol):
    """Notes what happens to it."""

    def __init__(self) -> None:
        self.events: list[object] = []
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.events.append(data)

    def connection_lost(self, exc):
        self.events.append("lost")

    def pause_writing(self):
        self.events.append("full")

    def resume_writing(self):
        self.events.append("empty")


def connected() -> tuple[World, Network, Collector, Collector, ProcessLoop]:
    world, network, one, other = two_hosts()
    server = Collector()
    other.run_until_complete(other.create_server(lambda: server, "b", 1))
    _, client = one.run_until_complete(one.create_connection(Collector, "b", 1))
    return world, network, client, server, other


def test_coroutines_sleep_in_virtual_time():
    world, _, loop, _ = two_hosts()

    async def sleep():
        await asyncio.sleep(3600)
        return loop.time()

    began_s = world.now_s
    assert loop.run_until_complete(sleep()) == pytest.approx(began_s + 3600)


def test_timers_can_be_cancelled_and_come_in_order():
    world, _, loop, _ = two_hosts()
    seen = []
    loop.call_later(2, seen.append, 2)
    loop.call_later(1, seen.append, 1)
    loop.call_later(1.5, seen.append, "never").cancel()
    world.run_until(world.now_s + 5)
    assert seen == [1, 2]


def test_tcp_is_ordered_and_a_cut_holds_it_up():
    world, network, client, server, _ = connected()
    client.transport.write(b"one")
    network.cut("a", "b")
    client.transport.write(b"two")
    world.run_until(world.now_s + 10)
    assert server.events == [b"one"] or server.events == []
    network.mend("a", "b")
    client.transport.write(b"three")
    world.run_until(world.now_s + 10)
    assert server.events == [b"one", b"two", b"three"]


def test_a_full_way_pauses_the_writer():
    world, network, client, server, _ = connected()
    network.cut("a", "b")
    client.transport.write(bytes(100_000))
    world.run_until(world.now_s + 1)
    assert client.events == ["full"]
    network.heal()
    world.run_until(world.now_s + 5)
    assert client.events == ["full", "empty"]
    assert server.events == [bytes(100_000)]


def test_a_killed_process_breaks_its_connections_and_a_dark_machine_does_not():
    world, network, client, _, loop = connected()
    loop.kill()
    network.stop_host("b", power=False)
    client.transport.write(b"into the dark")
    world.run_until(world.now_s + 60)
    assert client.events == []
    network.start_host("b")
    world.run_until(world.now_s + 60)
    assert client.events == ["lost"]


def test_a_paused_process_finds_everything_when_it_goes_on():
    world, _, client, server, loop = connected()
    loop.pause()
    client.transport.write(b"meanwhile")
    world.run_until(world.now_s + 60)
    assert server.events == []
    loop.resume()
    world.run_until(world.now_s + 0.001)
    assert server.events == [b"meanwhile"]


def test_nobody_listens():
    _, _, one, _ = two_hosts()
    with pytest.raises(ConnectionRefusedError):
        one.run_until_complete(one.create_connection(Collector, "b", 1))


def test_an_unreachable_host_times_out():
    world, network, one, _ = two_hosts()
    network.cut("b", "a")
    began_s = world.now_s
    with pytest.raises(TimeoutError):
        one.run_until_complete(one.create_connection(Collector, "b", 1))
    assert world.now_s - began_s >= 8


def test_an_exception_in_a_callback_ends_the_run():
    world, _, loop, _ = two_hosts()
    loop.call_soon(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        world.run_until(world.now_s + 1)
