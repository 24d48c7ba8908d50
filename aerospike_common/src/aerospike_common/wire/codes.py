"""The numbers of the wire protocol: result codes, fields, ops, particles and header flags."""

# Flags are plain integers, not `IntFlag`: testing one bit of a message with an `IntFlag` costs a
# microsecond, and a write tests about twenty.

from __future__ import annotations

from enum import IntEnum


class ResultCode(IntEnum):
    """One byte of every reply: what became of the request."""

    OK = 0
    SERVER_ERROR = 1
    NOT_FOUND = 2
    GENERATION = 3
    PARAMETER = 4
    RECORD_EXISTS = 5
    BIN_EXISTS = 6
    CLUSTER_KEY_MISMATCH = 7
    OUT_OF_SPACE = 8
    TIMEOUT = 9
    ALWAYS_FORBIDDEN = 10
    PARTITION_UNAVAILABLE = 11
    BIN_TYPE = 12
    RECORD_TOO_BIG = 13
    KEY_BUSY = 14
    QUERY_ABORTED = 15
    UNSUPPORTED_FEATURE = 16
    BIN_NOT_FOUND = 17
    DEVICE_OVERLOAD = 18
    KEY_MISMATCH = 19
    NAMESPACE_NOT_FOUND = 20
    BIN_NAME = 21
    FORBIDDEN = 22
    ELEMENT_NOT_FOUND = 23
    ELEMENT_EXISTS = 24
    ENTERPRISE_ONLY = 25
    OP_NOT_APPLICABLE = 26
    FILTERED_OUT = 27
    LOST_CONFLICT = 28
    INVALID_ENCODING = 29
    XDR_KEY_BUSY = 32
    OK_LAST = 50
    SECURITY_NOT_SUPPORTED = 51
    SECURITY_NOT_ENABLED = 52
    SECURITY_SCHEME = 53
    SECURITY_COMMAND = 54
    SECURITY_FIELD = 55
    SECURITY_STATE = 56
    USER_INVALID = 60
    USER_EXISTS = 61
    PASSWORD_INVALID = 62
    PASSWORD_EXPIRED = 63
    PASSWORD_FORBIDDEN = 64
    CREDENTIAL_INVALID = 65
    SESSION_EXPIRED = 66
    ROLE_INVALID = 70
    ROLE_EXISTS = 71
    PRIVILEGE_INVALID = 72
    WHITELIST_INVALID = 73
    QUOTAS_NOT_ENABLED = 74
    QUOTA_INVALID = 75
    NOT_AUTHENTICATED = 80
    ROLE_VIOLATION = 81
    NOT_WHITELISTED = 82
    QUOTA_EXCEEDED = 83
    LDAP_NOT_CONFIGURED = 90
    LDAP_SETUP = 91
    LDAP_TLS_SETUP = 92
    LDAP_AUTHENTICATION = 93
    LDAP_QUERY = 94
    UDF_EXECUTION = 100
    BATCH_DISABLED = 150
    BATCH_MAX_REQUESTS = 151
    BATCH_QUEUES_FULL = 152
    INVALID_GEOJSON = 160
    SINDEX_EXISTS = 200
    SINDEX_NOT_FOUND = 201
    SINDEX_OUT_OF_MEMORY = 202
    SINDEX_NOT_READABLE = 203
    SINDEX_GENERIC = 204
    SINDEX_NAME_TOO_LONG = 205
    SINDEX_MAX_COUNT = 206


class MessageType(IntEnum):
    """Second byte of the 8-byte frame header."""

    INFO = 1
    ADMIN = 2
    AS_MSG = 3
    AS_MSG_COMPRESSED = 4
    INTERNAL_XDR = 5


class FieldType(IntEnum):
    """The id of a message field; ids not named here are skipped by the server."""

    NAMESPACE = 0
    SET = 1
    KEY = 2
    RECORD_VERSION = 3
    DIGEST = 4
    MRT_ID = 5
    MRT_DEADLINE = 6
    TRID = 7
    SOCKET_TIMEOUT = 9
    RECORDS_PER_SECOND = 10
    PARTITION_IDS = 11
    DIGESTS = 12
    MAX_RECORDS = 13
    LAST_UPDATE_TIME = 14
    BVALS = 15
    INDEX_NAME = 21
    INDEX_RANGE = 22
    INDEX_CONTEXT = 23
    INDEX_EXPRESSION = 24
    INDEX_TYPE = 26
    UDF_PACKAGE = 30
    UDF_FUNCTION = 31
    UDF_ARGS = 32
    UDF_OP = 33
    QUERY_BINS = 40
    BATCH = 41
    BATCH_WITH_SET = 42
    FILTER = 43
    ERROR_DETAILS = 45
    BIN_TIMES = 250
    """This project's own: when the bins of a shipped record were written."""


class OpType(IntEnum):
    """The id of an operation on a bin."""

    READ = 1
    WRITE = 2
    CDT_READ = 3
    CDT_MODIFY = 4
    INCR = 5
    EXP_READ = 7
    EXP_MODIFY = 8
    APPEND = 9
    PREPEND = 10
    TOUCH = 11
    BIT_READ = 12
    BIT_MODIFY = 13
    DELETE_ALL = 14
    HLL_READ = 15
    HLL_MODIFY = 16
    STRING_READ = 17
    STRING_MODIFY = 18
    TO_STRING = 19


class ParticleType(IntEnum):
    """The type byte of a bin's value. Language blobs (7-12) keep their byte."""

    NULL = 0
    INTEGER = 1
    DOUBLE = 2
    STRING = 3
    BLOB = 4
    JAVA_BLOB = 7
    CSHARP_BLOB = 8
    PYTHON_BLOB = 9
    RUBY_BLOB = 10
    PHP_BLOB = 11
    ERLANG_BLOB = 12
    VECTOR = 16
    BOOL = 17
    HLL = 18
    MAP = 19
    LIST = 20
    GEOJSON = 23


class Info1(IntEnum):
    """Read flags, byte 1 of the message header."""

    READ = 0x01
    GET_ALL = 0x02
    SHORT_QUERY = 0x04
    BATCH = 0x08
    XDR = 0x10
    GET_NO_BINS = 0x20
    READ_MODE_AP_ALL = 0x40
    COMPRESS_RESPONSE = 0x80


class Info2(IntEnum):
    """Write flags, byte 2 of the message header."""

    WRITE = 0x01
    DELETE = 0x02
    GENERATION = 0x04
    GENERATION_GT = 0x08
    DURABLE_DELETE = 0x10
    CREATE_ONLY = 0x20
    RELAX_AP_LONG_QUERY = 0x40
    RESPOND_ALL_OPS = 0x80


class Info3(IntEnum):
    """Miscellaneous flags, byte 3 of the message header."""

    LAST = 0x01
    COMMIT_MASTER = 0x02
    PARTITION_DONE = 0x04
    UPDATE_ONLY = 0x08
    CREATE_OR_REPLACE = 0x10
    REPLACE_ONLY = 0x20
    SC_READ_TYPE = 0x40
    SC_READ_RELAX = 0x80


class Info4(IntEnum):
    """Transaction flags, byte 4 of the message header."""

    MRT_VERIFY_READ = 0x01
    MRT_ROLL_FORWARD = 0x02
    MRT_ROLL_BACK = 0x04
    MRT_MONITOR_DRIVEN = 0x08
    MRT_ON_LOCKING_ONLY = 0x10
