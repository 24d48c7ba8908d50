"""Having transactions done elsewhere, and what comes of it: heavy work (`asd.transactions.heavy`)
off the loop, what other nodes must do or know of by them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from aerospike_common.wire.codes import Info2, ResultCode
from aerospike_common.wire.message import Message
from asd.process.heavy_work import Failed, Overloaded, Overrun
from asd.records.work import Given, Work, Worked
from asd.space.namespace import Namespace
from asd.transactions.heavy import Leave, Occupied
from asd.transactions.masked import access_of

if TYPE_CHECKING:
    from asd.state import Carried, Client, NodeState


async def until_ready(node: NodeState, wait: Leave | Occupied) -> Given | None:
    """Wait for what a transaction waits for. What was worked out is to be `Handed` to the run that
    follows without a step between."""
    if isinstance(wait, Occupied):
        await wait.namespace.held.wait(wait.digest)
        return None
    transaction, held = wait.transaction, wait.transaction.namespace.held
    if not transaction.message.info2 & Info2.WRITE:
        work = transaction.work()
        return Given(work, await have_done(node, work), wait.round)
    if transaction.digest in held.digests:  # since it was decided that this one leaves
        await held.wait(transaction.digest)
        return None
    work = transaction.work()
    held.hold(transaction.digest)
    try:
        worked = await have_done(node, work)
    finally:
        held.release(transaction.digest)
    return Given(work, worked, wait.round)


async def have_carried(
    node: NodeState,
    client: Client,
    namespace: Namespace,
    digest: bytes,
    message: Message,
    *,
    in_batch: bool = False,
) -> Carried:
    """What comes of a transaction that is carried out by other nodes, or with their versions. What
    it was refused there for the client's rights, the audit log is told here."""
    assert node.carrier is not None
    access = access_of(namespace, message, client.rights)
    carried = await node.carrier.carry(namespace, digest, message, in_batch=in_batch, access=access)
    if access and carried[1] == ResultCode.ROLE_VIOLATION:
        client.rights.violated(client.peer, message, digest)
    return carried


async def have_done(node: NodeState, work: Work) -> Worked:
    """What comes of heavy work; a failure is a refusal like any other."""
    assert node.heavy is not None
    node.statistics.heavy_requests += 1
    try:
        worked: Worked = await node.heavy.run(work, work.size, work.limit_ms / 1000)
    except Overrun:
        return _refused(ResultCode.TIMEOUT, f"not done within {work.limit_ms} ms")
    except Overloaded:
        return _refused(ResultCode.DEVICE_OVERLOAD, "too much heavy work waits")
    except Failed:
        return _refused(ResultCode.SERVER_ERROR, "the worker has failed")
    return worked


def _refused(code: ResultCode, reason: str) -> Worked:
    return Worked(filtered=code, refusal=(code, reason))


@contextmanager
def staying(namespace: Namespace) -> Iterator[None]:
    """What is heavy is done where it stands, whatever else is under way."""
    leaves, held = namespace.leaves, namespace.held.digests
    namespace.leaves, namespace.held.digests = False, {}
    try:
        yield
    finally:
        namespace.leaves, namespace.held.digests = leaves, held


class Handed:
    """The transaction that is run inside has what was worked out for it, if anything was: each row
    of a batch is run inside of one, and a generator would cost it a microsecond."""

    __slots__ = ("_given", "_namespace")

    def __init__(self, namespace: Namespace, given: Given | None) -> None:
        self._namespace = namespace
        self._given = given

    def __enter__(self) -> None:
        assert self._namespace.given is None
        self._namespace.given = self._given

    def __exit__(self, *_: object) -> None:
        self._namespace.given = None
