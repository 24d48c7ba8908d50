"""What operators do at any moment, also at the worst: faults that are info commands.

What is set so that nothing comes to rest (`owes`) is taken back when faults are over.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from asd.simulation.machine import HEARTBEAT_PORT
from asd.simulation.operators import SPREADS_S, roster_set
from asd.simulation.world import World
from cluster.simulation import Chance, Fault

NOBODY: Final = "10.0.9.9"
"""An address of no machine."""
_SETTINGS: Final = (
    ("service", "migrate-threads", ("1", "2", "4"), "1"),
    ("service", "migrate-max-num-incoming", ("1", "4", "64"), "4"),
    ("namespace;id={space}", "prefer-uniform-balance", ("true", "false"), "true"),
    ("namespace;id={space}", "migrate-order", ("1", "9"), "5"),
    ("namespace;id={space}", "nsup-period", ("1", "2"), "1"),
)
"""Context, name, values, and the value in the beginning."""
_SETS: Final = ("register", "counter", "index", "batch")
_BINS: Final = ("value", "n")


def _recluster(world: World, chance: Chance) -> str:
    """The cluster balances anew, and adopts what is pending."""
    world.ask((world.names, "recluster:"))
    return "recluster"


def _quiesce(world: World, chance: Chance) -> str:
    """A node is to be the last to serve anything, and later no more."""
    name = chance.choose(world.names)
    world.ask(((name,), "quiesce:"), (world.names, "recluster:"))
    what = f"quiesce {name}"
    world.owes(what, ((name,), "quiesce-undo:"), (world.names, "recluster:"))
    world.later(chance.between(1, 10), lambda: world.take_back(what))
    return f"quiesce {name}"


def _tip(world: World, chance: Chance) -> str:
    """A node is told of another, or of nobody, or forgets whom it was told of."""
    name, other = chance.shuffled(world.names)[:2]
    address = chance.choose((world.machines[other].address, NOBODY))
    endpoint = f"{address}:{HEARTBEAT_PORT}"
    tip, clear = f"tip:host={address};port={HEARTBEAT_PORT}", "tip-clear:host-port-list={}"
    command = chance.choose((tip, clear.format("all")))
    world.ask(((name,), command))
    if command is tip:  # where nobody is it would be dialed for ever
        world.owes(f"{tip} {name}", ((name,), clear.format(endpoint)))
    return f"{command} on {name}"


def _set_config(world: World, chance: Chance) -> str:
    """Some nodes are given another value of a setting."""
    context, setting, values, begins = chance.choose(_SETTINGS)
    context = context.format(space=world.shape.namespaces[0].name)
    group, value = chance.some(world.names), chance.choose(values)
    command = f"set-config:context={context};{setting}="
    world.ask((group, command + value))
    world.owes(setting, (world.names, command + begins))
    return f"{setting} {value} on {' '.join(sorted(group))}"


def _truncate(world: World, chance: Chance) -> str:
    """A set that nobody uses is truncated, or that is taken back."""
    space = world.shape.namespaces[0].name
    command = chance.choose(("truncate", "truncate-undo"))
    world.ask(((chance.choose(world.names),), f"{command}:namespace={space};set=nobody"))
    return command


def _index(world: World, chance: Chance) -> str:
    """An index on what clients are writing is made, or dropped."""
    space = world.shape.namespaces[0].name
    named, bin_name = chance.choose(_SETS), chance.choose(_BINS)
    name = f"{named}_{bin_name}"
    of = f"namespace={space};set={named};indexname={name}"
    create, drop = f"sindex-create:{of};bin={bin_name};type=numeric", f"sindex-delete:{of}"
    command = chance.choose((create, drop))
    world.ask(((chance.choose(world.names),), command))
    return command.partition(":")[0]


def _udf(world: World, chance: Chance) -> str:
    """A module that nobody calls comes, changes or goes."""
    text = f"function f(record) return {chance.below(1000)} end"
    content = base64.b64encode(text.encode()).decode()
    put = f"udf-put:filename=unused.lua;content={content};content-len={len(content)};udf-type=LUA"
    command = chance.choose((put, "udf-remove:filename=unused.lua"))
    world.ask(((chance.choose(world.names),), command))
    return command.partition(":")[0]


def _roster(world: World, chance: Chance) -> str:
    """A node is taken off the roster, or all are put on it, in racks that are drawn anew.

    As `docs/consistency.md` asks of operators: one node at a time, and not before what was changed
    last has come to rest. What happens while the change is under way is left to chance.
    """
    if not world.strong or not world.is_serving():
        return ""
    names, (space,) = list(world.names), world.shape.namespaces
    if len(names) > space.replication_factor and chance.happens(0.5):
        names.remove(chance.choose(names))
    racks = chance.choose((0, 2, 3))
    listed = [
        world.node_id(name) + (f"@{1 + chance.below(racks)}" if racks else "") for name in names
    ]
    world.ask(((chance.choose(world.names),), roster_set(space.name, listed)))
    world.later(SPREADS_S, lambda: world.ask((world.names, "recluster:")))
    return f"the roster is {' '.join(listed)}"


def _revive(world: World, chance: Chance) -> str:
    """Partitions are revived, dead or not, while anything may be the matter with the cluster."""
    if not world.strong:
        return ""
    group = chance.choose((list(world.names), chance.some(world.names)))
    world.ask((group, f"revive:namespace={world.strong[0]}"), (world.names, "recluster:"))
    return f"revive on {' '.join(sorted(group))}"


COMMANDS: Mapping[str, Fault[World]] = MappingProxyType(
    {
        "recluster": _recluster,
        "quiesce": _quiesce,
        "tip": _tip,
        "set-config": _set_config,
        "truncate": _truncate,
        "index": _index,
        "udf": _udf,
        "roster": _roster,
        "revive": _revive,
    }
)
"""Every kind."""
STRONG: Final = frozenset({"roster", "revive"})
"""Kinds that there are with strong consistency only."""
