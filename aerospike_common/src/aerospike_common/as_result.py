"""`AsResult`: what a user's function came to, a value or a failure."""

from __future__ import annotations

from typing import Self

import attrs

from aerospike_common.as_val import AsVal, checked


class AsResultError(Exception):
    """A failure that was unwrapped; `value` says what went wrong."""

    def __init__(self, value: AsVal) -> None:
        super().__init__(value)
        self.value = value


@attrs.frozen
class AsResult:
    """Success or failure, each with its value. True when it is a success.

    A function that fails in the way its author meant returns one; exceptions stay for what nobody
    meant.

    >>> from aerospike_common.as_integer import AsInteger
    >>> from aerospike_common.as_string import AsString
    >>> AsResult.success(AsInteger(1)).unwrap()
    AsInteger(value=1)
    >>> bool(AsResult.failure(AsString("function not found")))
    False
    """

    is_success: bool
    value: AsVal = attrs.field(converter=checked)

    @classmethod
    def success(cls, value: AsVal) -> Self:
        """It worked, and gave `value`."""
        return cls(True, value)

    @classmethod
    def failure(cls, value: AsVal) -> Self:
        """It failed, for the reason `value`; most often a string."""
        return cls(False, value)

    def __bool__(self) -> bool:
        return self.is_success

    def unwrap(self) -> AsVal:
        """The value of a success. Raises AsResultError with that of a failure."""
        if not self.is_success:
            raise AsResultError(self.value)
        return self.value
