"""Strings that came with msgpack's bin headers: which keep them, and that they are strings."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgpack import ExtType

from aerospike_common import as_msgpack as mp
from aerospike_common.wire.codes import ParticleType
from asd.bins import cdt, scalars
from asd.bins.expressions import compile_expression
from asd.bins.particle import Particle


class NoExpressions:
    """A compiler for tests without path expressions."""

    def compile(self, wire: bytes) -> cdt.PathExpression:
        raise AssertionError("nothing to compile here")


def bin_header(size: int, width: int) -> bytes:
    """c4, c5 or c6 and the size in `width` bytes."""
    return bytes((0xC4 + (1, 2, 4).index(width),)) + size.to_bytes(width)


def text(size: int) -> bytes:
    return b"\x03" + b"x" * (size - 1) if size else b""


def stored_header(size: int, width: int) -> bytes:
    """What a header becomes: kept if the shortest of its family and of 32 bytes or more."""
    shortest = 1 if size < 0x100 else 2 if size < 0x10000 else 4
    if size > 31 and width == shortest:
        return bin_header(size, width)
    if size < 32:
        return bytes((0xA0 + size,))
    return bytes((0xD9 + (1, 2, 4).index(shortest),)) + size.to_bytes(shortest)


def modify(particle: Particle | None, op: bytes) -> bytes:
    after, _ = cdt.modify(particle, op, NoExpressions)
    assert after is not None
    return after.data


CASES = [
    *((5, 1, "a5"), (0x1F, 1, "bf"), (0, 1, "a0"), (0x65, 2, "d965"), (0x12C, 4, "da012c")),
    *((0x20, 1, "c420"), (0xFF, 1, "c4ff"), (0x100, 2, "c50100"), (0x10000, 4, "c600010000")),
]


@pytest.mark.parametrize(("size", "width", "header"), CASES)
def test_bin_headers_of_every_length(size: int, width: int, header: str) -> None:
    assert stored_header(size, width) == bytes.fromhex(header)
    element, stored = bin_header(size, width) + text(size), bytes.fromhex(header) + text(size)
    ordered = b"\xc7\0\1"
    # a plain write of a list, of a map, of an ordered list, of nested ones
    write = scalars.stored_form
    assert write(ParticleType.LIST, b"\x91" + element).data == b"\x91" + stored
    assert write(ParticleType.MAP, b"\x81\1" + element).data == b"\x81\1" + stored
    assert write(ParticleType.LIST, b"\x92" + ordered + element).data == b"\x92" + ordered + stored
    assert write(ParticleType.LIST, b"\x91\x81\1\x91" + element).data == b"\x91\x81\1\x91" + stored
    # append, append items, insert, set; put, put items; nested; below a context
    one = Particle(ParticleType.LIST, b"\x91\7")
    assert modify(None, b"\x92\1" + element) == b"\x91" + stored
    assert modify(one, b"\x92\2\x91" + element) == b"\x92\7" + stored
    assert modify(one, b"\x93\3\0" + element) == b"\x92" + stored + b"\7"
    assert modify(one, b"\x93\x09\0" + element) == b"\x91" + stored
    assert modify(None, b"\x93\x43\1" + element) == b"\x81\1" + stored
    assert modify(None, b"\x92\x44\x81\1" + element) == b"\x81\1" + stored
    assert modify(one, b"\x92\1\x91\x81\1" + element) == b"\x92\7\x91\x81\1" + stored
    nested = Particle(ParticleType.LIST, b"\x91\x90")
    assert modify(nested, b"\x93\xcc\xff\x92\x10\0\x92\1" + element) == b"\x91\x91" + stored
    sorted_list = Particle(ParticleType.LIST, b"\x92\xc7\0\1\7")
    assert modify(sorted_list, b"\x92\1" + element) == b"\x93\xc7\0\1\7" + stored


LONG, OTHER = b"\x03" + b"k" * 40, b"\x03" + b"l" * 40
AS_BIN = b"\xc4\x29"
AS_STR = b"\xd9\x29"


@pytest.mark.parametrize("header", [AS_BIN, AS_STR])
def test_a_kept_header_is_no_other_value(header: bytes) -> None:
    particle = Particle(ParticleType.LIST, b"\x93\1" + AS_BIN + LONG + AS_STR + OTHER)
    element = header + LONG

    def read(op: bytes) -> Any:
        result = cdt.read(particle, op, NoExpressions)
        return None if result is None else (result.type, result.data)

    found = (ParticleType.LIST, b"\x91\1")
    assert read(b"\x93\x16\1" + element) == found  # all by value
    assert read(b"\x93\x17\1\x91" + element) == found  # by a list of values
    assert read(b"\x94\x19\1" + element + AS_STR + OTHER) == found  # by an interval
    assert read(b"\x93\x13\7\1") == (ParticleType.STRING, LONG[1:])
    assert read(b"\x93\x12\1\1") == (ParticleType.LIST, b"\x91" + AS_BIN + LONG)
    # unique: it is there already
    assert modify(particle, b"\x94\1" + element + b"\0\5") == particle.data
    ordered = Particle(ParticleType.LIST, b"\x92\xc7\0\1" + AS_BIN + LONG)
    assert modify(ordered, b"\x94\1" + element + b"\1\5") == ordered.data


@pytest.mark.parametrize("header", [AS_BIN, AS_STR])
def test_map_keys_are_strings_behind_any_header(header: bytes) -> None:
    key = header + LONG
    particle = Particle(ParticleType.MAP, modify(None, b"\x93\x43" + key + b"\7"))
    assert particle.data == b"\x81" + AS_STR + LONG + b"\7"
    result = cdt.read(particle, b"\x93\x61\7" + AS_BIN + LONG, NoExpressions)
    assert result == (ParticleType.INTEGER, (7).to_bytes(8))
    put = cdt.modify(particle, b"\x92\x44\x81" + key + AS_BIN + OTHER, NoExpressions)[0]
    assert put is not None
    assert put.data == b"\x81" + AS_STR + LONG + AS_BIN + OTHER
    again = modify(put, b"\x93\x43\1" + AS_BIN + LONG)
    assert again == b"\x82\1" + AS_BIN + LONG + AS_STR + LONG + AS_BIN + OTHER


def value_of(expression: bytes) -> Any:
    no_record: Any = SimpleNamespace(look=lambda: None)  # these expressions read none
    return compile_expression(expression).evaluate(no_record)


def test_expressions_read_and_write_them() -> None:
    listed = b"\x92\x7e\x91" + AS_BIN + LONG
    assert value_of(listed) == [LONG]
    assert value_of(b"\x93\1" + AS_BIN + LONG + AS_STR + LONG) is True
    for wanted in (AS_BIN, AS_STR):
        assert value_of(b"\x93\x09" + wanted + LONG + listed) is True
    assert value_of(b"\x95\x7f\3\0\x93\x13\7\0" + listed) == LONG[1:]


@given(st.lists(st.tuples(st.integers(0, 300), st.sampled_from([1, 2, 4])), max_size=6))
def test_a_list_of_any_headers_is_stored_as_one_by_one(parts: list[tuple[int, int]]) -> None:
    parts = [(size, width if size < 0x100 else max(width, 2)) for size, width in parts]
    sent = b"".join(bin_header(size, width) + text(size) for size, width in parts)
    stored = b"".join(stored_header(size, width) + text(size) for size, width in parts)
    head = bytes((0x90 + len(parts),))
    particle = scalars.stored_form(ParticleType.LIST, head + sent)
    assert particle.data == head + stored
    assert mp.pack(mp.unpack_stored(particle.data)) == particle.data
    flagged = [ExtType(1, b""), *mp.sort_values(mp.unpack_stored(particle.data))]
    assert cdt.check_write(ParticleType.LIST, mp.pack(flagged)) == mp.pack(flagged)
