"""`make attack-admin`: the admin protocol under a million messages, against a real server process.

    python -m attack.admin --messages N [--seed S]

Messages that are right, nearly right, damaged or noise, in rounds, many in flight:

1. From strangers and from a user without privileges. Nothing of it may be done: the listing of
   users and roles is afterwards what it was before.
2. From an administrator, who may do all of it. Afterwards the listing is read, and a naive model
   (`admin_rights`) says what follows of it. Users log in, and on these connections and on those of
   rounds before it is looked whether just that is allowed: no right is gained that the listing does
   not give, and none is lost.

Throughout: every frame is answered by one frame of the protocol's results, and no connection is
closed that does not end with its user. At the end: the node lives, its log has no traceback and no
secret, its memory has not grown beyond bounds. The messages are those of the seed (tokens, which
are the node's own, apart); logins that fail are few, and of strange names, since they are answered
slowly on purpose.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from aerospike_common.as_password import hash_password
from aerospike_common.wire.admin import (
    AdminCommand,
    AdminField,
    AdminMessage,
    encode_admin,
    encode_roles,
    parse_admin,
)
from aerospike_common.wire.codes import FieldType, Info1, Info2, OpType, ParticleType, ResultCode
from aerospike_common.wire.message import Op, encode_message, parse_message
from attack.admin_messages import CLEAR, MARK, USERS, Messages, hash_of
from attack.admin_rights import INDEXES, READ, TRUNCATE, USER_ADMIN, WRITE, Listing
from attack.attackers import Target, framed
from citrusleaf.cf_digest import key_digest

ROUND: Final = 2_000
"""Messages of one round, half of them by those who may do nothing."""
IN_FLIGHT: Final = 100
MOST_USERS: Final = 200
"""Users that damaged names have made, above which they are dropped."""
MOST_GROWTH_KB: Final = 96 << 10
RESULTS: Final = {int(code) for code in ResultCode if 50 <= code <= 94} | {
    ResultCode.OK,
    ResultCode.FORBIDDEN,
}
BOSS: Final = b"the-boss"
WEAK: Final = b"the-weak"
PLACES: Final = (b"demo", b"other")

CONFIGURATION: Final = """
service { }
network { service { port 0
    address 127.0.0.1 } }
security {
    enable-quotas true
    log {
        report-authentication true
        report-user-admin true
        report-sys-admin true
        report-violation true
    }
}
logging { console { context any info
    context security debug
} }
namespace test { }
"""


class Failed(Exception):
    """The server has done what it must not."""


class Client:
    """One connection, which sends frames and takes apart what is answered."""

    def __init__(self, target: Target, source: str = "127.0.0.1") -> None:
        self._socket = target.connect(source)
        self._answers = self._socket.makefile("rb")

    def close(self) -> None:
        """End it."""
        self._answers.close()
        self._socket.close()

    def send(self, *frames: bytes) -> None:
        """Send frames. Raises OSError."""
        self._socket.sendall(b"".join(frames))

    def receive(self, kind: int) -> bytes:
        """The body of the next frame of the answers. Raises OSError, Failed."""
        head = self._answers.read(8)
        if len(head) < 8:
            raise ConnectionResetError
        if head[:2] != bytes((2, kind)):
            raise Failed(f"answered with {head!r}")
        return self._answers.read(int.from_bytes(head[2:], "big"))

    def admin(self, body: bytes) -> list[AdminMessage]:
        """The messages of the answer to a body. Raises OSError, Failed."""
        self.send(framed(2, body))
        return self.answers()

    def answers(self) -> list[AdminMessage]:
        """The messages of the next answer, which are all of the protocol's results."""
        messages = parse_admin(self.receive(2))
        strange = {message.result_code for message in messages} - RESULTS
        if strange:
            raise Failed(f"answered with results {strange}")
        return messages

    def do(self, command: AdminCommand, fields: dict[int, bytes]) -> int:
        """The result of a command."""
        return self.admin(encode_admin(command, fields))[0].result_code

    def login(self, user: bytes, password: bytes) -> AdminMessage:
        """The answer to a login with a hash."""
        fields = {AdminField.USER: user, AdminField.CREDENTIAL: password}
        return self.admin(encode_admin(AdminCommand.LOGIN, fields))[0]

    def record(self, set_name: bytes, **message: object) -> int:
        """The result of a command on a record."""
        fields = {
            FieldType.NAMESPACE: b"test",
            FieldType.SET: set_name,
            FieldType.DIGEST: key_digest(set_name.decode(), 1),
        }
        self.send(framed(3, encode_message(fields=fields, **message)))  # type: ignore[arg-type]  # by name - each has its own type
        return parse_message(self.receive(3)).result_code

    def info(self, text: bytes) -> int:
        """80 or 81 where an info command is refused, else 0."""
        self.send(framed(1, text + b"\n"))
        said = self.receive(1).partition(b"\t")[2]
        return next((code for code in (80, 81) if said.startswith(b"ERROR:%d:" % code)), 0)


