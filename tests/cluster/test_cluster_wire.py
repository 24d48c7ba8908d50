"""Messages and frames: what is written is read, whatever comes raises `WireError` or nothing."""

from __future__ import annotations

import attrs
import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.messages import CLASSES, Pulse, codec
from cluster.state_machine import StateMachine
from cluster.wire import LENGTH, MAX_FRAME_BYTES, FrameReader, Message, WireError, frame

CODEC = codec()
U64 = st.integers(0, (1 << 64) - 1)
ITEM = st.tuples(st.text(max_size=5), U64, U64, st.none() | st.text(max_size=5))
DIGEST = st.binary(min_size=2, max_size=20)
VALUES = {
    "int": U64,
    "bool": st.booleans(),
    "str": st.text(max_size=9),
    "str | None": st.none() | st.text(max_size=9),
    "bytes": st.binary(max_size=9),
    "Digest": DIGEST,
    "tuple[int, ...]": st.lists(U64, max_size=4).map(tuple),
    "Endpoint": st.tuples(st.text(max_size=9), U64),
    "tuple[Host, ...]": st.lists(st.tuples(U64, st.text(max_size=5), U64), max_size=3).map(tuple),
    "tuple[MemberRow, ...]": st.lists(st.tuples(U64, U64, U64, st.booleans()), max_size=3).map(
        tuple
    ),
    "tuple[ItemRow, ...]": st.lists(ITEM, max_size=3).map(tuple),
    "tuple[ModuleRow, ...]": st.lists(
        st.tuples(st.text(max_size=5), st.lists(ITEM, max_size=2).map(tuple)), max_size=2
    ).map(tuple),
    "tuple[NamespaceRow, ...]": st.lists(
        st.tuples(
            *(st.text(max_size=5), U64, U64, U64, st.lists(U64, max_size=2).map(tuple)),
            st.lists(st.tuples(U64, U64, st.binary(max_size=4)), max_size=2).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
    "tuple[StateRow, ...]": st.lists(
        st.tuples(
            *(st.sampled_from(["ns", "what"]), st.integers(0, 9), st.booleans()),
            st.lists(st.lists(st.integers(0, 9), max_size=6).map(tuple), max_size=3).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
    "tuple[RecordRow, ...]": st.lists(
        st.tuples(
            *(DIGEST, st.integers(1, 65535), U64, U64),
            *(st.text(max_size=5), U64, st.binary(max_size=5)),
        ),
        max_size=2,
    ).map(tuple),
    "tuple[SummaryRow, ...]": st.lists(st.tuples(DIGEST, U64, U64, U64, U64, U64), max_size=2).map(
        tuple
    ),
}


@st.composite
def messages(draw) -> Message:
    cls = draw(st.sampled_from(CLASSES))
    return cls(**{field.name: draw(VALUES[field.type]) for field in attrs.fields(cls)})


@given(messages())
def test_what_is_encoded_is_decoded(message):
    assert CODEC.decode(CODEC.encode(message)) == message


@given(messages(), st.dictionaries(st.integers(40, 99), st.integers() | st.text()))
@settings(max_examples=40)
def test_fields_of_newer_peers_are_ignored(message, extra):
    kind, version, values = msgpack.unpackb(CODEC.encode(message), strict_map_key=False)
    extra = {key: value for key, value in extra.items() if not isinstance(value, int)}
    newer = msgpack.packb([kind, version + 1, {**values, **extra}])
    assert CODEC.decode(newer) == message


def test_types_of_newer_peers_are_nothing():
    assert CODEC.decode(msgpack.packb([250, 1, {}])) is None


def test_fields_of_older_peers_take_their_default():
    old = msgpack.packb([Pulse.TYPE, 1, {1: 7, 2: 8, 3: 9}])
    assert CODEC.decode(old) == Pulse(7, 8, 9)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.integers(0, 12), inner),
    max_leaves=8,
)


@given(st.sampled_from(CLASSES), st.dictionaries(st.integers(1, 12), ANYTHING, max_size=6))
def test_wrong_fields_raise_nothing_but_a_wire_error(cls, values):
    try:
        message = CODEC.decode(msgpack.packb([cls.TYPE, 1, values]))
    except WireError:
        return
    assert isinstance(message, cls)


@given(st.binary(max_size=60))
def test_any_bytes_raise_nothing_but_a_wire_error(data):
    try:
        CODEC.decode(data)
    except WireError:
        return


def test_two_classes_cannot_share_a_number():
    with pytest.raises(ValueError, match="share a number"):
        type(CODEC)([Pulse, Pulse])


@given(st.lists(st.binary(max_size=30), max_size=6), st.data())
def test_frames_come_out_as_they_went_in_however_they_are_cut(payloads, data):
    stream = b"".join(frame(payload) for payload in payloads)
    reader, found, at = FrameReader(), [], 0
    while at < len(stream):
        size = data.draw(st.integers(1, len(stream) - at))
        found += reader.feed(stream[at : at + size])
        at += size
    assert found == payloads


def test_a_frame_has_a_limit_on_both_sides():
    with pytest.raises(WireError):
        FrameReader().feed(LENGTH.pack(MAX_FRAME_BYTES + 1))
    with pytest.raises(ValueError, match="at most"):
        frame(bytes(MAX_FRAME_BYTES + 1))


def test_rows_of_a_table_must_name_methods():
    from cluster.membership.paxos_events import PaxosState, QuantumOver
    from cluster.state_machine import table

    with pytest.raises(AttributeError):

        class Wrong(StateMachine):
            TABLE = table("wrong", (PaxosState.IDLE, QuantumOver, "_no", PaxosState.IDLE, ""))
