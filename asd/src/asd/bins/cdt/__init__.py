"""Lists and maps: every operation on collection data types, as pure functions.

    read(particle, payload, paths)       -> result particle
    modify(particle, payload, paths)     -> (new particle, result particle)
    check_write(type, data)              -> stored bytes of a plainly written list or map
    evaluate(value, op, modify=..., paths=...) -> (new value, result)

The first three work on bins and wire bytes, `evaluate` on decoded values
(`aerospike_common.as_msgpack`) for callers that have them, such as expressions. An operation is
`[op code, argument, ...]`, below a context `[0xff, context, operation]`, a path operation
`[0xfe, context, flags, expression]`. The tables `LIST_OPS` and `MAP_OPS` name all op codes.

`paths` gives, when a path operation asks for it, what compiles the expressions inside (see
`path.PathCompiler`): no other operation needs to know of the record it is about. None of the
functions raises anything but `OperationError`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from aerospike_common import as_msgpack as msgpack
from aerospike_common.as_msgpack import Value
from aerospike_common.wire.codes import ParticleType, ResultCode
from aerospike_common.wire.errors import MessageError
from asd.bins.cdt import context, operation, path
from asd.bins.cdt.answers import result_particle
from asd.bins.cdt.containers import (
    Container,
    as_stored,
    bad_argument,
    from_particle,
    from_value,
    refuse,
    to_particle,
)
from asd.bins.cdt.list_ops import LIST_OPS
from asd.bins.cdt.map_ops import MAP_OPS
from asd.bins.cdt.path import PathCompiler, PathExpression
from asd.bins.particle import Particle

__all__ = [
    "Container",
    "read",
    "modify",
    "create",
    "from_particle",
    "modify_open",
    "packed",
    "read_open",
    "check_write",
    "evaluate",
    "PathCompiler",
    "Paths",
    "PathExpression",
    "LIST_OPS",
    "MAP_OPS",
]

Paths: TypeAlias = Callable[[], PathCompiler]
"""Makes a compiler of path expressions for the record at hand."""

IN_CONTEXT: Final = 0xFF
"""First element of an operation below a context."""
IN_PATH: Final = 0xFE
"""First element of a path operation."""


def read(particle: Particle | None, payload: bytes, paths: Paths) -> Particle | None:
    """Run a read operation on a bin (None: missing). Returns the result, None for none."""
    if particle is None:
        return None
    return result_particle(_read(from_particle(particle), decode(payload), paths))


def modify(
    particle: Particle | None, payload: bytes, paths: Paths
) -> tuple[Particle | None, Particle | None]:
    """Run a modify operation on a bin (None: missing).

    Returns the bin's new value, the very same object when nothing changed, and the result (None
    for none). A failing operation raises and leaves no trace.
    """
    if particle is None:
        created, result = create(payload, paths)
        return None if created is None else to_particle(created), result
    root = from_particle(particle)
    result = modify_open(root, payload, paths)
    return (particle if root is None else packed(root, particle)), result


def packed(container: Container, before: Particle | None) -> Particle:
    """The bin value of a container, the very object that was there before if it is the same."""
    after = to_particle(container)
    same = after == before and type(after) is type(before)
    return before if same and before is not None else after


def read_open(root: Container | None, payload: bytes, paths: Paths) -> Particle | None:
    """As `read`, on what `from_particle` makes of a bin that is there. It stays as it is."""
    return result_particle(_read(root, decode(payload), paths))


def modify_open(root: Container | None, payload: bytes, paths: Paths) -> Particle | None:
    """As `modify`, on what `from_particle` makes of a bin that is there, and changing that: whoever
    runs several operations on a bin has it decoded once and packs it (`packed`) at the end.

    Returns the result. When it raises, the container may be changed in part.
    """
    result = _modify(root, decode(payload), paths)
    if root is not None:
        as_stored(root)
    return result_particle(result)


def create(payload: bytes, paths: Paths) -> tuple[Container | None, Particle | None]:
    """As `modify`, on a bin that is missing: the container it is given, if any, and the result."""
    created, result = _create(decode(payload), paths)
    if created is not None:
        as_stored(created)
    return created, result_particle(result)


def check_write(kind: int, data: bytes) -> bytes:
    """The stored bytes of a list or map (`kind`: its particle type) that a plain write brings.

    OperationError SERVER_ERROR when `data` is not one, or not one that may be stored.
    """
    try:
        value = msgpack.unpack(data, keep_bins=True)
        if type(value) is not (list if kind == ParticleType.LIST else dict):
            refuse(ResultCode.SERVER_ERROR, "particle type and value differ")
        packed = msgpack.pack(msgpack.normalise_for_storage(value))
        return data if data != packed and msgpack.is_kept(data, packed) else packed
    except MessageError as error:
        refuse(ResultCode.SERVER_ERROR, str(error))


def evaluate(value: Value, op: Value, *, modify: bool, paths: Paths) -> tuple[Value, Value]:
    """Run an operation, given as decoded msgpack, on a decoded value (None: no value).

    Returns the new value (`value` itself after a read) and the result (None for none). `value` is
    never changed. Raises OperationError as `read` and `modify` do.
    """
    root = from_value(value, shared=not modify)
    if not modify:
        return value, None if value is None else _read(root, op, paths)
    if value is None:
        root, result = _create(op, paths)
    else:
        result = _modify(root, op, paths)
    if root is None:
        return value, result
    root.flags &= ~msgpack.PERSIST_INDEX  # of bins alone
    return root.to_value(), result


def decode(payload: bytes) -> Value:
    """The operation in a payload: msgpack, or a 16-bit op code (its first byte is then 0) and
    msgpack arguments. Bytes behind it are ignored. Error 4 when it cannot be decoded."""
    try:
        if payload[:1] == b"\0":
            rest = payload[2:]
            arguments = msgpack.unpack_prefix(rest, keep_bins=True) if rest else []
            if type(arguments) is not list:
                bad_argument("arguments are not a list")
            return [int.from_bytes(payload[:2]), *arguments]
        return msgpack.unpack_prefix(payload, keep_bins=True)
    except MessageError as error:
        return _decode_broken(payload, str(error))


def _decode_broken(payload: bytes, why: str) -> Value:
    """An operation whose end is broken: the way to its container and its op code are looked at
    first and may have errors of their own."""
    sound, rest, whole = msgpack.unpack_sound_part(payload)
    if not sound or type(sound[0]) is not int:
        bad_argument(why)
    if sound[0] == IN_CONTEXT and len(sound) == 2:
        op, _, whole = msgpack.unpack_sound_part(rest)
        return [*sound, op if whole else [*op[:1], operation.BROKEN]]
    return sound if whole and sound[0] != IN_PATH else [sound[0], operation.BROKEN]


def _split(wire: Value) -> tuple[Sequence[context.Item], Value]:
    """The context items (none for a plain operation) and the operation."""
    if type(wire) is not list or not wire or wire[0] != IN_CONTEXT:
        return (), wire
    if len(wire) != 3:
        bad_argument("an operation below a context has three parts")
    return context.parse(wire[1]), wire[2]


def _is_path(wire: Value) -> bool:
    return type(wire) is list and bool(wire) and wire[0] == IN_PATH


def _read(root: Container | None, wire: Value, paths: Paths) -> Value:
    if _is_path(wire):
        return path.run(root, wire, paths(), modify=False)
    items, op = _split(wire)
    return context.read(root, items, op) if items else operation.run(root, op, modify=False)


def _modify(root: Container | None, wire: Value, paths: Paths) -> Value:
    if _is_path(wire):
        return path.run(root, wire, paths(), modify=True)
    items, op = _split(wire)
    return context.modify(root, items, op) if items else operation.run(root, op, modify=True)


def _create(wire: Value, paths: Paths) -> tuple[Container | None, Value]:
    if _is_path(wire):
        return None, None
    items, op = _split(wire)
    return context.create(items, op) if items else operation.run_on_nothing(op, modify=True)
