"""The registered modules of a node: sources kept in the system metadata, states kept for calls."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from aerospike_common.as_module import AsModuleError
from asd.membership.metadata import SystemMetadata
from asd.udf.lua_state import Host, LuaFailure, LuaState
from citrusleaf.cf_clock import Clock
from cluster.smd import SmdItem

log = logging.getLogger("asd.udf")

SMD_MODULE: Final = "UDF"
"""The module of the system metadata that the sources are in, by file name."""

MAX_IDLE: Final = 8
"""States kept of one module: one serves all calls, the others what streams hold and give back."""

LOAD_TIMEOUT_MS: Final = 1000
EXTENSION: Final = ".lua"


class ModuleRow(NamedTuple):
    """A line of the list of modules. `hash`: 40 hexadecimal digits of what is stored."""

    file_name: str
    hash: str


class UdfModules:
    """Sources by file name, and states by module name (the file's, without `.lua`).

    States are made at the first call and all thrown away when a source changes, since modules may
    `require` one another.
    """

    def __init__(self, smd: SystemMetadata, clock: Clock) -> None:
        self._smd = smd
        self._clock = clock
        self._sources: dict[str, bytes] = {}
        self._idle: dict[str, list[LuaState]] = {}
        self._generation = 0
        self._host = Host(clock, self._source)
        smd.listen(SMD_MODULE, self._changed)

    # ------------------------------------------------------------- sources

    def put(self, file_name: str, source: bytes) -> None:
        """Register, or replace, a module. Durable on return, if the system metadata is.

        Raises AsModuleError when it does not compile, ValueError when it is too large to be kept.
        """
        self.validate(file_name, source)
        entry = {
            "content64": base64.b64encode(source).decode(),
            "type": "LUA",
            "name": file_name,
        }
        self._smd.set(SMD_MODULE, file_name, json.dumps(entry), self._clock.epoch_ms())

    def remove(self, file_name: str) -> None:
        """Forget a module; nothing happens when there is none."""
        if self._smd.get(SMD_MODULE, file_name) is not None:
            self._smd.delete(SMD_MODULE, file_name, self._clock.epoch_ms())

    def get(self, file_name: str) -> bytes | None:
        """The source, or None."""
        return self._sources.get(file_name)

    @property
    def sources(self) -> dict[str, bytes]:
        """All sources by file name, as they are now."""
        return dict(self._sources)

    def __iter__(self) -> Iterator[ModuleRow]:
        """The modules by file name."""
        for file_name in sorted(self._sources):
            item = self._smd.get(SMD_MODULE, file_name)
            stored = (item.value if item else None) or ""
            yield ModuleRow(file_name, hashlib.sha1(stored.encode()).hexdigest())

    def validate(self, file_name: str, source: bytes) -> None:
        """Compile and load a source without keeping it. Raises AsModuleError."""
        name = module_name(file_name)

        def found(wanted: str) -> bytes | None:
            return source if wanted == name else self._source(wanted)

        try:
            LuaState(Host(self._clock, found), name, LOAD_TIMEOUT_MS)
        except LuaFailure as error:
            text = str(error)
            place = re.match(re.escape(name + EXTENSION) + r":(\d+): ", text)
            line = int(place[1]) if place else 0
            raise AsModuleError(file_name, line, text[place.end() :] if place else text) from error

    def _source(self, module: str) -> bytes | None:
        return self._sources.get(module + EXTENSION)

    def _changed(self, file_name: str, item: SmdItem) -> None:
        self.clear_cache()
        if item.value is None:
            self._sources.pop(file_name, None)
            return
        try:
            self._sources[file_name] = base64.b64decode(json.loads(item.value)["content64"])
        except (ValueError, KeyError, TypeError):
            log.warning("the stored module %r cannot be read", file_name)

    # -------------------------------------------------------------- states

    def clear_cache(self) -> None:
        """Throw all states away; the next calls load their modules anew."""
        self._idle.clear()
        self._generation += 1

    def idle_state(self, module: str) -> LuaState | None:
        """A state for a call that is over before anything else runs; None: no such module.

        The state stays where it is: use `discard` if it was spoiled.
        """
        states = self._idle.get(module)
        if states:
            return states[-1]
        state = self._load(module)
        if state is not None:
            self._idle[module] = [state]
        return state

    def discard(self, module: str, state: LuaState) -> None:
        """Use a state no more."""
        states = self._idle.get(module)
        if states and states[-1] is state:
            states.pop()

    def take(self, module: str) -> Lease | None:
        """A state to keep for a while, out of reach of others; None: no such module."""
        states = self._idle.get(module)
        state = states.pop() if states else self._load(module)
        return None if state is None else Lease(state, module, self._generation)

    def give_back(self, lease: Lease) -> None:
        """The end of `take`."""
        states = self._idle.setdefault(lease.module, [])
        fresh = lease.generation == self._generation and not lease.state.spoiled
        if fresh and len(states) < MAX_IDLE:
            states.append(lease.state)

    def _load(self, module: str) -> LuaState | None:
        if module + EXTENSION not in self._sources:
            return None
        try:
            return LuaState(self._host, module, LOAD_TIMEOUT_MS)
        except LuaFailure as error:
            log.warning("module %s cannot be loaded: %s", module, error)
            return None


class Lease(NamedTuple):
    """A state taken from the modules, and of which generation of them it is."""

    state: LuaState
    module: str
    generation: int


def module_name(file_name: str) -> str:
    """What requests call the module in a file."""
    return file_name.rpartition(".")[0]
