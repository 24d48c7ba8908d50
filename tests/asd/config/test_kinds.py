"""Values as they are written in a file and shown by get-config."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asd.config.kinds import U64_MAX, Boolean, Choice, Integer, Seconds, Size, Text, Texts


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Boolean(), "true", True),
        (Boolean(), "YES", True),
        (Boolean(), "false", False),
        (Boolean(), "no", False),
        (Integer(0, 10), "10", 10),
        (Integer(-1, 10), "-1", -1),
        (Size(0, U64_MAX), "512", 512),
        (Size(0, U64_MAX), "4K", 4096),
        (Size(0, U64_MAX), "4g", 4 << 30),
        (Size(0, U64_MAX), "2Ti", 2 << 40),
        (Size(0, U64_MAX), "1M", 1 << 20),
        (Seconds(0, 10**9), "30d", 30 * 86400),
        (Seconds(0, 10**9), "2h", 7200),
        (Seconds(0, 10**9), "5m", 300),
        (Seconds(0, 10**9), "7S", 7),
        (Choice(("a", "b")), "b", "b"),
        (Text(), "plain", "plain"),
        (Texts(), "plain", ("plain",)),
    ],
)
def test_reads(kind, text, value):
    assert kind.parse(text) == value
    kind.check(value)


@pytest.mark.parametrize(
    ("kind", "text", "allowed"),
    [
        (Boolean(), "1", "true or false"),
        (Integer(0, 10), "11", "from 0 to 10"),
        (Integer(0, 10), "-1", "from 0 to 10"),
        (Integer(0, 10), "1K", "whole number"),
        (Integer(0, 10), "", "whole number"),
        (Integer(0, 10), "1.5", "whole number"),
        (Size(64, 8 << 20), "9M", "from 64 to 8M"),
        (Size(0, 1 << 30), "1X", "suffix K, M, G or T"),
        (Seconds(0, 10), "1w", "suffix s, m, h or d"),
        (Choice(("lz4", "zstd", "none")), "gzip", "lz4, zstd or none"),
        (Choice(("shmem",)), "flash", "expected shmem"),
        (Text(3), "four", "at most 3 bytes"),
        (Text(), "a;b=c", "without ';'"),
    ],
)
def test_refuses_and_says_what_is_allowed(kind, text, allowed):
    with pytest.raises(ValueError, match="is not allowed here, expected") as caught:
        kind.parse(text)
    assert allowed in str(caught.value)
    assert f"'{text}'" in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [(Boolean(), 1), (Integer(0, 1), True), (Integer(0, 1), "1"), (Texts(), "word"), (Text(), 3)],
)
def test_check_wants_the_right_type(kind, value):
    with pytest.raises(ValueError, match="not allowed"):
        kind.check(value)


@given(st.integers(0, U64_MAX))
def test_integers_survive_show_and_parse(number):
    kind = Size(0, U64_MAX)
    assert kind.parse(kind.show(number)) == number


@given(st.text(max_size=30))
def test_any_text_is_a_value_or_a_value_error(text):
    for kind in (Boolean(), Integer(-5, 5), Size(0, 99), Seconds(0, 99), Choice(("x",)), Texts()):
        try:
            kind.check(kind.parse(text))
        except ValueError:
            continue


def test_empty_values_are_shown_as_null():
    assert Text().show("") == "null"
    assert Texts().show(()) == "null"
    assert Texts().show(("a", "b")) == "a,b"
    assert Boolean().show(False) == "false"
