"""Commands on one record, each as the bytes that the official clients send for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from aerospike_client.commands import flags
from aerospike_client.commands.replies import first_value, operate_parser, record_parser
from aerospike_client.core.command import Command
from aerospike_client.core.view import ClusterView, WriteHead
from aerospike_client.errors import ClientError, InvalidParameter, server_error
from aerospike_client.key import Key, user_key_particle
from aerospike_client.policies import ApplyPolicy, OperatePolicy, ReadPolicy, SendKey, WritePolicy
from aerospike_client.record import Record
from aerospike_client.values import BinValue, pack_value, to_particle
from aerospike_common.as_msgpack import unpack
from aerospike_common.wire import (
    FieldType,
    Info1,
    Info2,
    Op,
    OpType,
    ResultCode,
    deflate,
    encode_field,
    encode_op,
)
from aerospike_common.wire.frame import HEADER_SIZE
from aerospike_common.wire.request import digest_field, request_frame, target_fields

READ_OPS: Final = frozenset(
    {OpType.READ, OpType.CDT_READ, OpType.EXP_READ, OpType.BIT_READ, OpType.HLL_READ}
    | {OpType.STRING_READ, OpType.TO_STRING}
)
"""Operations that change nothing."""

_OP_WRITE: Final = int(OpType.WRITE)
_WRITE: Final = int(Info2.WRITE)
_COMPRESSED_FROM: Final = 128
_MAX_BIN_NAME: Final = 15
_FIRST_MAP_OP: Final = 64
_ON_PATH: Final = 0xFE
_ALL_OPS_ANSWER: Final = frozenset(
    {OpType.EXP_READ, OpType.EXP_MODIFY, OpType.BIT_READ, OpType.BIT_MODIFY}
    | {OpType.HLL_READ, OpType.HLL_MODIFY}
    | {OpType.STRING_READ, OpType.STRING_MODIFY, OpType.TO_STRING}
)


def bin_name(name: str) -> bytes:
    """A bin's name as bytes. InvalidParameter when it is empty or longer than 15 bytes."""
    data = name.encode()
    if not 0 < len(data) <= _MAX_BIN_NAME:
        raise InvalidParameter(f"a bin's name has 1 to {_MAX_BIN_NAME} bytes: {name!r}")
    return data


# ---------------------------------------------------------------------- reads


def get(view: ClusterView, key: Key, policy: ReadPolicy) -> Command[Record]:
    """All bins."""
    namespace, set_name, _, digest = key
    known = view.read_head
    if known is None or known[0] is not policy or known[1] != namespace or known[2] != set_name:
        frame = _read_frame(key, policy, Info1.GET_ALL, 0, b"")
        if frame.endswith(digest):  # nothing behind it, and not compressed
            view.read_head = (policy, namespace, set_name, frame[: -len(digest)])
    else:
        frame = known[3] + digest
    return _read_command(view, key, policy, frame)


def select(view: ClusterView, key: Key, bins: Iterable[str], policy: ReadPolicy) -> Command[Record]:
    """Some bins; those that are not there are left out."""
    ops = [encode_op(OpType.READ, 0, bin_name(name)) for name in bins]
    if not ops:
        raise InvalidParameter("select needs the name of at least one bin")
    return _read_command(view, key, policy, _read_frame(key, policy, 0, len(ops), b"".join(ops)))


def head(view: ClusterView, key: Key, policy: ReadPolicy) -> Command[Record]:
    """The metadata alone."""
    frame = _read_frame(key, policy, Info1.GET_NO_BINS, 0, b"")
    return _read_command(view, key, policy, frame)


def exists(view: ClusterView, key: Key, policy: ReadPolicy) -> Command[bool]:
    """Whether the record is there."""
    return Command(
        key,
        _read_frame(key, policy, Info1.GET_NO_BINS, 0, b""),
        lambda body: body[5] == 0,
        policy,
        view.replica_for_read(key.namespace, policy.replica, policy.read_mode_sc),
        accepted=(ResultCode.OK, ResultCode.NOT_FOUND),
    )


def _read_frame(
    key: Key,
    policy: ReadPolicy | OperatePolicy,
    info1: int,
    n_ops: int,
    ops: bytes,
    info2: int = 0,
) -> bytes:
    fields, n_fields = _fields(key, policy)
    return _packed(
        policy.compress,
        request_frame(
            info1 | flags.read_info1(policy.read_mode_ap, policy.compress),
            info2,
            flags.read_info3(policy.read_mode_sc),
            0,
            0,
            flags.read_touch(policy.read_touch_ttl_percent),
            flags.server_timeout(policy),
            n_fields,
            n_ops,
            fields + ops,
        ),
    )


