"""From a cluster into a backup file, and back.

Records travel as the nodes send them, with their values undecoded, so that nothing a backup does
not understand is lost: the order of lists and maps, blobs of other languages, sketches.

A backup is no snapshot: it reads partition by partition while the cluster goes on, as asbackup
does. A restore writes each record by itself, in batches, and never makes an older record of a newer
one unless told to (`Existing`).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Final

import attrs

from aerospike_client.backup.encoder import encode_header, encode_index, encode_record, encode_udf
from aerospike_client.backup.entries import (
    BackupBin,
    BackupRecord,
    IndexKind,
    IndexType,
    SecondaryIndex,
    UdfFile,
)
from aerospike_client.backup.reader import BackupFileError, BackupReader
from aerospike_client.batches import BatchOperate
from aerospike_client.blocking.client import Client
from aerospike_client.blocking.stream import RecordStream
from aerospike_client.blocking.task import Task
from aerospike_client.commands.query import Query
from aerospike_client.core.query import QueryAttempts
from aerospike_client.errors import ClientError, GenerationMismatch, RecordExists
from aerospike_client.key import Key
from aerospike_client.policies import (
    TTL_NEVER_EXPIRE,
    BatchPolicy,
    BatchWritePolicy,
    Exists,
    Generation,
    QueryPolicy,
    SendKey,
)
from aerospike_client.queries import IndexType as IndexedPart
from aerospike_client.queries import Partitions, QueryCursor
from aerospike_client.record import Record
from aerospike_client.scripts.indexes import IndexKind as IndexedKind
from aerospike_client.scripts.info import info_failure, rows
from aerospike_common.wire import Op, OpType, ParticleType

BATCH_RECORDS: Final = 100
BATCH_BYTES: Final = 1 << 20
"""A batch of a restore is sent when it has one or the other."""

_TELL_EVERY: Final = 1000
"""Records between calls of `progress`."""

_NOT_SAID: Final = "null"
"""In place of what an index has not, in lists of indexes."""

_KINDS: Final = {
    "default": IndexKind.BIN,
    "none": IndexKind.BIN,
    "list": IndexKind.LIST,
    "mapkeys": IndexKind.MAP_KEYS,
    "mapvalues": IndexKind.MAP_VALUES,
}
_TYPES: Final = {
    "numeric": IndexType.NUMERIC,
    "string": IndexType.STRING,
    "geo2dsphere": IndexType.GEO,
    "blob": IndexType.BLOB,
}
_PARTS: Final = {
    IndexKind.BIN: IndexedPart.DEFAULT,
    IndexKind.LIST: IndexedPart.LIST,
    IndexKind.MAP_KEYS: IndexedPart.MAP_KEYS,
    IndexKind.MAP_VALUES: IndexedPart.MAP_VALUES,
}
_INDEXED: Final = {
    IndexType.NUMERIC: IndexedKind.NUMERIC,
    IndexType.STRING: IndexedKind.STRING,
    IndexType.GEO: IndexedKind.GEO2DSPHERE,
    IndexType.BLOB: IndexedKind.BLOB,
}


class Existing(Enum):
    """What a restore does with a record that is there already."""

    #: Replace it if the file's generation is greater.
    OLDER = "older"
    #: Replace it whatever it is.
    ANY = "any"
    #: Leave it.
    NONE = "none"


@attrs.define
class Counts:
    """What a backup or restore has done so far."""

    records: int = 0
    indexes: int = 0
    functions: int = 0
    #: Of the file.
    bytes: int = 0
    #: A restore's: records whose life is over.
    expired: int = 0
    #: A restore's: records that were there and stayed (see `Existing`).
    kept: int = 0
    #: A restore's: records without bins, which are none to a server.
    empty: int = 0


Progress = Callable[[Counts], None]
"""Called now and then, with counts that go on changing."""


def backup(
    client: Client,
    namespace: str,
    write: Callable[[bytes], object],
    *,
    set_name: str = "",
    compact: bool = False,
    policy: QueryPolicy | None = None,
    progress: Progress | None = None,
) -> Counts:
    """Write a namespace, or a set of it, as one backup file: indexes and functions, then records.

    `policy` may have a filter and a rate. Raises ClientError when the cluster does not answer for
    good; what was written until then is a sound, shorter file.
    """
    counts = Counts()

    def put(data: bytes) -> None:
        write(data)
        counts.bytes += len(data)

    put(encode_header(namespace))
    for index in _indexes(client, namespace, set_name):
        put(encode_index(index))
        counts.indexes += 1
    for module in client.udf_list():
        put(encode_udf(UdfFile(module.name, client.udf_get(module.name))))
        counts.functions += 1
    with _records(client, namespace, set_name, policy) as records:
        for record in records:
            put(encode_record(_entry(record), compact=compact))
            counts.records += 1
            if progress is not None and counts.records % _TELL_EVERY == 0:
                progress(counts)
    return counts


def _indexes(client: Client, namespace: str, set_name: str) -> Iterator[SecondaryIndex]:
    # Asked so, nodes give contexts in the form in which an index is created.
    answer = client.info(f"sindex-list:namespace={namespace};b64=true")
    error = info_failure(answer)
    if error is not None:
        raise error
    for row in rows(answer):
        said = {name: "" if text.lower() == _NOT_SAID else text for name, text in row.items()}
        kind, type_ = _KINDS.get(said["indextype"].lower()), _TYPES.get(said["type"].lower())
        # Later servers may have indexes of kinds that the format does not know.
        if kind is None or type_ is None or (set_name and said["set"] not in ("", set_name)):
            continue
        yield SecondaryIndex(
            namespace,
            said["set"],
            said["indexname"],
            kind,
            said["bin"],
            type_,
            said.get("context", ""),
            said.get("exp", ""),
        )


def _records(
    client: Client, namespace: str, set_name: str, policy: QueryPolicy | None
) -> RecordStream:
    """As `client.query`, with bins undecoded."""
    engine = client._engine
    attempts = QueryAttempts(
        engine.view,
        Query(namespace, set_name),
        policy or engine.settings.policy.query,
        QueryCursor.at_start(Partitions()),
        engine.settings.task_id(),
        engine.clock.monotonic_us(),
        particles=True,
    )
    return RecordStream(engine, attempts)


def _entry(record: Record) -> BackupRecord:
    key = record.key
    return BackupRecord(
        key.namespace,
        key.set_name,
        key.digest,
        key.user_key,
        record.generation,
        record.void_time,
        tuple([BackupBin(name, kind, data) for name, (kind, data) in record.bins.items()]),
    )


def restore(
    client: Client,
    read: Callable[[int], bytes],
    *,
    namespace: str = "",
    existing: Existing = Existing.OLDER,
    policy: BatchPolicy | None = None,
    progress: Progress | None = None,
) -> Counts:
    """Read a backup file into a cluster. `namespace` is another one than the file's.

    Raises BackupFileError for a file that is damaged, ClientError for a record that the cluster
    refuses; all before is then restored. Waits until indexes and functions are there.
    """
    return _Restore(client, BackupReader(read), namespace, existing, policy, progress).run()


class _Restore:
    def __init__(
        self,
        client: Client,
        reader: BackupReader,
        namespace: str,
        existing: Existing,
        policy: BatchPolicy | None,
        progress: Progress | None,
    ) -> None:
        self._client = client
        self._reader = reader
        self._namespace = namespace
        self._existing = existing
        self._policy = policy or BatchPolicy(total_timeout=30_000, max_retries=5)
        self._progress = progress
        self._clock = client._engine.clock
        self._rows: list[BatchOperate] = []
        self._size = 0
        self._counts = Counts()

    def run(self) -> Counts:
        tasks = []
        for entry in self._reader:
            match entry:
                case BackupRecord():
                    self._add(entry)
                case SecondaryIndex():
                    tasks.append(self._create(entry))
                    self._counts.indexes += 1
                case UdfFile():
                    tasks.append(self._client.udf_put(entry.name, entry.content))
                    self._counts.functions += 1
        self._flush()
        for task in tasks:
            task.wait()
        return self._counts

    def _create(self, index: SecondaryIndex) -> Task:
        kind = _INDEXED.get(index.type)
        if kind is None:
            raise BackupFileError(f"index {index.name!r} is on values of a type that is not known")
        return self._client.create_index(
            index.name,
            self._namespace or index.namespace,
            index.set_name,
            "" if index.expression else index.bin,
            kind,
            index_type=_PARTS[index.kind],
            context=base64.b64decode(index.context) if index.context else None,
            expression=base64.b64decode(index.expression) if index.expression else None,
        )

    def _add(self, record: BackupRecord) -> None:
        now_s = self._clock.epoch_s()
        if 0 < record.void_time <= now_s:
            self._counts.expired += 1
            return
        # Other tools write `nil` for what they have no name for; to a server that is no bin.
        bins = [each for each in record.bins if each.particle_type != ParticleType.NULL]
        if not bins:
            self._counts.empty += 1
            return
        namespace = self._namespace or record.namespace
        key = Key.of_digest(namespace, record.set_name, record.digest, record.user_key)
        ops = [Op(OpType.WRITE, each[1], _name(each), each[2]) for each in bins]
        self._rows.append(BatchOperate(key, ops, self._write_policy(record, now_s)))
        self._size += sum(len(op.value) for op in ops)
        if len(self._rows) >= BATCH_RECORDS or self._size >= BATCH_BYTES:
            self._flush()

    def _write_policy(self, record: BackupRecord, now_s: int) -> BatchWritePolicy:
        older = self._existing is Existing.OLDER
        keep = self._existing is Existing.NONE
        return BatchWritePolicy(
            gen=Generation.GT if older else Generation.IGNORE,
            generation=record.generation if older else 0,
            exists=Exists.CREATE if keep else Exists.CREATE_OR_REPLACE,
            ttl=record.void_time - now_s if record.void_time else TTL_NEVER_EXPIRE,
            key=SendKey.DIGEST if record.user_key is None else SendKey.SEND,
        )

    def _flush(self) -> None:
        """Send what has come together. Raises the first error that does not count as kept."""
        if self._rows:
            failures: list[ClientError] = []
            for result in self._client.batch(self._rows, self._policy):
                if result.error is None:
                    self._counts.records += 1
                elif isinstance(result.error, GenerationMismatch | RecordExists):
                    self._counts.kept += 1
                else:
                    failures.append(result.error)
            if failures:
                raise failures[0]
            self._rows, self._size = [], 0
        self._counts.bytes = self._reader.position
        if self._progress is not None:
            self._progress(self._counts)


def _name(bin_: BackupBin) -> bytes:
    return bin_.name.encode("utf-8", "surrogateescape")
