"""Batches' rows as they travel.

Rows that ask for the same of different records are sent once and then "as before": that is worth a
good part of a batch's size. Rows made one after the other are compared by the identity of what they
ask for, which is what programs that build batches in a loop have the same of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import SupportsBytes

from aerospike_client.batches import (
    BatchApply,
    BatchOperate,
    BatchPut,
    BatchRead,
    BatchRemove,
    BatchRow,
)
from aerospike_client.commands import flags, single
from aerospike_client.core.batch import PlannedRow
from aerospike_client.core.view import ClusterView
from aerospike_client.errors import InvalidParameter
from aerospike_client.key import Key, user_key_particle
from aerospike_client.policies import BatchPolicy, SendKey
from aerospike_common.wire import FieldType, Info1, Info2, Op, OpType, encode_field, encode_op
from aerospike_common.wire import request as wire


def plan(view: ClusterView, rows: Sequence[BatchRow], policy: BatchPolicy) -> list[PlannedRow]:
    """The rows, encoded, with the replicas they may be asked of."""
    if not rows:
        raise InvalidParameter("a batch needs at least one row")
    planned: list[PlannedRow] = []
    previous: BatchRow | None = None
    for row in rows:
        if previous is not None and _asks_the_same(row, previous):
            before = planned[-1]
            planned.append(
                PlannedRow(row.key, before.content, before.writes, before.replica, before.detailed)
            )
        else:
            planned.append(_planned(view, row, policy))
        previous = row
    return planned


def plan_reads(
    view: ClusterView, keys: Iterable[Key], bins: Sequence[str] | None, policy: BatchPolicy
) -> list[PlannedRow]:
    """As `plan`, for reads of the same of many keys, without a row object for each."""
    planned: list[PlannedRow] = []
    sample: PlannedRow | None = None
    for key in keys:
        if sample is None or sample.key[1] != key[1] or sample.key[0] != key[0]:
            sample = _planned(view, BatchRead(key, bins), policy)
            planned.append(sample)
        else:
            planned.append(PlannedRow(key, sample.content, False, sample.replica, False))
    return planned


def writes(rows: Sequence[BatchRow]) -> bool:
    """Whether any row changes anything."""
    return any(not isinstance(row, BatchRead) for row in rows)


def _asks_the_same(row: BatchRow, other: BatchRow) -> bool:
    if type(row) is not type(other) or row.policy is not other.policy:
        return False
    if row.key[0] != other.key[0] or row.key[1] != other.key[1]:
        return False
    if isinstance(row, BatchRead) and isinstance(other, BatchRead):
        return row.bins is other.bins and row.ops is other.ops
    if row.policy.key is SendKey.SEND:  # type: ignore[union-attr]  # reads are dealt with above
        return False
    if isinstance(row, BatchPut) and isinstance(other, BatchPut):
        return row.bins is other.bins
    if isinstance(row, BatchOperate) and isinstance(other, BatchOperate):
        return row.ops is other.ops
    return isinstance(row, BatchRemove)


def _planned(view: ClusterView, row: BatchRow, policy: BatchPolicy) -> PlannedRow:
    if isinstance(row, BatchRead):
        mode = row.policy.read_mode_sc
        replica = view.replica_for_read(row.key.namespace, policy.replica, mode)
        return PlannedRow(row.key, _read(row, policy), False, replica, bool(row.ops))
    replica = view.replica_for_write(row.key.namespace, policy.replica)
    detailed = isinstance(row, BatchOperate)
    return PlannedRow(row.key, _write(row), True, replica, detailed)


def _read(row: BatchRead, policy: BatchPolicy) -> wire.BatchRow:
    info1 = flags.read_info1(row.policy.read_mode_ap) | flags.read_info1(policy.read_mode_ap)
    info2 = 0
    ops: Sequence[Op] = row.ops
    if ops:
        if any(op.type not in single.READ_OPS for op in ops):
            raise InvalidParameter("BatchRead only reads; use BatchOperate for what writes")
        more1, info2 = single.operate_info(ops, False)
        info1 |= more1
    elif row.bins is None:
        info1 |= Info1.GET_ALL
    elif not row.bins:
        info1 |= Info1.GET_NO_BINS
    else:
        ops = [Op(OpType.READ, 0, single.bin_name(name), b"") for name in row.bins]
    fields, n_fields = _fields(row.key, row.policy.filter_expression, SendKey.DIGEST)
    return wire.BatchRow(
        info1,
        info2,
        flags.read_info3(row.policy.read_mode_sc),
        None,
        flags.read_touch(row.policy.read_touch_ttl_percent),
        n_fields,
        len(ops),
        fields + b"".join([encode_op(*op) for op in ops]),
    )


def _write(row: BatchPut | BatchOperate | BatchRemove | BatchApply) -> wire.BatchRow:
    policy = row.policy
    fields, n_fields = _fields(row.key, policy.filter_expression, policy.key)
    info1, info2 = 0, int(Info2.WRITE)
    ops: Sequence[Op] = ()
    info3 = flags.commit_info3(policy.commit_level)
    generation, ttl = 0, policy.ttl
    if policy.durable_delete:
        info2 |= Info2.DURABLE_DELETE
    if isinstance(row, BatchApply):
        fields += single.udf_fields(row.module, row.function, row.arguments)
        n_fields += 3
    else:
        info2 |= flags.generation_info2(row.policy.gen)
        generation = row.policy.generation if flags.generation_info2(row.policy.gen) else 0
        if isinstance(row, BatchRemove):
            info2 |= Info2.DELETE | Info2.RESPOND_ALL_OPS
            ttl = 0
        else:
            exists2, exists3 = flags.exists_info(row.policy.exists)
            info1, more2, ops = _operations(row)
            info2 |= exists2 | more2
            info3 |= exists3
    content = fields + b"".join([encode_op(*op) for op in ops])
    repeatable = policy.key is not SendKey.SEND
    return wire.BatchRow(
        info1, info2, info3, generation, ttl, n_fields, len(ops), content, repeatable
    )


def _operations(row: BatchPut | BatchOperate) -> tuple[int, int, Sequence[Op]]:
    """What writing rows have of info1 and info2, and their operations."""
    ops: Sequence[Op]
    if isinstance(row, BatchPut):
        ops = [single.value_op(OpType.WRITE, name, value) for name, value in row.bins.items()]
    else:
        ops = row.ops
    if not ops:
        raise InvalidParameter("a row of a batch has nothing to write")
    all_bins, _ = single.operate_info(ops, True)
    reads = any(op.type in single.READ_OPS for op in ops)
    info1 = (Info1.READ if reads else 0) | all_bins
    return info1, 0 if all_bins else Info2.RESPOND_ALL_OPS, ops


def _fields(key: Key, expression: SupportsBytes | None, send: SendKey) -> tuple[bytes, int]:
    fields, n_fields = wire.target_fields(key.namespace, key.set_name), 2
    if expression is not None:
        fields += encode_field(FieldType.FILTER, flags.expression_bytes(expression))
        n_fields += 1
    if send is SendKey.SEND and key.user_key is not None:
        fields += encode_field(FieldType.KEY, user_key_particle(key.user_key))
        n_fields += 1
    return fields, n_fields
