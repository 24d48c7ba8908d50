"""Truncation where the nodes' clocks differ."""

from __future__ import annotations

from aerospike_client import Key
from asd.simulation import World

BEHIND_S = 3.0


def test_what_is_written_after_a_truncation_by_a_clock_that_is_behind_stays():
    """Its time would be before the threshold, and it would be lost when its partition moves."""
    with World(1, nodes=2) as world:
        world.jump_clock("n2", -BEHIND_S)

        async def application() -> None:
            async with world.client() as client:
                await client.put(Key("test", "set", "before"), {"n": 0})
                await client.truncate("test", "set")
                world.note("app", "truncated")
                for number in range(30):
                    await client.put(Key("test", "set", number), {"n": number})

        world.wait(1)
        world.run(application())
        for machine in world.machines.values():
            assert machine.node is not None
            namespace = machine.node.namespaces[b"test"]
            set_id = namespace.find_set(b"set")
            assert set_id is not None
            records = [namespace.engine.get(Key("test", "set", n).digest) for n in range(30)]
            assert len(records) == 30
            for record in records:
                assert record is not None
                assert not namespace.truncation.covers(set_id, record[2])
            assert machine.name == "n1" or namespace.truncation.running
        world.wait(BEHIND_S + 1)
        for machine in world.machines.values():
            assert machine.node is not None
            assert not machine.node.namespaces[b"test"].truncation.running
