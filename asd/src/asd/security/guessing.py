"""Delays that make guessing of passwords slow, without locking out whose password is guessed.

Failures are counted by address and by user, and forgotten a minute after the last.

- By *address* attempts stand in line: after the third failure each further attempt from there has
  its turn only some time after the one before, however many connections it comes on. Where the line
  is longer than `MAX_WAIT_NS`, an attempt is refused unseen.
- By *user* only the answer "no" is slow: who guesses from many addresses waits for each answer, and
  the user, who knows the password, does not.

Rejected: locking a user after some failures, which hands everybody a way to lock users out.

Both tables are bounded. A full one forgets the oldest entry; to make it forget, an attacker needs
that many addresses, each of which stands in its own line.
"""

from __future__ import annotations

from typing import Final

NS_PER_MS: Final = 1_000_000
FREE: Final = 3
"""Failures that cost nothing: people mistype."""
FIRST_DELAY_NS: Final = 100 * NS_PER_MS
LONGEST_DELAY_NS: Final = 2_000 * NS_PER_MS
MAX_WAIT_NS: Final = 10_000 * NS_PER_MS
FORGOTTEN_NS: Final = 60_000 * NS_PER_MS
CAPACITY: Final = 10_000
LONGEST_NAME: Final = 64
"""Characters of a name that are remembered: strangers send what they like."""


class _Failures:
    """The failures of one address or user."""

    __slots__ = ("count", "last_ns", "turn_ns")

    def __init__(self) -> None:
        self.count = 0
        self.last_ns = 0
        self.turn_ns = 0
        """When the last attempt in line has its turn."""

    @property
    def delay_ns(self) -> int:
        over = self.count - FREE
        return min(FIRST_DELAY_NS << min(over, 8), LONGEST_DELAY_NS) if over >= 0 else 0


class Guessing:
    """What a node remembers of logins that failed."""

    def __init__(self) -> None:
        self._addresses: dict[str, _Failures] = {}
        self._users: dict[str, _Failures] = {}

    def wait_ns(self, address: str, now_ns: int) -> int | None:
        """How long an attempt from here must wait for its turn; None: it is refused unseen."""
        failures = _find(self._addresses, address, now_ns)
        if failures is None or not failures.delay_ns:
            return 0
        turn_ns = max(now_ns, failures.turn_ns + failures.delay_ns)
        if turn_ns - now_ns > MAX_WAIT_NS:
            return None
        failures.turn_ns = turn_ns
        return turn_ns - now_ns

    def failed(self, address: str, user: str, now_ns: int) -> int:
        """An attempt has failed; nanoseconds for which to keep that to oneself."""
        _note(self._addresses, address, now_ns)
        return _note(self._users, user, now_ns).delay_ns

    def succeeded(self, user: str) -> None:
        """The user has logged in. The address keeps its failures: who guesses may have a password
        of his own."""
        self._users.pop(user, None)


def _find(table: dict[str, _Failures], name: str, now_ns: int) -> _Failures | None:
    failures = table.get(name)
    if failures is not None and now_ns - max(failures.last_ns, failures.turn_ns) > FORGOTTEN_NS:
        del table[name]
        return None
    return failures


def _note(table: dict[str, _Failures], name: str, now_ns: int) -> _Failures:
    name = name[:LONGEST_NAME]
    failures = _find(table, name, now_ns) or _Failures()
    table.pop(name, None)
    table[name] = failures  # behind all others: the oldest is the first to be forgotten
    failures.count += 1
    failures.last_ns = now_ns
    if len(table) > CAPACITY:
        del table[next(iter(table))]
    return failures
