"""What tests may ask of a running server: one table of commands, plain values in, plain values out.

There are two ways to it. A server on a thread of the tests' own process is asked by a call on its
loop (`asd.thread_host`), one in a process of its own by HTTP (`asd.control.port`). Both end here,
so they can do the same.

A command changes the server between two requests of clients: it runs on the loop, and to its end.
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
from citrusleaf.cf_clock import VirtualClock

if TYPE_CHECKING:
    from asd.security.security import Security
    from asd.space.namespace import Namespace

__all__ = ["COMMANDS", "BadRequest", "Control", "ControlNode"]

NS_PER_S: Final = 1_000_000_000


class ControlNode(Protocol):
    """A node as it is controlled."""

    addresses: list[str] | None
    port: int

    @property
    def node_id(self) -> str:
        """Its id."""

    @property
    def namespaces(self) -> Mapping[bytes, Namespace]:
        """The namespaces by name."""

    @property
    def security(self) -> Security | None:
        """Access control; None: everybody may do everything."""

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

    # ------------------------------------------------------------------- clock skew

    def skew(self, seconds: float) -> int:
        """Have the wall clock show another time; the number by which that is taken back."""
        self._move_wall(seconds)
        number = min(self._skews, default=0) - 1
        self._skews[number] = seconds
        return number

    def unskew(self, number: int | None = None) -> bool:
        """Take a skew back, or all of them; False when there is none of this number."""
        numbers = list(self._skews) if number is None else [number]
        gone = [self._skews.pop(each) for each in numbers if each in self._skews]
        self._move_wall(-sum(gone))
        return bool(gone)

    def _move_wall(self, seconds: float) -> None:
        if seconds:
            self.clock.set_wall_s(self.clock.wall_ns() / NS_PER_S + seconds)

    def call(self, command: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Carry a command out; its answer, of values that JSON knows.

        Raises BadRequest, and OperationError for what the server itself refuses.
        """
        found = COMMANDS.get(command)
        if found is None:
            raise BadRequest(no_command(command))
        arguments = Arguments(command, given)
        return found.run(self, arguments)


def no_command(name: str) -> str:
    """What to say to a name that is none of a command."""
    return f"no command '{name}'; there are: {', '.join(COMMANDS)}"


class Command(NamedTuple):
    """One of the commands."""

    run: Callable[[Control, Arguments], dict[str, Any]]
    reads: bool = False
    """It changes nothing."""


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


def _clock_now(clock: VirtualClock) -> dict[str, Any]:
    return {
        "frozen": clock.frozen,
        "wall_ns": clock.wall_ns(),
        "monotonic_ns": clock.monotonic_ns(),
    }


def _clock(control: Control, arguments: Arguments) -> dict[str, Any]:
    """All that is asked for, in this order: freeze or resume, set, advance."""
    clock = control.clock
    freeze = arguments.take("freeze", bool)
    unix_s = arguments.take("set", float)
    step_s = arguments.take("advance", float)
    arguments.end()
    if step_s is not None and step_s < 0:
        raise BadRequest("clock: 'advance' goes forth; 'set' sets another date, which may be back")
    if freeze is not None:
        (clock.freeze if freeze else clock.resume)()
    if unix_s is not None:
        clock.set_wall_s(unix_s)
    if step_s is not None:
        clock.advance(step_s)
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
        "create-user": Command(_create_user),
        "stop": Command(_stop),
    }
)
"""The commands by name; docs/testing-control.md says the same for people."""
