"""Commands on one record, for asyncio."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aerospike_client.aio.engine import Engine
from aerospike_client.commands import single
from aerospike_client.key import Key
from aerospike_client.policies import ApplyPolicy, OperatePolicy, ReadPolicy, WritePolicy
from aerospike_client.record import Record
from aerospike_client.values import BinValue
from aerospike_common.wire import Op, OpType


class Records:
    """The part of the client that deals with one record at a time."""

    _engine: Engine

    async def get(self, key: Key, policy: ReadPolicy | None = None) -> Record:
        """The record with all its bins. RecordNotFound when there is none."""
        engine = self._engine
        return await engine.execute(
            single.get(engine.view, key, policy or engine.settings.policy.read)
        )

    async def select(
        self, key: Key, bins: Iterable[str], policy: ReadPolicy | None = None
    ) -> Record:
        """The record with these bins; those it does not have are left out."""
        engine = self._engine
        return await engine.execute(
            single.select(engine.view, key, bins, policy or engine.settings.policy.read)
        )

    async def head(self, key: Key, policy: ReadPolicy | None = None) -> Record:
        """The record's metadata, without bins."""
        engine = self._engine
        return await engine.execute(
            single.head(engine.view, key, policy or engine.settings.policy.read)
        )

    async def exists(self, key: Key, policy: ReadPolicy | None = None) -> bool:
        """Whether there is such a record."""
        engine = self._engine
        return await engine.execute(
            single.exists(engine.view, key, policy or engine.settings.policy.read)
        )

    async def put(
        self, key: Key, bins: Mapping[str, BinValue], policy: WritePolicy | None = None
    ) -> None:
        """Write bins and leave the others; the value None removes a bin."""
        engine = self._engine
        await engine.execute(
            single.put(engine.view, key, bins, policy or engine.settings.policy.write)
        )

    async def append(
        self, key: Key, bins: Mapping[str, str | bytes], policy: WritePolicy | None = None
    ) -> None:
        """Put text or bytes behind those in the bins, which are made if they are missing."""
        await self._change(OpType.APPEND, key, bins, policy)

    async def prepend(
        self, key: Key, bins: Mapping[str, str | bytes], policy: WritePolicy | None = None
    ) -> None:
        """Put text or bytes before those in the bins, which are made if they are missing."""
        await self._change(OpType.PREPEND, key, bins, policy)

    async def increment(
        self, key: Key, bins: Mapping[str, int | float], policy: WritePolicy | None = None
    ) -> None:
        """Add to the bins, which are made if they are missing."""
        await self._change(OpType.INCR, key, bins, policy)

    async def _change(
        self,
        kind: OpType,
        key: Key,
        bins: Mapping[str, BinValue],
        policy: WritePolicy | None,
    ) -> None:
        engine = self._engine
        ops = [single.value_op(kind, name, value) for name, value in bins.items()]
        await engine.execute(
            single.write(engine.view, key, ops, policy or engine.settings.policy.write)
        )

    async def touch(self, key: Key, policy: WritePolicy | None = None) -> None:
        """Renew the record's life (`policy.ttl`). RecordNotFound when there is none."""
        engine = self._engine
        ops = [single.touch_op()]
        await engine.execute(
            single.write(engine.view, key, ops, policy or engine.settings.policy.write)
        )

    async def remove(self, key: Key, policy: WritePolicy | None = None) -> bool:
        """Remove the record; whether there was one."""
        engine = self._engine
        return await engine.execute(
            single.remove(engine.view, key, policy or engine.settings.policy.remove)
        )

    async def operate(
        self, key: Key, ops: Sequence[Op], policy: OperatePolicy | None = None
    ) -> Record:
        """Several operations on the record as one, in their order: all of them or none.

        What they answer is in the record's `results`, and by bin in its `bins`.
        """
        engine = self._engine
        return await engine.execute(
            single.operate(engine.view, key, ops, policy or engine.settings.policy.operate)
        )

    async def apply(
        self,
        key: Key,
        module: str,
        function: str,
        arguments: Sequence[BinValue] = (),
        policy: ApplyPolicy | None = None,
    ) -> Any:
        """Call a registered function on the record, there or not; what it returns.

        `module` is the file's name without `.lua`. UdfFailed when the function fails.
        """
        engine = self._engine
        chosen = policy or engine.settings.policy.apply
        return await engine.execute(
            single.apply(engine.view, key, module, function, arguments, chosen)
        )
