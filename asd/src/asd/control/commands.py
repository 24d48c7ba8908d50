"""What tests may ask of a running server: one table of commands, plain values in, plain values out.

There are two ways to it. A server on a thread of the tests' own process is asked by a call on its
loop (`asd.thread_host`), one in a process of its own by HTTP (`asd.control.port`). Both end here,
so they can do the same.

A command changes the server between two requests of clients: it runs on the loop, and to its end.
Only what it has begun in the background, the building of indexes, is waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from aerospike_common.as_password import hash_password
from asd.control.arguments import Arguments, BadRequest
from asd.control.injection import fault_of, shown
from asd.faults import Faults
from asd.faults.ready_made import CLOCK_SKEW
from asd.fixtures import contents
from asd.fixtures.snapshot import KeptNode, Snapshot, go_back, keep
from citrusleaf.cf_clock import NS_PER_S, VirtualClock

if TYPE_CHECKING:
    from asd.fastpath.cache import FastPaths
    from asd.security.security import Security
    from asd.shipping.shipping import Shipping

__all__ = ["COMMANDS", "BadRequest", "Control", "ControlNode"]


class ControlNode(KeptNode, Protocol):
    """A node as it is controlled."""

    addresses: list[str] | None
    port: int

    @property
    def node_id(self) -> str:
        """Its id."""

    @property
    def paths(self) -> FastPaths:
        """The fast paths of the node."""

    @property
    def security(self) -> Security | None:
        """Access control; None: everybody may do everything."""

    @property
    def shipping(self) -> Shipping:
        """What goes to other data centers."""

    @property
    def faults(self) -> Faults:
        """What is injected."""

    def reset(self) -> None:
        """Empty all namespaces, count from zero again, and take faults back."""


class Control:
    """The commands of one node."""

    def __init__(self, node: ControlNode, clock: VirtualClock, stop: Callable[[], None]) -> None:
        """`clock` is the node's; `stop` begins its end."""
        self.node = node
        self.clock = clock
        self.stop = stop
        self._skews: dict[int, float] = {}
        self._kept: dict[int, Snapshot] = {}
        self._last_kept = 0

    # -------------------------------------------------------------------- snapshots

    def keep(self) -> int:
        """Keep the node's state; the number by which it is gone back to."""
        self._last_kept += 1
        self._kept[self._last_kept] = keep(self.node)
        return self._last_kept

    def kept(self, number: int) -> Snapshot:
        """A state that was kept. Raises BadRequest."""
        if number not in self._kept:
            raise BadRequest(f"there is no snapshot with the id {number}")
        return self._kept[number]

    def forget(self, number: int) -> None:
        """Forget a state that was kept. Raises BadRequest."""
        self.kept(number)
        del self._kept[number]

    # ------------------------------------------------------------------- clock skew

    def skew(self, seconds: float) -> int:
        """Have the wall clock show another time; the number by which that is taken back."""
        self.move_wall(seconds)
        number = min(self._skews, default=0) - 1
        self._skews[number] = seconds
        return number

    def unskew(self, number: int | None = None) -> bool:
        """Take a skew back, or all of them; False when there is none of this number."""
        numbers = list(self._skews) if number is None else [number]
        gone = [self._skews.pop(each) for each in numbers if each in self._skews]
        self.move_wall(-sum(gone))
        return bool(gone)

    def move_wall(self, seconds: float) -> None:
        """Have the wall clock, and not the monotonic one, move on, or back."""
        if seconds:
            self.clock.set_wall_s(self.clock.wall_ns() / NS_PER_S + seconds)

    async def call(self, command: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Carry a command out; its answer, of values that JSON knows.

        Raises BadRequest, and OperationError for what the server itself refuses.
        """
        found = COMMANDS.get(command)
        if found is None:
            raise BadRequest(no_command(command))
        answer = found.run(self, Arguments(command, given))
        if found.indexes:
            await contents.indexes_built(self.node)
        return answer


def no_command(name: str) -> str:
    """What to say to a name that is none of a command."""
    return f"no command '{name}'; there are: {', '.join(COMMANDS)}"


class Command(NamedTuple):
    """One of the commands."""

    run: Callable[[Control, Arguments], dict[str, Any]]
    reads: bool = False
    """It changes nothing."""
    indexes: bool = False
    """It may make indexes, and is done when they can be read."""


def _status(control: Control, arguments: Arguments) -> dict[str, Any]:
    arguments.end()
    node = control.node
    return {
        "address": node.addresses[0] if node.addresses else "127.0.0.1",
        "port": node.port,
        "node_id": node.node_id,
        "namespaces": {
            space.name: {"objects": space.engine.index.objects}
            for space in node.namespaces.values()
        },
        "clock": _clock_now(control.clock),
    }


def _reset(control: Control, arguments: Arguments) -> dict[str, Any]:
    arguments.end()
    control.node.reset()
    control.unskew()
    return {}


def _routes(control: Control, arguments: Arguments) -> dict[str, Any]:
    """By which other addresses those of shipping's destinations are reached: `asd.link`."""
    routes = arguments.need("routes", dict)
    arguments.end()
    if not all(isinstance(text, str) for pair in routes.items() for text in pair):
        raise BadRequest("routes are texts: HOST:PORT to HOST:PORT")
    control.node.shipping.go_by(routes)
    return {}


def _clock_now(clock: VirtualClock) -> dict[str, Any]:
    return {
        "frozen": clock.frozen,
        "wall_ns": clock.wall_ns(),
        "monotonic_ns": clock.monotonic_ns(),
    }


def _clock(control: Control, arguments: Arguments) -> dict[str, Any]:
    """All that is asked for, in this order: freeze or resume, set, advance, advance the wall."""
    clock = control.clock
    freeze = arguments.take("freeze", bool)
    unix_s = arguments.take("set", float)
    step_s = arguments.take("advance", float)
    wall_step_s = arguments.take("advance_wall", float)
    arguments.end()
    if step_s is not None and step_s < 0:
        raise BadRequest("clock: 'advance' goes forth; 'set' sets another date, which may be back")
    if freeze is not None:
        (clock.freeze if freeze else clock.resume)()
    if unix_s is not None:
        clock.set_wall_s(unix_s)
    if step_s is not None:
        clock.advance(step_s)
    if wall_step_s is not None:
        control.move_wall(wall_step_s)
    return _clock_now(clock)


def _create_user(control: Control, arguments: Arguments) -> dict[str, Any]:
    name, password = arguments.need("name", str), arguments.need("password", str)
    roles = arguments.take("roles", list) or []
    arguments.end()
    security = control.node.security
    if security is None:
        raise BadRequest("create-user: the server has no access control")
    if name in security.accounts.users:
        security.accounts.drop_user(name)
    given = hash_password(password).encode()
    security.accounts.create_user(name, given, [str(role) for role in roles], security.new_salt())
    return {}


def _create_role(control: Control, arguments: Arguments) -> dict[str, Any]:
    from asd.security.roles import Privilege, Role  # loads what few servers need

    name, given = arguments.need("name", str), arguments.need("privileges", list)
    arguments.end()
    security = control.node.security
    if security is None:
        raise BadRequest("create-role: the server has no access control")
    privileges = frozenset(Privilege.parse(str(text)) for text in given)
    security.accounts.create_role(name, Role(privileges))
    return {}


def _inject(control: Control, arguments: Arguments) -> dict[str, Any]:
    if arguments.peek("fault") == CLOCK_SKEW:
        arguments.need("fault", str)
        seconds = arguments.need("seconds", float)
        arguments.end()
        return {"id": control.skew(seconds)}
    return {"id": control.node.faults.add(fault_of(arguments))}


def _faults(control: Control, arguments: Arguments) -> dict[str, Any]:
    arguments.end()
    return {"faults": [shown(*item) for item in control.node.faults.all.items()]}


def _remove_fault(control: Control, arguments: Arguments) -> dict[str, Any]:
    """One by its number, or all."""
    number = arguments.take("id", int)
    arguments.end()
    faults = control.node.faults
    if number is None:
        faults.clear()
        control.unskew()
    elif not (control.unskew(number) if number < 0 else faults.remove(number)):
        raise BadRequest(f"remove-fault: there is no fault with the id {number}")
    return {}


def _load(control: Control, arguments: Arguments) -> dict[str, Any]:
    given = {
        "records": arguments.take("records", list),
        "indexes": arguments.take("indexes", list),
        "functions": arguments.take("functions", dict),
    }
    arguments.end()
    loaded = contents.load(control.node, given, control.clock.epoch_s())
    control.node.paths.clear()
    return dict(loaded)


def _dump(control: Control, arguments: Arguments) -> dict[str, Any]:
    namespace, set_name = arguments.take("namespace", str), arguments.take("set", str)
    arguments.end()
    return contents.dump(control.node, namespace, set_name, control.clock.epoch_s())


def _snapshot(control: Control, arguments: Arguments) -> dict[str, Any]:
    arguments.end()
    return {"id": control.keep()}


def _restore(control: Control, arguments: Arguments) -> dict[str, Any]:
    number = arguments.need("id", int)
    arguments.end()
    go_back(control.node, control.kept(number), control.node.paths.clear)
    return {}


def _forget(control: Control, arguments: Arguments) -> dict[str, Any]:
    number = arguments.need("id", int)
    arguments.end()
    control.forget(number)
    return {}


def _stop(control: Control, arguments: Arguments) -> dict[str, Any]:
    arguments.end()
    control.stop()
    return {}


COMMANDS: Final[Mapping[str, Command]] = MappingProxyType(
    {
        "status": Command(_status, reads=True),
        "reset": Command(_reset),
        "clock": Command(_clock),
        "inject": Command(_inject),
        "faults": Command(_faults, reads=True),
        "remove-fault": Command(_remove_fault),
        "load": Command(_load, indexes=True),
        "dump": Command(_dump, reads=True),
        "snapshot": Command(_snapshot),
        "restore": Command(_restore, indexes=True),
        "forget": Command(_forget),
        "create-user": Command(_create_user),
        "create-role": Command(_create_role),
        "routes": Command(_routes),
        "stop": Command(_stop),
    }
)
"""The commands by name; docs/testing-control.md says the same for people."""
