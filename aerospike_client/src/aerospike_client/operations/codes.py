"""The numbers of the operations on collections, blobs and sketches, and their flags.

The order of arguments behind a code is that of the protocol: the return type first, the policy's
numbers last.
"""

from __future__ import annotations

from enum import IntEnum, IntFlag
from typing import Final

from aerospike_common import as_msgpack

IN_CONTEXT: Final = 0xFF
"""`[IN_CONTEXT, context, [code, ...]]`: the operation works inside the value."""

ON_PATH: Final = 0xFE
"""`[ON_PATH, context, flags]`: it works on every element that the context selects."""

WILDCARD: Final = as_msgpack.WILDCARD
"""Equals anything where values are searched; at the end of a list, also all that follows."""

INFINITY: Final = as_msgpack.INF
"""Greater than every value; the end of a range that has none."""

INVERTED: Final = 0x10000
"""Added to a return type: all but what was selected."""


class ListCode(IntEnum):
    """Operations on lists."""

    SET_TYPE = 0
    APPEND = 1
    APPEND_ITEMS = 2
    INSERT = 3
    INSERT_ITEMS = 4
    POP = 5
    POP_RANGE = 6
    REMOVE = 7
    REMOVE_RANGE = 8
    SET = 9
    TRIM = 10
    CLEAR = 11
    INCREMENT = 12
    SORT = 13
    SIZE = 16
    GET = 17
    GET_RANGE = 18
    GET_BY_INDEX = 19
    GET_BY_FIRST_VALUE = 20
    GET_BY_RANK = 21
    GET_BY_VALUE = 22
    GET_BY_VALUE_LIST = 23
    GET_BY_INDEX_RANGE = 24
    GET_BY_VALUE_RANGE = 25
    GET_BY_RANK_RANGE = 26
    GET_BY_VALUE_REL_RANK_RANGE = 27
    JOIN = 28
    REMOVE_BY_INDEX = 32
    REMOVE_BY_FIRST_VALUE = 33
    REMOVE_BY_RANK = 34
    REMOVE_BY_VALUE = 35
    REMOVE_BY_VALUE_LIST = 36
    REMOVE_BY_INDEX_RANGE = 37
    REMOVE_BY_VALUE_RANGE = 38
    REMOVE_BY_RANK_RANGE = 39
    REMOVE_BY_VALUE_REL_RANK_RANGE = 40


class MapCode(IntEnum):
    """Operations on maps."""

    SET_TYPE = 64
    ADD = 65
    ADD_ITEMS = 66
    PUT = 67
    PUT_ITEMS = 68
    REPLACE = 69
    REPLACE_ITEMS = 70
    INCREMENT = 73
    DECREMENT = 74
    CLEAR = 75
    REMOVE_BY_KEY = 76
    REMOVE_BY_INDEX = 77
    REMOVE_BY_FIRST_VALUE = 78
    REMOVE_BY_RANK = 79
    REMOVE_BY_KEY_LIST = 81
    REMOVE_BY_VALUE = 82
    REMOVE_BY_VALUE_LIST = 83
    REMOVE_BY_KEY_RANGE = 84
    REMOVE_BY_INDEX_RANGE = 85
    REMOVE_BY_VALUE_RANGE = 86
    REMOVE_BY_RANK_RANGE = 87
    REMOVE_BY_KEY_REL_INDEX_RANGE = 88
    REMOVE_BY_VALUE_REL_RANK_RANGE = 89
    SIZE = 96
    GET_BY_KEY = 97
    GET_BY_INDEX = 98
    GET_BY_FIRST_VALUE = 99
    GET_BY_RANK = 100
    GET_BY_VALUE = 102
    GET_BY_KEY_RANGE = 103
    GET_BY_INDEX_RANGE = 104
    GET_BY_VALUE_RANGE = 105
    GET_BY_RANK_RANGE = 106
    GET_BY_KEY_LIST = 107
    GET_BY_VALUE_LIST = 108
    GET_BY_KEY_REL_INDEX_RANGE = 109
    GET_BY_VALUE_REL_RANK_RANGE = 110


class BitCode(IntEnum):
    """Operations on the bits of a blob."""

    RESIZE = 0
    INSERT = 1
    REMOVE = 2
    SET = 3
    OR = 4
    XOR = 5
    AND = 6
    NOT = 7
    LSHIFT = 8
    RSHIFT = 9
    ADD = 10
    SUBTRACT = 11
    SET_INT = 12
    GET = 50
    COUNT = 51
    LSCAN = 52
    RSCAN = 53
    GET_INT = 54
    B64_ENCODE = 55


class HllCode(IntEnum):
    """Operations on HyperLogLog sketches."""

    INIT = 0
    ADD = 1
    SET_UNION = 2
    REFRESH_COUNT = 3
    FOLD = 4
    GET_COUNT = 50
    GET_UNION = 51
    GET_UNION_COUNT = 52
    GET_INTERSECT_COUNT = 53
    GET_SIMILARITY = 54
    DESCRIBE = 55
    MAY_CONTAIN = 56


