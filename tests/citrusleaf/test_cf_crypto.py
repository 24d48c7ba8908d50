"""Published vectors, and what must hold of any key and message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citrusleaf.cf_crypto import (
    GCM_TAG_SIZE,
    aes_ctr,
    aes_gcm_open,
    aes_gcm_seal,
    hmac_sha256,
    is_equal,
    sha1,
    sha256,
)

KEYS = st.sampled_from([16, 24, 32]).flatmap(lambda n: st.binary(min_size=n, max_size=n))
NONCES = st.binary(min_size=12, max_size=12)
CTR_NONCES = st.binary(min_size=8, max_size=8)


def test_hash_vectors() -> None:
    assert sha1(b"abc").hex() == "a9993e364706816aba3e25717850c26c9cd0d89d"
    assert sha256(b"").hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_hmac_vector() -> None:  # RFC 4231, test case 2
    mac = hmac_sha256(b"Jefe", b"what do ya want for nothing?")
    assert mac.hex() == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


def test_gcm_vector() -> None:  # the GCM specification, test case 2
    sealed = aes_gcm_seal(bytes(16), bytes(12), bytes(16))
    assert sealed.hex() == "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf"


def test_ctr_vector() -> None:  # the first block is the key's encryption of nonce and counter 0
    stream = aes_ctr(bytes(16), bytes(8), bytes(16))
    assert stream.hex() == "66e94bd4ef8a2c3b884cfa59ca342b2e"


@given(st.binary(max_size=20), st.binary(max_size=20))
def test_is_equal(a: bytes, b: bytes) -> None:
    assert is_equal(a, b) == (a == b)
    assert is_equal(a, bytes(a))


@given(KEYS, CTR_NONCES, st.binary(max_size=100), st.data())
def test_ctr_pieces_fit_the_whole(
    key: bytes, nonce: bytes, message: bytes, data: st.DataObject
) -> None:
    whole = aes_ctr(key, nonce, message)
    assert aes_ctr(key, nonce, whole) == message
    start = data.draw(st.integers(0, len(message)))
    assert aes_ctr(key, nonce, message[start:], offset=start) == whole[start:]


@given(KEYS, NONCES, st.binary(max_size=50), st.binary(max_size=20), st.data())
def test_any_changed_bit_is_noticed(
    key: bytes, nonce: bytes, message: bytes, associated: bytes, data: st.DataObject
) -> None:
    sealed = aes_gcm_seal(key, nonce, message, associated)
    assert len(sealed) == len(message) + GCM_TAG_SIZE
    assert aes_gcm_open(key, nonce, sealed, associated) == message
    arguments = [key, nonce, sealed, associated]
    changed = data.draw(st.sampled_from([i for i, a in enumerate(arguments) if a]))
    bit = data.draw(st.integers(0, len(arguments[changed]) * 8 - 1))
    broken = bytearray(arguments[changed])
    broken[bit // 8] ^= 1 << bit % 8
    arguments[changed] = bytes(broken)
    with pytest.raises(ValueError, match="MAC"):
        aes_gcm_open(*arguments)


def test_sizes() -> None:
    with pytest.raises(ValueError, match="nonce"):
        aes_gcm_seal(bytes(16), bytes(8), b"")
    with pytest.raises(ValueError, match="nonce"):
        aes_gcm_open(bytes(16), bytes(8), bytes(16))
    with pytest.raises(ValueError, match="sealed data of 15"):
        aes_gcm_open(bytes(16), bytes(12), bytes(15))
    with pytest.raises(ValueError, match="nonce"):
        aes_ctr(bytes(16), bytes(12), b"")
    with pytest.raises(ValueError, match="offset"):
        aes_ctr(bytes(16), bytes(8), b"", offset=-1)
    with pytest.raises(ValueError, match="key"):
        aes_ctr(bytes(15), bytes(8), b"")
