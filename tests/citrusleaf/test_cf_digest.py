"""The digest rule: known vectors, and both implementations of RIPEMD-160 against each other."""

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citrusleaf import cf_digest
from citrusleaf.cf_digest import (
    DIGEST_SIZE,
    PARTITIONS,
    KeyType,
    digest,
    key_digest,
    partition_id,
    ripemd160,
)

VECTORS = [
    ("", "a", "79e55340ff2911fc794c49ec2a8175bd9d7ca04c", 1401),
    ("demo", "key1", "ec91192d4b7f8ce35d5d78d34bca65cbaaaac960", 492),
    ("demo", 42, "cf5a1365effa4dc53333f2166d103358f8711096", 2767),
]


@pytest.mark.parametrize(("set_name", "key", "expected", "partition"), VECTORS)
def test_vectors(set_name: str, key: str | int, expected: str, partition: int) -> None:
    assert key_digest(set_name, key).hex() == expected
    assert key_digest(set_name.encode(), key).hex() == expected
    assert partition_id(bytes.fromhex(expected)) == partition


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "9c1185a5c5e9fc54612808977ee8f548b2258d31"),
        (b"abc", "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"),
        (b"message digest", "5d0689ef49d2fae572b881b123a85ffa21595f36"),
    ],
)
def test_ripemd160_published_vectors(data: bytes, expected: str) -> None:
    assert ripemd160(data).hex() == expected
    assert cf_digest._ripemd160_pycryptodome(data).hex() == expected


@given(st.binary(max_size=300))
def test_both_implementations_agree(data: bytes) -> None:
    assert ripemd160(data) == cf_digest._ripemd160_pycryptodome(data)


def test_without_openssl_pycryptodome_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*args: object, **kwargs: object) -> None:
        raise ValueError("unsupported hash type ripemd160")

    monkeypatch.setattr(hashlib, "new", absent)
    assert cf_digest._choose_ripemd160() is cf_digest._ripemd160_pycryptodome


@given(st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=20), st.binary(max_size=20))
def test_typed_keys_hash_their_wire_form(i: int, f: float, s: str, b: bytes) -> None:
    s = s.encode("utf-8", "ignore").decode()
    expected = {
        KeyType.INTEGER: (i, struct.pack(">q", i)),
        KeyType.DOUBLE: (f, struct.pack(">d", f)),
        KeyType.STRING: (s, s.encode()),
        KeyType.BLOB: (b, b),
    }
    for key_type, (key, wire) in expected.items():
        made = key_digest("demo", key)
        assert made == digest(b"demo", key_type, wire)
        assert made == ripemd160(b"demo" + bytes([key_type]) + wire)
        assert len(made) == DIGEST_SIZE


@given(st.binary(min_size=20, max_size=20))
def test_partition_is_the_low_twelve_bits(some_digest: bytes) -> None:
    assert partition_id(some_digest) == struct.unpack("<I", some_digest[:4])[0] % PARTITIONS


@pytest.mark.parametrize("key", [2**63, -(2**63) - 1])
def test_integers_beyond_64_bits_are_refused(key: int) -> None:
    with pytest.raises(OverflowError):
        key_digest("demo", key)


@pytest.mark.parametrize("key", [True, None, [1], {"a": 1}])
def test_other_types_are_refused(key: object) -> None:
    with pytest.raises(TypeError):
        key_digest("demo", key)  # type: ignore[arg-type]  # wrong on purpose


def test_a_key_type_is_one_byte() -> None:
    with pytest.raises(ValueError, match="range"):
        digest(b"demo", 256, b"key")