def _read_command(view: ClusterView, key: Key, policy: ReadPolicy, frame: bytes) -> Command[Record]:
    replica = view.replica_for_read(key[0], policy.replica, policy.read_mode_sc)
    return Command(key, frame, record_parser(key), policy, replica)


# ---------------------------------------------------------------------- writes


def put(
    view: ClusterView, key: Key, bins: Mapping[str, BinValue], policy: WritePolicy
) -> Command[None]:
    """Write bins; the value None removes one."""
    ops = [
        encode_op(_OP_WRITE, kind, bin_name(name), data)
        for name, (kind, data) in [(name, to_particle(bins[name])) for name in bins]
    ]
    if not ops:
        raise InvalidParameter("nothing to write")
    namespace, set_name, _, digest = key
    head = view.write_head
    if (
        head is None
        or head.policy is not policy
        or head.namespace != namespace
        or head.set_name != set_name
    ):
        head = _put_head(key, policy)
        if head is None:  # something of each record's own goes before the bins
            return write(
                view, key, [value_op(_OP_WRITE, name, bins[name]) for name in bins], policy
            )
        view.write_head = head
    content = b"".join([head.fields, digest, *ops])
    frame = request_frame(*head.header, 3, len(ops), content)
    return _write_command(view, key, policy, frame)


def _put_head(key: Key, policy: WritePolicy) -> WriteHead | None:
    """What puts of this policy in this set begin with; None when that is not all they have."""
    if policy.compress or policy.filter_expression is not None or policy.key is SendKey.SEND:
        return None
    exists2, exists3 = flags.exists_info(policy.exists)
    bound = flags.generation_info2(policy.gen)
    info2 = _WRITE | bound | exists2 | (Info2.DURABLE_DELETE if policy.durable_delete else 0)
    info3 = exists3 | flags.commit_info3(policy.commit_level)
    generation = policy.generation if bound else 0
    header = (0, info2, info3, 0, generation, policy.ttl, flags.server_timeout(policy))
    fields = target_fields(key.namespace, key.set_name) + digest_field(b"")
    return WriteHead(policy, key.namespace, key.set_name, header, fields)


def value_op(kind: int, name: str, value: BinValue) -> Op:
    """An operation with a bin's name and a value."""
    particle_type, data = to_particle(value)
    return Op(kind, particle_type, bin_name(name), data)


def touch_op() -> Op:
    """The operation that renews a record's life."""
    return Op(OpType.TOUCH, 0, b"", b"")


def write(view: ClusterView, key: Key, ops: Sequence[Op], policy: WritePolicy) -> Command[None]:
    """Operations that write and whose answers nobody wants."""
    if not ops:
        raise InvalidParameter("nothing to write")
    frame = _write_frame(key, policy, 0, Info2.WRITE, ops, policy.ttl)
    return _write_command(view, key, policy, frame)


def remove(view: ClusterView, key: Key, policy: WritePolicy) -> Command[bool]:
    """Remove the record; whether it was there."""
    frame = _write_frame(key, policy, 0, Info2.WRITE | Info2.DELETE, (), 0)
    return Command(
        key,
        frame,
        lambda body: body[5] == 0,
        policy,
        view.replica_for_write(key.namespace, policy.replica),
        writes=True,
        accepted=(ResultCode.OK, ResultCode.NOT_FOUND),
    )


def operate(
    view: ClusterView, key: Key, ops: Sequence[Op], policy: OperatePolicy
) -> Command[Record]:
    """Several operations in one, in their order: all of them or none."""
    if not ops:
        raise InvalidParameter("operate needs at least one operation")
    writes = any(op.type not in READ_OPS for op in ops)
    info1, info2 = operate_info(ops, policy.respond_all_ops)
    if any(op.type in READ_OPS for op in ops):
        info1 |= flags.read_info1(policy.read_mode_ap, policy.compress)
    if writes:
        frame = _write_frame(
            key,
            policy,
            info1,
            info2 | Info2.WRITE,
            ops,
            policy.ttl,
            flags.read_info3(policy.read_mode_sc),
        )
        replica = view.replica_for_write(key.namespace, policy.replica)
    else:
        encoded = b"".join([encode_op(*op) for op in ops])
        frame = _read_frame(key, policy, info1, len(ops), encoded, info2)
        replica = view.replica_for_read(key.namespace, policy.replica, policy.read_mode_sc)
    return Command(key, frame, operate_parser(key), policy, replica, writes=writes)


