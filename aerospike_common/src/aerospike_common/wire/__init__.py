"""The Aerospike wire protocol without IO: bytes in, objects out.

Whatever bytes come in, a codec gives a parsed object, asks for more, or raises a `ProtocolError`,
in memory bounded by what has arrived.
"""

from aerospike_common.wire.admin import (
    AdminCommand,
    AdminField,
    AdminMessage,
    WirePrivilege,
    encode_admin,
    encode_figures,
    encode_privileges,
    encode_roles,
    parse_admin,
    parse_privileges,
    parse_roles,
)
from aerospike_common.wire.codes import (
    FieldType,
    Info1,
    Info2,
    Info3,
    Info4,
    MessageType,
    OpType,
    ParticleType,
    ResultCode,
)
from aerospike_common.wire.errors import (
    AerospikeError,
    FrameError,
    MessageError,
    OperationError,
    ProtocolError,
)

# `frame.frame` is left where it is: here it would hide the module of that name.
from aerospike_common.wire.frame import MAX_BODY, Frame, FrameReader, deflate, inflate
from aerospike_common.wire.info import (
    InfoCommand,
    encode_info_reply,
    encode_info_request,
    info_error,
    info_parameters,
    parse_info_command,
    parse_info_reply,
    parse_info_request,
)
from aerospike_common.wire.message import (
    Message,
    Op,
    encode_field,
    encode_message,
    encode_op,
    encode_reply,
    is_batch,
    parse_batch,
    parse_message,
    reply_frame,
    split_messages,
)

__all__ = [
    # numbers
    "FieldType",
    "Info1",
    "Info2",
    "Info3",
    "Info4",
    "MessageType",
    "OpType",
    "ParticleType",
    "ResultCode",
    # errors
    "AerospikeError",
    "ProtocolError",
    "FrameError",
    "MessageError",
    "OperationError",
    # frames
    "MAX_BODY",
    "Frame",
    "FrameReader",
    "deflate",
    "inflate",
    # messages
    "Message",
    "Op",
    "parse_message",
    "is_batch",
    "parse_batch",
    "split_messages",
    "encode_message",
    "encode_field",
    "encode_op",
    "encode_reply",
    "reply_frame",
    # info
    "InfoCommand",
    "parse_info_request",
    "parse_info_command",
    "info_parameters",
    "info_error",
    "encode_info_request",
    "encode_info_reply",
    "parse_info_reply",
    # admin
    "AdminCommand",
    "AdminField",
    "AdminMessage",
    "WirePrivilege",
    "parse_admin",
    "parse_privileges",
    "parse_roles",
    "encode_admin",
    "encode_figures",
    "encode_privileges",
    "encode_roles",
]