class StrCode(IntEnum):
    """Operations on text. Servers from 8.1.3."""

    STRLEN = 0
    SUBSTR = 1
    CHAR_AT = 2
    FIND = 3
    CONTAINS = 4
    STARTS_WITH = 5
    ENDS_WITH = 6
    TO_INTEGER = 7
    TO_DOUBLE = 8
    BYTE_LENGTH = 9
    IS_NUMERIC = 10
    IS_UPPER = 11
    IS_LOWER = 12
    TO_BLOB = 13
    SPLIT = 14
    B64_DECODE = 15
    REGEX_COMPARE = 16
    INSERT = 50
    OVERWRITE = 51
    CONCAT = 52
    SNIP = 53
    REPLACE = 54
    REPLACE_ALL = 55
    UPPER = 56
    LOWER = 57
    CASE_FOLD = 58
    NORMALIZE_NFC = 59
    TRIM_START = 60
    TRIM_END = 61
    TRIM = 62
    PAD_START = 63
    PAD_END = 64
    REPEAT = 65
    REGEX_REPLACE = 66
    APPEND = 67
    PREPEND = 68


class ListReturnType(IntEnum):
    """What an operation that selects elements of a list gives of them.

    One element gives one value; a range, a list or a value gives a list, except COUNT and EXISTS.
    """

    NONE = 0
    INDEX = 1
    REVERSE_INDEX = 2
    RANK = 3
    REVERSE_RANK = 4
    COUNT = 5
    VALUE = 7
    EXISTS = 13


class MapReturnType(IntEnum):
    """What an operation that selects entries of a map gives of them."""

    NONE = 0
    INDEX = 1
    REVERSE_INDEX = 2
    RANK = 3
    REVERSE_RANK = 4
    COUNT = 5
    KEY = 6
    VALUE = 7
    #: Entries in the order in which they were selected.
    KEY_VALUE = 8
    EXISTS = 13
    UNORDERED_MAP = 16
    ORDERED_MAP = 17


class ListOrder(IntEnum):
    """How a list is kept."""

    UNORDERED = 0
    ORDERED = 1


class MapOrder(IntEnum):
    """How a map is kept."""

    UNORDERED = 0
    KEY_ORDERED = 1
    KEY_VALUE_ORDERED = 3


class ListWriteFlags(IntFlag):
    """What a list accepts."""

    DEFAULT = 0
    #: Refuse values that are there (result 24).
    ADD_UNIQUE = 1
    #: Refuse places beyond the end (result 26).
    INSERT_BOUNDED = 2
    #: What is refused is no failure of the command.
    NO_FAIL = 4
    #: With NO_FAIL: of several items those are written that are accepted.
    PARTIAL = 8


class ListSortFlags(IntFlag):
    """How a list is sorted, once."""

    DEFAULT = 0
    DESCENDING = 1
    DROP_DUPLICATES = 2


class MapWriteFlags(IntFlag):
    """What a map accepts."""

    DEFAULT = 0
    #: Refuse keys that are there (result 24).
    CREATE_ONLY = 1
    #: Refuse keys that are not there (result 23).
    UPDATE_ONLY = 2
    NO_FAIL = 4
    PARTIAL = 8


class BitWriteFlags(IntFlag):
    """What a blob accepts."""

    DEFAULT = 0
    CREATE_ONLY = 1
    UPDATE_ONLY = 2
    NO_FAIL = 4
    PARTIAL = 8


class BitResizeFlags(IntFlag):
    """How a blob is resized."""

    DEFAULT = 0
    FROM_FRONT = 1
    GROW_ONLY = 2
    SHRINK_ONLY = 4


class BitOverflow(IntEnum):
    """What becomes of a sum that does not fit its bits."""

    FAIL = 0
    SATURATE = 2
    WRAP = 4


class HllWriteFlags(IntFlag):
    """What a sketch accepts."""

    DEFAULT = 0
    CREATE_ONLY = 1
    UPDATE_ONLY = 2
    NO_FAIL = 4
    #: Unite sketches of different precision by folding the finer ones.
    ALLOW_FOLD = 8


class StrWriteFlags(IntFlag):
    """What text accepts."""

    DEFAULT = 0
    CREATE_ONLY = 1
    UPDATE_ONLY = 2
    NO_FAIL = 4


class StrRegexFlags(IntFlag):
    """Options of a regular expression of Unicode."""

    DEFAULT = 0
    IGNORE_CASE = 1
    MULTILINE = 2
    DOTALL = 4
    UNIX_LINES = 8
    #: Replace all matches.
    GLOBAL = 16


class NumericType(IntEnum):
    """Which numbers text may be of."""

    ANY = 0
    INT = 1
    FLOAT = 2


class ExpressionWriteFlags(IntFlag):
    """What a bin that is written from an expression accepts."""

    DEFAULT = 0
    CREATE_ONLY = 1
    UPDATE_ONLY = 2
    #: An expression that gives nil removes the bin.
    ALLOW_DELETE = 4
    NO_FAIL = 8
    #: An expression without a value changes nothing, instead of failing the command.
    EVAL_NO_FAIL = 16


class ExpressionReadFlags(IntFlag):
    """How an expression is read."""

    DEFAULT = 0
    EVAL_NO_FAIL = 16


class SelectMode(IntEnum):
    """What a path's selection gives."""

    TREE = 0
    VALUES = 1
    KEYS = 2
    PAIRS = 3
    APPLY = 4


PATH_NO_FAIL = 0x10
"""Added to a `SelectMode`: what cannot be evaluated is no match, instead of a failure."""
