"""Password hashes, against ones that other implementations made."""

import bcrypt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerospike_common.as_password import NO_PASSWORD, SETTING, hash_password, matches
from aerospike_common.crypt_blowfish import crypt, gensalt

# Sent by the official C client at login.
CLIENT_HASHES = {
    "password": "qUH6KN8IKy3Yk5Kz..RHGKNAUCoP/LG",
    "admin": "1mVO/4MLpGzsqojz6E9Gef6iXDjXdDa",
    "pässwörd-€": "slsTTMXlaUnTSaXFF1ZfC6CYeYN4iiq",
    NO_PASSWORD: "ePA2sZy..tlOF99W2N0g5KZ3dLaw8WO",
}

# The published vectors of bcrypt.
PUBLISHED = [
    (b"U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.", "E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    (b"U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.", "VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
    (b"U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXO", "AcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"),
    (b"", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.", "7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy"),
]


@pytest.mark.parametrize(("password", "hashed"), CLIENT_HASHES.items())
def test_clients_send_the_same(password, hashed):
    assert hash_password(password) == SETTING + hashed


@pytest.mark.parametrize(("key", "setting", "hashed"), PUBLISHED)
def test_published_hashes(key, setting, hashed):
    assert crypt(key, setting) == setting + hashed
    assert crypt(key, setting + hashed) == setting + hashed


def test_a_key_counts_up_to_72_bytes():
    setting = gensalt(4, bytes(range(16)))
    assert crypt(b"x" * 100, setting) == crypt(b"x" * 72, setting)
    assert crypt(b"x" * 71, setting) != crypt(b"x" * 72, setting)


def test_a_password_ends_nowhere_but_at_its_end():
    with pytest.raises(ValueError, match="NUL"):
        hash_password("pass\0word")


@given(st.integers(4, 31), st.binary(min_size=16, max_size=16))
def test_settings_have_the_form_of_the_library(cost, randomness):
    setting = gensalt(cost, randomness)
    assert len(setting) == 29
    assert setting.startswith(f"$2a${cost:02}$")
    assert gensalt(cost, randomness) == setting


@settings(max_examples=10, deadline=None)
@given(st.binary(min_size=16, max_size=16))
def test_settings_are_taken_whole(randomness):
    setting = gensalt(4, randomness)
    hashed = crypt(b"key", setting)
    # The last two bits of the salt's last character are unused: it comes back as it went in.
    assert hashed.startswith(setting)
    assert bcrypt.checkpw(b"key", hashed.encode())


@pytest.mark.parametrize("setting", ["", "$2a$10$", "$1$04$" + "." * 22, "$2a$99$" + "." * 22])
def test_invalid_settings(setting):
    with pytest.raises(ValueError, match=r"."):
        crypt(b"key", setting)


@pytest.mark.parametrize(("cost", "size"), [(3, 16), (32, 16), (10, 15), (10, 17)])
def test_invalid_salts(cost, size):
    with pytest.raises(ValueError, match="not"):
        gensalt(cost, bytes(size))


def test_hashes_match_as_text_or_bytes():
    hashed = SETTING + CLIENT_HASHES["admin"]
    assert matches(hashed, hashed.encode())
    assert not matches(hashed, hashed[:-1])
    assert not matches("", hashed)
    assert not matches(b"\xff", "\xff")
