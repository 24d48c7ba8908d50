"""Names of users in patterns: values, whatever is in them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asd.security.patterns import dn_of, filter_of

ldap3_dn = pytest.importorskip("ldap3.utils.dn")
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@settings(deadline=None)
@given(NAMES)
def test_a_name_is_one_part_of_the_name_of_an_entry(name: str) -> None:
    made = dn_of("uid=${un},ou=people", name)
    assert made.startswith("uid=")
    value = made.removeprefix("uid=").removesuffix(",ou=people")
    assert _unescaped(value) == name
    for at, char in enumerate(value):
        if char in ',+"<>;=\0':
            raise AssertionError(f"{char!r} at {at} of {value!r}")


@settings(deadline=None)
@given(NAMES)
def test_a_name_is_one_value_of_a_filter(name: str) -> None:
    made = filter_of("(&(a=b)(uid=${un}))", name)
    value = made.removeprefix("(&(a=b)(uid=").removesuffix("))")
    assert _unescaped(value) == name
    assert not set("*()\0") & set(value)


def test_a_name_that_looks_like_a_place_is_none() -> None:
    assert filter_of("(m=${un})(d=${dn})", "${dn}", "cn=x") == "(m=${dn})(d=cn=x)"


@pytest.mark.parametrize("name", [" ann", "ann ", "#ann", 'a"b', "a\\b"])
def test_blanks_and_signs_at_the_ends(name: str) -> None:
    parsed = ldap3_dn.parse_dn(dn_of("uid=${un},ou=people", name))
    assert len(parsed) == 2
    assert _unescaped(parsed[0][1]) == name


def _unescaped(value: str) -> str:
    found, at = "", 0
    while at < len(value):
        if value[at] == "\\":
            found += chr(int(value[at + 1 : at + 3], 16))
            at += 3
        else:
            found += value[at]
            at += 1
    return found
