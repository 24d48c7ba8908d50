"""`Engine`: runs commands, scripts and the tend on the event loop.

The twin of `aerospike_client.blocking.engine`, which waits on sockets where this one awaits. The
decisions are the core's in both.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final, TypeVar

from aerospike_client.aio.connection import Connection
from aerospike_client.aio.pools import Pools
from aerospike_client.batches import BatchResult
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
from aerospike_client.loops import together
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
    """What the asyncio client does with connections and tasks."""

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.settings = settings
        self.view = settings.view
        self.clock = clock
        self.pools = Pools(settings.policy, settings.sessions, clock, settings.tls)
        self._monotonic_ns = clock.monotonic_ns
        self._tend_connections: dict[Address, Connection] = {}
        self._task: asyncio.Task[None] | None = None

    # ------------------------------------------------------------------ life

    async def start(self) -> None:
        """Find the cluster, then keep looking. NotConnected when there is none."""
        self.settings.check_connected(await self.tend_round())
        self._task = asyncio.create_task(self._tend(), name="aerospike-tend")

    async def stop(self) -> None:
        """Stop tending and close what is idle."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self.pools.close()
        for connection in self._tend_connections.values():
            connection.close()
        self._tend_connections = {}
        self.view.nodes.clear()
        self.view.tables.clear()
        await asyncio.sleep(0)  # lets the transports finish closing

    # ------------------------------------------------------------------ commands

    async def execute(self, command: Command[T]) -> T:
        """Run a single-record command. Raises ClientError."""
        now_us = self._monotonic_ns() // 1000
        attempts = Attempts(self.view, command, now_us)
        step = attempts.start(now_us)
        node = attempts.node
        if step is _SEND and node is not None and (channel := self.pools.channel(node)) is not None:
            # The usual course, without a coroutine for the attempt.
            try:
                body = await channel.request(command.frame, attempts.deadline_us)
            except Broken as broken:
                step = attempts.broken(broken.reason, broken.sent, self.clock.monotonic_us())
            except Expired:
                step = attempts.expired(self.clock.monotonic_us())
            else:
                step = attempts.replied(body, self._monotonic_ns() // 1000)
        while step is not _DONE:
            if step is _SEND:
                step = await self._attempt(attempts, command.frame)
            elif step is _RENEW:
                step = self._renew(attempts)
            else:
                await asyncio.sleep(attempts.pause_us / 1e6)
                step = attempts.woken(self._monotonic_ns() // 1000)
        return attempts.result

    async def _attempt(self, attempts: Attempts[T], request: bytes) -> Step:
        node, deadline_us = attempts.node, attempts.deadline_us
        assert node is not None
        channel = self.pools.channel(node)
        if channel is None:
            try:
                channel = await self.pools.open_channel(node, deadline_us)
            except Broken as broken:
                return attempts.broken(broken.reason, broken.sent, self.clock.monotonic_us())
            except Exhausted:
                return attempts.unsent(self.clock.monotonic_us())
        try:
            body = await channel.request(request, deadline_us)
        except Broken as broken:
            return attempts.broken(broken.reason, broken.sent, self.clock.monotonic_us())
        except Expired:
            return attempts.expired(self.clock.monotonic_us())
        return attempts.replied(body, self._monotonic_ns() // 1000)

    def _renew(self, attempts: Attempts[T]) -> Step:
        assert attempts.node is not None
        self.pools.end_session(attempts.node)
        return attempts.renewed(self.clock.monotonic_us())

    # ------------------------------------------------------------------ batches

    async def execute_batch(self, rows: list[PlannedRow], policy: BatchPolicy) -> list[BatchResult]:
        """Run a batch, all nodes' shares of a round at the same time."""
        attempts = BatchAttempts(self.view, rows, policy, self.clock.monotonic_us())
        while shares := attempts.next_round(self.clock.monotonic_us()):
            if len(shares) == 1:
                await self._run_share(attempts, shares[0])
            else:
                await together(self._run_share(attempts, share) for share in shares)
            if attempts.pause_us:
                await asyncio.sleep(attempts.pause_us / 1e6)
        return attempts.results

    async def _run_share(self, attempts: BatchAttempts, share: Share) -> None:
        node = share.node
        try:
            connection = await self.pools.take(node, share.deadline_us)
        except Broken as broken:
            attempts.failed(share, broken.reason, sent=False)
            return
        except Exhausted:
            attempts.failed(share, "has no connection to spare", sent=False)
            return
        try:
            connection.send(share.frame, share.deadline_us)
            while not attempts.received(
                share, (await connection.receive())[1], self.clock.monotonic_us()
            ):
                """The next frame."""
        except Broken as broken:
            self.pools.discard(node, connection)
            attempts.failed(share, broken.reason, sent=broken.sent)
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

    async def run(self, script: Script[T]) -> T:
        """Run a script to its end. Raises what it raises."""
        try:
            effect = next(script)
            while True:
                try:
                    outcome = await self._perform(effect)
                except ClientError as error:
                    effect = script.throw(error)
                else:
                    effect = script.send(outcome)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _perform(self, effect: Effect) -> Any:
        if isinstance(effect, Pause):
            await asyncio.sleep(effect.duration_ms / 1000)
            return None
        try:
            return await self._exchange(effect)
        except SecurityFailed as error:
            if error.code not in ENDED:
                raise
        self.pools.end_session(effect.node)
        return await self._exchange(effect)

    async def _exchange(self, effect: Exchange) -> Any:
        node = effect.node
        now_us = self.clock.monotonic_us()
        deadline_us = now_us + effect.timeout_ms * 1000 if effect.timeout_ms else 0
        connection = await self.borrow(node, deadline_us)
        try:
            outcome = await _converse(connection, effect, deadline_us)
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

    async def borrow(self, node: Node, deadline_us: int) -> Connection:
        """A connection of the node's pool. Raises ClientError."""
        try:
            return await self.pools.take(node, deadline_us)
        except Broken as broken:
            raise ConnectionFailed(f"{node.address} {broken.reason}", node=str(node)) from None
        except Exhausted:
            raise ConnectionFailed(f"{node.address} has no connection to spare") from None

    # ------------------------------------------------------------------ tending

    async def tend_round(self) -> tuple[str, ...]:
        """Look at the cluster once; what did not work, in words."""
        failures: tuple[str, ...] = ()
        tend = self.settings.tend
        outputs = tend.begin()
        asking: list[asyncio.Task[Answered | Failed]] = []
        try:
            while outputs or asking:
                for output in outputs:
                    if isinstance(output, Ask):
                        asking.append(asyncio.create_task(self._answer(output)))
                    elif isinstance(output, RoundOver):
                        failures = output.failures
                    else:
                        if isinstance(output, NodeRemoved):
                            self._forget(output.node.address)
                        self.settings.tell(output)
                outputs = []
                if asking:
                    await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
                    done = [task for task in asking if task.done()]
                    asking = [task for task in asking if not task.done()]
                    for task in done:
                        outputs += tend.receive(task.result())
        except asyncio.CancelledError:
            for task in asking:
                task.cancel()
            raise
        await self.pools.look_after(self.view.active_nodes(), self.clock.monotonic_us())
        return failures

    async def _tend(self) -> None:
        interval_s = self.settings.policy.tend_interval / 1000
        told: tuple[str, ...] = ()
        while True:
            await asyncio.sleep(interval_s)
            try:
                failures = await self.tend_round()
            except Exception:  # the cluster must be tended whatever a listener does
                log.exception("a round of tending failed")
                continue
            if failures and failures != told:
                log.warning("tending: %s", "; ".join(failures))
            told = failures

    async def _answer(self, ask: Ask) -> Answered | Failed:
        """Ask a node over the tend's own connection to it."""
        try:
            connection = self._tend_connections.pop(ask.address, None)
            name = ask.node.name if ask.node else str(ask.address)
            if connection is not None and not self._may_go_on(connection, name):
                connection.close()
                connection = None
            if connection is None:
                connection = await self.pools.connect(ask.address, name, ask.tls_name, renew=True)
            try:
                timeout_us = self.settings.policy.connect_timeout * 1000
                deadline_us = self.clock.monotonic_us() + timeout_us if timeout_us else 0
                connection.send(info_frame(ask.commands), deadline_us)
                answers = info_answers(await connection.receive())
            except BaseException:
                connection.close()
                raise
            self._keep(ask.address, connection)
            return Answered(ask.number, answers)
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
        return Failed(ask.number, reason)

    def _may_go_on(self, connection: Connection, name: str) -> bool:
        """May the tend use its connection again? Not when the session is to be renewed: the next
        one does that, and other connections then show what it got."""
        sessions = self.settings.sessions
        due = sessions is not None and sessions.is_due(name, self.clock.monotonic_us())
        return connection.usable and not due

    def _keep(self, address: Address, connection: Connection) -> None:
        """Several questions to a node at once have a connection each; one of them stays."""
        if address in self._tend_connections:
            connection.close()
        else:
            self._tend_connections[address] = connection

    def _forget(self, address: Address) -> None:
        connection = self._tend_connections.pop(address, None)
        if connection is not None:
            connection.close()


async def _converse(connection: Connection, effect: Exchange, deadline_us: int) -> Any:
    if isinstance(effect, InfoAt):
        connection.send(info_frame(effect.commands), deadline_us)
        return info_answers(await connection.receive())
    connection.send(effect.frame, deadline_us)
    if isinstance(effect, MessageAt):
        return in_session(await connection.receive())
    if isinstance(effect, ValuesAt):
        values: list[Any] = []
        while True:
            more, code = aggregate_page((await connection.receive())[1])
            values += more
            if code is not None:
                return checked_values(values, code, effect.node)
    messages: list[AdminMessage] = []
    while True:
        messages += parse_admin((await connection.receive())[1])
        if not effect.stream or messages[-1].result_code:
            return in_session_too(messages)
