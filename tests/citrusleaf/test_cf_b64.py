"""Base64: round trips, and the strict grammar as a regular expression."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citrusleaf.cf_b64 import decode, encode, encoded_size, is_valid

GRAMMAR = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"", ""), (b"f", "Zg=="), (b"fo", "Zm8="), (b"foo", "Zm9v"), (b"foobar", "Zm9vYmFy")],
)
def test_published_vectors(data: bytes, text: str) -> None:
    assert encode(data) == text
    assert decode(text) == decode(text.encode()) == data


@given(st.binary(max_size=200))
def test_round_trip(data: bytes) -> None:
    text = encode(data)
    assert decode(text) == data
    assert is_valid(text)
    assert len(text) == encoded_size(len(data))


@pytest.mark.parametrize("text", ["0000=", "0000====", "00===", "="])
def test_superfluous_padding_is_refused(text: str) -> None:
    assert not is_valid(text)


@given(st.text("AZaz09+/==-\n é", max_size=12))
def test_only_the_grammar_is_valid(text: str) -> None:
    assert is_valid(text) == bool(GRAMMAR.fullmatch(text))
    if not is_valid(text):
        with pytest.raises(ValueError):  # noqa: PT011 - the words are the standard library's
            decode(text)
