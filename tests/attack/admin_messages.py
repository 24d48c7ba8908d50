"""Messages of the admin protocol in bulk: right ones, nearly right ones, damaged ones, noise."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Final

from aerospike_common.as_password import NO_PASSWORD, SETTING, hash_password
from aerospike_common.wire.admin import (
    AdminCommand,
    AdminField,
    WirePrivilege,
    encode_admin,
    encode_privileges,
    encode_roles,
)

USERS: Final = (b"ann", b"bob", b"eve", b"a:b", b"\xc3\xa9va", b"x" * 63)
ROLES: Final = (b"clerk", b"boss", b"guest", b"read", b"write", b"user-admin", b"sys-admin")
ODD: Final = (b"", b"\xff", b"a\nb", b"x" * 64, b"\0", b"y" * 255, b"|", b"%s%n", b"../x")
"""Names that there cannot be, or that are unusual."""
SCOPES: Final = ((b"", b""), (b"test", b""), (b"test", b"demo"), (b"bar", b""), (b"", b"demo"))
WHITELISTS: Final = (b"127.0.0.1", b"10.0.0.0/8", b"127.0.0.0/8,::1", b"", b"nowhere", b"1.2.3")
CODES: Final = (0, 1, 2, 3, 4, 10, 11, 12, 13, 14, 15, 16, 17, 5, 99)

PASSWORDS: Final = (b"one", b"two")
MARK: Final = b"$2a$"
"""How every hash of a password begins: what no log may have."""
CLEAR: Final = b"sesame-in-the-clear"
"""A password in the clear, which no log may have either."""
SECRET: Final = frozenset(
    {
        AdminField.PASSWORD,
        AdminField.OLD_PASSWORD,
        AdminField.CREDENTIAL,
        AdminField.CLEAR_PASSWORD,
        AdminField.SESSION_TOKEN,
    }
)
"""Fields for secrets. In all others what a client sends may be told of in the log."""

CHANGING: Final = tuple(
    command
    for command in AdminCommand
    if command not in (AdminCommand.LOGIN, AdminCommand.AUTHENTICATE)
)


def hash_of(password: bytes) -> bytes:
    """Of the form of a password's hash, and quickly made."""
    return (SETTING.encode() + password).ljust(60, b".")[:60]


