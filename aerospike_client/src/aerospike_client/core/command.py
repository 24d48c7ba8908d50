"""`Attempts`: the life of a single-record command, from the first node asked to the last.

A face makes one for each call, does what `start` says, reports what came of it, does what the
report returns, and so on:

    SEND    send the frame to `node`, wait for the reply until `deadline_us`; then report `replied`,
            `broken`, `expired` or `unsent`
    SLEEP   pause for `pause_us`, then `woken`
    RENEW   `node` does not know the session any more: forget it, and the connections that were let
            in by it, then `renewed`; once a command (`core.session`)
    DONE    that's all: `result`

or a `ClientError` is raised: the command has failed for good.

What is tried again: broken and refused connections, attempts that ran out of `socket_timeout`, full
pools, nodes in the circuit breaker, and the server's own TIMEOUT, PARTITION_UNAVAILABLE and
DEVICE_OVERLOAD. Each other result code is an answer, and final.

*In doubt.* A write whose frame has been handed to the socket and whose answer never came may have
been applied. That stays true whatever happens in later attempts: a second attempt that is refused
(because a generation has moved on, say) does not tell what the first one did. So doubt, once there,
goes into every error of the command; only an OK ends it. The server's TIMEOUT casts doubt too: it
may have replicated part of the write. An attempt that failed before its frame was sent casts none.

*Time.* All times are microseconds of one monotonic clock, handed in with each event. An attempt may
take `socket_timeout`, the command `total_timeout`. No pause begins that would end after that.

(What to do comes back as a plain mark with its details in attributes: a get makes one object this
way instead of three, and the time between two gets of a loop is what a benchmark measures.)
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, Generic, TypeVar

import attrs

from aerospike_client.core.nodes import Node
from aerospike_client.core.session import ENDED
from aerospike_client.core.view import ClusterView
from aerospike_client.errors import (
    BackedOff,
    BadReply,
    ClientError,
    ConnectionFailed,
    NodeUnavailable,
    NoMoreConnections,
    TimedOut,
    server_error,
)
from aerospike_client.key import Key
from aerospike_client.policies import Policy, Replica
from aerospike_common.wire import MessageError, ResultCode

T = TypeVar("T")

RETRIED_CODES: Final = frozenset(
    {ResultCode.TIMEOUT, ResultCode.PARTITION_UNAVAILABLE, ResultCode.DEVICE_OVERLOAD}
)
"""Result codes after which another attempt may succeed."""


def _refusal(code: int, _body: bytes) -> ClientError:
    return server_error(code)


@attrs.define(eq=False)
class Command(Generic[T]):
    """A request on one record and how to read its reply. What it asks for is in the bytes."""

    key: Key
    #: The whole request.
    frame: bytes
    #: Body of an OK reply -> what the caller gets. May raise ClientError or MessageError.
    parse: Callable[[bytes], T]
    policy: Policy
    #: As `ClusterView.replica_for_read` and `replica_for_write` say.
    replica: Replica
    writes: bool = False
    #: Result codes that `parse` reads like OK.
    accepted: tuple[int, ...] = (0,)
    #: Makes the error of another result code, from the code and the reply's body.
    refusal: Callable[[int, bytes], ClientError] = _refusal


class Step(Enum):
    """What a face is to do next."""

    SEND = "send"
    SLEEP = "sleep"
    RENEW = "renew"
    DONE = "done"


_SEND: Final = Step.SEND
_DONE: Final = Step.DONE


class Attempts(Generic[T]):
    """The state machine described above."""

    __slots__ = (
        *("_attempt", "_begun_us", "_command", "_failures", "_in_doubt", "_last", "_offset"),
        *("_renewed", "_total_us", "_view", "deadline_us", "node", "pause_us", "result"),
        "timeout_us",
    )

    #: Whom to send to.
    node: Node | None
    #: When the attempt ends, 0 = never; and how long that was from its beginning.
    deadline_us: int
    timeout_us: int
    pause_us: int
    result: T

    def __init__(self, view: ClusterView, command: Command[T], now_us: int) -> None:
        self._view = view
        self._command = command
        total_us = command.policy.total_timeout * 1000
        #: When the command ends, 0 = never.
        self._total_us = now_us + total_us if total_us else 0
        self._offset = 0 if command.replica is Replica.SEQUENCE else view.start_of(command.replica)
        #: Attempts begun.
        self._attempt = 0
        self.node = None
        self._in_doubt = False
        self._renewed = False
        self._failures: list[tuple[str, str]] | None = None

    # ------------------------------------------------------------------ events

    def start(self, now_us: int) -> Step:
        """Begin."""
        return self._next(now_us)

    def replied(self, body: bytes, now_us: int) -> Step:
        """A reply has come: the body of its frame."""
        node, command = self.node, self._command
        assert node is not None
        if len(body) < 22:
            return self.broken("answered with a message cut off", True, now_us)
        code = body[5]
        metrics = node.metrics
        (metrics.write if command.writes else metrics.read).add(now_us - self._begun_us)
        if code in command.accepted:
            try:
                self.result = command.parse(body)
                return _DONE
            except MessageError as error:
                raise self._blamed(BadReply(f"the reply cannot be read: {error}")) from None
        metrics.refusals += 1
        if code in ENDED and not self._renewed:
            self._renewed = True
            return Step.RENEW
        if code not in RETRIED_CODES:
            raise self._blamed(command.refusal(code, body))
        if code == ResultCode.TIMEOUT:
            self._in_doubt |= command.writes
        if code == ResultCode.DEVICE_OVERLOAD:
            node.errors += 1
        return self._again(code, server_error(code).args[0], now_us)

    def broken(self, reason: str, sent: bool, now_us: int) -> Step:
        """The connection broke or could not be made. `sent`: may the node have the request?"""
        node = self.node
        assert node is not None
        node.errors += 1
        node.metrics.connection_errors += 1
        self._in_doubt |= sent and self._command.writes
        return self._again(ConnectionFailed, reason, now_us)

    def expired(self, now_us: int) -> Step:
        """The attempt's deadline has passed without a reply."""
        node = self.node
        assert node is not None
        node.errors += 1
        node.metrics.timeouts += 1
        self._in_doubt |= self._command.writes
        waited_ms = (now_us - self._begun_us) // 1000
        return self._again(TimedOut, f"did not answer within {waited_ms} ms", now_us)

    def unsent(self, now_us: int) -> Step:
        """All connections to the node were in use; nothing was sent."""
        return self._again(NoMoreConnections, "has no connection to spare", now_us)

    def woken(self, now_us: int) -> Step:
        """The pause is over."""
        return self._next(now_us)

    def renewed(self, now_us: int) -> Step:
        """The session has been forgotten: the attempt is made once more."""
        self._attempt -= 1
        return self._next(now_us)

    # ------------------------------------------------------------------ decisions

    def _next(self, now_us: int) -> Step:
        """The next attempt, or the pause before the one after, where no node can be asked."""
        command, view = self._command, self._view
        namespace, _, _, digest = command.key
        pid = (digest[0] | digest[1] << 8) & 4095
        while True:
            attempt = self._attempt
            self._attempt = attempt + 1
            self._begun_us = now_us
            node = view.choose(namespace, pid, command.replica, self._offset + attempt, self.node)
            if node is None:
                node = view.stand_in(namespace, attempt)
            self.node = node
            if node is None:
                pause_us = self._fail(NodeUnavailable, "", now_us)
            elif node.errors and node.is_broken(view.max_error_rate):
                reason = f"failed {node.errors} times lately and is left alone"
                pause_us = self._fail(BackedOff, reason, now_us)
            else:
                deadline_us = self._total_us
                limit_us = command.policy.socket_timeout * 1000
                if limit_us and (not deadline_us or now_us + limit_us < deadline_us):
                    deadline_us = now_us + limit_us
                self.deadline_us = deadline_us
                self.timeout_us = deadline_us - now_us if deadline_us else 0
                return _SEND
            if pause_us:
                return self._sleep(pause_us)

    def _sleep(self, pause_us: int) -> Step:
        self.pause_us = pause_us
        return Step.SLEEP

    def _again(self, cause: type[ClientError] | int, reason: str, now_us: int) -> Step:
        """The attempt has failed: the next one, or a pause before it."""
        pause_us = self._fail(cause, reason, now_us)
        return self._sleep(pause_us) if pause_us else self._next(now_us)

    def _fail(self, cause: type[ClientError] | int, reason: str, now_us: int) -> int:
        """Note a failed attempt: how long to pause before the next. Raises when it was the last."""
        policy = self._command.policy
        self._last = cause
        failures = self._failures = self._failures or []
        if self.node is not None:
            failures.append((str(self.node.address), reason))
        pause_us = policy.sleep_between_retries * 1000
        if self._attempt > policy.max_retries:
            raise self._failure()
        if self._total_us and now_us + pause_us >= self._total_us:
            if cause is not TimedOut:
                failures.append(("the command", f"has {policy.total_timeout} ms in all"))
            self._last = TimedOut
            raise self._failure()
        if self.node is not None:
            self.node.metrics.retries += 1
        return pause_us

    def _failure(self) -> ClientError:
        key = self._command.key
        where = f"partition {key.partition_id} of {key.namespace!r}"
        cause = self._last
        if key.namespace not in self._view.tables:
            return self._blamed(NodeUnavailable(self._view.lack_of(key.namespace)))
        if isinstance(cause, int):
            return self._blamed(server_error(cause, f"{where}: {self.failures}"))
        if not self._failures:
            return self._blamed(NodeUnavailable(f"no node is known for {where}"))
        return self._blamed(cause(f"no node answers for {where}: {self.failures}"))

    @property
    def failures(self) -> str:
        """What went wrong, alike things once and counted."""
        return told(self._failures or [])

    def _blamed(self, error: ClientError) -> ClientError:
        error.node = str(self.node) if self.node is not None else None
        error.attempts = self._attempt
        error.in_doubt = self._in_doubt
        return error

    def _check(self) -> None:
        assert self._attempt <= self._command.policy.max_retries + 1
        assert not self._in_doubt or self._command.writes


def told(failures: list[tuple[str, str]]) -> str:
    """Failures (who, what) as a text: alike ones once and counted.

    >>> told([("a:1", "refused it"), ("b:1", "broke"), ("a:1", "refused it")])
    'a:1 refused it 2 times, b:1 broke'
    """
    counts: dict[tuple[str, str], int] = {}
    for failure in failures:
        counts[failure] = counts.get(failure, 0) + 1
    return ", ".join(
        f"{who} {what}" + (f" {count} times" if count > 1 else "")
        for (who, what), count in counts.items()
    )
