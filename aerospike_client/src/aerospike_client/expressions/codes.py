"""The numbers of expressions: types and operations."""

from __future__ import annotations

from enum import IntEnum, IntFlag


class ExpType(IntEnum):
    """The types of expressions, by their numbers on the wire."""

    NIL = 0
    BOOL = 1
    INT = 2
    STR = 3
    LIST = 4
    MAP = 5
    BLOB = 6
    FLOAT = 7
    GEO = 8
    HLL = 9


class Code(IntEnum):
    """The operations of expressions, by their numbers on the wire."""

    UNKNOWN = 0
    EQ = 1
    NE = 2
    GT = 3
    GE = 4
    LT = 5
    LE = 6
    REGEX = 7
    CMP_GEO = 8
    IN_LIST = 9
    AND = 16
    OR = 17
    NOT = 18
    EXCLUSIVE = 19
    ADD = 20
    SUB = 21
    MUL = 22
    DIV = 23
    POW = 24
    LOG = 25
    MOD = 26
    ABS = 27
    FLOOR = 28
    CEIL = 29
    TO_INT = 30
    TO_FLOAT = 31
    INT_AND = 32
    INT_OR = 33
    INT_XOR = 34
    INT_NOT = 35
    LSHIFT = 36
    RSHIFT = 37
    ARSHIFT = 38
    BIT_COUNT = 39
    LSCAN = 40
    RSCAN = 41
    MIN = 50
    MAX = 51
    DIGEST_MODULO = 64
    DEVICE_SIZE = 65
    LAST_UPDATE = 66
    SINCE_UPDATE = 67
    VOID_TIME = 68
    TTL = 69
    SET_NAME = 70
    KEY_EXISTS = 71
    IS_TOMBSTONE = 72
    MEMORY_SIZE = 73
    RECORD_SIZE = 74
    KEY = 80
    BIN = 81
    BIN_TYPE = 82
    TO_STRING = 99
    REMOVE_RESULT = 100
    MAP_KEYS = 101
    MAP_VALUES = 102
    LOOP_VARIABLE = 122
    COND = 123
    VAR = 124
    LET = 125
    QUOTE = 126
    CALL = 127


class System(IntEnum):
    """Whose operation a CALL makes."""

    COLLECTION = 0
    BITS = 1
    HLL = 2
    STRING = 3


MODIFY_LOCAL = 0x40
"""Added to a `System`: the call gives the value as the operation leaves it."""


class LoopVariable(IntEnum):
    """What a path's expression knows of the element it stands on."""

    KEY = 0
    VALUE = 1
    INDEX = 2


class RegexFlags(IntFlag):
    """Options of a regular expression, as POSIX `regcomp` has them."""

    DEFAULT = 0
    EXTENDED = 1
    IGNORE_CASE = 2
    NEWLINE = 4
    NO_SUB = 8
