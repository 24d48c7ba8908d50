"""One Lua state: a module loaded into a closed world of its own, and what the server calls in it.

Users' code runs in an environment made by the Lua sources beside this file (`lua/*.lua`, loaded in
the order of `PARTS`). It holds no object of Python's: bytes, integers and booleans go in, and come
out. Three bounds hold in every call: memory, instructions, time.
"""

from __future__ import annotations

import logging
import pkgutil
from collections.abc import Callable
from typing import Any, Final

from attrs import frozen
from lupa.lua54 import LuaError, LuaRuntime  # type: ignore[import-untyped]

from aerospike_common.as_logger import AsLogger, AsLogLevel
from asd.bins.expressions.record import record_size
from asd.bins.particle import Particle
from asd.records.record import unpack_bins
from citrusleaf.cf_clock import Clock

MAX_MEMORY: Final = 64 << 20
"""Bytes a state may hold, its code and our own included."""

MAX_INSTRUCTIONS: Final = 100_000_000
"""Instructions of one call: about a second, whatever the clock says."""

MAX_LOG_TEXT: Final = 1024

PARTS: Final = (
    *("sandbox", "patterns", "values", "list", "map", "bytes"),
    *("wire", "record", "stream", "entry"),
)

log = AsLogger(logging.getLogger("asd.udf"))

Source = Callable[[str], bytes | None]
"""The source of the module with a name (without extension); None when there is none."""


class LuaFailure(Exception):
    """Lua code did not load, or failed where nothing could catch it; the text says why."""


@frozen
class Host:
    """What a state may ask of the server."""

    clock: Clock
    source: Source


class LuaState:
    """A loaded module. Not shared: one call, or one stream, at a time.

    Its globals live as long as the state does, so a call may see what earlier calls of functions of
    the same module left there, and must not rely on it.
    """

    def __init__(self, host: Host, module: str, timeout_ms: int) -> None:
        """Load the module's source and run it for its functions. Raises LuaFailure."""
        self._clock = host.clock
        try:
            entry = _new_runtime(host)
        except LuaError as error:  # our own sources: it cannot but be the memory
            raise LuaFailure(str(error)) from error
        self._start = entry[b"start"]
        self._expired = entry[b"expired"]
        self._apply_record = entry[b"apply_record"]
        self._begin_stream = entry[b"begin_stream"]
        self._push_stream = entry[b"push_stream"]
        self._finish_stream = entry[b"finish_stream"]
        self._take_outputs = entry[b"take_outputs"]
        message = self._guarded(
            entry[b"load"], module.encode(), self._deadline(timeout_ms), MAX_INSTRUCTIONS
        )
        if message is not None:
            raise LuaFailure(_text(message))

    @property
    def spoiled(self) -> bool:
        """A call was stopped in the middle: the module's own data may be in any state."""
        return bool(self._expired())

    def apply_record(self, timeout_ms: int, function: bytes, arguments: bytes, *record: Any) -> Any:
        """Call a function on a record.

        `arguments` is a msgpack list. `record` is payload (None: no such record), generation,
        void-time, now in seconds, last-update-time, set name, digest, particle type and value of
        the stored key (None, None: none).

        A tuple: particle type and data of the value, then, if the record was written, whether it
        was removed before the changes, whether it exists, ttl (-1: none given), whether to drop the
        key, whether there were too many writes, and name, type, data of each changed bin.
        A failure is -1 and its text. Raises LuaFailure when even that did not fit the memory.
        """
        deadline = self._clock.monotonic_us() + timeout_ms * 1000
        try:
            return self._apply_record(deadline, MAX_INSTRUCTIONS, function, arguments, *record)
        except LuaError as error:
            raise LuaFailure(str(error)) from error

    def begin_stream(self, timeout_ms: int, function: bytes, arguments: bytes) -> None:
        """Let a function build its chain of operators. Raises LuaFailure."""
        self._check(
            self._guarded(
                self._begin_stream,
                self._deadline(timeout_ms),
                MAX_INSTRUCTIONS,
                function,
                arguments,
            )
        )

    def allow(self, timeout_ms: int) -> None:
        """Begin new bounds of time and instructions, for the pushes to come."""
        self._start(self._deadline(timeout_ms), MAX_INSTRUCTIONS)

    def push_stream(self, *record: Any) -> bool:
        """Give a record, as to `apply_record`, to the stream; False when it wants no more.

        Raises LuaFailure.
        """
        answer = self._guarded(self._push_stream, *record)
        if isinstance(answer, bytes):
            raise LuaFailure(_text(answer))
        return bool(answer)

    def finish_stream(self) -> None:
        """No record will follow. Raises LuaFailure."""
        self._check(self._guarded(self._finish_stream))

    def take_outputs(self) -> list[Particle]:
        """The values that came out of the stream since the last call."""
        outputs: list[Particle] = []
        while taken := self._take_outputs():
            outputs.extend(map(Particle, taken[::2], taken[1::2]))
        return outputs

    def _deadline(self, timeout_ms: int) -> int:
        return self._clock.monotonic_us() + timeout_ms * 1000

    @staticmethod
    def _check(message: bytes | None) -> None:
        if message is not None:
            raise LuaFailure(_text(message))

    @staticmethod
    def _guarded(function: Any, *arguments: Any) -> Any:
        try:
            return function(*arguments)
        except LuaError as error:
            raise LuaFailure(str(error)) from error


def _text(message: bytes) -> str:
    return message.decode("utf-8", "surrogateescape")


def _deny(_object: object, name: object, _is_setting: bool) -> object:
    raise AttributeError(name)


def _new_runtime(host: Host) -> Any:
    """The table of entry points of a new runtime with all parts loaded."""
    lua = LuaRuntime(
        encoding=None,
        register_eval=False,
        register_builtins=False,
        attribute_filter=_deny,
        max_memory=MAX_MEMORY,
    )
    load = lua.globals()[b"load"]
    shared, functions = lua.table(), lua.table()
    clock = host.clock
    functions[b"now_us"] = clock.monotonic_us
    functions[b"now_ms"] = clock.wall_ms
    functions[b"log"] = _log
    functions[b"size"] = _size
    functions[b"source"] = lambda name: host.source(_text(name))
    result = None
    for part in PARTS:
        source = pkgutil.get_data(__package__, f"lua/{part}.lua")
        result = load(source, b"=asd:" + part.encode(), b"t")(shared, functions)
    return result


def _log(level: int, text: bytes) -> None:
    if 0 <= level <= AsLogLevel.TRACE:
        shown = text[:MAX_LOG_TEXT].decode("utf-8", "backslashreplace")
        log.log(AsLogLevel(level), "%s", shown)


def _size(
    payload: bytes, void_time: int, set_name: bytes, key_type: int | None, key: bytes | None
) -> int:
    stored = None if key_type is None or key is None else Particle(key_type, key)
    return record_size(void_time, set_name, stored, unpack_bins(payload).items())
