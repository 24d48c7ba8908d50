"""Four ways to the cluster under one interface: the official client, our own two faces, bare
sockets.

No way tries a write again that could then happen twice, so that each failure is seen. Ours try
those again that are bound to a generation: whether the doubt of the first attempt is still told
when the second is refused is to be seen, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import attrs

from aerospike_client import (
    AsyncClient,
    Client,
    ClientError,
    ClientPolicy,
    Exists,
    Generation,
    Key,
    NodeUnavailable,
    OperatePolicy,
    QueryPolicy,
    ReadPolicy,
    Record,
    TlsPolicy,
    WritePolicy,
    between,
    operations,
)
from aerospike_client.operations import lists
from aerospike_client.values import from_particle
from aerospike_common.wire import FieldType, Info1, Info2, MessageType, Op, ResultCode
from aerospike_common.wire.errors import MessageError
from aerospike_common.wire.frame import frame
from aerospike_common.wire.message import encode_message, parse_message

Address = tuple[str, int] | tuple[str, int, str]
"""The third, with TLS: what the node's certificate is for."""
T = TypeVar("T")

PATIENT_MS: Final = 10_000
"""The clients wait longer than a node that dies is missed: what is held goes on meanwhile."""
HASTY_MS: Final = 1_000
"""Bare sockets do not."""
CONNECT_S: Final = 60.0
CONNECTION_FAILED: Final = -10
BIN: Final = "v"
NUMBER: Final = "n"
"""The bin with an index."""
MANY: Final = 1 << 40


class TlsFiles(NamedTuple):
    """What everybody believes, and what clients show."""

    ca_file: str
    cert_file: str
    key_file: str


class Answer(NamedTuple):
    """What came of an operation."""

    code: int
    in_doubt: bool = False
    generation: int = 0
    value: Any = None


class Spot(NamedTuple):
    """Which record."""

    namespace: str
    set_name: str
    key: str


class Hand(Protocol):
    """One way to the cluster, for one thread."""

    def put(
        self, spot: Spot, bins: dict[str, int], *, ttl: int = 0, generation: int | None = None
    ) -> Answer:
        """Write bins. `generation`: only over just this one; 0: only if there is no record."""

    def append(self, spot: Spot, value: int) -> Answer:
        """Append to the list."""

    def get(self, spot: Spot) -> Answer:
        """The bin `v`."""

    def remove(self, spot: Spot, *, durable: bool) -> Answer:
        """Remove the record."""

    def numbers(self, namespace: str, set_name: str, *, by_index: bool) -> Answer:
        """The bin `n` of all records of a set, sorted."""

    def close(self) -> None:
        """Let go of everything."""


class Official:
    """The official Python client, shared by the threads of a process."""

    def __init__(self, addresses: Sequence[Address], tls: TlsFiles | None) -> None:
        import aerospike
        from aerospike_helpers.operations import (  # type: ignore[import-untyped]
            list_operations,
        )
        from aerospike_helpers.operations import operations as record_operations

        self._aerospike: Any = aerospike
        self._lists: Any = list_operations
        self._operations: Any = record_operations
        once = {"max_retries": 0, "total_timeout": PATIENT_MS}
        kinds = ("read", "write", "operate", "remove")
        config: dict[str, Any] = {
            "hosts": list(addresses),
            "policies": {kind: dict(once) for kind in kinds},
        }
        if tls is not None:
            files = {"cafile": tls.ca_file, "certfile": tls.cert_file, "keyfile": tls.key_file}
            config["tls"] = {"enable": True, **files}
        self._client: Any = self._connected(config)
        self._turn = 0

    def _connected(self, config: dict[str, Any]) -> Any:
        """On a busy machine not every node answers in time; the client wants all."""
        until = time.monotonic() + CONNECT_S
        while True:
            try:
                return self._aerospike.client(config).connect()
            except self._aerospike.exception.AerospikeError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.5)

    def _ask(self, ask: Callable[[], Any]) -> tuple[Answer, Any]:
        error_kind = self._aerospike.exception.AerospikeError
        try:
            return Answer(ResultCode.OK), ask()
        except error_kind as error:
            return Answer(int(error.code), bool(error.in_doubt)), None

    def put(
        self, spot: Spot, bins: dict[str, int], *, ttl: int = 0, generation: int | None = None
    ) -> Answer:
        """See `Hand`. Every other plain one is an `operate`, which tells the generation."""
        policy: dict[str, Any] = {}
        if ttl:
            policy["ttl"] = ttl
        meta = None
        if generation == 0:
            policy["exists"] = self._aerospike.POLICY_EXISTS_CREATE
        elif generation is not None:
            policy["gen"] = self._aerospike.POLICY_GEN_EQ
            meta = {"gen": generation}
        self._turn += 1
        if self._turn % 2:
            return self._ask(lambda: self._client.put(tuple(spot), bins, meta, policy))[0]
        ops = [self._operations.write(name, value) for name, value in bins.items()]
        return self._operate(spot, ops, meta, policy)

    def _operate(
        self, spot: Spot, ops: list[Any], meta: dict[str, int] | None, policy: dict[str, Any]
    ) -> Answer:
        answer, came = self._ask(lambda: self._client.operate(tuple(spot), ops, meta, policy))
        return answer if came is None else answer._replace(generation=came[1]["gen"])

    def append(self, spot: Spot, value: int) -> Answer:
        """See `Hand`."""
        return self._operate(spot, [self._lists.list_append(BIN, value)], None, {})

    def get(self, spot: Spot) -> Answer:
        """See `Hand`."""
        answer, came = self._ask(lambda: self._client.get(tuple(spot)))
        if came is None:
            return answer._replace(in_doubt=False)
        return answer._replace(generation=came[1]["gen"], value=came[2].get(BIN))

    def remove(self, spot: Spot, *, durable: bool) -> Answer:
        """See `Hand`."""
        policy = {"durable_delete": durable}
        return self._ask(lambda: self._client.remove(tuple(spot), None, policy))[0]

    def numbers(self, namespace: str, set_name: str, *, by_index: bool) -> Answer:
        """See `Hand`."""
        query = self._client.query(namespace, set_name)
        if by_index:
            query.where(self._aerospike.predicates.between(NUMBER, 0, MANY))
        answer, came = self._ask(query.results)
        return answer if came is None else answer._replace(value=sorted(r[2][NUMBER] for r in came))

    def close(self) -> None:
        """See `Hand`."""
        self._client.close()


