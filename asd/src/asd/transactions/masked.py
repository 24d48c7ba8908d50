"""Masked bins: what a request may see of them, and change (`asd.records.mask`).

Whether a user may see or change masked bins is asked once a request, and only where the namespace
has rules at all: `access_of` makes two bits of it, which go with the transaction, to another node
too. Where the bits are 0, and they are for everybody where nothing is masked, a transaction does
nothing about masks, and may have a fast path (`asd.fastpath.cache`); others have none.

- CONCEALED: the transaction, its filter, ops and functions see the record as it is shown (by the
  mask of the set that the *record* is in). What is written is made of the true values.
- GUARDED: an op that names a bin with a rule, whatever the type of its value, is refused, and so is
  a function that changes one. Deletes and replaced records are not: who may delete a record may,
  but nobody may put a value into such a bin.

The right counts for the set that the *request* names, as all rights do (`asd.security.rights`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from aerospike_common.wire.codes import FieldType
from aerospike_common.wire.message import Message
from asd.records.mask import Mask
from asd.security.permissions import Permission
from asd.security.rights import Rights, RoleViolation
from asd.sindex.definition import IndexDefinition

if TYPE_CHECKING:
    from asd.space.namespace import Namespace

OPEN: Final = 0
"""Everything may be seen and changed."""
CONCEALED: Final = 1
GUARDED: Final = 2

_SET: Final = int(FieldType.SET)


def access_of(namespace: Namespace, message: Message, rights: Rights) -> int:
    """What of the namespace's masked bins a request may not do: CONCEALED, GUARDED, both, or OPEN.

    A request that names a set without rules meets no masked bin: records of other sets are refused.
    """
    masks = namespace.masks
    if not masks:
        return OPEN
    set_name = message.fields.get(_SET, b"")
    if set_name and set_name not in masks:
        return OPEN
    place = namespace.name.encode(), set_name
    concealed = not rights.permits(Permission.READ_MASKED, *place)
    guarded = not rights.permits(Permission.WRITE_MASKED, *place)
    return concealed * CONCEALED | guarded * GUARDED


def check_bins(mask: Mask, changed: Iterable[bytes]) -> None:
    """Raises RoleViolation when one of these bins has a rule."""
    if not mask.bin_names.isdisjoint(changed):
        raise RoleViolation(Permission.WRITE_MASKED)


def check_index(namespace: Namespace, set_name: bytes, index: IndexDefinition) -> None:
    """Raises RoleViolation for a query, from which masked bins are concealed, by an index of one:
    which records it finds tells their values. What an expression's index is of is not looked into.
    """
    masks = [namespace.masks[set_name]] if set_name else namespace.masks.values()
    if index.expression or any(index.bin_name in mask.bin_names for mask in masks):
        raise RoleViolation(Permission.READ_MASKED)
