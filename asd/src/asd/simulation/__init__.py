"""Whole `asd` nodes, and applications that use them, in virtual time.

>>> from aerospike_client import Key
>>> with World(seed=1) as world:
...     async def application():
...         async with world.client() as client:
...             await client.put(Key("test", "people", "ada"), {"born": 1815})
...             return (await client.get(Key("test", "people", "ada"))).bins
...     world.run(application())
{'born': 1815}
"""

from asd.simulation.machine import Machine, Shape
from asd.simulation.world import World
from cluster.simulation import Chance, Conditions, Violation

__all__ = ["World", "Shape", "Machine", "Conditions", "Chance", "Violation"]
