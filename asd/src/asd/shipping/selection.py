"""Which records are shipped, and which of their bins: the rules of a namespace's settings.

`ships` is asked when a change is noted and when a partition is scanned: it knows the record's set
and flags. `select` is asked when a record's turn comes, and knows the record. Both are pure.

    written by a client             shipped
    came by shipping (XDR_WRITE)    shipped only with `forward`, so nothing goes round in a circle
    durable delete                  shipped, as one
    plain delete (XDR_TOMBSTONE)    shipped, unless `ignore-expunges`
    expired, evicted (NSUP)         shipped only with `ship-nsup-deletes`
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Final

from attrs import frozen

from asd.config.xdr import CHANGED_POLICIES, ShipConfig
from asd.records.record import CEMETERY, NSUP_TOMBSTONE, XDR_TOMBSTONE, XDR_WRITE

NO_BINS: Final = "no-bins"


@frozen
class Selection:
    """The rules of one namespace's settings, as they are now."""

    only_sets: frozenset[bytes] | None
    """The sets that are shipped; None: all that are not ignored."""
    ignored_sets: frozenset[bytes]
    forward: bool
    expunges: bool
    nsup_deletes: bool
    bins: Callable[[bytes], bool] | None
    """Does a bin go? None: all do."""
    without_bins: bool
    replaces: bool
    """Is a record there replaced? Else bins are written into it."""
    by_time: bool
    """Do only bins go that have changed since the record was shipped last?"""
    always: frozenset[bytes]
    """Bins that go even if they have not."""
    tells_times: bool
    """Does it go along when each bin was written?"""

    @classmethod
    def of(cls, config: ShipConfig) -> Selection:
        """The rules that settings make."""
        bins = _bins(config)
        replaces = config.write_policy == "replace" or (
            config.write_policy == "auto" and config.bin_policy == "all" and bins is None
        )
        only = frozenset(map(_encoded, config.ship_set))
        return cls(
            only if config.ship_only_specified_sets else None,
            frozenset(map(_encoded, config.ignore_set)),
            config.forward,
            not config.ignore_expunges,
            config.ship_nsup_deletes,
            bins,
            config.bin_policy == NO_BINS,
            replaces,
            config.bin_policy in CHANGED_POLICIES,
            _always(config),
            config.ship_bin_luts or config.forward,
        )

    def ships(self, set_name: bytes, flags: int) -> bool:
        """Do records of this set with these flags go at all?"""
        if flags & XDR_WRITE and not self.forward:
            return False
        if flags >= CEMETERY and flags & (XDR_TOMBSTONE | NSUP_TOMBSTONE):
            if flags & NSUP_TOMBSTONE and not self.nsup_deletes:
                return False
            if not flags & NSUP_TOMBSTONE and not self.expunges:
                return False
        if self.only_sets is not None and set_name not in self.only_sets:
            return False
        return set_name not in self.ignored_sets


def _bins(config: ShipConfig) -> Callable[[bytes], bool] | None:
    """Which bins may go, by name."""
    policy = config.bin_policy
    shipped: Container[bytes] = frozenset(map(_encoded, config.ship_bin))
    ignored = frozenset(map(_encoded, config.ignore_bin))
    if policy in ("changed-and-specified", "only-specified"):
        return shipped.__contains__
    if policy in ("all", *CHANGED_POLICIES[:1]) and ignored:
        return lambda name: name not in ignored
    return None


def _always(config: ShipConfig) -> frozenset[bytes]:
    if config.bin_policy != "changed-or-specified":
        return frozenset()
    return frozenset(map(_encoded, config.ship_bin))


def _encoded(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
