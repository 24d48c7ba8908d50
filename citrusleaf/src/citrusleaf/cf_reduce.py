"""What a reduce callback may answer about the element it was shown.

>>> from citrusleaf.cf_queue import CfQueue
>>> queue = CfQueue([5, 8, 6])
>>> queue.reduce(lambda n: Verdict.DELETE_AND_STOP if n % 2 == 0 else Verdict.KEEP)
1
>>> list(queue)
[5, 6]
"""

from enum import Enum


class Verdict(Enum):
    """The answer of a reduce callback. A callback that returns None says `KEEP`."""

    KEEP = "keep"
    """Leave the element where it is and go on."""
    STOP = "stop"
    """Leave the element and look no further."""
    DELETE = "delete"
    """Remove the element and go on."""
    DELETE_AND_STOP = "delete and stop"
    """Remove the element and look no further."""

    @property
    def deletes(self) -> bool:
        """Whether the element goes."""
        return self is Verdict.DELETE or self is Verdict.DELETE_AND_STOP

    @property
    def stops(self) -> bool:
        """Whether the walk ends here."""
        return self is Verdict.STOP or self is Verdict.DELETE_AND_STOP
