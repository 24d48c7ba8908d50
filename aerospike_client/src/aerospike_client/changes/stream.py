"""`ChangeStream`: following the changes of a namespace, for asyncio.

    async with client.changes("test", set_name="users") as changes:
        async for change in changes:
            ...

No polling: the servers send. The stream makes itself a connector of the cluster (change shipping,
an enterprise feature), so the nodes must be able to connect to this process, and `host` is an
address of it that they reach. It needs the right to change the configuration.

A change counts as done when the next one is asked for. Until then it is sent again, to this stream
or to the next one with the same name and a `since` that is early enough: at least once, in order
for each record.
"""

from __future__ import annotations

import asyncio
import re
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from aerospike_client.changes.change import Change
from aerospike_client.changes.receiver import Received, Receiver
from aerospike_client.errors import ClientError, InvalidParameter
from aerospike_client.scripts.info import ask, info_failure, named_node, pairs
from citrusleaf.cf_clock import Clock

if TYPE_CHECKING:
    from aerospike_client.aio.engine import Engine

NAME: Final = re.compile(r"[A-Za-z0-9_$-]{1,31}")
ALL: Final = "all"
_LOOK_S: Final = 1.0
MARGIN_S: Final = 10
"""A position is that much earlier than what is known to be done: clocks of nodes differ."""


class ChangeStream:
    """The changes of one namespace, from now on or from an earlier time. `AsyncClient.changes`
    makes one; it begins with `async with`, and ends with it."""

    def __init__(
        self,
        engine: Engine,
        namespace: str,
        set_name: str | None,
        since: float | str | None,
        name: str,
        host: str,
        port: int,
    ) -> None:
        if not NAME.fullmatch(name):
            raise InvalidParameter(f"a stream's name: 1 to 31 letters, digits, _, - or $: {name}")
        self.namespace = namespace
        self.name = name
        self._set_name = set_name
        self._since = since
        self._host = host
        self._port = port
        self._engine = engine
        self._clock: Clock = engine.clock
        self._receiver = Receiver()
        self._current: Received | None = None
        self._known: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    # ------------------------------------------------------------------------ life

    async def __aenter__(self) -> Self:
        """Listen, and have every node ship. ClientError when one refuses."""
        self._port = await self._receiver.listen(self._host, self._port)
        try:
            await self._attach_all()
        except BaseException:
            await self.close()
            raise
        self._task = asyncio.create_task(self._follow_nodes(), name="aerospike-changes")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End: the nodes ship no more. The change that is in hand is not done."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for node in list(self._known):
            try:
                await self._set(node, "action=delete")
            except ClientError:  # it has gone, or will be asked by whoever looks
                continue
        await self._receiver.close()

    # --------------------------------------------------------------------- changes

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Change:
        """The next change; the one before is done."""
        self.done()
        (self._current,) = await self._receiver.take()
        assert self._current.change is not None
        return self._current.change

    def done(self) -> None:
        """The change in hand is done: it need not be told again."""
        current, self._current = self._current, None
        if current is not None:
            current.answer()

    async def position(self) -> float:
        """A time (seconds of Unix) to go on from with `since`: all that changed before is done.

        By what the nodes say of their lag. ClientError when one does not answer.
        """
        now_s = self._clock.wall_ms() / 1000
        lags = [await self._lag_s(node) for node in self._nodes()]
        return now_s - max(lags, default=0) - MARGIN_S

    # ---------------------------------------------------------------------- within

    def _nodes(self) -> list[str]:
        return sorted(node.name for node in self._engine.view.active_nodes())

    async def _attach_all(self) -> None:
        for node in self._nodes():
            if node not in self._known:
                self._known.add(node)
                await self._attach(node)

    async def _attach(self, node: str) -> None:
        """Have a node ship to this stream. One that comes later begins where the stream did."""
        existing = await self._ask(node, f"get-config:context=xdr;dc={self.name}")
        if not existing.startswith(("ERROR", "error")):
            await self._set(node, "action=delete")
        await self._set(node, "action=create")
        await self._set(node, "connector=true")
        address = f"[{self._host}]" if ":" in self._host else self._host
        await self._set(node, f"node-address-port={address}:{self._port};action=add")
        where = f"namespace={self.namespace}"
        if self._set_name is not None:
            await self._set(node, f"{where};ship-only-specified-sets=true")
            await self._set(node, f"{where};ship-set={self._set_name}")
        await self._set(node, f"{where};forward=true")
        await self._set(node, f"{where};action=add{self._rewind()}")

    def _rewind(self) -> str:
        if self._since is None:
            self._since = self._clock.wall_ms() / 1000
            return ""
        if isinstance(self._since, str):
            if self._since != ALL:
                raise InvalidParameter(f"since is a time, {ALL!r} or None: {self._since!r}")
            return f";rewind={ALL}"
        return f";rewind={max(1, int(self._clock.wall_ms() / 1000 - self._since) + 1)}"

    async def _follow_nodes(self) -> None:
        """Nodes that come into the cluster ship too."""
        while True:
            await asyncio.sleep(_LOOK_S)
            self._known &= set(self._nodes())
            try:
                await self._attach_all()
            except ClientError:  # it is asked again
                self._known.clear()
                self._known |= await self._attached()

    async def _attached(self) -> set[str]:
        found = set()
        for node in self._nodes():
            try:
                answer = await self._ask(node, f"get-config:context=xdr;dc={self.name}")
            except ClientError:
                continue
            if self.namespace in pairs(answer).get("namespaces", "").split(","):
                found.add(node)
        return found

    async def _lag_s(self, node: str) -> int:
        command = f"get-stats:context=xdr;dc={self.name};namespace={self.namespace}"
        answer = await self._ask(node, command)
        return int(pairs(answer).get("lag", "0"))

    async def _set(self, node: str, change: str) -> None:
        answer = await self._ask(node, f"set-config:context=xdr;dc={self.name};{change}")
        error = info_failure(answer)
        if error is not None:
            raise error

    async def _ask(self, node: str, command: str) -> str:
        view, timeout_ms = self._engine.view, self._engine.settings.policy.info.timeout
        return await self._engine.run(ask(named_node(view, node), command, timeout_ms))
