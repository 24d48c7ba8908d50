"""Whole nodes in virtual time: one seed is one run, and what can be done to nodes."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from attrs import evolve

from aerospike_client import ClientError, Key, NotConnected, RecordNotFound
from asd.config import StorageConfig
from asd.membership.cluster import Clustered
from asd.simulation import Chance, Shape, Violation, World
from asd.simulation.commands import COMMANDS, NOBODY
from asd.simulation.faults import KINDS
from asd.simulation.machine import HEARTBEAT_PORT, in_memory
from asd.simulation.workloads.workload import Mode, policy_in

KEY = Key("test", "people", "ada")


def ran(seed: int) -> tuple[str, list[str]]:
    """A world with a client, a split and a merge: its digest and its lines."""
    with World(seed) as world:

        async def application() -> None:
            async with world.client() as client:
                for number in range(40):
                    await client.put(Key("test", "numbers", number), {"n": number})
                    await asyncio.sleep(0.05)
                    found = [record.bins["n"] async for record in client.query("test", "numbers")]
                    world.note("app", f"{found}")

        world.reset_clients("n1")
        world.run(application())
        world.pause("n2")
        world.wait(1)
        world.resume("n2")
        world.wait(1)
        return world.digest, list(world.record.history.lines)


def test_one_seed_is_one_run():
    assert ran(1) == ran(1)
    assert ran(1)[0] != ran(2)[0]


def test_one_seed_is_one_run_whatever_the_order_of_sets_of_text():
    code = f"import runpy; print(runpy.run_path({__file__!r})['ran'](1)[0])"
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert digests == {ran(1)[0] + "\n"}


def test_an_application_is_told_what_a_server_says():
    with World(1, nodes=1) as world:

        async def application() -> str:
            async with world.client() as client:
                with pytest.raises(RecordNotFound):
                    await client.get(KEY)
                return await client.info("status")

        assert world.run(application()) == "ok"


def test_an_application_waits_in_virtual_time():
    with World(1, nodes=1) as world:
        began_s = world.now_s
        world.run(asyncio.sleep(600), 700)
        assert 600 <= world.now_s - began_s < 601


def test_what_an_application_raises_is_raised():
    async def application() -> None:
        raise KeyError("mine")

    with World(1, nodes=1) as world, pytest.raises(KeyError, match="mine"):
        world.run(application())


def test_an_application_that_does_not_end_is_a_violation():
    with World(1, nodes=1) as world, pytest.raises(Violation, match="not at the end of app"):
        world.run(asyncio.Event().wait(), 5)


def test_records_outlive_a_node():
    with World(1) as world:

        async def write() -> None:
            async with world.client() as client:
                await client.put(KEY, {"born": 1815})

        async def read() -> object:
            async with world.client() as client:
                return (await client.get(KEY)).bins

        world.run(write())
        world.crash("n3")  # it was the master of a third of all
        world.wait_until(world.is_settled, 30, "settled")
        assert world.run(read()) == {"born": 1815}


def test_nobody_is_reached_through_a_cut():
    with World(1, nodes=1) as world:
        world.crash("n1", power=False)

        async def application() -> None:
            with pytest.raises(NotConnected):
                await world.client().connect()

        world.run(application())
        assert not world.is_running("n1")


def test_a_node_that_is_asked_to_end_hands_over():
    with World(1, nodes=2) as world:
        world.stop("n2")
        world.wait_until(lambda: not world.machines["n2"].alive, 30, "ended")
        world.wait_until(world.is_settled, 30, "settled")
        world.restart("n2")
        world.wait_until(world.is_serving, 30, "serving")


def test_nodes_that_are_all_asked_to_end_do_not_wait_for_one_another():
    with World(1, nodes=3) as world:
        for name in world.machines:
            world.stop(name)
        world.wait_until(lambda: not any(each.alive for each in world.machines.values()), 12, "end")


def test_what_a_node_raises_ends_the_run():
    with World(1, nodes=1) as world:
        loop = world.machines["n1"].loop
        assert loop is not None
        loop.call_later(1, {}.pop, "no such key")
        with pytest.raises(KeyError):
            world.wait(2)


def test_clocks_are_as_wrong_as_the_shape_says():
    with World(1, Shape(max_rate_drift=0.01, max_wall_offset_s=100.0)) as world:
        clocks = [machine.clock for machine in world.machines.values()]
        assert len({clock.wall_ms() for clock in clocks}) == 3
        assert len({clock.monotonic_ns() for clock in clocks}) == 3
        before_ms = clocks[0].wall_ms()
        world.jump_clock("n1", 10)
        assert clocks[0].wall_ms() == before_ms + 10_000


def test_a_node_whose_disk_has_failed_is_started_anew_and_serves():
    storage = StorageConfig(engine="ssd", file=("/data/test",), commit_to_device=True)
    shape = Shape(namespaces=(evolve(in_memory(), storage_engine=storage),))
    with World(102, shape, nodes=1) as world:
        machine = world.machines["n1"]

        async def write(number: int) -> None:
            async with world.client() as client:
                await client.put(KEY, {"n": number})

        world.run(write(1))
        machine.disk.dead.update(machine.disk.files)
        with pytest.raises(ClientError):
            world.run(write(2))
        world.wait_until(lambda: machine.has_failed, 5, "failed")
        world.heal()
        assert machine.has_failed  # a node does not trust its disk again
        assert not world.is_serving()
        world.wait_until(lambda: machine.lives == 2 and world.is_serving(), 30, "serving")
        world.run(write(3))


def test_a_node_that_cannot_start_for_its_disk_is_started_when_faults_are_over():
    storage = StorageConfig(engine="ssd_cold", file=("/data/test",), commit_to_device=True)
    shape = Shape(namespaces=(evolve(in_memory(), storage_engine=storage),))
    with World(3, shape, nodes=2) as world:
        machine = world.machines["n2"]
        world.crash("n2")
        machine.disk.dead.update(machine.disk.files)
        world.restart("n2")
        world.wait(1)
        assert not machine.alive
        world.heal()
        world.wait_until(world.is_serving, 30, "serving")


def test_a_world_with_strong_consistency_is_served_by_its_roster():
    shape = Shape(namespaces=(evolve(in_memory(), strong_consistency=True),))
    with World(1, shape, nodes=2) as world:
        assert not world.unavailable()
        world.jump_clock("n1", 3600)
        world.heal()
        assert world.machines["n1"].clock.wall_offset_s == 0

        async def application() -> None:
            async with world.client(policy_in(Mode.CONSISTENT)) as client:
                await client.put(KEY, {"n": 1})
                assert (await client.get(KEY)).bins == {"n": 1}

        world.run(application())


def test_a_disk_is_no_longer_slow_when_faults_are_over():
    """The fault would end by itself, but for faults being over before that."""
    with World(1, nodes=2) as world:
        KINDS["slow-disk"](world, Chance(1))
        usual_s = world.shape.slowest_io_s
        threads = [each.threads for each in world.machines.values()]
        assert max(each.slowest_s for each in threads) > usual_s
        world.heal()
        assert [each.slowest_s for each in threads] == [usual_s, usual_s]


def test_what_operators_did_is_taken_back():
    with World(1, nodes=2) as world:
        node = world.machines["n1"].node
        assert node is not None
        world.ask((("n1",), "quiesce:"))
        world.owes("quiesce", (("n1",), "quiesce-undo:"))
        world.wait_until(lambda: not world.is_operated, 5, "done")
        assert node.cluster.will_be_quiesced
        world.heal()
        world.wait_until(lambda: not world.is_operated, 5, "done")
        assert not node.cluster.will_be_quiesced


def test_nothing_is_taken_back_before_it_is_done():
    """Faults are over at the moment at which an operator begins."""
    with World(4, nodes=2) as world:
        node = world.machines["n1"].node
        assert node is not None
        COMMANDS["quiesce"](world, OnlyFirst(4))
        world.heal()
        world.wait_until(lambda: not world.is_operated, 5, "done")
        assert not node.cluster.will_be_quiesced


class OnlyFirst(Chance):
    """Chooses the first of everything."""

    def choose(self, items):
        return items[0]


def test_a_tip_that_leads_nowhere_does_not_outlive_the_faults():
    """A node would go on dialing: one task more at every rest."""
    with World(1, nodes=2) as world:
        tip = COMMANDS["tip"](world, Chance(46))
        assert tip == f"tip:host={NOBODY};port={HEARTBEAT_PORT} on n1"
        node = world.machines["n1"].node
        assert node is not None
        world.wait_until(lambda: not world.is_operated, 5, "done")
        world.heal()
        world.wait_until(lambda: not world.is_operated, 5, "done")
        assert isinstance(node.cluster, Clustered)
        assert (NOBODY, HEARTBEAT_PORT) not in node.cluster.node.heartbeat.tips
