"""AsBuffer against bytes."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from aerospike_common.as_buffer import AsBuffer, AsBufferFullError

LIMIT = 20


class BufferMachine(RuleBasedStateMachine):
    """The buffer holds what bytes would, and refuses what would be too long."""

    def __init__(self):
        super().__init__()
        self.buffer = AsBuffer(b"ab", limit=LIMIT)
        self.model = b"ab"

    def becomes(self, model, operation):
        if len(model) > LIMIT:
            with pytest.raises(AsBufferFullError, match=str(LIMIT)):
                operation()
        else:
            operation()
            self.model = model

    @rule(data=st.binary(max_size=8), kind=st.sampled_from([bytes, bytearray, memoryview]))
    def write(self, data, kind):
        self.becomes(self.model + data, lambda: self.buffer.write(kind(data)))

    @rule(size=st.integers(0, LIMIT + 3))
    def resize(self, size):
        self.becomes(self.model[:size].ljust(size, b"\0"), lambda: self.buffer.resize(size))

    @rule(index=st.integers(0, LIMIT), byte=st.integers(0, 255))
    def change_in_place(self, index, byte):
        if index < len(self.model):
            with self.buffer.view() as view:
                view[index] = byte
            self.model = self.model[:index] + bytes([byte]) + self.model[index + 1 :]

    @invariant()
    def same(self):
        self.buffer._check()
        assert bytes(self.buffer) == self.model
        assert len(self.buffer) == len(self.model)


TestBuffer = BufferMachine.TestCase
TestBuffer.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)


def test_write_tells_how_much():
    assert AsBuffer().write(b"abc") == 3


def test_a_view_of_wide_items_counts_as_bytes():
    with pytest.raises(AsBufferFullError):
        AsBuffer(limit=7).write(memoryview(b"abcdefgh").cast("Q"))


def test_size_stays_while_a_view_is_held():
    buffer = AsBuffer(b"a")
    with buffer.view(), pytest.raises(BufferError):
        buffer.write(b"b")
    buffer.write(b"b")
    assert bytes(buffer) == b"ab"


def test_no_negative_size():
    with pytest.raises(ValueError, match="negative"):
        AsBuffer().resize(-1)


def test_the_beginning_must_fit():
    with pytest.raises(AsBufferFullError):
        AsBuffer(b"ab", limit=1)
