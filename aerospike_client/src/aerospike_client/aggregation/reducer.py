"""Runs what is left of a stream function over the values that the nodes sent.

A Lua state is made for each aggregation and thrown away: modules may keep what they like in
globals. A module may come from the servers, where others than this application may register it. So
its world is closed: no files, no processes, no other modules, nothing of Python's objects, and a
bound on memory. (Time is not bounded: a module that loops for ever keeps the caller.)
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aerospike_client.errors import InvalidParameter, UdfFailed
from aerospike_common import AsBytes
from aerospike_common.wire import ParticleType

_ESCAPE: Final = "surrogateescape"

MAX_MEMORY: Final = 256 << 20
"""Bytes that a Lua state may hold."""


def _no_attribute(_object: object, _name: object, _setting: bool) -> str:
    """Values that Lua has not (blobs, GeoJSON) pass through it closed."""
    raise AttributeError("not for Lua")


def finish_stream(
    source: bytes, function: str, arguments: Sequence[Any], values: Sequence[Any]
) -> list[Any]:
    """The results of a stream function, from the nodes' values.

    Raises UdfFailed when the module or the function fails, InvalidParameter without `lupa`.
    """
    try:
        from lupa.lua54 import LuaError, LuaRuntime  # type: ignore[import-untyped]
    except ImportError:
        raise InvalidParameter(
            "aggregations run Lua on the client, too: pip install 'citrusleaf-client[lua]'"
        ) from None
    runtime = LuaRuntime(
        encoding=None,
        register_eval=False,
        register_builtins=False,
        attribute_filter=_no_attribute,
        max_memory=MAX_MEMORY,
    )
    prelude = pkgutil.get_data(__package__, "prelude.lua")
    assert prelude is not None
    try:
        lua = _Lua(runtime.execute(prelude))
        runtime.execute(source, mode=b"t")
        found = lua.finish(function, values, arguments)
    except (LuaError, AttributeError) as error:
        raise UdfFailed(f"on the client: {error}") from None
    return found


class _Lua:
    """Values into a Lua state and out of it."""

    def __init__(self, entry: Any) -> None:
        self._finish = entry[b"finish"]
        self._kind_of = entry[b"kind_of"]
        self._new_list = entry[b"new_list"]
        self._new_map = entry[b"new_map"]

    def finish(self, function: str, values: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
        given = [self.into(argument) for argument in arguments]
        result = self._finish(function.encode(), self.into(list(values)), *given)
        found: list[Any] = self.out_of(result)
        return found

    def into(self, value: Any) -> Any:
        """Strings as Lua's, lists and maps as the prelude's; what Lua has not passes through."""
        match value:
            case str():
                return value.encode("utf-8", _ESCAPE)
            case bytes():
                return AsBytes(value)  # bare bytes would be a string to Lua
            case Mapping():
                made = self._new_map()
                for key, item in value.items():
                    made[self.into(key)] = self.into(item)
                return made
            case list() | tuple():
                made = self._new_list()
                for index, item in enumerate(value, 1):
                    made[index] = self.into(item)
                return made
        return value

    def out_of(self, value: Any) -> Any:
        """The inverse of `into`. UdfFailed for a table or function, which are no values."""
        if isinstance(value, bytes):
            return value.decode("utf-8", _ESCAPE)
        if isinstance(value, AsBytes):
            return value.value if value.type == ParticleType.BLOB else value
        match self._kind_of(value):
            case b"list":
                return [self.out_of(item) for item in value.values()]
            case b"map":
                return {self.out_of(key): self.out_of(item) for key, item in value.items()}
            case b"table" | b"function" | b"thread" as kind:
                raise UdfFailed(f"on the client: the result is a {kind.decode()}, not a value")
        return value