class Messages:
    """The messages of one seed, without end."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.live: dict[bytes, bytes] = {}
        """Users to the tokens of their sessions, to be changed and shown."""
        self._dead: list[bytes] = []
        self._hashes = [*map(hash_of, PASSWORDS), hash_password(NO_PASSWORD).encode()]

    def ended(self, user: bytes) -> None:
        """The sessions of a user have ended: what was a token is to be shown as it was, too."""
        if user in self.live:
            self._dead = [*self._dead[-50:], self.live.pop(user)]

    def tokens(self) -> list[bytes]:
        """Those that were used."""
        return [*self._dead, *self.live.values()]

    def body(self) -> bytes:
        """The body of a frame, of whatever kind."""
        chance = self._chance
        kind = chance.random()
        if kind < 0.02:
            return chance.randbytes(chance.randrange(64))
        message = self.message(chance.choice(CHANGING))
        if kind < 0.10:
            message = self.authenticate()
        elif kind < 0.12:
            message += self.message(chance.choice(CHANGING))
        if kind < 0.5:
            return message
        while _tells(damaged := self._damaged(message)):
            pass
        return damaged

    def message(self, command: int) -> bytes:
        """A message of the right form, whose names may be odd, with fields it may have no use
        for."""
        chance = self._chance
        fields: dict[int, bytes] = {}
        for field in (AdminField.USER, AdminField.ROLE, *self._some_fields()):
            fields[field] = self._data(field)
        if command in (AdminCommand.CREATE_USER, AdminCommand.SET_PASSWORD):
            fields[AdminField.PASSWORD] = chance.choice(self._hashes)
        if chance.random() < 0.1:
            fields.pop(chance.choice(list(fields)))
        return encode_admin(command, fields)

    def authenticate(self) -> bytes:
        """A token that is none, or none any more."""
        chance = self._chance
        live = bool(self.live) and chance.random() < 0.5
        known = list(self.live.values()) if live else self._dead
        token = bytearray(chance.choice(known) if known else chance.randbytes(90))
        if live or chance.random() < 0.8:
            token[chance.randrange(len(token))] ^= 1 << chance.randrange(8)
        if chance.random() < 0.2:
            del token[chance.randrange(len(token)) :]
        fields = {AdminField.USER: self._name(USERS), AdminField.SESSION_TOKEN: bytes(token)}
        return encode_admin(AdminCommand.AUTHENTICATE, fields)

    def login(self) -> bytes:
        """By a name that nobody has, or with a wrong password, or one in the clear."""
        chance = self._chance
        fields = {
            AdminField.USER: chance.randbytes(6).hex().encode(),
            AdminField.CREDENTIAL: hash_of(b"wrong"),
        }
        if chance.random() < 0.2:
            fields[AdminField.CLEAR_PASSWORD] = CLEAR
        return encode_admin(AdminCommand.LOGIN, fields)

    def _some_fields(self) -> list[AdminField]:
        chance = self._chance
        known = (
            AdminField.PASSWORD,
            AdminField.OLD_PASSWORD,
            AdminField.ROLES,
            AdminField.PRIVILEGES,
            AdminField.WHITELIST,
            AdminField.READ_QUOTA,
            AdminField.WRITE_QUOTA,
        )
        return [field for field in known if chance.random() < 0.5]

    def _data(self, field: AdminField) -> bytes:
        chance = self._chance
        match field:
            case AdminField.USER:
                return self._name(USERS)
            case AdminField.ROLE:
                return self._name(ROLES)
            case AdminField.ROLES:
                return encode_roles([self._name(ROLES) for _ in range(chance.randrange(4))])
            case AdminField.PRIVILEGES:
                return encode_privileges([self._privilege() for _ in range(chance.randrange(4))])
            case AdminField.WHITELIST:
                return chance.choice(WHITELISTS)
            case AdminField.READ_QUOTA | AdminField.WRITE_QUOTA:
                return chance.choice((0, 1_000_000, 0xFFFFFFFF)).to_bytes(4, "big")
        return chance.choice(self._hashes)

    def _privilege(self) -> WirePrivilege:
        chance = self._chance
        return WirePrivilege(chance.choice(CODES), *chance.choice(SCOPES))

    def _name(self, usual: tuple[bytes, ...]) -> bytes:
        chance = self._chance
        return chance.choice(usual if chance.random() < 0.95 else ODD)

    def _damaged(self, message: bytes) -> bytes:
        chance = self._chance
        data = bytearray(message)
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(data))
            match chance.randrange(5):
                case 0:
                    data[at] = chance.randrange(256)
                case 1:
                    data[at] = chance.choice((0, 1, 127, 128, 254, 255))
                case 2:
                    data[at:at] = data[at : at + chance.randrange(40)]
                case 3 if len(data) > 8:
                    del data[at : at + chance.randrange(1, 8)]
                    data = data or bytearray(1)
                case 4 if chance.random() < 0.2:
                    del data[at:]
                    data = data or bytearray(1)
        return bytes(data)


def _tells(body: bytes) -> bool:
    """Is a secret in a field that is for none? Who sends such a thing tells it himself."""
    return any(
        MARK in data or b"$2" in data
        for fields in naive_fields(body)
        for field, data in fields.items()
        if field not in SECRET
    )


def naive_fields(body: bytes) -> list[Mapping[int, bytes]]:
    """The fields of all messages in a body, as far as they can be made out."""
    found: list[Mapping[int, bytes]] = []
    while len(body) >= 16:
        count, body = body[3], body[16:]
        fields: dict[int, bytes] = {}
        for _ in range(count):
            size = int.from_bytes(body[:4], "big")
            if len(body) < 5 or not size:
                return [*found, fields]
            fields.setdefault(body[4], body[5 : 4 + size])
            body = body[4 + size :]
        found.append(fields)
    return found
