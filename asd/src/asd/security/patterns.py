"""Patterns of the directory's entries, into which a user's name is put.

A name comes from whoever wants to be let in. In a filter it must not become more than a value
(`*` would match everybody, `)(uid=*` would be another condition), in the name of an entry not more
than a part of it. So every character with a meaning there is escaped: RFC 4515, RFC 4514.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

_PLACE: Final = re.compile(r"\$\{(un|dn)\}")
_IN_FILTER: Final = re.compile(r"[\\*()\0]")
_IN_DN: Final = re.compile(r'[,+"\\<>;=\0]|^[ #]| $')


def filter_of(pattern: str, user: str, dn: str = "") -> str:
    """The filter of a pattern, for a user of a name and an entry.

    >>> filter_of("(uid=${un})", "a*)(uid=b")
    '(uid=a\\\\2a\\\\29\\\\28uid=b)'
    """
    return _filled(pattern, lambda text: _IN_FILTER.sub(_as_hex, text), user, dn)


def dn_of(pattern: str, user: str) -> str:
    """The name of the entry of a pattern, for a user.

    >>> dn_of("uid=${un},ou=people", "ann,ou=chiefs")
    'uid=ann\\\\2cou\\\\3dchiefs,ou=people'
    """
    return _filled(pattern, lambda text: _IN_DN.sub(_as_hex, text), user, "")


def _filled(pattern: str, escape: Callable[[str], str], user: str, dn: str) -> str:
    """All places are looked for before anything is put there: a name may look like a place."""
    values = {"un": escape(user), "dn": escape(dn)}
    return _PLACE.sub(lambda place: values[place[1]], pattern)


def _as_hex(match: re.Match[str]) -> str:
    return f"\\{ord(match[0]):02x}"