OWN_POLICY: Final = ClientPolicy(
    read=ReadPolicy(total_timeout=PATIENT_MS),
    write=WritePolicy(total_timeout=PATIENT_MS),
    remove=WritePolicy(total_timeout=PATIENT_MS),
    operate=OperatePolicy(total_timeout=PATIENT_MS),
    query=QueryPolicy(total_timeout=4 * PATIENT_MS),
)


def context_of(tls: TlsFiles) -> ssl.SSLContext:
    """What bare sockets speak TLS with; made anew for each, so with the newest certificate."""
    context = ssl.create_default_context(cafile=tls.ca_file)
    context.load_cert_chain(tls.cert_file, tls.key_file)
    return context


def own_policy(tls: TlsFiles | None) -> ClientPolicy:
    """Of our own client."""
    return attrs.evolve(OWN_POLICY, tls=tls_policy(tls))


def tls_policy(tls: TlsFiles | None) -> TlsPolicy | None:
    """TLS as these files say."""
    return None if tls is None else TlsPolicy(**tls._asdict())


class Waiting:
    """An `AsyncClient` on a loop in a thread of its own, whose calls wait."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def connect(self) -> None:
        """See `AsyncClient`, here and below."""
        self._wait(self._client.connect())

    def operate(self, key: Key, ops: Sequence[Op], policy: OperatePolicy | None = None) -> Record:
        """See `AsyncClient`."""
        return self._wait(self._client.operate(key, ops, policy))

    def get(self, key: Key) -> Record:
        """See `AsyncClient`."""
        return self._wait(self._client.get(key))

    def remove(self, key: Key, policy: WritePolicy) -> bool:
        """See `AsyncClient`."""
        return self._wait(self._client.remove(key, policy))

    def query(self, namespace: str, set_name: str, where: Any) -> list[Record]:
        """See `AsyncClient`: all records."""

        async def take() -> list[Record]:
            return [record async for record in self._client.query(namespace, set_name, where=where)]

        return self._wait(take())

    def close(self) -> None:
        """Close the client, and end the loop."""
        self._wait(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Own:
    """Our own client, either face, shared by the threads of a process."""

    def __init__(self, client: Client | Waiting) -> None:
        self._client = client
        self._client.connect()

    def _ask(
        self, spot: Spot, ask: Callable[[], Record | bool | None]
    ) -> tuple[Answer, Record | None]:
        try:
            came = ask()
        except ClientError as error:
            check_error(spot, error)
            return Answer(int(error.code), error.in_doubt), None
        if came is False:
            return Answer(ResultCode.NOT_FOUND), None
        if not isinstance(came, Record):
            return Answer(ResultCode.OK), None
        return Answer(ResultCode.OK, generation=came.generation), came

    def put(
        self, spot: Spot, bins: dict[str, int], *, ttl: int = 0, generation: int | None = None
    ) -> Answer:
        """See `Hand`."""
        policy = OperatePolicy(
            total_timeout=PATIENT_MS,
            ttl=ttl,
            exists=Exists.CREATE if generation == 0 else Exists.IGNORE,
            gen=Generation.EQ if generation else Generation.IGNORE,
            generation=generation or 0,
            max_retries=0 if generation is None else 3,
            sleep_between_retries=0 if generation is None else 300,
        )
        ops = [operations.write(name, value) for name, value in bins.items()]
        return self._ask(spot, lambda: self._client.operate(Key(*spot), ops, policy))[0]

    def append(self, spot: Spot, value: int) -> Answer:
        """See `Hand`."""
        ops = [lists.append(BIN, value)]
        return self._ask(spot, lambda: self._client.operate(Key(*spot), ops))[0]

    def get(self, spot: Spot) -> Answer:
        """See `Hand`."""
        answer, record = self._ask(spot, lambda: self._client.get(Key(*spot)))
        return answer if record is None else answer._replace(value=record.bins.get(BIN))

    def remove(self, spot: Spot, *, durable: bool) -> Answer:
        """See `Hand`."""
        policy = WritePolicy(total_timeout=PATIENT_MS, durable_delete=durable)
        return self._ask(spot, lambda: self._client.remove(Key(*spot), policy))[0]

    def numbers(self, namespace: str, set_name: str, *, by_index: bool) -> Answer:
        """See `Hand`."""
        where = between(NUMBER, 0, MANY) if by_index else None
        try:
            records = list(self._client.query(namespace, set_name, where=where))
        except ClientError as error:
            return Answer(int(error.code))
        return Answer(ResultCode.OK, value=sorted(record.bins[NUMBER] for record in records))

    def close(self) -> None:
        """See `Hand`."""
        self._client.close()


def check_error(spot: Spot, error: ClientError) -> None:
    """An error of a command says where: which node, how often; and, when nobody has answered,
    which partition."""
    assert error.attempts > 0, error
    assert error.node is not None or isinstance(error, NodeUnavailable), error
    if error.code < 0 or error.code == ResultCode.TIMEOUT:
        where = f"partition {Key(*spot).partition_id} of {spot.namespace!r}"
        assert where in str(error), error


class Raw:
    """Bare sockets, to one node after the other, whoever serves the record."""

    def __init__(self, addresses: Sequence[Address], tls: TlsFiles | None) -> None:
        self._addresses = list(addresses)
        self._tls = tls
        self._asked = self._node = 0
        self._socket: socket.socket | None = None

    def put(
        self, spot: Spot, bins: dict[str, int], *, ttl: int = 0, generation: int | None = None
    ) -> Answer:
        """See `Hand`."""
        info2 = int(Info2.WRITE)
        if generation == 0:
            info2 |= Info2.CREATE_ONLY
        elif generation is not None:
            info2 |= Info2.GENERATION
        ops = [operations.write(name, value) for name, value in bins.items()]
        return self._ask(spot, ops, info2=info2, record_ttl=ttl, generation=generation or 0)

    def append(self, spot: Spot, value: int) -> Answer:
        """See `Hand`."""
        return self._ask(spot, [lists.append(BIN, value)], info2=int(Info2.WRITE))

    def get(self, spot: Spot) -> Answer:
        """See `Hand`."""
        answer = self._ask(spot, [], info1=Info1.READ | Info1.GET_ALL)
        ops = answer.value or []
        values = {op.name: from_particle(op.particle_type, op.value) for op in ops}
        return answer._replace(in_doubt=False, value=values.get(BIN.encode()))

    def remove(self, spot: Spot, *, durable: bool) -> Answer:
        """See `Hand`."""
        info2 = Info2.WRITE | Info2.DELETE | (Info2.DURABLE_DELETE if durable else 0)
        return self._ask(spot, [], info2=int(info2))

    def numbers(self, namespace: str, set_name: str, *, by_index: bool) -> Answer:
        """Not by bare sockets."""
        raise NotImplementedError

    def _ask(self, spot: Spot, ops: Sequence[Op], **words: int) -> Answer:
        fields: dict[int, bytes] = {
            FieldType.NAMESPACE: spot.namespace.encode(),
            FieldType.SET: spot.set_name.encode(),
            FieldType.DIGEST: Key(*spot).digest,
        }
        body = encode_message(fields=fields, ops=ops, transaction_ttl=HASTY_MS, **words)
        try:
            connection = self._connection()
        except OSError:
            return Answer(CONNECTION_FAILED)
        try:
            connection.sendall(frame(MessageType.AS_MSG, body))
            with connection.makefile("rb") as answers:
                head = answers.read(8)
                reply = parse_message(answers.read(int.from_bytes(head[2:], "big")))
        except (OSError, MessageError):
            self._drop()
            return Answer(CONNECTION_FAILED, in_doubt=True)
        in_doubt = reply.result_code == ResultCode.TIMEOUT
        return Answer(reply.result_code, in_doubt, reply.generation, reply.ops)

    def _connection(self) -> socket.socket:
        """The next node after every tenth request, and after each failure. Raises OSError."""
        self._asked += 1
        if self._socket is None or self._asked % 10 == 0:
            self._drop()
            self._node = (self._node + 1) % len(self._addresses)
            host, port, *name = self._addresses[self._node]
            self._socket = socket.create_connection((host, port), HASTY_MS / 1000)
            if self._tls is not None:
                context = context_of(self._tls)
                self._socket = context.wrap_socket(self._socket, server_hostname=name[0])
            self._socket.settimeout(1.5 * HASTY_MS / 1000)
        return self._socket

    def _drop(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
        self._socket = None

    def close(self) -> None:
        """See `Hand`."""
        self._drop()