def operate_info(ops: Sequence[Op], respond_all: bool) -> tuple[int, int]:
    """info1's GET_ALL and info2's RESPOND_ALL_OPS for operations."""
    if any(op.type == OpType.READ and not op.name for op in ops):
        return Info1.GET_ALL, 0
    if respond_all or any(op.type in _ALL_OPS_ANSWER or _is_map_op(op) for op in ops):
        return 0, Info2.RESPOND_ALL_OPS
    return 0, 0


def _is_map_op(op: Op) -> bool:
    """Whether a collection operation is a map's: only its number tells, behind any context."""
    if op.type not in (OpType.CDT_READ, OpType.CDT_MODIFY):
        return False
    data = op.value
    if len(data) > 1 and data[0] & 0xF0 == 0x90 and data[1] < 0x80:
        # A short array of a small number and arguments, which may be large: no need to read them.
        return data[1] >= _FIRST_MAP_OP
    call = unpack(data)  # which knows the wildcard and infinity
    if call and call[0] == 0xFF and len(call) == 3:
        call = call[2]
    return bool(call) and isinstance(call[0], int) and _FIRST_MAP_OP <= call[0] < _ON_PATH


def _write_frame(
    key: Key,
    policy: WritePolicy,
    info1: int,
    info2: int,
    ops: Sequence[Op],
    ttl: int,
    info3: int = 0,
) -> bytes:
    fields, n_fields = _fields(key, policy)
    exists2, exists3 = flags.exists_info(policy.exists)
    info2 |= flags.generation_info2(policy.gen) | exists2
    if policy.durable_delete:
        info2 |= Info2.DURABLE_DELETE
    info3 |= exists3 | flags.commit_info3(policy.commit_level)
    return _packed(
        policy.compress,
        request_frame(
            info1,
            info2,
            info3,
            0,
            policy.generation if flags.generation_info2(policy.gen) else 0,
            ttl,
            flags.server_timeout(policy),
            n_fields,
            len(ops),
            fields + b"".join([encode_op(*op) for op in ops]),
        ),
    )


def _write_command(view: ClusterView, key: Key, policy: WritePolicy, frame: bytes) -> Command[None]:
    replica = view.replica_for_write(key[0], policy.replica)
    return Command(key, frame, _nothing, policy, replica, writes=True)


def _nothing(_body: bytes) -> None:
    """A write's OK says nothing more."""


def _fields(key: Key, policy: ReadPolicy | WritePolicy | ApplyPolicy) -> tuple[bytes, int]:
    fields = target_fields(key[0], key[1]) + digest_field(key[3])
    n_fields = 3
    if policy.key is SendKey.SEND and key.user_key is not None:
        fields += encode_field(FieldType.KEY, user_key_particle(key.user_key))
        n_fields += 1
    if policy.filter_expression is not None:
        fields += encode_field(FieldType.FILTER, flags.expression_bytes(policy.filter_expression))
        n_fields += 1
    return fields, n_fields


def _packed(compress: bool, frame: bytes) -> bytes:
    """The frame, compressed where that is wanted and worth it."""
    if compress and len(frame) > _COMPRESSED_FROM:
        return deflate(frame[HEADER_SIZE:])
    return frame


# ---------------------------------------------------------------------- functions


def apply(
    view: ClusterView,
    key: Key,
    module: str,
    function: str,
    arguments: Sequence[BinValue],
    policy: ApplyPolicy,
) -> Command[Any]:
    """Call a registered function on the record; its return value is the answer."""
    fields, n_fields = _fields(key, policy)
    fields += udf_fields(module, function, arguments)
    info2 = Info2.WRITE | (Info2.DURABLE_DELETE if policy.durable_delete else 0)
    frame = request_frame(
        0,
        info2,
        flags.commit_info3(policy.commit_level),
        0,
        0,
        policy.ttl,
        flags.server_timeout(policy),
        n_fields + 3,
        0,
        fields,
    )
    return Command(
        key,
        _packed(policy.compress, frame),
        lambda body: first_value(body)[1],
        policy,
        view.replica_for_write(key.namespace, policy.replica),
        writes=True,
        refusal=udf_refusal,
    )


def udf_fields(module: str, function: str, arguments: Sequence[BinValue]) -> bytes:
    """The three fields that name a function and hold its arguments."""
    return (
        encode_field(FieldType.UDF_PACKAGE, module.encode())
        + encode_field(FieldType.UDF_FUNCTION, function.encode())
        + encode_field(FieldType.UDF_ARGS, pack_value(list(arguments)))
    )


def udf_refusal(code: int, body: bytes) -> ClientError:
    """The error of a function that failed: the message is the function's own."""
    if code != ResultCode.UDF_EXECUTION:
        return server_error(code)
    name, message = first_value(body)
    return server_error(code, str(message) if name == "FAILURE" else "")
