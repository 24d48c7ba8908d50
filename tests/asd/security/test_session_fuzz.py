"""Whatever is sent as an admin frame is answered with one of the protocol's results."""

from __future__ import annotations

import logging
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aerospike_common.wire.admin import (
    AdminCommand,
    AdminField,
    encode_admin,
    encode_privileges,
    encode_roles,
    parse_admin,
)
from aerospike_common.wire.codes import ResultCode
from aerospike_common.wire.frame import frame

SECURITY_RESULTS = {code for code in ResultCode if 50 <= code <= 94} | {
    ResultCode.OK,
    ResultCode.FORBIDDEN,
}

NAMES = st.sampled_from([b"ann", b"admin", b"read", b"clerk", b"", b"\xff", b"a\nb", b"x" * 64])
FIELDS = st.dictionaries(
    st.one_of(st.sampled_from(sorted(AdminField)), st.integers(0, 255)),
    st.one_of(
        NAMES,
        st.binary(max_size=80),
        st.just(b"$2a$10$".ljust(60, b"x")),
        st.lists(NAMES, max_size=3).map(encode_roles),
        st.sampled_from([b"10.0.0.0/8", b"\0\0\0\1", encode_privileges([])]),
    ),
    max_size=6,
)
MESSAGES = st.builds(
    encode_admin, st.one_of(st.sampled_from(sorted(AdminCommand)), st.integers(0, 255)), FIELDS
)
BODIES = st.one_of(st.binary(max_size=200), MESSAGES, st.lists(MESSAGES).map(b"".join))


def check(wire: Any, body: bytes) -> None:
    """The answer is one whole admin frame of known results, and the server is as it was."""
    reply = wire.send(frame(2, body))
    assert reply[:2] == b"\2\2"
    assert len(reply) == 8 + int.from_bytes(reply[2:8], "big")
    assert {message.result_code for message in parse_admin(reply[8:])} <= SECURITY_RESULTS


@pytest.mark.parametrize("user", ["", "admin"])
@settings(max_examples=300, deadline=None)
@given(bodies=st.lists(BODIES, max_size=4))
def test_admin_frames_are_answered_whatever_they_are(
    secure: Any, user: str, bodies: list[bytes]
) -> None:
    node = secure()
    node.node.security.guessing.failed = lambda *_: 0  # waiting needs a loop
    node.node.security.guessing.wait_ns = lambda *_: 0
    client = node.client(user)
    for body in bodies:
        check(client.wire, body)


def test_damaged_frames_are_answered(secure: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Frames that are nearly right, cut and changed at random."""
    dice = random.Random(1)
    node = secure(enable_quotas=True)
    node.node.security.guessing.failed = lambda *_: 0
    node.node.security.guessing.wait_ns = lambda *_: 0
    client = node.client("admin")
    token = client.login("admin").fields[AdminField.SESSION_TOKEN]
    good = [
        encode_admin(
            command,
            {
                AdminField.USER: b"ann",
                AdminField.PASSWORD: b"$2a$10$".ljust(60, b"x"),
                AdminField.SESSION_TOKEN: token,
                AdminField.ROLES: encode_roles([b"read", b"write"]),
                AdminField.ROLE: b"clerk",
                AdminField.PRIVILEGES: b"\1\x0a\4test\4demo",
                AdminField.WHITELIST: b"127.0.0.1,10.0.0.0/8",
                AdminField.READ_QUOTA: b"\0\0\0\5",
            },
        )
        for command in AdminCommand
        if command is not AdminCommand.DROP_USER
    ]
    with caplog.at_level(logging.ERROR):
        for _ in range(5_000):
            body = bytearray(dice.choice(good))
            for _ in range(dice.randint(0, 3)):
                body[dice.randrange(len(body))] = dice.randrange(256)
            check(client.wire, bytes(body[: dice.choice([len(body), dice.randrange(len(body))])]))
    assert not caplog.records
