"""Streams, iterators and results."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aerospike_common import NIL, AsInteger, AsString
from aerospike_common.as_iterator import AsIterator
from aerospike_common.as_result import AsResult, AsResultError
from aerospike_common.as_stream import IterableStream, pump, values_of

VALUES = st.lists(st.integers(0, 9).map(AsInteger), max_size=5)


class Collector:
    """A stream to write that keeps what it is given, up to a number."""

    def __init__(self, room=100):
        self.values = []
        self.room = room

    def write(self, value):
        if len(self.values) == self.room:
            raise OverflowError
        self.values.append(value)


@given(VALUES)
def test_a_stream_gives_its_values_and_then_none(values):
    stream = IterableStream(iter(values))
    assert [stream.read() for _ in values] == values
    assert stream.read() is None
    assert stream.read() is None


@given(VALUES)
def test_nil_does_not_end_a_stream(values):
    assert list(values_of(IterableStream([NIL, *values, NIL]))) == [NIL, *values, NIL]


@given(VALUES)
def test_pump_moves_everything(values):
    sink = Collector()
    assert pump(IterableStream(values), sink) == len(values)
    assert sink.values == values


def test_pump_reads_no_more_than_the_sink_takes():
    source = IterableStream(map(AsInteger, range(5)))
    with pytest.raises(OverflowError):
        pump(source, Collector(room=2))
    assert source.read() == AsInteger(3)


@given(st.lists(st.none() | st.integers()), st.data())
def test_looking_ahead_takes_nothing(elements, data):
    iterator = AsIterator(elements)
    for i in range(len(elements)):
        for _ in range(data.draw(st.integers(0, 2))):
            assert iterator.has_next()
            iterator._check()
        assert next(iterator) is elements[i]
    assert not iterator.has_next()
    with pytest.raises(StopIteration):
        next(iterator)
    assert list(iterator) == []


def test_elements_are_fetched_when_asked_about():
    fetched = []
    iterator = AsIterator(fetched.append(i) or i for i in range(3))
    assert fetched == []
    assert iterator.has_next()
    assert fetched == [0]
    assert list(iterator) == [0, 1, 2]


def test_success_and_failure():
    success, failure = AsResult.success(AsInteger(0)), AsResult.failure(AsString("why"))
    assert success
    assert success.unwrap() == AsInteger(0)
    assert not failure
    with pytest.raises(AsResultError) as caught:
        failure.unwrap()
    assert caught.value.value == AsString("why")
    assert success == AsResult.success(AsInteger(0))
    assert success != AsResult.failure(AsInteger(0))
    with pytest.raises(TypeError, match="from_python"):
        AsResult.success(1)
