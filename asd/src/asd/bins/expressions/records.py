"""What an expression reads of the record: its metadata, its key, its bins."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from asd.bins.expressions.record import EPOCH_2010_S, RecordView
from asd.bins.expressions.values import (
    COMPUTED,
    FORMS,
    NUMBERS,
    UNKNOWN,
    Code,
    ExpType,
    Frame,
    Run,
    text_bytes,
)

if TYPE_CHECKING:
    from asd.bins.expressions.compiler import Compiler

BIN_NAME_MAX: Final = 15
NEVER: Final = -1
"""Void-time and ttl of a record that does not expire."""

_SMALL_TYPES: Final = frozenset({ExpType.NIL, ExpType.BOOL, ExpType.INT, ExpType.FLOAT})
"""Values of these are never big."""

_KEY_TYPES: Final = frozenset({ExpType.INT, ExpType.STR, ExpType.BLOB})


def metadata(get: Callable[[RecordView], Any]) -> Callable[[], Run]:
    """The builder of something known of every record."""

    def build() -> Run:
        return lambda record, frame: get(record)

    return build


def last_update(record: RecordView) -> int:
    """Nanoseconds since the Unix epoch."""
    return (record.last_update_time + EPOCH_2010_S * 1000) * 1_000_000


def since_update(record: RecordView) -> int:
    """Milliseconds since the last update."""
    return record.now_ms - record.last_update_time


def void_time(record: RecordView) -> int:
    """Nanoseconds since the Unix epoch, -1 when the record never expires."""
    expires = record.void_time
    return (expires + EPOCH_2010_S) * 1_000_000_000 if expires else NEVER


def ttl(record: RecordView) -> int:
    """Seconds left, -1 when the record never expires."""
    expires = record.void_time
    return expires - record.now_ms // 1000 if expires else NEVER


def device_size(record: RecordView) -> int:
    """Bytes on a device, 0 when there is none."""
    return 0 if record.in_memory else record.record_size()


def memory_size(record: RecordView) -> int:
    """Bytes in memory, 0 when the data is on a device."""
    return record.record_size() if record.in_memory else 0


def compile_digest_modulo(compiler: Compiler, arguments: list[Any]) -> Code:
    """[n]: the digest's last four bytes modulo a constant."""
    codes = compiler.compile_all(arguments)
    if len(codes) != 1 or codes[0].type is not ExpType.INT or codes[0].constant is COMPUTED:
        raise compiler.error("digest_modulo takes a constant")
    # The constant is cut to a C int; its sign does not matter, the dividend has none.
    constant = codes[0].constant & 0xFFFFFFFF
    divisor = min(constant, (1 << 32) - constant)
    if divisor == 0:
        raise compiler.error("digest_modulo by zero")
    return Code(
        ExpType.INT,
        lambda record, frame: int.from_bytes(record.digest[16:20], "little") % divisor,
    )


def compile_key(compiler: Compiler, arguments: list[Any]) -> Code:
    """[type]: the stored key; unknown when it is not stored or of another type."""
    if len(arguments) != 1:
        raise compiler.error("key takes a type")
    type_ = compiler.wire_type(arguments[0])
    if type_ not in _KEY_TYPES:
        raise compiler.error("no key has this type")
    particle_type = FORMS[type_].particle

    def run(record: RecordView, frame: Frame) -> Any:
        particle = record.key()
        if particle is None or particle[0] != particle_type:
            return UNKNOWN
        data = particle[1]
        # A key is stored as the client sent it, in any number of bytes.
        return int.from_bytes(data[-8:], "big", signed=True) if type_ is ExpType.INT else data

    return Code(type_, run)


def _bin_name(compiler: Compiler, name: Any) -> bytes:
    if type(name) is not str:
        raise compiler.error("not a bin name")
    encoded = text_bytes(name)
    if len(encoded) > BIN_NAME_MAX:
        raise compiler.error("the bin name is too long")
    return encoded


def compile_bin(compiler: Compiler, arguments: list[Any]) -> Code:
    """[type, name]: the bin's value; unknown when it is missing or of another type."""
    if len(arguments) != 2:
        raise compiler.error("bin takes a type and a name")
    type_ = compiler.wire_type(arguments[0])
    name = _bin_name(compiler, arguments[1])
    if type_ not in _SMALL_TYPES:
        compiler.sized.add(name)
    return Code(type_, _bin_reader(type_, name))


def _bin_reader(type_: ExpType, name: bytes) -> Run:
    particle_type, decode, _ = FORMS[type_]
    read_number = NUMBERS.get(type_)
    if type_ in (ExpType.LIST, ExpType.MAP):

        def run_collection(record: RecordView, frame: Frame) -> Any:
            value = record.collection(name, particle_type, decode)
            return UNKNOWN if value is None else value

        return run_collection

    if read_number is None:

        def run(record: RecordView, frame: Frame) -> Any:
            data = record.bin_data(name, particle_type)
            return UNKNOWN if data is None else decode(data)

        return run

    def run_number(record: RecordView, frame: Frame) -> Any:
        data = record.bin_data(name, particle_type)
        return UNKNOWN if data is None else read_number(data)[0]

    return run_number


def compile_bin_type(compiler: Compiler, arguments: list[Any]) -> Code:
    """[name]: the bin's particle type, 0 when it is missing."""
    if len(arguments) != 1:
        raise compiler.error("bin_type takes a name")
    name = _bin_name(compiler, arguments[0])

    def run(record: RecordView, frame: Frame) -> Any:
        particle = record.bin(name)
        return 0 if particle is None else int(particle[0])

    return Code(ExpType.INT, run)
