"""Keys: digest, partition, equality."""

from __future__ import annotations

import pytest

from aerospike_client import Key


def test_digest_and_partition_are_those_of_the_servers() -> None:
    key = Key("test", "demo", 42)
    assert key.digest.hex() == "cf5a1365effa4dc53333f2166d103358f8711096"
    assert key.partition_id == 2767


def test_a_key_by_digest_equals_the_one_by_name() -> None:
    key = Key("test", "demo", "a")
    other = Key.of_digest("test", "demo", key.digest)
    assert other == key
    assert hash(other) == hash(key)
    assert other != Key.of_digest("bar", "demo", key.digest)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("", "s", 1), ValueError),
        (("n" * 32, "s", 1), ValueError),
        (("n", "s" * 64, 1), ValueError),
        (("n", "s", True), TypeError),
        (("n", "s", None), TypeError),
        (("n", "s", 1 << 63), OverflowError),
    ],
)
def test_what_is_no_key_is_refused(arguments: tuple[str, str, int], error: type[Exception]) -> None:
    with pytest.raises(error):
        Key(*arguments)


def test_a_key_does_not_change() -> None:
    with pytest.raises(AttributeError):
        Key("test", "demo", 1).namespace = "other"  # type: ignore[misc]  # that is the point
