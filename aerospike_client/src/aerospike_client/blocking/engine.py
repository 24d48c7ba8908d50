"""`Engine`: runs commands, scripts and the tend, blocking. An adapter: it sleeps and has a thread.

Commands run on the threads that call; the tend runs on a thread of its own, once in a
`tend_interval`, asking one node after the other over connections that it keeps for itself.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, Final, TypeVar

from aerospike_client.batches import BatchResult
from aerospike_client.blocking.connection import Connection
from aerospike_client.blocking.pools import Pools
from aerospike_client.commands.replies import aggregate_page
from aerospike_client.core.addresses import Address
from aerospike_client.core.batch import BatchAttempts, PlannedRow, Share
from aerospike_client.core.command import Attempts, Command, Step
from aerospike_client.core.nodes import Node
from aerospike_client.core.session import ENDED
from aerospike_client.core.tend_events import Answered, Ask, Failed, NodeRemoved, RoundOver
from aerospike_client.errors import (
    BadReply,
    ClientError,
    ConnectionFailed,
    SecurityFailed,
    TimedOut,
)
from aerospike_client.policies import BatchPolicy
from aerospike_client.replies import (
    checked_values,
    in_session,
    in_session_too,
    info_answers,
    info_frame,
)
from aerospike_client.scripts.effects import (
    Effect,
    Exchange,
    InfoAt,
    MessageAt,
    Pause,
    Script,
    ValuesAt,
)
from aerospike_client.settings import Settings
from aerospike_client.transport import Broken, Exhausted, Expired
from aerospike_common.wire import AdminMessage, MessageError, parse_admin
from citrusleaf.cf_clock import Clock

T = TypeVar("T")

log = logging.getLogger("aerospike_client")

_SEND: Final = Step.SEND
_DONE: Final = Step.DONE
_RENEW: Final = Step.RENEW


class Engine:
    """What the blocking client does with sockets and threads."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.view = settings.view
        self.clock = clock
        self.pools = Pools(settings.policy, settings.sessions, clock, settings.tls)
        self._monotonic_ns = clock.monotonic_ns
        self._tend_connections: dict[Address, Connection] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._round = threading.Lock()

    # ------------------------------------------------------------------ life

    def start(self) -> None:
        """Find the cluster, then keep looking. NotConnected when there is none."""
        self.settings.check_connected(self.tend_round())
        self._thread = threading.Thread(target=self._tend, name="aerospike-tend", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop tending and close what is idle."""
        self._stopping.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self.pools.close()
        for connection in self._tend_connections.values():
            connection.close()
        self._tend_connections = {}
        self.view.nodes.clear()
        self.view.tables.clear()

    def pause(self, duration_us: int) -> None:
        """Do nothing on the calling thread."""
        time.sleep(duration_us / 1e6)

    # ------------------------------------------------------------------ commands

    def execute(self, command: Command[T]) -> T:
        """Run a single-record command. Raises ClientError."""
        now_us = self._monotonic_ns() // 1000
        attempts = Attempts(self.view, command, now_us)
        step = attempts.start(now_us)
        while step is not _DONE:
            if step is _SEND:
                step = self._attempt(attempts, command.frame, now_us)
            elif step is _RENEW:
                step = self._renew(attempts)
            else:
                self.pause(attempts.pause_us)
                step = attempts.woken(self._monotonic_ns() // 1000)
        return attempts.result

    def _attempt(self, attempts: Attempts[T], request: bytes, now_us: int) -> Step:
        node, deadline_us, timeout_us = attempts.node, attempts.deadline_us, attempts.timeout_us
        assert node is not None
        try:
            connection = self.pools.take(node, now_us)
        except Broken as broken:
            return attempts.broken(broken.reason, broken.sent, self.clock.monotonic_us())
        except Expired:
            return attempts.broken("did not let us in in time", False, self.clock.monotonic_us())
        except Exhausted:
            return attempts.unsent(self.clock.monotonic_us())
        try:
            body = connection.exchange(request, deadline_us, timeout_us)
        except Broken as broken:
            self.pools.discard(node, connection)
            return attempts.broken(broken.reason, broken.sent, self.clock.monotonic_us())
        except Expired:
            self.pools.discard(node, connection)
            return attempts.expired(self.clock.monotonic_us())
        except BaseException:
            self.pools.discard(node, connection)
            raise
        now_us = self._monotonic_ns() // 1000
        self.pools.put_back(node, connection, now_us)
        return attempts.replied(body, now_us)

    def _renew(self, attempts: Attempts[T]) -> Step:
        assert attempts.node is not None
        self.pools.end_session(attempts.node)
        return attempts.renewed(self.clock.monotonic_us())

    # ------------------------------------------------------------------ batches

    def execute_batch(self, rows: list[PlannedRow], policy: BatchPolicy) -> list[BatchResult]:
        """Run a batch: every node's share of a round is sent before the first reply is read."""
        attempts = BatchAttempts(self.view, rows, policy, self.clock.monotonic_us())
        while shares := attempts.next_round(self.clock.monotonic_us()):
            sent = [(share, self._send_share(attempts, share)) for share in shares]
            for share, connection in sent:
                if connection is not None:
                    self._receive_share(attempts, share, connection)
            if attempts.pause_us:
                self.pause(attempts.pause_us)
        return attempts.results

    def _send_share(self, attempts: BatchAttempts, share: Share) -> Connection | None:
        try:
            connection = self.pools.take(share.node, share.begun_us)
        except Broken as broken:
            attempts.failed(share, broken.reason, sent=False)
            return None
        except Expired:
            attempts.failed(share, "did not let us in in time", sent=False)
            return None
        except Exhausted:
            attempts.failed(share, "has no connection to spare", sent=False)
            return None
        try:
            connection.send(share.frame, share.timeout_us)
        except (Broken, Expired):
            self.pools.discard(share.node, connection)
            attempts.failed(share, "closed the connection", sent=False)
            return None
        return connection

    def _receive_share(self, attempts: BatchAttempts, share: Share, connection: Connection) -> None:
        node = share.node
        try:
            while not attempts.received(
                share, connection.receive(share.deadline_us)[1], self.clock.monotonic_us()
            ):
                """The next frame."""
        except Broken as broken:
            self.pools.discard(node, connection)
            attempts.failed(share, broken.reason, sent=True)
        except MessageError as error:
            self.pools.discard(node, connection)
            attempts.failed(share, f"answered what cannot be read: {error}", sent=True)
        except Expired:
            self.pools.discard(node, connection)
            attempts.failed(share, "did not answer in time", sent=True, expired=True)
        except BaseException:
            self.pools.discard(node, connection)
            raise
        else:
            self.pools.put_back(node, connection, self.clock.monotonic_us())
            if share.session_ended:
                self.pools.end_session(node)

    # ------------------------------------------------------------------ scripts

    def run(self, script: Script[T]) -> T:
        """Run a script to its end. Raises what it raises."""
        try:
            effect = next(script)
            while True:
                try:
                    outcome = self._perform(effect)
                except ClientError as error:
                    effect = script.throw(error)
                else:
                    effect = script.send(outcome)
        except StopIteration as end:
            result: T = end.value
            return result

    def _perform(self, effect: Effect) -> Any:
        if isinstance(effect, Pause):
            self.pause(effect.duration_ms * 1000)
            return None
        try:
            return self._exchange(effect)
        except SecurityFailed as error:
            if error.code not in ENDED:
                raise
        self.pools.end_session(effect.node)
        return self._exchange(effect)

    def _exchange(self, effect: Exchange) -> Any:
        node = effect.node
        now_us = self.clock.monotonic_us()
        connection = self.borrow(node)
        timeout_us = effect.timeout_ms * 1000
        deadline_us = now_us + timeout_us if timeout_us else 0
        try:
            outcome = _converse(connection, effect, deadline_us, timeout_us)
        except Broken as broken:
            self.pools.discard(node, connection)
            raise ConnectionFailed(f"{node.address} {broken.reason}", node=str(node)) from None
        except Expired:
            self.pools.discard(node, connection)
            raise TimedOut(
                f"{node.address} did not answer within {effect.timeout_ms} ms", node=str(node)
            ) from None
        except MessageError as error:
            self.pools.discard(node, connection)
            raise BadReply(f"the reply cannot be read: {error}", node=str(node)) from None
        except BaseException:
            self.pools.discard(node, connection)
            raise
        self.pools.put_back(node, connection, self.clock.monotonic_us())
        return outcome

    def borrow(self, node: Node) -> Connection:
        """A connection of the node's pool. Raises ClientError."""
        try:
            return self.pools.take(node, self.clock.monotonic_us())
        except Broken as broken:
            raise ConnectionFailed(f"{node.address} {broken.reason}", node=str(node)) from None
        except Expired:
            raise TimedOut(f"{node.address} did not let us in in time", node=str(node)) from None
        except Exhausted:
            raise ConnectionFailed(f"{node.address} has no connection to spare") from None

    # ------------------------------------------------------------------ tending

    def tend_round(self) -> tuple[str, ...]:
        """Look at the cluster once; what did not work, in words."""
        failures: tuple[str, ...] = ()
        with self._round:
            outputs = self.settings.tend.begin()
            while outputs:
                output = outputs.pop(0)
                if isinstance(output, Ask):
                    outputs += self.settings.tend.receive(self._answer(output))
                elif isinstance(output, RoundOver):
                    failures = output.failures
                else:
                    if isinstance(output, NodeRemoved):
                        self._forget(output.node.address)
                    self.settings.tell(output)
        self.pools.look_after(self.view.active_nodes(), self.clock.monotonic_us())
        return failures

    def _tend(self) -> None:
        interval_s = self.settings.policy.tend_interval / 1000
        told: tuple[str, ...] = ()
        while not self._stopping.wait(interval_s):
            try:
                failures = self.tend_round()
            except Exception:  # the cluster must be tended whatever a listener does
                log.exception("a round of tending failed")
                continue
            if failures and failures != told:
                log.warning("tending: %s", "; ".join(failures))
            told = failures

    def _answer(self, ask: Ask) -> Answered | Failed:
        """Ask a node over the tend's own connection to it."""
        timeout_us = self.settings.policy.connect_timeout * 1000
        try:
            connection = self._tend_connections.get(ask.address)
            name = ask.node.name if ask.node else str(ask.address)
            if connection is None or not self._may_go_on(connection, name):
                self._forget(ask.address)
                connection = self.pools.connect(ask.address, name, ask.tls_name, renew=True)
                self._tend_connections[ask.address] = connection
            connection.send(info_frame(ask.commands), timeout_us)
            deadline_us = self.clock.monotonic_us() + timeout_us if timeout_us else 0
            return Answered(ask.number, info_answers(connection.receive(deadline_us)))
        except Broken as broken:
            reason = broken.reason
            if ask.node is None:
                reason = self.settings.first_contact(reason)
        except Expired:
            reason = "did not answer in time"
        except SecurityFailed as error:
            reason = str(error)
            self.settings.refusal = error
            if error.code in ENDED and ask.node is not None:
                self.pools.end_session(ask.node)
        except (MessageError, ClientError) as error:
            reason = str(error)
        self._forget(ask.address)
        return Failed(ask.number, reason)

    def _may_go_on(self, connection: Connection, name: str) -> bool:
        """May the tend use its connection again? Not when the session is to be renewed: the next
        one does that, and other connections then show what it got."""
        sessions = self.settings.sessions
        due = sessions is not None and sessions.is_due(name, self.clock.monotonic_us())
        return not due and not connection.is_dead()

    def _forget(self, address: Address) -> None:
        connection = self._tend_connections.pop(address, None)
        if connection is not None:
            connection.close()


def _converse(connection: Connection, effect: Exchange, deadline_us: int, timeout_us: int) -> Any:
    if isinstance(effect, InfoAt):
        connection.send(info_frame(effect.commands), timeout_us)
        return info_answers(connection.receive(deadline_us))
    connection.send(effect.frame, timeout_us)
    if isinstance(effect, MessageAt):
        return in_session(connection.receive(deadline_us))
    if isinstance(effect, ValuesAt):
        values: list[Any] = []
        while True:
            more, code = aggregate_page(connection.receive(deadline_us)[1])
            values += more
            if code is not None:
                return checked_values(values, code, effect.node)
    messages: list[AdminMessage] = []
    while True:
        messages += parse_admin(connection.receive(deadline_us)[1])
        if not effect.stream or messages[-1].result_code:
            return in_session_too(messages)