class Attack:
    """One run."""

    def __init__(self, target: Target, seed: int) -> None:
        self.target = target
        self._chance = random.Random(seed)
        self._messages = Messages(self._chance)
        self._boss = self._administrator()
        self._listing = self._list()
        self._older: list[tuple[bytes, Client]] = []
        self._grown_from_kb = 0
        self.results: Counter[int] = Counter()
        """How often the bulk was answered with what."""
        self.sent = 0

    # ------------------------------------------------------------- an administrator

    def _administrator(self) -> Client:
        """Who makes the users, and may do all that there is to do with them."""
        first = Client(self.target)
        first.login(b"admin", hash_password("admin").encode())
        for name, roles in ((BOSS, [b"user-admin"]), (WEAK, [])):
            fields = {
                AdminField.USER: name,
                AdminField.PASSWORD: hash_of(name),
                AdminField.ROLES: encode_roles(roles),
            }
            if first.do(AdminCommand.CREATE_USER, fields):
                raise Failed("the administrator cannot be made")
        first.close()
        boss = Client(self.target)
        if boss.login(BOSS, hash_of(BOSS)).result_code:
            raise Failed("the administrator cannot log in")
        return boss

    def _list(self) -> Listing:
        return Listing.of(
            self._boss.admin(encode_admin(AdminCommand.QUERY_USERS)),
            self._boss.admin(encode_admin(AdminCommand.QUERY_ROLES)),
        )

    # ------------------------------------------------------------- rounds

    def round(self, messages: int) -> None:
        """So many messages, and a look at what has come of them. Raises Failed, OSError."""
        half = messages // 2
        self._without_privileges(half)
        self._with_privileges(messages - half)
        self.sent += messages
        self._probe()
        if not self._grown_from_kb and self.sent >= ROUND * 10:
            self._grown_from_kb = self.target.memory_kb()

    def _without_privileges(self, messages: int) -> None:
        stranger, weak = Client(self.target), Client(self.target)
        token = weak.login(WEAK, hash_of(WEAK)).fields.get(AdminField.SESSION_TOKEN)
        if token is None:
            raise Failed("a user cannot log in")
        for client in (stranger, weak):
            for answer in self._bulk(client, messages // 2):
                if answer.result_code in (ResultCode.OK, ResultCode.OK_LAST):
                    raise Failed(f"did what {client is weak=} may not")
            client.close()
        self._guess()
        if self._list() != self._listing:
            raise Failed("users or roles changed without a privilege")

    def _guess(self) -> None:
        """A login that fails: from an address of its own, since those of one stand in line."""
        number = self.sent // ROUND + 1
        guesser = Client(self.target, f"127.77.{number >> 8 & 255}.{number & 255}")
        guesser.send(framed(2, self._messages.login()))
        refused = ResultCode.USER_INVALID, ResultCode.LDAP_NOT_CONFIGURED
        if guesser.answers()[0].result_code not in refused:
            raise Failed("let somebody in whom there is not")
        guesser.close()

    def _with_privileges(self, messages: int) -> None:
        for _ in self._bulk(self._boss, messages):
            pass
        self._listing = self._list()
        if len(self._listing.users) > MOST_USERS:
            for name in self._listing.users.keys() - {BOSS, WEAK, b"admin", *USERS}:
                self._boss.do(AdminCommand.DROP_USER, {AdminField.USER: name})
            self._listing = self._list()
        if BOSS not in self._listing.users or WEAK not in self._listing.users:
            raise Failed("a name that was not sent was meant")

    def _bulk(self, client: Client, messages: int) -> list[AdminMessage]:
        """The answers to so many messages, `IN_FLIGHT` of which are sent at once."""
        found: list[AdminMessage] = []
        for begin in range(0, messages, IN_FLIGHT):
            bodies = [self._messages.body() for _ in range(min(IN_FLIGHT, messages - begin))]
            client.send(*(framed(2, body) for body in bodies))
            for body in bodies:
                try:
                    answers = client.answers()
                    self.results[answers[0].result_code] += 1
                    found += answers
                except OSError as error:
                    raise Failed(f"no answer to {body.hex()}: {error!r}") from None
        return found

    # ------------------------------------------------------------- what may be done

    def _probe(self) -> None:
        """Look whether users may do just what the listing says, on new connections and old."""
        for user in USERS:
            if user not in self._listing.users:
                self._messages.ended(user)
                continue
            password = {AdminField.USER: user, AdminField.PASSWORD: hash_of(b"known")}
            if self._boss.do(AdminCommand.SET_PASSWORD, password):
                continue  # logs in by certificate
            self._messages.ended(user)
            client = Client(self.target)
            answer = client.login(user, hash_of(b"known"))
            expected = 0 if self._listing.may_come(user) else ResultCode.NOT_WHITELISTED
            if answer.result_code != expected:
                raise Failed(f"{user!r} got {answer.result_code} for {expected}")
            if expected:
                client.close()
                continue
            self._messages.live[user] = answer.fields[AdminField.SESSION_TOKEN]
            self._look(user, client)
            self._older.append((user, client))
        for user, client in self._older[:-20]:
            self._look_again(user, client)
        del self._older[:-20]

    def _look_again(self, user: bytes, client: Client) -> None:
        """A connection of a round before: it was closed, or may do what its user may now."""
        try:
            self._look(user, client)
        except OSError:
            pass
        finally:
            client.close()

    def _look(self, user: bytes, client: Client) -> None:
        listing = self._listing
        put = [Op(OpType.WRITE, ParticleType.BLOB, b"v", b"x")]
        for place in PLACES:
            looked: Sequence[tuple[frozenset[int], int]] = (
                (READ, client.record(place, info1=Info1.READ | Info1.GET_ALL)),
                (WRITE, client.record(place, info2=Info2.WRITE, ops=put)),
                (TRUNCATE, client.info(b"truncate:namespace=test;lut=1;set=" + place)),
            )
            for codes, result in looked:
                self._compare(user, result, listing.allowed(user, codes, b"test", place))
        indexes = client.info(b"sindex-delete:ns=test;indexname=none")
        self._compare(user, indexes, listing.allowed(user, INDEXES))
        asked = client.do(AdminCommand.QUERY_USERS, {})
        self._compare(user, asked, listing.allowed(user, USER_ADMIN))

    def _compare(self, user: bytes, result: int, allowed: bool) -> None:
        if (result in (ResultCode.ROLE_VIOLATION, ResultCode.NOT_AUTHENTICATED)) == allowed:
            roles = {name: self._listing.roles.get(name) for name in self._listing.users[user]}
            raise Failed(f"{user!r} got {result} where {allowed=}: {roles}")

    # ------------------------------------------------------------- the end

    def close(self) -> None:
        """End all connections."""
        for client in (self._boss, *(client for _, client in self._older)):
            client.close()

    def end(self) -> list[str]:
        """What is wrong in the end."""
        failures = self.target.tracebacks()
        grown_kb = self.target.memory_kb() - (self._grown_from_kb or self.target.memory_kb())
        if grown_kb > MOST_GROWTH_KB:
            failures.append(f"the node has grown by {grown_kb // 1024} MiB")
        tokens = [token.hex().encode() for token in self._messages.tokens()]
        secrets = [MARK, CLEAR, *tokens, *(token.upper() for token in tokens)]
        with self.target.log.open("rb") as log:
            for line in log:
                failures += [f"a secret in the log: {line!r}" for one in secrets if one in line]
        return failures[:10]


def attack(messages: int, seed: int, say: Callable[[str], None]) -> list[str]:
    """What was found wrong in so many messages of a seed."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "asd.conf")
        file.write_text(CONFIGURATION)
        began = said = time.monotonic()
        with Target(Path(folder), "--config-file", str(file)) as target:
            run = Attack(target, seed)
            try:
                while run.sent < messages:
                    run.round(min(ROUND, messages - run.sent))
                    if time.monotonic() - said > 5:
                        said = time.monotonic()
                        rate = run.sent / (said - began)
                        memory = target.memory_kb() // 1024
                        say(f"{run.sent:,} messages, {rate:,.0f} a second, {memory} MiB")
                failures = run.end()
            except (Failed, OSError) as error:
                failures = [f"after {run.sent:,} messages: {error!r}", *target.tracebacks()]
            finally:
                run.close()
        took_s = time.monotonic() - began
        say(f"{run.sent:,} messages in {took_s:.0f} s, log {target.log.stat().st_size:,} bytes")
        told = (f"{code}: {count:,}" for code, count in sorted(run.results.items()))
        say(f"answered with {', '.join(told)}")
    return failures


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    given = parser.parse_args()
    print(f"seed {given.seed}, {given.messages:,} messages", flush=True)
    failures = attack(given.messages, given.seed, lambda line: print(line, flush=True))
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
